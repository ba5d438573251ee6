"""The outside systems as Protocols. Requests and answers are in our words; adapters translate.

Every writing operation takes a `key` (domain/keys.py) and is declared in the adapter's `effects`, by its method name,
with its class. An operation of class LOOKUP has a `find_*` twin that answers with what an earlier call made, or None.

Errors are those of domain/errors.py. A write raises OutcomeUnknown when it may have been done.
"""

from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Literal, Protocol

from domain.base import Frozen
from domain.effects import EffectClass
from domain.feeds import ChangePage
from domain.order import Address
from domain.terms import ChargeType, Frequency

# ── every system ─────────────────────────────────────────────────────────────────────────────────────────────────


class Problem(Frozen):
    """Something that is wrong with a connection, and how to mend it, each in one line for a person."""

    what: str
    mend: str


class Probed(Frozen):
    """What a look at a connected system found. `clock` is what it is o'clock there, when it tells."""

    problems: tuple[Problem, ...] = ()
    clock: datetime | None = None


class Probe(Protocol):
    """Every adapter can be tried: whether it may do what it is there for. Changes nothing. Raises AuthFailed,
    SourceUnavailable and the other errors when it can't even ask."""

    async def probe(self) -> Probed: ...


# ── CRM ──────────────────────────────────────────────────────────────────────────────────────────────────────────


class DealStatus(Frozen):
    """What a CRM's deal shows of its contract: a LEVEL, set whole, the last value stands."""

    deal_id: str
    contract: str
    status: str
    erp_customer: str | None = None
    erp_subscription: str | None = None
    renewal_date: date | None = None


class NewRenewalOpportunity(Frozen):
    """`renews_deal` is the deal whose contract runs out; `close_by` the day on which the term ends."""

    account: str
    renews_deal: str
    contract: str
    name: str
    close_by: date


class OpportunityRef(Frozen):
    id: str
    stage: str


class Crm(Protocol):
    effects: Mapping[str, EffectClass]

    async def account_exists(self, account: str) -> bool: ...
    async def read_opportunity(self, opportunity: str) -> OpportunityRef: ...
    async def write_status(self, status: DealStatus) -> None: ...
    async def create_renewal_opportunity(self, new: NewRenewalOpportunity, *, key: str) -> OpportunityRef: ...
    async def find_renewal_opportunity(self, key: str) -> OpportunityRef | None: ...


class DealRecord(Frozen):
    """A deal as the CRM's mapping reads it, with lines and account.

    `id` is the one that the CRM answers with, another than was asked for where deals were merged. `version` is
    `<id>@<modified stamp>`: it changes with every change of the deal.
    """

    id: str
    version: str
    outcome: Literal["won", "lost", "open"]
    record: dict[str, Any]


class ChangedDeal(Frozen):
    """`modified` is the CRM's own stamp, as in a record's version."""

    id: str
    modified: str


class ChangedDeals(Frozen):
    """One page. `cursor` leads to the next one; None: this was the last."""

    deals: tuple[ChangedDeal, ...]
    cursor: str | None = None


class CrmReader(Protocol):
    """Reads deals back, since an event that only hints at a change says neither what it is nor whether it still holds.

    Source: the CRM. Nothing is written there.
    """

    async def read_deal(self, deal: str) -> DealRecord:
        """Raises NotFound also for a deal that is archived or deleted."""
        ...

    async def changed_deals(self, since: datetime, cursor: str | None = None) -> ChangedDeals:
        """Deals modified at `since` or later, oldest first; a deal may come more than once."""
        ...


# ── ERP ──────────────────────────────────────────────────────────────────────────────────────────────────────────


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
    """`unit_price` is carried as sold; the ERP prices and bills."""

    id: str
    product: str
    quantity: Decimal
    unit_price: Decimal | None
    charge: ChargeType
    frequency: Frequency


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
    """`accepted_on` is the revenue trigger, the day the service was accepted; `starts` the first billed day."""

    subscription: str
    line: str
    starts: date
    accepted_on: date


class Amendment(Frozen):
    """Target quantities by line id (never differences), from a day on."""

    subscription: str
    effective: date
    quantities: dict[str, Decimal]


class Renewal(Frozen):
    """Extends a subscription by one term: `[starts, ends)`."""

    subscription: str
    term: int
    starts: date
    ends: date


class Ending(Frozen):
    """`ends` is the first day that is not served and not billed."""

    subscription: str
    ends: date
    reason: str


class Ref(Frozen):
    """The id of a record in an outside system."""

    id: str


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
    triggered has come: none (nothing triggered it), scheduled, running, complete."""

    line: str
    quantity: Decimal
    billed_from: date | None
    accepted_on: date | None
    revenue: Literal["none", "scheduled", "running", "complete"]


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
    async def renew_subscription(self, renewal: Renewal, *, key: str) -> Ref: ...
    async def end_subscription(self, ending: Ending, *, key: str) -> Ref: ...
    async def cancel_subscription(self, subscription: str, reason: str, *, key: str) -> Ref: ...
    async def billing_history(self, customer: str) -> BillingHistory: ...
    async def subscription_state(self, subscription: str) -> SubscriptionState: ...
    async def balance(self, customer: str) -> Balance: ...
    async def invoices(self, customer: str, cursor: str | None = None, limit: int = 100) -> InvoicePage:
        """Every invoice of a customer, oldest first."""
        ...


# ── customer success ─────────────────────────────────────────────────────────────────────────────────────────────


class NewCompany(Frozen):
    account: str
    name: str
    parent_account: str | None = None


class OnboardingTask(Frozen):
    """A task of a plan; completing one with a `milestone` completes that milestone."""

    name: str
    due_in_days: int
    milestone: str | None = None


class NewOnboarding(Frozen):
    """A plan launched for a contract, from a template."""

    company: str
    contract: str
    template: str
    starts: date
    tasks: tuple[OnboardingTask, ...]


class Health(Frozen):
    """A company's risk and renewal priority: a LEVEL, set whole."""

    company: str
    risk: Literal["low", "medium", "high"]
    renewal_priority: Literal["normal", "raised", "urgent"]
    lifecycle_stage: str
    reasons: tuple[str, ...]


class NewPlaybook(Frozen):
    company: str
    contract: str
    name: str
    due: date
    steps: tuple[str, ...]


class CustomerSuccess(Protocol):
    effects: Mapping[str, EffectClass]

    async def ensure_company(self, new: NewCompany, *, key: str) -> Ref: ...
    async def launch_onboarding(self, new: NewOnboarding, *, key: str) -> Ref: ...
    async def find_onboarding(self, key: str) -> Ref | None: ...
    async def set_health(self, health: Health) -> None: ...
    async def start_playbook(self, new: NewPlaybook, *, key: str) -> Ref: ...
    async def find_playbook(self, key: str) -> Ref | None: ...
    async def post_note(self, company: str, text: str, *, key: str) -> Ref: ...
    async def open_tasks(self, company: str) -> int: ...


# ── support, usage ───────────────────────────────────────────────────────────────────────────────────────────────


class SupportCases(Frozen):
    """Open cases of an account, by severity 1 (worst) to 4."""

    by_severity: dict[int, int] = {}


class Adoption(Frozen):
    """`active` of `entitled` seats used in the last 30 days."""

    active: Decimal
    entitled: Decimal


class Support(Protocol):
    async def open_cases(self, account: str) -> SupportCases: ...


class Usage(Protocol):
    async def adoption(self, account: str) -> Adoption: ...


# ── change feeds ─────────────────────────────────────────────────────────────────────────────────────────────────


class ChangeFeed(Protocol):
    """What a system without webhooks tells when it is asked. It may tell an event again, but not out of order.

    Every event has an id of its own that never changes. A cursor is the source's: nobody else looks into it.
    """

    async def changes(self, cursor: str, limit: int) -> ChangePage:
        """What came after `cursor`, which `head` or an earlier page gave, oldest first, at most `limit` events.

        Nothing that becomes visible later lies before the page's cursor. Raises CursorExpired when the source has
        forgotten what came after it, or does not know it.
        """
        ...

    async def head(self) -> str:
        """The cursor of now. Whatever a back-fill that begins afterwards does not see comes after it."""
        ...

    async def back_fill(self, since: datetime | None, position: str, limit: int) -> ChangePage:
        """What is so now, as snapshots, of what has changed `since` (None: of everything).

        An id names the fact and its version, so that the same fact is the same event in every back-fill, and, where the
        source allows it, in the feed. `position` is empty at first, then the cursor of the page before.
        """
        ...
