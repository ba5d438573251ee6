"""Waiting for a date that may move."""

from collections.abc import Callable
from datetime import datetime
from typing import NamedTuple

from temporalio import workflow


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
