"""Pause and resume."""

from datetime import date

from domain.changes.kinds import Pause
from domain.refused import Refused
from domain.state import LifecycleState


def pause(state: LifecycleState, change: Pause, today: date) -> None:
    """Events are still taken; what falls due in the meantime is decided when it goes on."""
    if not change.reason.strip():
        raise Refused("a pause needs a reason")
    if state.paused is not None:
        raise Refused(f"it is paused already: {state.paused}")
    if change.until is not None and change.until <= today:
        raise Refused(f"it can't be paused until {change.until}; today is {today}")
    state.paused, state.paused_until = change.reason, change.until


def resume(state: LifecycleState) -> None:
    if state.paused is None:
        raise Refused("it is not paused")
    state.paused = state.paused_until = None
