"""One look at everything that a renewal's readiness is judged by: the sources side by side, in one activity."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import structlog
from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.boundary import temporal_failures
from activities.pacing import LATER
from domain.errors import RateLimited
from domain.limits import Turns
from domain.readings import Read, ReadSources, SourcesRead
from domain.urgency import USUAL

PATIENCE = 570.0  # seconds in which a source's turn must come: the activity's own time is a little longer
ANSWERS_WITHIN = 10.0  # seconds for one try
TRIES = 2
BEAT = 5.0
AGAIN, LONGEST_AGAIN = 1.0, 60.0  # seconds until the second try

log = structlog.get_logger()


@dataclass(frozen=True)
class Source:
    """A connection that can be read from. `turns`: its limit, where it has one."""

    read: Callable[[Read], Awaitable[Any]]
    turns: Turns | None = None


_READS = {
    "crm": "read_opportunity",
    "erp": "read_history",
    "cs": "read_tasks",
    "support": "read_cases",
    "usage": "read_adoption",
}
"""What a look asks each kind of system, by the name of the activity that asks it alone."""


def source_of(kind: str, activities: object, turns: Turns | None) -> Source:
    """A connected system, by what its own activities read."""
    return Source(getattr(activities, _READS[kind]), turns)


class LookActivities:
    """Runs on a task queue of its own. `sources` by connection."""

    def __init__(self, sources: Mapping[str, Source]) -> None:
        self._sources = sources

    @activity.defn(name="desk.read_sources")
    async def read_sources(self, request: ReadSources) -> SourcesRead:
        """Ask each source, twice at most. One that is down, slow or unknown here is silent. Where a source has a limit,
        the look waits for its turn, the more urgent first, as an effect does."""
        answers: dict[str, Any] = {}
        unknown: list[str] = []
        until = asyncio.get_running_loop().time() + PATIENCE

        async def ask(kind: str, connection: str, read: Read) -> None:
            for attempt in range(TRIES):
                try:
                    answers[kind] = await self._ask(connection, read, until)
                    return
                except ApplicationError as error:
                    if error.type == "NOT_FOUND":
                        unknown.append(kind)
                        return
                    log.warning("a source is silent", connection=connection, error=error.type)
                    delay = (error.next_retry_delay or timedelta()).total_seconds()
                    if error.non_retryable or delay > min(LONGEST_AGAIN, _left(until)):
                        return
                except TimeoutError:
                    log.warning("a source is silent", connection=connection, error="no answer in time")
                    delay = 0.0
                if attempt + 1 < TRIES:
                    await asyncio.sleep(max(AGAIN, delay))

        async with _beating():
            await asyncio.gather(*(ask(kind, each.connection, each.read) for kind, each in request.reads.items()))
        if len(answers) + len(unknown) < len(request.reads):
            with temporal_failures():
                _unless_it_stops()
        return SourcesRead(**answers, unknown=tuple(sorted(unknown)))

    async def _ask(self, connection: str, read: Read, until: float) -> Any:
        source = self._sources.get(connection)
        if source is None:
            raise ApplicationError(f"no connection {connection} here", type="SOURCE_UNAVAILABLE", non_retryable=True)
        if source.turns is None:
            return await _in_time(source, read)
        urgency = activity.info().priority.priority_key or USUAL
        with temporal_failures():
            async with source.turns.ahead(_left(until), later=LATER, meanwhile=_unless_it_stops, urgency=urgency):
                return await _in_time(source, read)


async def _in_time(source: Source, read: Read) -> Any:
    async with asyncio.timeout(ANSWERS_WITHIN):
        return await source.read(read)


def _left(until: float) -> float:
    return max(until - asyncio.get_running_loop().time(), 0.0)


def _unless_it_stops() -> None:
    """A worker that stops says nothing of the sources: another one asks them."""
    if activity.is_worker_shutdown():
        raise RateLimited("the worker stops while a source is waited for", retry_after=timedelta(seconds=1))


@asynccontextmanager
async def _beating() -> AsyncIterator[None]:
    """Heartbeats, so that a dead worker is noticed whatever the look waits for. A look that is soon over needs none:
    each is an action."""

    async def beat() -> None:
        while True:
            await asyncio.sleep(BEAT)
            activity.heartbeat()

    beats = asyncio.create_task(beat())
    try:
        yield
    finally:
        beats.cancel()
