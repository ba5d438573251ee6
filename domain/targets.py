"""What is promised: which clock has how much time, counted by whose hours. Data of the company."""

from collections.abc import Sequence
from datetime import timedelta
from enum import StrEnum
from fnmatch import fnmatchcase

from pydantic import Field

from domain.base import Frozen
from domain.hours import Amount, in_words

TEAM_HOURS = "team"


class ClockKind(StrEnum):
    """What a clock measures."""

    ORDER_ACTIVATED = "order_activated"
    ONBOARDING_LAUNCHED = "onboarding_launched"
    MILESTONE_REACHED = "milestone_reached"
    BILLING_STARTED = "billing_started"
    RISK_TOLD = "risk_told"
    READINESS_ASSEMBLED = "readiness_assembled"
    CASE_ANSWERED = "case_answered"


PROMISES: dict[ClockKind, str] = {
    ClockKind.ORDER_ACTIVATED: "a won order is activated",
    ClockKind.ONBOARDING_LAUNCHED: "onboarding is launched after activation",
    ClockKind.MILESTONE_REACHED: "a milestone is reached by its planned day",
    ClockKind.BILLING_STARTED: "billing of a line starts once its rule is met",
    ClockKind.RISK_TOLD: "customer success is shown that a customer is overdue",
    ClockKind.READINESS_ASSEMBLED: "renewal readiness is there once the window opens",
    ClockKind.CASE_ANSWERED: "somebody takes up an exception case",
}


class SlaTarget(Frozen):
    """How much time a clock has. `of`: globs of what it is about (a milestone, the kind of a case), all without any.

    `warn`: after which share of the time somebody is warned. `hours`: the name of business hours, `team` for those of
    the team that owns the clock; without, all time counts. `off`: measured, but nothing is promised.
    """

    kind: ClockKind
    of: tuple[str, ...] = ()
    within: Amount = timedelta(0)
    warn: float = Field(0.75, gt=0, le=1)
    hours: str | None = None
    off: bool = False

    def is_for(self, kind: ClockKind, about: str) -> bool:
        return kind is self.kind and (not self.of or any(fnmatchcase(about, glob) for glob in self.of))

    def in_words(self) -> str:
        time = f" within {in_words(self.within)}" if self.within else ""
        counting = {None: "", TEAM_HOURS: " of the team's hours"}.get(self.hours, f" of the hours {self.hours!r}")
        return PROMISES[self.kind] + time + (counting if time else "")


DEFAULT_TARGETS = (
    SlaTarget(kind=ClockKind.ORDER_ACTIVATED, within=timedelta(days=1)),
    SlaTarget(kind=ClockKind.ONBOARDING_LAUNCHED, within=timedelta(hours=1)),
    SlaTarget(kind=ClockKind.MILESTONE_REACHED),
    SlaTarget(kind=ClockKind.BILLING_STARTED, within=timedelta(days=1)),
    SlaTarget(kind=ClockKind.RISK_TOLD, within=timedelta(minutes=15)),
    SlaTarget(kind=ClockKind.READINESS_ASSEMBLED, within=timedelta(hours=1)),
    SlaTarget(kind=ClockKind.CASE_ANSWERED, within=timedelta(hours=8), hours=TEAM_HOURS),
)


def target_for(targets: Sequence[SlaTarget], kind: ClockKind, about: str) -> SlaTarget:
    """The first target that fits, of a company's own and then of those that hold where it says nothing."""
    return next(target for target in (*targets, *DEFAULT_TARGETS) if target.is_for(kind, about))
