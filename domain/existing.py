"""A contract that lives already: its facts, what is wrong with them, and the state in which it enters.

Whatever lies before the day on which it enters was done by the old process and is never done again.
"""

from collections.abc import Iterator, Mapping
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any, Literal, NamedTuple

from pydantic import Field, ValidationError

from domain import calendar, keys, outcomes
from domain.base import Frozen
from domain.company import Company
from domain.intentions import CompanyOf, CustomerOf, fingerprint
from domain.order import ContractSheet, OrderVerdict, Reason
from domain.ports.erp import SubscriptionState
from domain.standins import ELSEWHERE, is_real
from domain.state import Decision, LifecycleState

BY = "the process before Tenure"

DONE_BY = {
    "customer": "erp.create_customer",
    "subscription": "erp.create_subscription",
    "activation": "erp.activate_order",
    "billing-start": "erp.start_billing",
    "amendment": "erp.amend_subscription",
    "term-change": "erp.change_term",
    "renewal": "erp.renew_subscription",
    "ending": "erp.end_subscription",
    "company": "cs.ensure_company",
    "onboarding": "cs.launch_onboarding",
    "playbook": "cs.start_playbook",
    "readiness-note": "cs.post_note",
    "renewal-opportunity": "crm.create_renewal_opportunity",
}
"""The step by which each kind of fact is done, by the first word of its key."""
IMPORTED = "imported"
"""Stands in the ledger for the arguments of what the old process has done: no request of ours has the same."""


class Entry(NamedTuple):
    """What the ledger keeps of a step that is done: operation, hash of the arguments, result."""

    operation: str
    arguments: str
    result: dict[str, Any]


class Existing(Frozen):
    """Facts of a contract that lives, as a file's `[existing]` states them; the ERP's own word adds to them.

    `customer`, `subscription`: ids in the ERP; `company`, `onboarding`: in CS; `opportunity`: in the CRM, for the
    renewal of the running term. `billing`: first billed day by line. `quantities`: targets by line where they are no
    longer the order's. `term`: number of the running one; when absent it follows from the dates. `term_ends`: where the
    running term's end was moved. `ends_on`: the first
    day that is not served, once the end is known; `decision`: of the running term's renewal, if it has been made.
    """

    customer: str | None = Field(default=None, min_length=1)
    subscription: str | None = Field(default=None, min_length=1)
    company: str | None = Field(default=None, min_length=1)
    onboarding: str | None = Field(default=None, min_length=1)
    opportunity: str | None = Field(default=None, min_length=1)
    activated_on: date
    billing: dict[str, date] = {}
    quantities: dict[str, Decimal] = {}
    milestones: dict[str, date] = {}
    term: int | None = Field(default=None, ge=1)
    term_ends: date | None = None
    decision: Literal["renew", "end"] | None = None
    ends_on: date | None = None
    end_reason: str = ""


def parse_existing(facts: object) -> tuple[Existing | None, tuple[Reason, ...]]:
    """The facts, or every reason why they can't be read."""
    try:
        return Existing.model_validate(facts), ()
    except ValidationError as error:
        return None, tuple(
            Reason(path=".".join(["existing", *map(str, each["loc"])]), message=f"{each['msg'].rstrip('.')}.")
            for each in error.errors(include_input=False, include_url=False)
        )


def with_erp(
    existing: Existing, sheet: ContractSheet, erp: SubscriptionState, today: date
) -> tuple[Existing, tuple[Reason, ...]]:
    """The facts together with what the ERP says, which owns contract and billing; and where the two differ."""
    reasons = list(_differences(existing, erp))
    billed = {line.line: line.billed_from for line in erp.lines if line.billed_from is not None}
    sold = {line.id: line.quantity for line in sheet.lines}
    held = {line.line: line.quantity for line in erp.lines if line.quantity != sold.get(line.line, line.quantity)}
    unknown = sorted({line.line for line in erp.lines} - sold.keys())
    reasons += [Reason(path="lines", message=f"The ERP has a line {line} that the order has not.") for line in unknown]
    known: dict[str, Any] = {"billing": {**billed, **existing.billing}, "quantities": {**held, **existing.quantities}}
    if erp.status == "ended" and existing.ends_on is None:
        known |= {"ends_on": erp.ends, "end_reason": existing.end_reason or f"ended in the ERP by {BY}"}
    else:
        try:
            known |= _term(existing, sheet, erp.ends, today)
        except ValueError as error:
            reasons.append(Reason(path="terms", message=f"{error}."))
    return existing.model_copy(update=known), tuple(reasons)


def check_existing(existing: Existing, sheet: ContractSheet, company: Company, today: date) -> tuple[Reason, ...]:
    """Every reason why a contract can't enter with these facts."""
    return tuple(_wrong(existing, sheet, company, today))


def enter(
    life: LifecycleState, verdict: OrderVerdict, existing: Existing, now: datetime, today: date
) -> LifecycleState:
    """The state in which a checked contract enters, in shadow: with its facts, and with everything that was due before
    `today` as done, so that the lifecycle falls through to where the contract stands. Changes `life`.
    """
    if verdict.sheet is None:
        raise ValueError("the order is not valid")
    outcomes.judged(life, verdict.model_copy(update={"approval": ()}), now)  # what lives already has been approved
    life.mode = "shadow"
    life.order_revision = verdict.revision
    life.activated_on, life.milestones = existing.activated_on, dict(existing.milestones)
    life.quantities = {line.id: line.quantity for line in verdict.sheet.lines} | existing.quantities
    life.billing = dict(existing.billing)
    life.term = existing.term or _running(verdict.sheet, existing, today)
    if existing.term_ends is not None:
        life.moved[life.term + 1] = existing.term_ends
    life.effects = _done(life, existing)
    if existing.decision is not None:
        life.decision = Decision(outcome=existing.decision, by=BY, on=today)
    if existing.ends_on is not None or existing.decision == "end":
        term = life.term_now()
        life.ends_on = existing.ends_on or (term.ends if term else None)
        life.end_reason = existing.end_reason or f"decided by {BY}"
    _window(life, existing, today)
    return life


def entries(life: LifecycleState, done: Mapping[str, str]) -> dict[str, Entry]:
    """Ledger rows of what was done before Tenure, by key. Records that several contracts share are only kept where
    their id is known: another contract may still make them."""
    shared: dict[str, str] = {
        life.customer_key: fingerprint(CustomerOf(account=life.account, selling_entity=life.known.selling_entity)),
        life.company_key: fingerprint(CompanyOf(account=life.account)),
    }
    rows = {}
    for key, ref in done.items():
        kind, _, method = DONE_BY[key.partition(":")[0]].partition(".")
        if is_real(ref) or key not in shared:
            operation = f"{life.connection(kind)}.{method}"
            rows[key] = Entry(operation, shared.get(key, IMPORTED), {"id": ref})
    return rows


def _done(life: LifecycleState, existing: Existing) -> dict[str, str]:
    """What counts as done, with the ids outside where they are known."""
    contract, subscription = life.contract, existing.subscription or ELSEWHERE
    done = {
        life.customer_key: existing.customer or ELSEWHERE,
        keys.subscription(contract): subscription,
        keys.activation(contract): subscription,
        keys.onboarding(contract): existing.onboarding or ELSEWHERE,
    }
    if existing.company is not None:
        done[life.company_key] = existing.company
    done |= {keys.billing_start(contract, line, 1): subscription for line in existing.billing}
    done |= {keys.renewal(contract, term): subscription for term in range(2, life.term + 1)}
    if existing.opportunity is not None:
        done[keys.renewal_opportunity(contract, life.term)] = existing.opportunity
    return done


def _window(life: LifecycleState, existing: Existing, today: date) -> None:
    """A renewal window that is open already was opened, and prepared for, by the old process."""
    opens = life.window_opens() if life.ends_on is None else None
    if opens is None or calendar.civil_date(opens, life.zone) > today:
        return
    life.window_opened = life.prepared = life.term
    prepared = (keys.renewal_opportunity, keys.playbook, keys.readiness_note)
    life.effects = {key(life.contract, life.term): ELSEWHERE for key in prepared} | life.effects


def _anchor(sheet: ContractSheet, existing: Existing) -> date:
    return calendar.anchor(sheet.terms, sheet.signed_on, existing.activated_on) or existing.activated_on


def _running(sheet: ContractSheet, existing: Existing, today: date) -> int:
    """The term that a day lies in, as if every renewal had happened."""
    anchor = _anchor(sheet, existing)
    return calendar.term_on(sheet.terms, anchor, max(anchor, today)).number


def _term(existing: Existing, sheet: ContractSheet, ends: date | None, today: date) -> dict[str, Any]:
    """The running term by the end that the ERP has; the renewal is decided where the ERP holds the next one already."""
    if ends is None or existing.term is not None or ends == existing.term_ends:
        return {}
    anchor = _anchor(sheet, existing)
    term = calendar.term_on(sheet.terms, anchor, max(anchor, ends - timedelta(days=1)))
    if term.ends != ends:
        raise ValueError(
            f"the ERP's term ends on {ends}, and by these terms one ends on {term.ends}; where it was moved, say so "
            "with existing.term_ends"
        )
    if term.starts > today and term.number > 1:
        return {"term": term.number - 1, "decision": existing.decision or "renew"}
    return {"term": term.number}


def _differences(existing: Existing, erp: SubscriptionState) -> Iterator[Reason]:
    """Where file and ERP contradict each other: somebody has to find out, since billing hangs on it."""
    if erp.status in ("draft", "cancelled"):
        yield Reason(path="existing.subscription", message=f"It is {erp.status} in the ERP, so it does not live.")
    for line in erp.lines:
        said = existing.billing.get(line.line)
        if said is not None and said != line.billed_from:
            found = f"from {line.billed_from}" if line.billed_from else "not at all"
            yield Reason(path=f"existing.billing.{line.line}", message=f"The ERP bills the line {found}, not {said}.")
        quantity = existing.quantities.get(line.line)
        if quantity is not None and quantity != line.quantity:
            path = f"existing.quantities.{line.line}"
            yield Reason(path=path, message=f"The ERP has {line.quantity} of the line, not {quantity}.")
    if existing.ends_on is not None and erp.ends is not None and erp.status == "ended" and erp.ends != existing.ends_on:
        yield Reason(path="existing.ends_on", message=f"The ERP ends it on {erp.ends}, not {existing.ends_on}.")


def _wrong(existing: Existing, sheet: ContractSheet, company: Company, today: date) -> Iterator[Reason]:
    if existing.activated_on > today:
        message = f"It is activated on {existing.activated_on} only: win it as a new deal."
        yield Reason(path="existing.activated_on", message=message)
    if existing.ends_on is not None and existing.ends_on <= today:
        yield Reason(path="existing.ends_on", message=f"It has ended on {existing.ends_on}: there is nothing to carry.")
    lines = {line.id for line in sheet.lines}
    for field in ("billing", "quantities"):
        for line in sorted(getattr(existing, field).keys() - lines):
            message = f"The order has no line {line}; it has {', '.join(sorted(lines))}."
            yield Reason(path=f"existing.{field}.{line}", message=message)
    for line, quantity in existing.quantities.items():
        if quantity <= 0:
            yield Reason(path=f"existing.quantities.{line}", message=f"{quantity} is no quantity.")
    known = company.milestones
    for name, day in existing.milestones.items():
        if name not in known:
            message = f"The onboarding plan has no such milestone; it has {', '.join(sorted(known))}."
            yield Reason(path=f"existing.milestones.{name}", message=message)
        if day > today:
            yield Reason(path=f"existing.milestones.{name}", message=f"{day} has not come yet.")
    try:
        running = existing.term or _running(sheet, existing, today)
        starts = calendar.term(sheet.terms, _anchor(sheet, existing), running).starts
    except ValueError as error:
        yield Reason(path="existing.term", message=f"{str(error).capitalize()}.")
    else:
        if starts > today:
            yield Reason(path="existing.term", message=f"Term {running} begins on {starts} only.")
