"""Event contracts: what outside systems may tell us. CloudEvents 1.0, named `tenure.<entity>.<past-tense-verb>.v<N>`.

Delivery is at least once and in no order: the inbox dedupes by (source, id), and `version` decides what is newer.
"""

from datetime import date, datetime
from decimal import Decimal
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from domain.base import Frozen


class UnusableEvent(ValueError):
    """An authentic event that can't be used: unknown type or broken contract. Its reason goes to the dead letter."""


class EventData(BaseModel):
    """Base of all event data. Readers ignore fields that they don't know: senders may add."""

    model_config = ConfigDict(frozen=True, extra="ignore")
    type: ClassVar[str]


class DealClosedWon(EventData):
    """A deal was won, of whatever kind: intake tells new business, expansion and renewal apart. Owner: CRM."""

    type = "tenure.deal.closed_won.v1"
    record: dict[str, Any]


class DealLost(EventData):
    """A deal was lost; only a lost renewal opportunity concerns a lifecycle. Owner: CRM."""

    type = "tenure.deal.lost.v1"
    record: dict[str, Any]


class MilestoneCompleted(EventData):
    """A milestone of a contract's onboarding was completed. Owner: CS. Subject: contract."""

    type = "tenure.milestone.completed.v1"
    contract: str
    milestone: str
    completed_on: date


class _Invoice(EventData):
    """A snapshot of an invoice; a lower `version` than the known one is history. Owner: ERP. Subject: contract."""

    invoice: str
    subscription: str
    customer: str
    amount: Decimal
    currency: str
    due_on: date = Field(lt=date(2200, 1, 1))
    paid_on: date | None = None
    version: int


class InvoicePosted(_Invoice):
    type = "tenure.invoice.posted.v1"


class InvoicePaid(_Invoice):
    type = "tenure.invoice.paid.v1"


class InvoiceOverdue(_Invoice):
    """The ERP says so; our own sweep finds due dates that pass without anybody saying so."""

    type = "tenure.invoice.overdue.v1"


class _SupportCase(EventData):
    """A snapshot of a support case. Owner: support. Subject: account, fanned out to its open lifecycles."""

    case: str
    account: str
    severity: int
    version: int


class SupportCaseOpened(_SupportCase):
    type = "tenure.support_case.opened.v1"


class SupportCaseClosed(_SupportCase):
    type = "tenure.support_case.closed.v1"


class UsageReported(EventData):
    """Seats in use. Owner: usage. Subject: account, fanned out."""

    type = "tenure.usage.reported.v1"
    account: str
    active: Decimal = Field(ge=0, lt=10**12)
    entitled: Decimal = Field(ge=0, lt=10**12)
    as_of: date


EVENTS: dict[str, type[EventData]] = {
    contract.type: contract
    for contract in (
        DealClosedWon, DealLost, MilestoneCompleted, InvoicePosted, InvoicePaid, InvoiceOverdue,
        SupportCaseOpened, SupportCaseClosed, UsageReported,
    )
}  # fmt: skip


class Event(Frozen):
    """One received event, read. `data` is an instance of the contract that `type` names."""

    id: str
    source: str
    type: str
    time: datetime | None = None
    data: EventData


class _CloudEvent(BaseModel):
    """The CloudEvents 1.0 attributes that we read; extensions are allowed and ignored."""

    model_config = ConfigDict(extra="ignore")
    specversion: str
    id: str
    source: str
    type: str
    subject: str | None = None
    time: datetime | None = None
    data: dict[str, Any]


def read_event(body: Any) -> Event:
    """Read a CloudEvent in structured mode. Raises UnusableEvent with every reason in one line."""
    try:
        envelope = _CloudEvent.model_validate(body)
        contract = EVENTS.get(envelope.type)
        if contract is None:
            raise UnusableEvent(f"unknown event type {envelope.type!r}; known: {', '.join(sorted(EVENTS))}")
        data = contract.model_validate(envelope.data)
    except ValidationError as error:
        problems = "; ".join(f"{'.'.join(map(str, e['loc'])) or 'body'}: {e['msg']}" for e in error.errors())
        raise UnusableEvent(f"not a valid event: {problems}") from None
    return Event(id=envelope.id, source=envelope.source, type=envelope.type, time=envelope.time, data=data)
