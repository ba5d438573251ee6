"""When a dead letter is moot: a later event that could be used says the same thing of the same record anew.

| events | said of | newer by |
|---|---|---|
| deal closed won, corrected, reopened, lost | the deal | the CRM's version |
| invoice posted, due date changed, overdue | the invoice's demand | version |
| invoice disputed, dispute resolved | the invoice's dispute | version |
| support case opened, severity changed, closed | the support case | version |
| usage reported, adoption dropped | the account's usage | as_of |
| renewal opportunity won, lost | the opportunity | time |
| the others | what `_ALONE` names, by the same type only | version, time |

A movement (a payment, a credit) adds to what is known: nothing but the same movement, told again, makes it moot.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from domain import events
from domain.base import Frozen
from domain.events import CATALOG, EventData

Types = tuple[type[EventData], ...]
DealOf = Callable[[dict[str, Any]], tuple[str, str] | None]
"""A deal's id and version by its record, None where the record does not tell them."""

DEALS: Types = (events.DealClosedWon, events.DealCorrected, events.DealReopened, events.DealLost)
_TOGETHER: tuple[tuple[Types, tuple[str, ...], str], ...] = (
    (DEALS, (), ""),
    ((events.InvoicePosted, events.InvoiceDueDateChanged, events.InvoiceOverdue), ("invoice",), "version"),
    ((events.InvoiceDisputed, events.InvoiceDisputeResolved), ("invoice",), "version"),
    (
        (events.SupportCaseOpened, events.SupportCaseSeverityChanged, events.SupportCaseClosed),
        ("account", "case"),
        "version",
    ),
    ((events.UsageReported, events.AdoptionDropped), ("account",), "as_of"),
    ((events.RenewalOpportunityWon, events.RenewalOpportunityLost), ("opportunity",), ""),
)
_OF_CONTRACT = ("contract", "subscription", "deal")
_ALONE: tuple[tuple[type[EventData], tuple[str, ...], str], ...] = (
    (events.InvoicePaid, ("invoice", "payment"), "version"),
    (events.InvoicePartlyPaid, ("invoice", "payment"), "version"),
    (events.InvoiceCredited, ("invoice", "credit_note"), "version"),
    (events.InvoiceVoided, ("invoice",), "version"),
    (events.InvoiceWrittenOff, ("invoice",), "version"),
    (events.PaymentFailed, ("invoice", "payment"), "version"),
    (events.PaymentReversed, ("invoice", "payment"), "version"),
    (events.MilestoneCompleted, (*_OF_CONTRACT, "milestone"), ""),
    (events.TaskOverdue, (*_OF_CONTRACT, "task"), ""),
    (events.PurchaseOrderReceived, (*_OF_CONTRACT, "number"), ""),
    (events.OrderApproved, _OF_CONTRACT, ""),
    (events.OrderActivated, _OF_CONTRACT, ""),
    (events.OrderRejected, _OF_CONTRACT, ""),
    (events.RenewalDecided, _OF_CONTRACT, ""),
    (events.AccountReparented, ("account",), ""),
)


class Aspect(Frozen):
    """What several types of events say of one record: `named_by` and `version` are fields of their data."""

    types: tuple[str, ...]
    named_by: tuple[str, ...]
    version: str


def _aspects() -> dict[str, Aspect]:
    all_of_them = [*_TOGETHER, *(((data,), named_by, version) for data, named_by, version in _ALONE)]
    aspects: dict[str, Aspect] = {}
    for models, named_by, version in all_of_them:
        aspect = Aspect(types=tuple(data.type for data in models), named_by=named_by, version=version)
        aspects |= dict.fromkeys(aspect.types, aspect)
    return aspects


ASPECTS = _aspects()
_DEAL_TYPES = {data.type for data in DEALS}


class Heard(Frozen):
    """What is known of a received event, usable or not.

    `order`: its number in the inbox. `record`: the values that name what it is about, empty where they can't be told.
    """

    source: str
    type: str
    subject: str
    order: int
    record: tuple[str | None, ...] = ()
    version: int | str | None = None
    time: datetime | None = None


def heard(
    source: str, type: str, subject: str, order: int, body: Any = None, deal_of: DealOf = lambda record: None
) -> Heard:
    """Read as much of a CloudEvent's `body` as there is: a dead letter's may be anything."""
    known = Heard(source=source, type=type, subject=subject, order=order)
    aspect, data = ASPECTS.get(type), body.get("data") if isinstance(body, dict) else None
    if aspect is None or not isinstance(data, dict):
        return known
    update: dict[str, Any] = {"time": _moment(body.get("time"))}
    if type in _DEAL_TYPES:
        found = deal_of(data["record"]) if isinstance(data.get("record"), dict) else None
        update |= {"record": found[:1], "version": found[1]} if found else {}
    else:
        update |= {"record": _record(type, aspect, data), "version": _version(data.get(aspect.version))}
    return known.model_copy(update=update)


def moot_by(dead: Heard, later: Heard) -> bool:
    """Whether the dead event has nothing to add any more, now that the later one was used."""
    aspect = ASPECTS.get(dead.type)
    if aspect is None or later.type not in aspect.types or dead.source != later.source or later.order <= dead.order:
        return False
    return _same_record(dead, later, aspect) and _not_older(dead, later, aspect)


def alike(type: str) -> tuple[str, ...]:
    """The types of events that an event of this type can make moot, itself among them."""
    aspect = ASPECTS.get(type)
    return aspect.types if aspect else ()


def _same_record(dead: Heard, later: Heard, aspect: Aspect) -> bool:
    if dead.record and later.record:
        return dead.record == later.record
    # a dead letter may name its record in the envelope alone, where the sender's subjects are those records at all
    by_subject = len(aspect.types) > 1 and dead.subject != "" and dead.subject == later.subject
    return by_subject and later.subject in later.record[-1:]


def _not_older(dead: Heard, later: Heard, aspect: Aspect) -> bool:
    if isinstance(dead.version, int) and isinstance(later.version, int):
        return later.version >= dead.version
    if isinstance(dead.version, str) and isinstance(later.version, str) and dead.version and later.version:
        return later.version >= dead.version
    if dead.time is not None and later.time is not None:
        return later.time >= dead.time
    # what has no versions counts by its arrival; of two versions that can't be compared nobody knows
    return not aspect.version and dead.type not in _DEAL_TYPES


def _record(type: str, aspect: Aspect, data: dict[str, Any]) -> tuple[str | None, ...]:
    """The values that name the record; empty unless all are there, of the three names of a contract any."""
    fields = CATALOG[type].model_fields
    values = {name: data.get(name, fields[name].default) for name in aspect.named_by}
    named = {name: value if isinstance(value, str) else None for name, value in values.items()}
    of_contract = [named.pop(name) for name in _OF_CONTRACT if name in named]
    if None in named.values() or (of_contract and not any(of_contract)):
        return ()
    return (*of_contract, *named.values())


def _version(value: Any) -> int | str | None:
    return value if isinstance(value, int | str) and not isinstance(value, bool) else None


def _moment(value: Any) -> datetime | None:
    try:
        moment = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None
    return moment if moment is None or moment.tzinfo else None
