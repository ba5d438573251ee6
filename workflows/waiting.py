"""Waiting for a date that may move."""

from collections.abc import Callable
from datetime import datetime
from typing import NamedTuple

from temporalio import workflow

TURNS = 4  # a track that goes on asks for its next step within two


class Due(NamedTuple):
    """When something is due, and what, for whoever reads the timer in the Temporal UI. No date: nothing is due."""

    at: datetime | None
    what: str


async def until(
    now: Callable[[], datetime],
    due: Callable[[], Due],
    *,
    unless: Callable[[], bool],
    held: Callable[[], bool] = lambda: False,
) -> None:
    """Wait until the date has come, or `unless` holds. The timer is armed again only when the date moves: an unrelated
    event costs nothing. What falls due while it is `held` waits until it is not any more."""
    while not unless():
        armed = due()
        if armed.at is None or armed.at > now():
            await _armed(now, due, armed, unless)
        elif held():
            await workflow.wait_condition(lambda: unless() or not held())
        else:
            return


async def _armed(now: Callable[[], datetime], due: Callable[[], Due], armed: Due, unless: Callable[[], bool]) -> None:
    try:
        await workflow.wait_condition(
            lambda: unless() or due().at != armed.at,
            timeout=armed.at - now() if armed.at else None,
            timeout_summary=armed.what,
        )
    except TimeoutError:
        return


async def after_everybody(*, thrifty: bool) -> bool:
    """Let all go on who can, before a level is shown or a view published: these follow from what the others ask for.
    No time passes. One turn too few costs an action, never more.

    False for a lifecycle that has begun before this was so: nobody was waited for."""
    if not thrifty and not workflow.patched("levels and views come last"):
        return False
    for _ in range(TURNS):
        await workflow.wait_condition(lambda: True)
    return True
