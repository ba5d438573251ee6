"""The ERP: customers, subscriptions, billing."""

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Literal, Protocol

from pydantic import Field

from domain.base import Frozen
from domain.effects import EffectClass
from domain.order import Address
from domain.terms import ChargeType, Frequency


class NewCustomer(Frozen):
    """A customer of one selling entity; `account` is the CRM account it stands for."""

    account: str
    selling_entity: str
    name: str
    currency: str
    billing_address: Address
    shipping_address: Address
    email: str | None = None
    tax_id: str | None = None
    parent_account: str | None = None


class CustomerCandidate(Frozen):
    """A customer of the ERP that may be the one to be made, and the kind of likeness that says so."""

    id: str
    name: str
    alike: Literal["domain", "name"]


class CreditHold(Frozen):
    """Whether a customer gets nothing more on credit: a LEVEL, set whole."""

    customer: str
    held: bool
    reason: str


class SubscriptionLine(Frozen):
    """`unit_price` is carried as sold; the ERP prices and bills. `starts` and `ends` (exclusive) are the line's own
    days, None where they are the subscription's: it is not billed outside of them.
    """

    id: str
    product: str
    quantity: Decimal
    unit_price: Decimal | None
    charge: ChargeType
    frequency: Frequency
    # left out where there are none: what was asked before lines had dates must stay the same question
    starts: date | None = Field(default=None, exclude_if=lambda starts: starts is None)
    ends: date | None = Field(default=None, exclude_if=lambda ends: ends is None)


class NewSubscription(Frozen):
    """`starts`/`ends` bound the first term, `ends` exclusive. `ends` is None for an evergreen contract, both are
    None while the term waits for the activation that anchors it."""

    contract: str
    customer: str
    selling_entity: str
    currency: str
    starts: date | None
    ends: date | None
    payment_terms_days: int
    purchase_order: str | None
    lines: tuple[SubscriptionLine, ...]


class Activation(Frozen):
    """Makes a subscription effective on a day; `[starts, ends)` is its first term, which that day may anchor."""

    subscription: str
    on: date
    starts: date
    ends: date | None


class BillingStart(Frozen):
    """`accepted_on` is the revenue trigger, the day the service was accepted; `starts` the first billed day.

    `purchase_order`: the number that what is billed from now on names, where it came after the subscription was made.
    """

    subscription: str
    line: str
    starts: date
    accepted_on: date
    purchase_order: str | None = Field(default=None, exclude_if=lambda number: number is None)


class Amendment(Frozen):
    """Target quantities by line id (never differences), lines that come and lines that go, all from a day on.

    An added line is not billed before `start_billing` says so; it runs from `effective`, or from its own `starts`. A
    removed one is not billed from `effective` on, and is kept with that day as its `ends`. Adding a line that was
    removed, with the day of its removal as `effective`, takes the removal back: it goes on as it was, until its `ends`.
    Any other id that is there is refused.
    """

    subscription: str
    effective: date
    quantities: dict[str, Decimal]
    added: tuple[SubscriptionLine, ...] = Field(default=(), exclude_if=lambda added: not added)
    removed: tuple[str, ...] = Field(default=(), exclude_if=lambda removed: not removed)


class TermChange(Frozen):
    """Moves the end of an active subscription, without another term: `ends` is the first day not served, None: it has
    no end any more. Refused where something is billed from that day on already.
    """

    subscription: str
    ends: date | None
    reason: str


class Renewal(Frozen):
    """Extends a subscription by one term: `[starts, ends)`; None is a term without end (evergreen). `purchase_order`:
    as a billing start names it.
    """

    subscription: str
    term: int
    starts: date
    ends: date | None
    purchase_order: str | None = Field(default=None, exclude_if=lambda number: number is None)


class Ending(Frozen):
    """`ends` is the first day that is not served and not billed."""

    subscription: str
    ends: date
    reason: str


class Ref(Frozen):
    """The id of a record in an outside system."""

    id: str


class Renewed(Ref):
    """`subscription`: the one with which the contract goes on, where a renewal makes another; None: with the same."""

    subscription: str | None = Field(default=None, exclude_if=lambda same: same is None)


class Activated(Frozen):
    subscription: str
    on: date


class BillingStarted(Frozen):
    """The ERP's confirmation for one line."""

    id: str
    line: str
    starts: date


class BillingHistory(Frozen):
    """An account's invoices with one selling entity over the last year, counted."""

    invoices: int
    paid_late: int
    overdue: int
    currency: str
    overdue_amount: Decimal


class Invoice(Frozen):
    """An invoice as the ERP has it today. `open_amount` is what is still to be paid of `total`; both with tax."""

    id: str
    number: str | None
    status: Literal["draft", "posted", "paid", "cancelled"]
    currency: str
    total: Decimal
    open_amount: Decimal
    issued_on: date | None
    due_on: date | None
    contract: str | None = None


class InvoicePage(Frozen):
    """`cursor` leads to the next page; None: this was the last."""

    invoices: tuple[Invoice, ...]
    cursor: str | None = None


class Balance(Frozen):
    """What a customer owes one selling entity today, and how much of it is past due."""

    currency: str
    open_amount: Decimal
    overdue_amount: Decimal


class LineState(Frozen):
    """`billed_from` is None until billing has started; `revenue` says how far the schedule that the acceptance date
    triggered has come: none (nothing triggered it), scheduled, running, complete. `starts`/`ends` as it was sold, or as
    an amendment removed it."""

    line: str
    quantity: Decimal
    billed_from: date | None
    accepted_on: date | None
    revenue: Literal["none", "scheduled", "running", "complete"]
    starts: date | None = Field(default=None, exclude_if=lambda starts: starts is None)
    ends: date | None = Field(default=None, exclude_if=lambda ends: ends is None)


class SubscriptionState(Frozen):
    """A subscription as the ERP has it today. `entitled`: whether the customer may use it now; `ends` exclusive."""

    id: str
    status: Literal["draft", "active", "ended", "cancelled"]
    entitled: bool
    starts: date | None
    ends: date | None
    lines: tuple[LineState, ...]


class Erp(Protocol):
    """The system that keeps customers, subscriptions and billing: an ERP, or a billing system that does all of it.

    `create_customer` answers with the customer that stands for (account, selling entity) already: the one with our
    external id, else the one with this tax id that has none of ours yet, which gets it. A parent that is no customer
    there is left out. `similar_customers` proposes, by domain (domain/likeness.py) and name, those that may be meant:
    none with an external id of ours, and nobody where the tax id names the one. It changes nothing.

    Where books are kept, what takes effect in a period that is closed is refused with PeriodClosed: a billing start, an
    amendment, a new end.
    """

    effects: Mapping[str, EffectClass]

    async def create_customer(self, new: NewCustomer, *, key: str) -> Ref: ...
    async def find_customer(self, key: str) -> Ref | None: ...
    async def similar_customers(self, new: NewCustomer) -> tuple[CustomerCandidate, ...]: ...
    async def set_credit_hold(self, hold: CreditHold) -> None: ...
    async def create_subscription(self, new: NewSubscription, *, key: str) -> Ref: ...
    async def activate_order(self, activation: Activation, *, key: str) -> Activated: ...
    async def start_billing(self, start: BillingStart, *, key: str) -> BillingStarted: ...
    async def amend_subscription(self, amendment: Amendment, *, key: str) -> Ref: ...
    async def change_term(self, change: TermChange, *, key: str) -> Ref: ...
    async def renew_subscription(self, renewal: Renewal, *, key: str) -> Renewed: ...
    async def end_subscription(self, ending: Ending, *, key: str) -> Ref: ...
    async def cancel_subscription(self, subscription: str, reason: str, *, key: str) -> Ref: ...
    async def billing_history(self, customer: str) -> BillingHistory: ...
    async def subscription_state(self, subscription: str) -> SubscriptionState: ...
    async def balance(self, customer: str) -> Balance: ...
    async def invoices(self, customer: str, cursor: str | None = None, limit: int = 100) -> InvoicePage:
        """Every invoice of a customer, oldest first."""
        ...
