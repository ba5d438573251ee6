"""What people and other programs see of a lifecycle: derived from its state, never the state itself."""

from datetime import date, datetime
from enum import StrEnum

from domain.base import Tolerant
from domain.finance.records import Approval


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


class LineView(Tolerant):
    id: str
    product: str
    quantity: str
    billing_rule: str
    billing_starts: date | None = None


class WithheldView(Tolerant):
    """Something that was decided and not done, on its day; `settled` says what became of it later."""

    key: str
    title: str
    on: date
    why: str
    settled: str = ""


class LifecycleView(Tolerant):
    """The answer of the query `view`, and what the store keeps per lifecycle. No personal data.

    `mode`: live, or shadow, which decides and does nothing. `stages`: those that are off, or only observe. `former`:
    the contracts that this one comes from, and how (domain/messages.py).
    """

    contract: str
    stage: Stage
    mode: str = "live"
    stages: dict[str, str] = {}
    withheld: list[WithheldView] = []
    account: str = ""
    deal: str = ""
    selling_entity: str = ""
    connections: dict[str, str] = {}
    parent_account: str | None = None
    former: dict[str, str] = {}
    zone: str = "UTC"
    term: int = 0
    term_starts: date | None = None
    term_ends: date | None = None
    renewal_date: date | None = None
    window_opens: date | None = None
    next_due: datetime | None = None
    next_step: str = ""
    risk: str = "low"
    renewal_priority: str = "normal"
    decision: str | None = None
    paused: str | None = None
    approval: Approval | None = None
    hold: str | None = None
    readiness: dict[str, object] | None = None
    lines: list[LineView] = []
    milestones: dict[str, date] = {}
    effects: dict[str, str] = {}
    pending: list[str] = []
    cases: list[CaseView] = []
    last_seq: int = 0
    as_of: datetime | None = None
