"""What a system holds, read in pages and in our words, for reconciliation (optional); and how it is set right there."""

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Any, Literal, Protocol

from domain.base import Frozen
from domain.effects import EffectClass

RecordKind = Literal[
    "customers", "subscriptions", "accounts", "opportunities", "companies", "plans", "playbooks", "runs"
]
"""Customers and subscriptions of an ERP, accounts and opportunities of a CRM, companies, onboarding plans and playbooks
of CS; and the runs of our own workflows."""


class CustomerRecord(Frozen):
    """`key`: our external id, where it has one. `held`: on credit hold."""

    id: str
    key: str | None = None
    account: str | None = None
    selling_entity: str | None = None
    parent_account: str | None = None
    held: bool = False


class LineRecord(Frozen):
    id: str
    product: str
    quantity: Decimal
    unit_price: Decimal | None = None
    billed_from: date | None = None
    ends: date | None = None


class SubscriptionRecord(Frozen):
    """`contract`: what the ERP knows it by (domain/keys.py, leg). `term`: its number, where the ERP counts them."""

    id: str
    contract: str | None
    customer: str | None
    currency: str | None
    status: Literal["draft", "active", "ended", "cancelled"]
    starts: date | None = None
    ends: date | None = None
    term: int | None = None
    lines: tuple[LineRecord, ...] = ()


class AccountRecord(Frozen):
    id: str
    parent: str | None = None


class DealLine(Frozen):
    product: str
    quantity: Decimal
    unit_price: Decimal | None = None


class OpportunityRecord(Frozen):
    """A deal that was won, or a renewal's opportunity; the fields below `outcome` are those that Tenure writes."""

    id: str
    account: str | None
    outcome: Literal["won", "lost", "open"]
    close_by: date | None = None
    currency: str | None = None
    lines: tuple[DealLine, ...] = ()
    key: str | None = None
    contract: str | None = None
    status: str | None = None
    erp_customer: str | None = None
    erp_subscription: str | None = None
    renewal_date: date | None = None


class CompanyRecord(Frozen):
    """`risk`, `renewal_priority` and `stage`: what it shows of its health; None before it was ever set."""

    id: str
    account: str | None
    parent_account: str | None = None
    risk: str | None = None
    renewal_priority: str | None = None
    stage: str | None = None


class PlanRecord(Frozen):
    """An onboarding plan (`on` is its first day), or a renewal playbook (`on` is the day on which it is due)."""

    id: str
    key: str | None
    contract: str | None
    company: str | None
    on: date | None = None


class RunRecord(Frozen):
    """A lifecycle's workflow, as Temporal lists it without asking it."""

    id: str
    contract: str
    running: bool


Record = (
    CustomerRecord | SubscriptionRecord | AccountRecord | OpportunityRecord | CompanyRecord | PlanRecord | RunRecord
)


class RecordPage(Frozen):
    """`cursor` leads to the next page; None: this was the last."""

    records: tuple[Record, ...]
    cursor: str | None = None


class Correction(Frozen):
    """Fields of one record, set to what they should be: a LEVEL. Named as above; `lines`: by the line's id, of a deal
    by the product."""

    kind: RecordKind
    id: str
    fields: Mapping[str, Any] = {}
    lines: Mapping[str, Mapping[str, Any]] = {}


class RecordReader(Protocol):
    """Lists what a system holds. Nothing is written there, and what was put away is left out."""

    kinds: tuple[RecordKind, ...]

    async def records(self, kind: RecordKind, cursor: str | None = None, *, about: str | None = None) -> RecordPage:
        """A page, in an order that does not change while it is read. `about`: only the record of that id, and those of
        that contract; of customers, accounts and companies, those of that account."""
        ...


class RecordMender(Protocol):
    """Sets right what nobody has decided: a field that was changed by hand, a record that stands there twice. Both are
    LEVELs: said again, they change nothing."""

    mends: Mapping[str, EffectClass]

    async def correct(self, correction: Correction) -> None: ...
    async def retire(self, kind: RecordKind, id: str) -> None:
        """Put a record away, as the system does that: it is listed no more, and nothing is billed by it."""
        ...
