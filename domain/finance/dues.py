"""Everything of finance's that falls due by itself in a live contract."""

from datetime import datetime

from domain.finance import price_notice, purchasing
from domain.finance.coming import Coming
from domain.state import LifecycleState


def coming(state: LifecycleState) -> list[Coming]:
    """What is still to come, or has come and is not done yet; the soonest first."""
    if state.activated_on is None or state.closed:
        return []
    return sorted([*purchasing.coming(state), *price_notice.coming(state)], key=lambda each: each.at)


def come(state: LifecycleState, now: datetime) -> None:
    """Do what is due by now."""
    for each in coming(state):
        if each.at <= now:
            each.come(state, now)
