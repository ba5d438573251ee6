"""What people and other programs see of a lifecycle: derived from its state, never the state itself."""

from datetime import date, datetime
from enum import StrEnum

from pydantic import Field

from domain import keys
from domain.base import Tolerant
from domain.finance.records import Approval, Redated
from domain.policies.entitlement import Entitled
from domain.policies.forecast import Category
from domain.standins import is_real
from domain.terms import PurchaseOrder


class Stage(StrEnum):
    """Where a lifecycle stands, derived from its facts."""

    ORDER_ACTIVATION = "order_activation"
    ONBOARDING = "onboarding"
    BILLING_ACTIVATION = "billing_activation"
    SERVING = "serving"
    RENEWAL = "renewal"
    ENDING = "ending"
    OUT_OF_TERM = "out_of_term"
    ENDED = "ended"
    CANCELLED = "cancelled"


SERVED = frozenset(
    {Stage.ONBOARDING, Stage.BILLING_ACTIVATION, Stage.SERVING, Stage.RENEWAL, Stage.ENDING, Stage.OUT_OF_TERM}
)
"""Activated, and neither ended nor cancelled."""


class CaseView(Tolerant):
    """An open exception case: what is wrong, since when, who acts, and how (`mend` is a command line to type).

    `connection`: where the step that it is about was to be done.
    """

    id: str
    kind: str
    title: str
    reasons: list[str] = []
    opened_at: datetime
    actor: str = "ops"
    mend: str = ""
    connection: str = ""


class PriceNoticeView(Tolerant):
    """The notice of a price increase for the next term: the last day to tell it, and the day on which it was told.

    `applies`: whether the increase may apply, None while that is open.
    """

    due: date
    told: date | None = None
    applies: bool | None = None


class LineView(Tolerant):
    id: str
    product: str
    quantity: str
    billing_rule: str
    billing_starts: date | None = None
    billed_by: str | None = None
    waits_for: str | None = None


class WithheldView(Tolerant):
    """Something that was decided and not done, on its day; `settled` says what became of it later."""

    key: str
    title: str
    on: date
    why: str
    settled: str = ""


class BookingView(Tolerant):
    """What a renewal would book: the term that follows and, by line, how many. No amount: the ERP prices."""

    term: int
    starts: date
    ends: date | None = None
    quantities: dict[str, str] = {}


class ForecastView(Tolerant):
    """What the renewal of term `term` is expected to become. `category` is what stands, `computed` what the facts say;
    they differ where somebody (`by`) forecasts by hand, which stands until it is withdrawn, or the decision."""

    term: int
    category: Category
    reasons: list[str] = []
    computed: Category
    by: str = ""
    booking: BookingView | None = None


class LifecycleView(Tolerant):
    """The answer of the query `view`, and what the store keeps per lifecycle. No personal data.

    `mode`: live (since `cut_over`), or shadow. `stages`: those that are off, or only observe. `former`: the contracts
    that this one comes from, and how (domain/messages.py). `moved_from`: the accounts that it was of. `notice_cut_off`:
    the last day of notice for the running term. `review`: the last yearly review of an evergreen contract,
    `review_opens` when the next one begins. `leg`: the number of the subscription that it has in the ERP; a move to
    another entity or currency begins the next. `renewed_as`: the subscription with which it goes on where a
    renewal made another. `renewed_until`: the end of the next term, once the ERP holds it and until it begins.
    """

    contract: str
    stage: Stage
    mode: str = "live"
    cut_over: date | None = None
    stages: dict[str, str] = {}
    withheld: list[WithheldView] = []
    account: str = ""
    deal: str = ""
    selling_entity: str = ""
    leg: int = 1
    renewed_as: str | None = Field(default=None, exclude_if=lambda same: same is None)
    renewed_until: date | None = Field(default=None, exclude_if=lambda until: until is None)
    connections: dict[str, str] = {}
    parent_account: str | None = None
    former: dict[str, str] = {}
    moved_from: list[str] = []
    zone: str = "UTC"
    term: int = 0
    term_starts: date | None = None
    term_ends: date | None = None
    renewal_date: date | None = None
    window_opens: date | None = None
    notice_cut_off: date | None = None
    review: int = 0
    review_opens: date | None = None
    next_due: datetime | None = None
    next_step: str = ""
    risk: str = "low"
    renewal_priority: str = "normal"
    decision: str | None = None
    paused: str | None = None
    approval: Approval | None = None
    hold: str | None = None
    purchase_order: PurchaseOrder | None = None
    price_notice: PriceNoticeView | None = None
    redated: dict[str, Redated] = {}
    readiness: dict[str, object] | None = None
    forecast: ForecastView | None = None
    entitlement: Entitled = "none"
    entitlement_reason: str = ""
    entitlement_since: date | None = None
    lines: list[LineView] = []
    milestones: dict[str, date] = {}
    effects: dict[str, str] = {}
    pending: list[str] = []
    cases: list[CaseView] = []
    last_seq: int = 0
    as_of: datetime | None = None

    @property
    def subscription(self) -> str | None:
        """The one by which the ERP bills it now."""
        made = self.effects.get(keys.subscription(keys.leg(self.contract, self.leg)))
        return self.renewed_as or (made if is_real(made) else None)
