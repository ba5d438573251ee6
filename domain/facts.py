"""Facts: what an event says of an outside record, kept so that any order and any repetition ends in the same.

A snapshot replaces the one before it when its version is higher. A movement (a payment, a credit) is a fact of its own:
it adds, and is never outdated. What they amount to is reckoned from all of them.
"""

from collections.abc import Iterable
from datetime import date
from decimal import Decimal
from typing import Any, NamedTuple

from domain.events import (
    AdoptionDropped,
    EventData,
    InvoiceCredited,
    InvoiceDisputed,
    InvoiceDisputeResolved,
    InvoicePaid,
    InvoicePartlyPaid,
    InvoiceSnapshot,
    InvoiceVoided,
    InvoiceWrittenOff,
    OfInvoice,
    PaymentReversed,
    SubscriptionChanged,
    SupportCase,
    SupportCaseClosed,
    UsageReported,
)
from domain.policies.collections import InvoiceStatus

INVOICE, MOVEMENT, DISPUTE = "invoice", "invoice_movement", "invoice_dispute"
SUPPORT_CASE, USAGE, DEAL, SUBSCRIPTION = "support_case", "usage", "deal", "subscription"

UNNAMED = "full@"
UNNAMED_SUBSCRIPTION = "the contract's"
END, PAYMENT, CREDIT, REVERSAL = "end", "payment", "credit", "reversal"


class Fact(NamedTuple):
    """`entity` names the record; of two with the same kind and entity the higher `version` stands."""

    kind: str
    entity: str
    version: str
    data: dict[str, Any]


def facts_of(event: EventData) -> tuple[Fact, ...]:
    """The facts that an event carries; none for what is told as it is, or only recorded."""
    match event:
        case OfInvoice():
            return _of_invoice(event)
        case SupportCase():
            opened = not isinstance(event, SupportCaseClosed)
            data = {"severity": event.severity, "open": opened}
            return (Fact(SUPPORT_CASE, event.case, stamp(event.version), data),)
        case UsageReported() | AdoptionDropped():
            reported = {"active": str(event.active), "entitled": str(event.entitled)}
            return (Fact(USAGE, event.account, event.as_of.isoformat(), reported),)
        case SubscriptionChanged():
            ends = event.ends.isoformat() if event.ends else None
            said = {"status": event.status, "entitled": event.entitled, "ends": ends}
            return (Fact(SUBSCRIPTION, event.subscription or UNNAMED_SUBSCRIPTION, stamp(event.version), said),)
    return ()


class Owed(NamedTuple):
    """An invoice, what it demands, and what of that is still open, in the invoice's own currency."""

    status: InvoiceStatus
    amount: Decimal
    open: Decimal


def newer(version: str, data: dict[str, Any], than: Fact) -> bool:
    """Whether a snapshot replaces another. Two that differ within one version are ordered too, by what they say."""
    return (version, _canonical(data)) > (than.version, _canonical(than.data))


def stamp(version: int) -> str:
    """A version number as text that sorts as the numbers do."""
    return f"{version:018d}"


def invoices(facts: Iterable[Fact]) -> list[InvoiceStatus]:
    """Where each invoice stands whose demand is known. One that only movements speak of demands nothing yet."""
    return [each.status for each in owed(facts)]


def owed(facts: Iterable[Fact]) -> list[Owed]:
    """The same, with the amounts."""
    demands: dict[str, dict[str, Any]] = {}
    movements: dict[str, list[Fact]] = {}
    disputed: set[str] = set()
    for fact in facts:
        if fact.kind == INVOICE:
            demands[fact.entity] = fact.data
        elif fact.kind == MOVEMENT:
            movements.setdefault(fact.data["invoice"], []).append(fact)
        elif fact.kind == DISPUTE and fact.data["open"]:
            disputed.add(fact.entity)
    return [
        _owed(invoice, demand, movements.get(invoice, []), disputed=invoice in disputed)
        for invoice, demand in sorted(demands.items())
    ]


def _owed(invoice: str, demand: dict[str, Any], movements: list[Fact], *, disputed: bool) -> Owed:
    amount, settled = Decimal(demand["amount"]), _settled(movements)
    paid = settled is None or (bool(settled) and sum(settled) >= amount)
    status = InvoiceStatus(id=invoice, due_on=date.fromisoformat(demand["due_on"]), paid=paid, disputed=disputed)
    return Owed(status, amount, Decimal(0) if paid else amount - sum(settled or (), Decimal(0)))


def _of_invoice(event: OfInvoice) -> tuple[Fact, ...]:
    facts: list[Fact] = []
    version = stamp(event.version)
    if isinstance(event, InvoiceSnapshot):
        demand = {"due_on": event.due_on.isoformat(), "amount": str(event.amount)}
        facts.append(Fact(INVOICE, event.invoice, version, demand))
    match event:
        case InvoicePaid():
            facts.append(_movement(event, PAYMENT, event.payment or f"{UNNAMED}{version}", {"full": True}))
        case InvoicePartlyPaid():
            facts.append(_movement(event, PAYMENT, event.payment, {"amount": str(event.paid)}))
        case InvoiceCredited():
            facts.append(_movement(event, CREDIT, event.credit_note, {"amount": str(event.credited)}))
        case InvoiceVoided() | InvoiceWrittenOff():
            facts.append(_movement(event, END, event.type, {}))
        case PaymentReversed():
            facts.append(_movement(event, REVERSAL, event.payment, {}))
        case InvoiceDisputed() | InvoiceDisputeResolved():
            opened = isinstance(event, InvoiceDisputed)
            facts.append(Fact(DISPUTE, event.invoice, version, {"open": opened}))
    return tuple(facts)


def _movement(event: OfInvoice, what: str, name: str, data: dict[str, Any]) -> Fact:
    """What happened is the same whoever tells it, and however often: so it has one version."""
    return Fact(
        MOVEMENT,
        f"{event.invoice}/{what}/{name}",
        stamp(0),
        {"invoice": event.invoice, "what": what, "name": name, **data},
    )


def _settled(movements: list[Fact]) -> list[Decimal] | None:
    """The payments and credits that count; None: it ended, or was paid in full, whatever it demands.

    A reversal takes back the payment that it names. One that names none of ours takes back a payment in full whose name
    the source did not tell, the oldest first.
    """
    by: dict[str, dict[str, dict[str, Any]]] = {}
    for movement in movements:
        by.setdefault(movement.data["what"], {})[movement.data["name"]] = movement.data
    if END in by:
        return None
    payments, reversals = by.get(PAYMENT, {}), by.get(REVERSAL, {})
    unnamed = sorted(name for name in payments if name.startswith(UNNAMED))
    taken_back = {*reversals, *unnamed[: sum(name not in payments for name in reversals)]}
    counting = [data for name, data in payments.items() if name not in taken_back]
    if any(data.get("full") for data in counting):
        return None
    return [Decimal(data["amount"]) for data in (*counting, *by.get(CREDIT, {}).values())]


def _canonical(data: dict[str, Any]) -> str:
    return repr(sorted(data.items()))
