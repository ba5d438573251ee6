"""SLA clocks: what starts and stops each of them, when its time is over, and where it stands."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from domain import keys
from domain.base import Frozen
from domain.calendar import start_of_day
from domain.hours import Break, BusinessHours, after, counted
from domain.targets import PROMISES, ClockKind, SlaTarget
from domain.view import LifecycleView, Stage


class ClockState(StrEnum):
    """Where a clock stands. A warned or breached one still runs; met, missed and void ones have stopped."""

    WAITING = "waiting"
    RUNNING = "running"
    HELD = "held"
    WARNED = "warned"
    BREACHED = "breached"
    MET = "met"
    MISSED = "missed"
    VOID = "void"


class SlaClock(Frozen):
    """One clock. Instants are of the contract's business time.

    `subject` names the occasion within its contract: a line, a milestone, a term, a case. `about` is what targets are
    chosen by. `started` is None for one whose time has not come. `due` is None where nothing is promised. `breached`
    is the instant at which the time was over. `outcome` is met, missed, or void for one that has lost its reason.
    """

    id: str
    kind: ClockKind
    contract: str | None = None
    account: str | None = None
    subject: str = ""
    about: str = ""
    team: str = ""
    started: datetime | None = None
    due: datetime | None = None
    warn_at: datetime | None = None
    warned: datetime | None = None
    breached: datetime | None = None
    stopped: datetime | None = None
    held: bool = False
    outcome: str = ""

    @property
    def state(self) -> ClockState:
        if self.stopped is not None:
            return ClockState(self.outcome or (ClockState.MISSED if self.breached else ClockState.MET))
        if self.started is None:
            return ClockState.WAITING
        if self.breached is not None:
            return ClockState.BREACHED
        if self.held:
            return ClockState.HELD
        return ClockState.WARNED if self.warned is not None else ClockState.RUNNING

    def sentence(self) -> str:
        """What it is about, in one line."""
        what = PROMISES[self.kind]
        return f"{what} ({self.about or self.subject})" if self.about or self.subject else what


class Deadline(NamedTuple):
    due: datetime
    warn_at: datetime


def deadline(
    target: SlaTarget,
    started: datetime,
    hours: BusinessHours | None,
    breaks: Sequence[Break] = (),
    planned: datetime | None = None,
) -> Deadline:
    """When the time of a clock is over, and when somebody is warned. `planned`: an instant that is fixed in itself."""
    due = after(hours, planned or started, target.within, breaks)
    if due <= started:
        return Deadline(due, due)
    share = counted(hours, started, due, breaks) * target.warn
    return Deadline(due, min(after(hours, started, share, breaks), due))


class Occasion(NamedTuple):
    """What a view says of one clock. `starts`: from when it runs, None where that is still to be found. `met`: what it
    waits for has happened.
    """

    kind: ClockKind
    subject: str
    starts: datetime | None
    met: bool


def occasions(view: LifecycleView, at: datetime) -> list[Occasion]:
    """Every clock that a lifecycle's view knows of at a business instant, but milestones, which are the company's plan.

    None for a lifecycle in shadow, or one that is over. What a stage that is off, or only observes, leaves undone is
    promised by nobody.
    """
    if view.mode == "shadow" or view.stage in (Stage.CANCELLED, Stage.ENDED):
        return []
    activated = view.term > 0
    found = [Occasion(ClockKind.ORDER_ACTIVATED, "", at, activated)] if _acts(view, "activation") else []
    if not activated:
        return found
    if _acts(view, "onboarding"):
        launched = keys.onboarding(view.contract) in view.effects
        found.append(Occasion(ClockKind.ONBOARDING_LAUNCHED, "", at, launched))
    if _acts(view, "billing"):
        found += [
            Occasion(ClockKind.BILLING_STARTED, line.id, None, line.billing_starts is not None)
            for line in view.lines
            if line.billed_by is None
        ]
    return [*found, *_readiness(view, at)]


def _readiness(view: LifecycleView, at: datetime) -> Iterator[Occasion]:
    """The window of the running term, until it is decided or over."""
    if not _acts(view, "renewal") or view.window_opens is None or view.stage in (Stage.ENDING, Stage.OUT_OF_TERM):
        return
    opens = start_of_day(view.window_opens, view.zone)
    begins = start_of_day(view.term_starts, view.zone) if view.term_starts else opens
    met = view.readiness is not None
    if view.decision is None or met:
        yield Occasion(ClockKind.READINESS_ASSEMBLED, f"term {view.term}", max(opens, begins), met)


def _acts(view: LifecycleView, stage: str) -> bool:
    return view.stages.get(stage, "act") == "act"
