"""The paths that the corpus holds: each lives a life (or a reading) through on the real server, to its end."""

from collections.abc import Awaitable, Callable
from typing import Any

from temporalio.client import WorkflowHandle

from tests.house import House, Life
from tests.replay.paths import modes, reading, terms, troubles, whole

Played = Life | WorkflowHandle[Any, Any]
Play = Callable[[House], Awaitable[Played]]

PLAYS: tuple[Play, ...] = (
    *(whole.happy, whole.bad_order_fixed, whole.churn, whole.cancelled_early, whole.continued, whole.finance),
    *(whole.watched, whole.reviewed, whole.changed, whole.levels_last, whole.kept),
    *(troubles.retried, troubles.settled_by_hand, troubles.held, troubles.signalled, troubles.frozen),
    *(troubles.ended_today, troubles.out_of_order),
    *(terms.resold, terms.delivered_once, terms.tried, terms.renewed_by_clause, terms.renewed_larger),
    *(terms.ended_in_its_window, terms.asked_in_vain, terms.paused_for_a_while),
    *(modes.shadowed, modes.observed, modes.regrouped, modes.redated, modes.continuing),
    *(reading.feed_read, reading.feed_refused),
)
THRIFTY_TOO = (
    *("happy", "churn", "watched", "reviewed", "changed", "retried", "settled_by_hand", "held", "frozen", "signalled"),
    *("shadowed", "observed", "regrouped", "asked_in_vain", "continuing", "cancelled_early"),
)
"""Lives that were recorded before runs spent fewer actions (ADR 0038), and once more as they are lived since."""
AGAIN = "_thrifty"

PATHS: dict[str, Play] = {play.__name__: play for play in PLAYS}
PATHS |= {f"{name}{AGAIN}": PATHS[name] for name in THRIFTY_TOO}
