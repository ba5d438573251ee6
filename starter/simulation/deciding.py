"""How renewals are decided where the script says nothing: on the last day on which notice may be given."""

from datetime import datetime, time, timedelta

from domain import calendar
from domain.state import LifecycleState

MORNING = time(9)
"""When things happen on a day: nobody's deadline."""


def morning(day: datetime) -> datetime:
    """At nine, of a day that begins at an instant."""
    return day + timedelta(hours=MORNING.hour)


def when_to_look(state: LifecycleState, now: datetime) -> datetime | None:
    """When the renewal is to be decided, or looked at again; None where there is nothing to decide any more."""
    if state.closed or state.cancelled or state.ends_on is not None:
        return None
    opens, cut_off = state.window_opens(), state.cut_off()
    if state.activated_on is None or state.sheet is None:
        return now + timedelta(days=7)
    if opens is None or cut_off is None:
        return None  # without end
    if state.decision is not None or state.renewed:
        over = state.term_over()
        return None if over is None else morning(over)
    last_day = calendar.start_of_day(calendar.civil_date(cut_off - timedelta(hours=12), state.zone), state.zone)
    return max(morning(opens), morning(last_day))


def undecided(state: LifecycleState) -> bool:
    """Whether the window is open and nobody has decided yet."""
    return state.window_opened == state.term and state.decision is None and state.ends_on is None
