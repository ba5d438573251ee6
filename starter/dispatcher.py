"""The dispatcher: moves events from the inbox into lifecycles. Any number may run: each leases what it delivers."""

import asyncio
import os
import socket
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from functools import partial

import structlog

from domain.company import Company
from domain.errors import TenureError
from starter.delivery import Deliverer, Unreachable
from starter.delivery_cases import undeliverable
from starter.erp_reading import BATCH as READ_AT_ONCE
from starter.erp_reading import ErpReading
from starter.hints import Hints
from starter.interpreter import settle_interpreter
from starter.logs import where
from starter.measuring import measure
from starter.notifying.notifier import Notifier
from starter.process import connected, pause, run_process
from starter.publishing import Publisher
from starter.ready import announce_ready
from starter.routing import Router
from starter.settings import Settings
from starter.sla.sweep import BATCH as CLOCKS_AT_ONCE
from starter.sla.sweep import ClockSweep
from starter.sources.reading import Sources
from starter.sweep import sweep
from starter.thawing import Thawing
from starter.unserved import check_served
from starter.urgencies import AT_ONCE as URGENCIES_AT_ONCE
from starter.urgencies import Urgencies
from starter.watchdog import Watchdog
from store.cases import open_case
from store.database import Database
from store.inbox import RECEIVED
from store.streams import Streams

log = structlog.get_logger()

AT_ONCE = 16
ROUND = 0.2
GLANCE = 0.02  # between two glances at the inbox: a deal that was won waits for nothing else
SWEEP_EVERY = 1.0
BESIDE_EVERY = 2.0
CALL_AGAIN_AFTER = 2.0
AFTER_FAILURE = 0.2
CASE_AFTER = 5  # failures in a row
REST = timedelta(seconds=3)
"""A lifecycle that has changed later than this is likely to be in the middle of something: figures can wait for it."""


class Dispatcher:
    """Routes, delivers, sweeps and reads hints back, until told to stop. A failure of Temporal or the store is waited
    out, never lost. `beside`: what else is done every other second, and returns how much of it there was."""

    def __init__(
        self,
        database: Database,
        deliverer: Deliverer,
        router: Router,
        company: Company,
        *,
        poll: float,
        hints: Hints | None = None,
        thawing: Thawing | None = None,
        beside: Sequence[Callable[[], Awaitable[int]]] = (),
    ):
        self._db = database
        self._deliverer = deliverer
        self._router = router
        self._company = company
        self._hints = hints
        self._thawing = thawing
        self._beside = beside
        self._streams = Streams(database)
        self._poll = poll
        self._away: dict[str, float] = {}
        self._failures: dict[str, int] = {}
        self._under_way: dict[str, asyncio.Task[int]] = {}

    async def run(self, stop: asyncio.Event) -> None:
        """Until `stop` is set; deliveries under way are finished."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._repeat(partial(self._round, stop), 0.0, stop))
            tasks.create_task(self._repeat(self._sweep, SWEEP_EVERY, stop))
            if self._thawing is not None:
                tasks.create_task(self._repeat(self._thawing.tell, SWEEP_EVERY, stop))
            asking = [tasks.create_task(self._repeat(work, BESIDE_EVERY, stop)) for work in self._beside]
            if self._hints is not None:
                asking.append(tasks.create_task(self._repeat(self._hints.read_back, self._poll, stop)))
            await stop.wait()
            for task in asking:  # a system that hangs must not hold up the end; what was asked of it is due again
                task.cancel()
        await self.finish()

    async def _round(self, stop: asyncio.Event) -> int:
        """After a round that moved nothing, wait for the next event, and at most until the next round is due."""
        moved = await self.route_and_deliver()
        due = asyncio.get_running_loop().time() + self._poll
        while not moved and not stop.is_set() and asyncio.get_running_loop().time() < due:
            await asyncio.sleep(GLANCE)
            if await self._db.any(RECEIVED):
                break
        return moved

    async def route_and_deliver(self) -> int:
        """One round over everything that waits; returns how many rows moved. What is not answered within the round
        stays under way: a lifecycle that hangs holds up its own events alone."""
        routed = await self._db.write(self._router.route) if await self._db.any(RECEIVED) else 0
        for stream in await self._ready():
            self._under_way[stream] = asyncio.create_task(self._deliver(stream))
        return routed + await self._settled(ROUND)

    async def finish(self) -> int:
        """Wait for everything under way; returns how many rows it moved."""
        return await self._settled(None)

    async def _ready(self) -> list[str]:
        now = asyncio.get_running_loop().time()
        self._away = {stream: until for stream, until in self._away.items() if until > now}
        busy = self._away.keys() | self._under_way.keys()
        waiting = await self._streams.ready(AT_ONCE + len(busy))
        return [stream for stream in waiting if stream not in busy][: max(0, AT_ONCE - len(self._under_way))]

    async def _settled(self, seconds: float | None) -> int:
        if self._under_way:
            await asyncio.wait(self._under_way.values(), timeout=seconds)
        done = [stream for stream, task in self._under_way.items() if task.done()]
        return sum(self._under_way.pop(stream).result() for stream in done)

    async def _deliver(self, stream: str) -> int:
        try:
            delivered = await self._deliverer.deliver(stream)
        except TenureError:
            raise
        except Exception as error:  # whatever is wrong with one stream, the others must not wait for it
            if isinstance(error, Unreachable):
                log.warning("lifecycle can't be reached, its events wait", stream=stream, error=str(error))
            else:
                log.error("events not delivered", stream=stream, error=type(error).__name__, where=where(error))
                await self._failed(stream, error)
            self._away[stream] = asyncio.get_running_loop().time() + CALL_AGAIN_AFTER
            return 0
        self._failures.pop(stream, None)
        return delivered

    async def _failed(self, stream: str, error: Exception) -> None:
        """A stream that fails again and again, with everybody there, is a case; it is tried on."""
        self._failures[stream] = self._failures.get(stream, 0) + 1
        if self._failures[stream] == CASE_AFTER:
            await self._db.write(lambda session: open_case(session, undeliverable(stream, error)))

    async def _sweep(self) -> int:
        await self._db.write(lambda session: sweep(session, self._company, self._router.landscape))
        return 0

    async def _repeat(self, work: Callable[[], Awaitable[int]], seconds: float, stop: asyncio.Event) -> None:
        while not stop.is_set():
            wait = seconds
            try:
                moved = await work()
            except TenureError as error:
                log.warning("the store does not answer, trying again", error=str(error))
                moved, wait = 0, max(seconds, AFTER_FAILURE)
            except Exception as error:  # a dispatcher that is gone moves nothing at all
                log.error("the round was broken off, trying again", error=type(error).__name__, where=where(error))
                moved, wait = 0, max(seconds, AFTER_FAILURE)
            if not moved:
                await pause(stop, wait)


def _in_batches(work: Callable[[], Awaitable[int]], size: int) -> Callable[[], Awaitable[int]]:
    """Goes on at once only after a full batch: what has come meanwhile has time until the next look."""

    async def done() -> int:
        count = await work()
        return count if count >= size else 0

    return done


async def serve(settings: Settings, stop: asyncio.Event) -> None:
    """The dispatcher process."""
    import wiring

    company, mapping = wiring.read_company(settings), wiring.read_mapping(settings)
    database = wiring.open_store(settings)
    try:
        client = await connected(lambda: wiring.connect(settings), stop)
        if client is None:
            return
        if gone := await database.write(lambda session: check_served(session, settings.landscape)):
            log.error("contracts live in connections that are not configured", connections=gone)
        sources = Sources(settings)
        owner = f"{socket.gethostname()}:{os.getpid()}"
        publisher = Publisher(database, settings, owner=owner)
        deliverer = Deliverer(
            database,
            client,
            company,
            task_queue=settings.temporal.task_queue_prefix,
            owner=owner,
            lease=settings.tuning.lease,
            sources=sources,
        )
        router = Router(company, mapping, settings.connection_of("crm"), sources, settings.landscape)
        async with (
            wiring.open_limits(database) as limits,
            wiring.connect_readers(settings, limits) as readers,
            wiring.connect_systems(settings, limits, ["erp"]) as erps,
            Notifier(database, settings, company) as notifier,
            asyncio.TaskGroup() as loops,
        ):
            hints = Hints(database, readers)
            thawing = Thawing(database, client, settings.landscape)
            asked = {name: system.port for name, system in erps.items()}
            reading = ErpReading(database, asked, every=timedelta(seconds=settings.figures.every), rest=REST)

            async def measured() -> int:
                """With a breath after each batch: when a day begins, every contract of a zone is due at once."""
                await measure(database, company, rest=REST)
                return 0

            dispatcher = Dispatcher(
                database,
                deliverer,
                router,
                company,
                poll=settings.tuning.poll,
                hints=hints,
                thawing=thawing,
                beside=[
                    _in_batches(reading.read, READ_AT_ONCE),
                    measured,
                    _in_batches(ClockSweep(database, company).look, CLOCKS_AT_ONCE),
                    notifier.look,
                    Watchdog(database, client).look,
                    _in_batches(Urgencies(database, client).tell, URGENCIES_AT_ONCE),
                ],
            )
            settle_interpreter()
            announce_ready()
            loops.create_task(publisher.run(stop))
            loops.create_task(dispatcher.run(stop))
    finally:
        database.close()


if __name__ == "__main__":
    run_process("dispatcher", serve)
