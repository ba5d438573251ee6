"""Mediation: what each event does, in one table. Only what changes what a lifecycle does next wakes it, and it is told
levels rather than edges, so that no race and no order can leave it wrong for ever.

| treatment | what happens |
|---|---|
| Intake | the deal is classified: it starts a lifecycle, changes or renews a contract, or goes to a person |
| Corrects | the order is checked anew, while it is not activated; later the lifecycle is told, or it is only recorded |
| Tells | the lifecycle is told as it is |
| Keeps | kept as facts; the lifecycle is told when the level that they amount to differs from what it was last told |
| Asks | a case for a person, who decides what it means; the lifecycle sleeps on |
| Records | a line in the timeline, no more |
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any, TypeVar

from domain import events as e
from domain.company import Company
from domain.errors import Actor
from domain.facts import DISPUTE, INVOICE, MOVEMENT, SUBSCRIPTION, SUPPORT_CASE, USAGE, Fact, invoices
from domain.messages import (
    CollectionsChanged,
    CreditHoldChanged,
    LifecycleEvent,
    MilestoneReached,
    ParentChanged,
    PurchaseOrderReceived,
    RenewalLost,
    RenewalSettled,
    RenewalWon,
    SubscriptionReported,
    Succeeded,
    SupportChanged,
    UsageChanged,
)
from domain.policies.collections import credit_line, delinquency, next_due

D = TypeVar("D", bound=e.EventData)
Level = CollectionsChanged | CreditHoldChanged | SupportChanged | UsageChanged | SubscriptionReported

COLLECTIONS = INVOICE  # the level's name, by which it is remembered what was told
CREDIT = "credit"  # of a customer: reckoned from the invoices of all its open contracts
LEVELS: Mapping[str, tuple[str, ...]] = {
    COLLECTIONS: (INVOICE, MOVEMENT, DISPUTE),
    CREDIT: (INVOICE, MOVEMENT, DISPUTE),
    SUPPORT_CASE: (SUPPORT_CASE,),
    USAGE: (USAGE,),
    SUBSCRIPTION: (SUBSCRIPTION,),
}
"""Of which kinds of facts each level is reckoned."""

WAKING_SEVERITY = 2
_LIVELIEST = ("cancelled", "draft", "ended", "active")


class Intake:
    """A deal's record: the CRM's mapping and the intake's rules say what it is."""


@dataclass(frozen=True)
class Corrects:
    """It changes an order that may be corrected yet: `value` makes what stands at `path`. An activated contract is told
    what `told` makes of it, or nothing.
    """

    path: str
    value: Callable[[Any], Any]
    told: Callable[[Any], LifecycleEvent] | None = None


class Records:
    """Kept in the timeline."""


@dataclass(frozen=True)
class Tells:
    """`told` makes the message of the event."""

    told: Callable[[Any], LifecycleEvent]


@dataclass(frozen=True)
class Keeps:
    """`level` is what the facts amount to."""

    level: str


@dataclass(frozen=True)
class Asks:
    """`why` puts the question to a person, from the event's data; `mend` is what to do, for a `{contract}` and whatever
    the event's data names.
    """

    kind: str
    title: str
    why: Callable[[Any], str]
    mend: str
    actor: Actor = "ops"


Treatment = Intake | Corrects | Tells | Keeps | Asks | Records


def _milestone(event: e.MilestoneCompleted) -> LifecycleEvent:
    return MilestoneReached(milestone=event.milestone, on=event.completed_on)


def _amended(event: e.ContractAmended) -> str:
    lines = ", ".join(f"{product} {quantity}" for product, quantity in sorted(event.quantities.items()))
    return f"effective {event.effective or 'at once'}: {lines or 'it is not said which lines'}"


def _reparented(event: e.AccountReparented) -> LifecycleEvent:
    return ParentChanged(parent=event.parent)


def _purchase_order(event: e.PurchaseOrderReceived) -> str | dict[str, str]:
    """As an order states it: its number alone, unless more is known."""
    more = {"limit": event.limit, "expires_on": event.expires_on}
    stated = {name: str(value) for name, value in more.items() if value is not None}
    return {"number": event.number, **stated} if stated else event.number


def _purchase_order_received(event: e.PurchaseOrderReceived) -> LifecycleEvent:
    return PurchaseOrderReceived(number=event.number, limit=event.limit, expires_on=event.expires_on)


def _decided(event: e.RenewalDecided) -> LifecycleEvent:
    return RenewalSettled(outcome=event.outcome, by=event.by)


TABLE: Mapping[type[e.EventData], Treatment] = {
    # ── CRM ──
    e.DealClosedWon: Intake(),
    e.DealCorrected: Intake(),
    e.DealReopened: Intake(),
    e.DealLost: Intake(),
    e.RenewalOpportunityWon: Tells(lambda event: RenewalWon(opportunity=event.opportunity)),
    e.RenewalOpportunityLost: Tells(lambda event: RenewalLost(opportunity=event.opportunity)),
    e.RenewalDecided: Tells(_decided),
    e.PurchaseOrderReceived: Corrects("purchase_order", _purchase_order, _purchase_order_received),
    e.RenewalWindowOpened: Records(),
    e.ExpansionOpportunityIdentified: Records(),
    e.AccountReparented: Corrects("account.parent_id", lambda event: event.parent, _reparented),
    e.ContractSucceeded: Tells(lambda event: Succeeded(by=event.by, how=event.how, on=event.on)),
    e.AccountMerged: Asks(
        kind="account_merged",
        title="the customer's account was merged into another",
        why=lambda event: f"the account {event.account} is part of {event.into} now; events for either are understood",
        mend="tenure accounts merge {account} {into}; it shows what it would do with --dry-run",
    ),
    e.LegalEntityChanged: Asks(
        kind="legal_entity_changed",
        title="the customer's legal entity has changed",
        why=lambda event: f"changed: {', '.join(event.changed) or 'not said what'}",
        mend="bring customer and contract {contract} up to date in the ERP, then tenure cases resolve",
        actor="finance",
    ),
    # ── ERP: orders and contracts ──
    e.OrderApproved: Records(),
    e.OrderActivated: Records(),
    e.OrderRejected: Asks(
        kind="order_rejected",
        title="the ERP has rejected the order",
        why=lambda event: event.reason,
        mend="tenure fix {contract} --set …, or tenure cancel {contract} --reason …",
    ),
    e.ContractAmended: Asks(
        kind="amended_outside",
        title="the contract was changed in the ERP itself",
        why=_amended,
        mend="win the amendment in the CRM for {contract}, or take it back in the ERP",
        actor="finance",
    ),
    e.ContractEnded: Asks(
        kind="ended_outside",
        title="the contract was ended in the ERP itself",
        why=lambda event: f"it ends on {event.ends}{f': {event.reason}' if event.reason else ''}",
        mend="tenure end {contract} --on DATE --reason …, or take it back in the ERP",
        actor="finance",
    ),
    e.SubscriptionChanged: Keeps(SUBSCRIPTION),
    # ── ERP and billing: invoices and payments ──
    e.InvoicePosted: Keeps(COLLECTIONS),
    e.InvoiceDueDateChanged: Keeps(COLLECTIONS),
    e.InvoiceOverdue: Keeps(COLLECTIONS),
    e.InvoicePaid: Keeps(COLLECTIONS),
    e.InvoicePartlyPaid: Keeps(COLLECTIONS),
    e.InvoiceCredited: Keeps(COLLECTIONS),
    e.InvoiceVoided: Keeps(COLLECTIONS),
    e.InvoiceWrittenOff: Keeps(COLLECTIONS),
    e.InvoiceDisputed: Keeps(COLLECTIONS),
    e.InvoiceDisputeResolved: Keeps(COLLECTIONS),
    e.PaymentReversed: Keeps(COLLECTIONS),
    e.PaymentFailed: Records(),
    # ── customer success, support, usage ──
    e.MilestoneCompleted: Tells(_milestone),
    e.TaskOverdue: Records(),
    e.ServiceDeliveryFailed: Asks(
        kind="service_delivery",
        title="something that was sold can't be delivered as agreed",
        why=lambda event: f"{f'line {event.line}: ' if event.line else ''}{event.reason}",
        mend="settle it with the customer before {contract} is billed for it, then tenure cases resolve",
    ),
    e.AdoptionMilestoneReached: Records(),
    e.AdoptionDropped: Keeps(USAGE),
    e.UsageReported: Keeps(USAGE),
    e.SupportCaseOpened: Keeps(SUPPORT_CASE),
    e.SupportCaseSeverityChanged: Keeps(SUPPORT_CASE),
    e.SupportCaseClosed: Keeps(SUPPORT_CASE),
}


def treatment(event: e.EventData) -> Treatment:
    """What is to be done with an event. UnusableEvent for one that only Tenure itself sends."""
    found = TABLE.get(type(event))
    if found is None:
        raise e.UnusableEvent(f"{event.type} is sent by Tenure, not to it")
    return found


def standing(level: str, facts: Iterable[Fact], today: date, company: Company) -> Level:
    """What the facts of a level's kinds amount to today."""
    if level == COLLECTIONS:
        found = delinquency(invoices(facts), today, company.collections)
        high = timedelta(days=company.risk.high_after_days_overdue)
        return CollectionsChanged(
            delinquent=found.delinquent,
            overdue_since=found.oldest_due,
            long_overdue=found.oldest_due is not None and today >= found.oldest_due + high,
            grace_over=(ends := _grace_ends(found.oldest_due, company)) is not None and today >= ends,
        )
    if level == CREDIT:
        line = credit_line(company.collections, company.credit)
        return CreditHoldChanged(invoices=delinquency(invoices(facts), today, line).delinquent if line else ())
    if level == SUPPORT_CASE:
        severities: dict[int, int] = {}
        for case in facts:
            if case.data["open"] and case.data["severity"] <= WAKING_SEVERITY:
                severities[case.data["severity"]] = severities.get(case.data["severity"], 0) + 1
        return SupportChanged(severities=dict(sorted(severities.items())))
    if level == SUBSCRIPTION:
        return _reported(list(facts))
    used = [(Decimal(usage.data["active"]), Decimal(usage.data["entitled"])) for usage in facts]
    ratios = [active / entitled for active, entitled in used if entitled]
    adoption = round(min(ratios, default=Decimal(1)), 4)
    return UsageChanged(adoption=adoption if adoption < company.risk.low_adoption else None)


def _reported(facts: list[Fact]) -> SubscriptionReported:
    """Of the subscription that counts, where a contract has had several (an ERP may renew by a new one): the one that
    is most alive, of those that ended the one that ended last."""
    known = sorted((_LIVELIEST.index(fact.data["status"]), fact.data["ends"] or "", fact.entity) for fact in facts)
    if not known:
        return SubscriptionReported()
    counts = known[-1][2]
    said = next(fact.data for fact in facts if fact.entity == counts)
    ends = said["ends"] if said["status"] == "ended" else None
    return SubscriptionReported(
        status=said["status"], entitled=said["entitled"], ends=date.fromisoformat(ends) if ends else None
    )


def news(level: Level) -> dict[str, Any]:
    """What of a level must differ from what was last told before the lifecycle is woken."""
    return level.model_dump(mode="json", exclude={"seq"})


def next_change(facts: Iterable[Fact], today: date, company: Company) -> date | None:
    """The next day on which the invoices' standing changes by time alone."""
    known = invoices(facts)
    found = delinquency(known, today, company.collections)
    crossing = next_due(known, today, company.collections)
    long = found.oldest_due + timedelta(days=company.risk.high_after_days_overdue) if found.oldest_due else None
    line = credit_line(company.collections, company.credit)
    held = next_due(known, today, line) if line else None
    graceless = _grace_ends(found.oldest_due, company)
    return min((day for day in (crossing, long, held, graceless) if day is not None and day > today), default=None)


def _grace_ends(oldest_due: date | None, company: Company) -> date | None:
    """The first day without grace for whoever is delinquent; None where the company sets none."""
    days = company.entitlement.grace_days
    return oldest_due + timedelta(days=days + 1) if oldest_due is not None and days is not None else None
