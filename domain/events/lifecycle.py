"""What Tenure itself says: the turns of a lifecycle, for subscribers. At least once, in order per contract.

A turn is a difference between two views that the lifecycle showed: what came and went in between is not told.
"""

from collections.abc import Callable
from datetime import date, datetime
from typing import Literal, TypeVar

from pydantic import Field

from domain.events.base import EventData, Subject, event
from domain.policies.entitlement import Entitled
from domain.policies.forecast import Category

Said = TypeVar("Said", bound="LifecycleSaid")


class LifecycleSaid(EventData):
    """About a contract, by our own id; `deal` and `account` are the CRM's. `on` is a civil date in its zone."""

    contract: str = Field(min_length=1, description="the contract's id, as Tenure gave it")
    account: str = Field(description="id of the account in the CRM")
    deal: str = Field(description="id in the CRM of the deal that made the contract")
    on: date = Field(description="civil date in the contract's time zone")

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

    before: str = Field(description="the stage until now; empty for the first")
    stage: str = Field(description="the stage from now on, as `tenure list` names it")


@_said("activated")
class LifecycleActivated(LifecycleSaid):
    """The ERP has activated the order. The first term ends before `term_ends`, or with notice when evergreen."""

    customer: str | None = Field(description="id of the customer in the ERP; null when the lifecycle does not know it")
    subscription: str | None = Field(description="id of the subscription in the ERP; null when it is not known")
    term_starts: date | None = Field(description="first day of the term: civil date")
    term_ends: date | None = Field(description="first day after the term: civil date; null when evergreen")


@_said("billing_started")
class LifecycleBillingStarted(LifecycleSaid):
    """Billing of a line has begun; `starts` is the first billed day."""

    line: str = Field(description="the contract line's id")
    product: str = Field(description="the product's code in the company's catalog")
    starts: date = Field(description="first billed day: civil date")


@_said("risk_changed")
class LifecycleRiskChanged(LifecycleSaid):
    """Risk or renewal priority is another than before."""

    risk: Literal["low", "medium", "high"] = Field(description="the contract's risk from now on")
    renewal_priority: Literal["normal", "raised", "urgent"] = Field(description="its renewal's priority from now on")


@_said("renewal_opened")
class LifecycleRenewalOpened(LifecycleSaid):
    """The renewal window of a term is open and its readiness is known. `term_ends`: the first day of the next."""

    term: int = Field(description="number of the term that runs, 1 for the first")
    term_ends: date | None = Field(description="first day after it: civil date; null when evergreen")


@_said("renewal_decided")
class LifecycleRenewalDecided(LifecycleSaid):
    """The renewal of a term is decided. `by`: the CRM's opportunity, the auto-renew clause, or who gave the command."""

    term: int = Field(description="number of the term that runs, 1 for the first")
    decision: Literal["renew", "end"] = Field(description="what follows on the term that runs")
    by: str = Field(description="who or what decided")


@_said("forecast_changed")
class LifecycleForecastChanged(LifecycleSaid):
    """The renewal of a term is expected to become something else than before, or it is the first word on that term.

    `category` is what stands; `computed` differs from it where somebody, `by`, forecasts by hand. What would be booked
    is told as term, dates and quantities: the ERP prices.
    """

    term: int = Field(description="number of the term that runs, 1 for the first")
    category: Category = Field(description="what is expected from now on")
    computed: Category = Field(description="what the facts alone say")
    reasons: list[str] = Field(description="why, in words; the first one is the person's, where one forecasts by hand")
    by: str = Field(description="who forecasts by hand; empty where the facts do")
    booked_term: int | None = Field(description="number of the term that would follow; null where none would")
    booked_starts: date | None = Field(description="its first day: civil date")
    booked_ends: date | None = Field(description="first day after it: civil date; null when evergreen")
    booked_quantities: dict[str, str] = Field(description="how many by the contract line's id, as decimal numbers")


@_said("entitlement_changed")
class LifecycleEntitlementChanged(LifecycleSaid):
    """Whether the customer may use what it bought is otherwise than before: none, active, grace, suspended, ended."""

    before: Entitled = Field(description="the entitlement until now")
    entitlement: Entitled = Field(description="the entitlement from now on")
    effective: date = Field(description="the day from which it holds: civil date")
    reason: str = Field(description="why, in words")


@_said("term_begun")
class LifecycleTermBegun(LifecycleSaid):
    """A renewed contract is in its next term."""

    term: int = Field(description="number of the term that has begun, 2 for the first renewal")
    term_starts: date | None = Field(description="its first day: civil date")
    term_ends: date | None = Field(description="first day after it: civil date; null when evergreen")


@_said("case_opened")
class LifecycleCaseOpened(LifecycleSaid):
    """The lifecycle needs somebody's attention, or that of another than before: then with the same `case`."""

    case: str = Field(description="the case's id within its contract")
    kind: str = Field(description="what kind of trouble it is")
    title: str = Field(description="what is wrong, in one line")
    actor: str = Field(description="who can mend it")


@_said("case_resolved")
class LifecycleCaseResolved(LifecycleSaid):
    """What needed attention is settled."""

    case: str = Field(description="the case's id within its contract")


class OfClock(LifecycleSaid):
    """About one SLA clock. `subject`: what it is about, such as a line or a milestone; for a case, its kind."""

    clock: str = Field(description="what is promised, by the clock's kind, such as billing_started")
    subject: str = Field(description="which line, milestone, term or kind of case it is about; empty for the contract")
    team: str = Field(description="id of the team that owns the clock; empty where nobody is named")
    started: datetime = Field(description="since when the clock runs")
    due: datetime = Field(description="when its time is over")


@_said("sla_warned")
class LifecycleSlaWarned(OfClock):
    """The time of an SLA clock is nearly over."""


@_said("sla_breached")
class LifecycleSlaBreached(OfClock):
    """The time of an SLA clock is over, and what it waits for has not happened by then."""


class OfLeakage(LifecycleSaid):
    """About one finding: the ERP bills or serves other than the terms say."""

    leak: str = Field(description="the finding's id, the same when it is found and when it is settled")
    kind: Literal["not_started", "too_early", "under_billed", "expired_served"] = Field(description="what is found")
    line: str = Field(description="the contract line's id")
    product: str = Field(description="the product's code in the company's catalog")
    since: date = Field(description="first day that is billed or served otherwise: civil date")
    team: str = Field(description="id of the team that owns it; empty where nobody is named")
    currency: str = Field(description="ISO 4217 code of the amounts")
    amount: str | None = Field(description="what it has come to, by the ERP's price; null where it tells none")


@_said("leakage_found")
class LifecycleLeakageFound(OfLeakage):
    """Leakage is found: told once, however long it lasts. It is an observation, no invoice."""

    reason: str = Field(description="what is known of the reason, in words; empty where nothing is")


@_said("leakage_settled")
class LifecycleLeakageSettled(OfLeakage):
    """What was found is not found any more."""

    recovered: str | None = Field(description="what the ERP bills of it after all; null where it tells no price")


@_said("ended")
class LifecycleEnded(LifecycleSaid):
    """The contract is over."""


@_said("cancelled")
class LifecycleCancelled(LifecycleSaid):
    """The order was cancelled before its activation, and what had been done for it is undone."""
