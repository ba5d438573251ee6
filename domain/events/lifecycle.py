"""What Tenure itself says: the turns of a lifecycle, for subscribers. At least once, in order per contract."""

from collections.abc import Callable
from datetime import date
from typing import Literal, TypeVar

from pydantic import Field

from domain.events.base import EventData, Subject, event

Said = TypeVar("Said", bound="LifecycleSaid")


class LifecycleSaid(EventData):
    """About a contract, by our own id; `deal` and `account` are the CRM's. `on` is a civil date in its zone."""

    contract: str = Field(min_length=1)
    account: str
    deal: str
    on: date

    def subjects(self) -> tuple[Subject, ...]:
        return (Subject(kind="contract", alias=f"tenure:contract:{self.contract}"),)


def _said(turn: str) -> Callable[[type[Said]], type[Said]]:
    return event(
        f"tenure.lifecycle.{turn}.v1",
        owner="tenure",
        truth="tenure",
        subject="contract",
        wakes=None,
        since="0.2",
        outgoing=True,
    )


@_said("started")
class LifecycleStarted(LifecycleSaid):
    """A won deal has its lifecycle; the order is being checked."""


@_said("stage_changed")
class LifecycleStageChanged(LifecycleSaid):
    """The lifecycle stands elsewhere than before. `before` is empty for its first stage."""

    before: str
    stage: str


@_said("activated")
class LifecycleActivated(LifecycleSaid):
    """The ERP has activated the order. The first term ends before `term_ends`, or with notice when evergreen."""

    customer: str
    subscription: str
    term_starts: date | None
    term_ends: date | None


@_said("billing_started")
class LifecycleBillingStarted(LifecycleSaid):
    """Billing of a line has begun; `starts` is the first billed day."""

    line: str
    product: str
    starts: date


@_said("risk_changed")
class LifecycleRiskChanged(LifecycleSaid):
    """Risk or renewal priority is another than before."""

    risk: Literal["low", "medium", "high"]
    renewal_priority: Literal["normal", "raised", "urgent"]


@_said("renewal_opened")
class LifecycleRenewalOpened(LifecycleSaid):
    """The renewal window of a term is open and its readiness is known. `term_ends`: the first day of the next."""

    term: int
    term_ends: date | None


@_said("renewal_decided")
class LifecycleRenewalDecided(LifecycleSaid):
    """The renewal of a term is decided; `decision` says how and by whom."""

    term: int
    decision: str


@_said("term_begun")
class LifecycleTermBegun(LifecycleSaid):
    """A renewed contract is in its next term."""

    term: int
    term_starts: date | None
    term_ends: date | None


@_said("case_opened")
class LifecycleCaseOpened(LifecycleSaid):
    """The lifecycle needs somebody's attention."""

    case: str
    kind: str
    title: str
    actor: str


@_said("case_resolved")
class LifecycleCaseResolved(LifecycleSaid):
    """What needed attention is settled."""

    case: str


@_said("ended")
class LifecycleEnded(LifecycleSaid):
    """The contract is over."""


@_said("cancelled")
class LifecycleCancelled(LifecycleSaid):
    """The order was cancelled before its activation, and what had been done for it is undone."""
