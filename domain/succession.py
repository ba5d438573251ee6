"""One contract after another: what becomes of the former when its successor starts."""

from datetime import date

from domain import outcomes
from domain.messages import Succeeded, Succession
from domain.refused import Refused
from domain.state import LifecycleState

ENDING: frozenset[Succession] = frozenset({"replaces", "converts"})
"""With these the former ends on the day on which its successor starts."""
WORDS: dict[Succession, str] = {
    "replaces": "replaced by",
    "converts": "converted into",
    "wins_back": "won back with",
    "split_from": "split into",
}


def succeeded(state: LifecycleState, event: Succeeded, today: date) -> None:
    """The contract ends on the day on which its successor starts: not in the past, and no later than its paid term.

    Raises Refused for an order that is not activated: there is nothing to end.
    """
    if state.activated_on is None:
        raise Refused(f"{event.by} has taken its place, but the order is not activated yet; use tenure cancel")
    term, on = state.term_now(), event.on
    if term is not None and term.ends is not None and not state.renewed:
        on = min(on, term.ends)
    if state.ends_on is not None and state.ends_on <= max(on, today):
        return  # it ends no later anyhow
    outcomes.ended(state, on, today, f"{WORDS[event.how]} {event.by} from {event.on}")
