"""What a running lifecycle can be told: mediated events in batches, and commands. One answer class for each."""

from datetime import date
from decimal import Decimal
from typing import Annotated, Literal

from pydantic import Field

from domain.base import Tolerant
from domain.books import ViewRow
from domain.policies.forecast import Category
from domain.view import LifecycleView

Succession = Literal["replaces", "converts", "wins_back", "split_from"]
"""How a contract follows another: it replaces it, converts a trial, wins back a customer whose contracts have ended, or
was split from it at a renewal."""


LONGEST_TERM = 600
"""Months."""


class Told(Tolerant):
    """`seq` is the contract's own count of its events: what is not above the last one seen is stale."""

    seq: int = 0


class MilestoneReached(Told):
    kind: Literal["milestone_reached"] = "milestone_reached"
    milestone: str
    on: date


class CollectionsChanged(Told):
    """A level: the invoices that are delinquent now, and since when the oldest is due. `grace_over`: the customer may
    no longer use what it does not pay for, by the company's policy."""

    kind: Literal["collections_changed"] = "collections_changed"
    delinquent: tuple[str, ...] = ()
    overdue_since: date | None = None
    long_overdue: bool = False
    grace_over: bool = Field(default=False, exclude_if=lambda over: not over)


class CreditHoldChanged(Told):
    """A level: the customer's invoices for which it gets nothing more on credit; none when nothing is overdue for so
    long. It is the account's at this selling entity, so each of its contracts is told the same."""

    kind: Literal["credit_hold_changed"] = "credit_hold_changed"
    invoices: tuple[str, ...] = ()


class SupportChanged(Told):
    """A level: open support cases by severity."""

    kind: Literal["support_changed"] = "support_changed"
    severities: dict[int, int]


class UsageChanged(Told):
    """A level: active / entitled seats while they are below the policy's line, else None."""

    kind: Literal["usage_changed"] = "usage_changed"
    adoption: Decimal | None


class SubscriptionReported(Told):
    """A level: how the contract stands in the ERP. What Tenure takes for granted is never told: a subscription that it
    had activated is active, and the customer is entitled to it. `ends` is of one that is ended there."""

    kind: Literal["subscription_reported"] = "subscription_reported"
    status: Literal["draft", "active", "ended", "cancelled"] = "active"
    entitled: bool = True
    ends: date | None = None


class AmendmentWon(Told):
    """An upsell or amendment deal was won. `changes` is by product, as differences or as targets. `ends`: to where it
    moves the contract's end, the first day not served.
    """

    kind: Literal["amendment_won"] = "amendment_won"
    deal: str
    mode: Literal["difference", "target"]
    changes: dict[str, Decimal]
    effective: date | None = None
    ends: date | None = Field(default=None, exclude_if=lambda ends: ends is None)


class RenewalWon(Told):
    """`quantities`: target quantities by product, as far as the won deal names any. `months`: how long the next term
    is, where it is not as long as the contract says."""

    kind: Literal["renewal_won"] = "renewal_won"
    opportunity: str
    quantities: dict[str, Decimal] = {}
    months: int | None = Field(default=None, ge=1, le=LONGEST_TERM, exclude_if=lambda months: months is None)


class RenewalLost(Told):
    kind: Literal["renewal_lost"] = "renewal_lost"
    opportunity: str


class RenewalSettled(Told):
    """Somebody entitled to it decided on the renewal of the running term, outside of the CRM's opportunity."""

    kind: Literal["renewal_settled"] = "renewal_settled"
    outcome: Literal["renew", "end"]
    by: str


class PurchaseOrderReceived(Told):
    """The customer's purchase order has come. `revision`: the revision of the order that names it, where it was not
    activated yet as far as the sender knew."""

    kind: Literal["purchase_order_received"] = "purchase_order_received"
    number: str
    limit: Decimal | None = None
    expires_on: date | None = None
    revision: int | None = None


class OrderCorrected(Told):
    """The deal, or what belongs to it, was corrected: a new revision of the order stands in the store."""

    kind: Literal["order_corrected"] = "order_corrected"
    revision: int


class Succeeded(Told):
    """Another contract has taken this one's place, and starts on a day."""

    kind: Literal["succeeded"] = "succeeded"
    by: str
    how: Succession
    on: date


class ParentChanged(Told):
    """The account has another parent in the CRM's hierarchy, or none."""

    kind: Literal["parent_changed"] = "parent_changed"
    parent: str | None = None


LifecycleEvent = Annotated[
    MilestoneReached
    | CollectionsChanged
    | CreditHoldChanged
    | SupportChanged
    | UsageChanged
    | SubscriptionReported
    | AmendmentWon
    | RenewalWon
    | RenewalLost
    | RenewalSettled
    | OrderCorrected
    | Succeeded
    | ParentChanged
    | PurchaseOrderReceived,
    Field(discriminator="kind"),
]


class EventBatch(Tolerant):
    """Events of one contract in the order of `seq`. `keeps`: the caller publishes the view that the answer carries."""

    events: list[LifecycleEvent]
    keeps: bool = Field(default=False, exclude_if=lambda keeps: not keeps)


class EventAnswer(Tolerant):
    """`refused` leaves nothing changed and says why."""

    seq: int
    outcome: Literal["applied", "stale", "refused"]
    reason: str = ""


class BatchAnswer(Tolerant):
    """`row`: the lifecycle's view, where nothing more follows from the events and the caller publishes it."""

    answers: list[EventAnswer]
    row: ViewRow | None = Field(default=None, exclude_if=lambda row: row is None)


class FixOrder(Tolerant):
    """A corrected revision of the order stands in the store."""

    revision: int
    by: str


class RetryStep(Tolerant):
    """Try a step with an open case now. With `done_as`, a person says that it was done outside, under that id;
    with `drop`, that it shall not be done at all; with `on`, that it is dated anew."""

    case: str
    by: str
    done_as: str | None = None
    drop: bool = False
    on: date | None = None


class MoveAccount(Tolerant):
    """The contract belongs to another account from now on: `move` names the merge or split, `back` takes it back.

    `known`: what stands outside under the keys of the account `into`. `sent`: keys of this contract's steps that the
    ledger has sent, as they are.
    """

    move: str
    account: str
    into: str
    known: dict[str, str] = {}
    sent: tuple[str, ...] = ()
    back: bool = False


class RenewContract(Tolerant):
    by: str


class ForecastRenewal(Tolerant):
    """What somebody expects of the renewal of the running term; without a category, what was said is withdrawn."""

    by: str
    category: Category | None = None
    reason: str = ""


class EndContract(Tolerant):
    """End the contract; `on` is the first day not served, the term's end when None (non-renewal)."""

    by: str
    reason: str
    on: date | None = None


class CancelOrder(Tolerant):
    """Cancel an order that the ERP has not activated yet; what was done is undone."""

    by: str
    reason: str


class SetStages(Tolerant):
    """Stages by name to off, observe or act. `since`: what was withheld on that day or later is performed now, where
    its stage acts from now on."""

    by: str
    stages: dict[str, str]
    since: date | None = None


class Promote(Tolerant):
    """Make a lifecycle in shadow live. What was due before `cut_over` is the old process's, the rest is performed.

    `done`: the records outside that the old process has made, by the key of their fact. `perform` and `leave` are a
    person's word on single steps, against what the day says.
    """

    by: str
    cut_over: date
    done: dict[str, str] = {}
    perform: tuple[str, ...] = ()
    leave: tuple[str, ...] = ()


class CommandAnswer(Tolerant):
    message: str
    view: LifecycleView


class LifecycleOutcome(Tolerant):
    """The result of the workflow: how the contract's life ended."""

    outcome: Literal["ended", "cancelled"]
    reason: str
    terms: int
    effects: dict[str, str]
