"""The publisher: relays the outbox, and sends each subscriber its events. Any number of processes may run one.

A subscriber's lease is held by one of them at a time, with a fence: of each contract one event is under way, and the
next goes out when it was taken. What dies between a POST and its mark is sent again. Each subscriber has a loop, a pool
of connections and a pace of its own, so that one that is down, or slow, delays only itself.
"""

import asyncio
import contextlib
import random
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import structlog

from domain import keys
from domain.errors import TenureError
from starter.logs import where
from starter.posting import Postman, Reply, postmen
from starter.process import pause
from starter.settings import Settings
from store.database import Database
from store.outgoing import (
    Letter,
    Result,
    drop,
    heads,
    is_leased,
    outdated,
    outdated_events,
    relay,
    settle,
    unrelayed,
)
from store.streams import Streams

log = structlog.get_logger()

AT_ONCE = 16
AHEAD = 64  # heads that are read at a time
DOUBTS = 5  # failures in a row after which a subscriber is only probed
DAY = 86_400.0


@dataclass(frozen=True)
class Patience:
    """How long things are waited for, in seconds.

    A failed event is tried again after `first`, then twice as long each time, up to `longest`, for `give_up` in all.
    `timeout`: one POST, whole. `look`: pause between two looks at an outbox in which nothing waits.
    """

    timeout: float = 10.0
    first: float = 5.0
    longest: float = 3600.0
    give_up: float = DAY
    look: float = 1.0

    @property
    def lease(self) -> float:
        """Long enough that a POST begun in its first half ends before the lease does."""
        return 2 * self.timeout

    def wait(self, attempts: int, retry_after: float | None) -> float:
        """How long to leave an event alone that failed for the n-th time; never shorter than the subscriber asks."""
        grown = min(self.longest, self.first * 2.0 ** min(attempts - 1, 30))
        # spread, so that what failed together is not tried together
        spread = min(self.longest, grown * random.uniform(1.0, 1.25))  # noqa: S311
        return max(spread, min(retry_after or 0.0, self.give_up))


class Publisher:
    """Relays and sends until told to stop. A failure of the store is waited out."""

    def __init__(self, database: Database, settings: Settings, *, owner: str, patience: Patience = Patience()) -> None:
        """Raises SettingsError when a subscriber's secret can't be used."""
        self._db = database
        self._types = {name: subscriber.types for name, subscriber in settings.subscribers.items()}
        self._patience = patience
        self._keep = settings.tuning.keep_outgoing_days * DAY
        self._senders = [
            Sender(database, postman, owner=owner, patience=patience) for postman in postmen(settings, patience.timeout)
        ]

    async def run(self, stop: asyncio.Event) -> None:
        """Until `stop` is set; what is under way is finished."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(_repeat(self.relay, self._patience.look / 4, stop))
            tasks.create_task(_repeat(self.clean, 3600.0, stop))
            for sender in self._senders:
                tasks.create_task(sender.run(stop))

    async def relay(self) -> int:
        """Turn what was written to the outbox into deliveries; returns how many events that were."""
        # a look costs no write lock
        if not await self._db.read(unrelayed):
            return 0
        moved = await self._db.write(lambda session: relay(session, self._types))
        for sender in self._senders:
            sender.news.set()
        return moved

    async def clean(self) -> int:
        """Delete some of what is over, and older than it is kept; returns how many rows."""
        names, keep = tuple(self._types), self._keep
        deliveries = await self._db.read(lambda session: outdated(session, names, keep))
        events = await self._db.read(lambda session: outdated_events(session, keep))
        if not deliveries and not events:
            return 0
        return await self._db.write(lambda session: drop(session, deliveries, events))


class Sender:
    """Sends one subscriber its events, while this process holds the subscriber's lease. `news`: look at once."""

    def __init__(self, database: Database, postman: Postman, *, owner: str, patience: Patience) -> None:
        self._db = database
        self._streams = Streams(database)
        self._postman = postman
        self._owner = owner
        self._patience = patience
        self._stream = keys.subscriber_stream(postman.name)
        self._failures = 0
        self._quiet_until = 0.0
        self.news = asyncio.Event()

    async def run(self, stop: asyncio.Event) -> None:
        try:
            await _repeat(lambda: self._turn(stop), self._patience.look, stop)
        finally:
            await self._postman.close()

    async def _turn(self, stop: asyncio.Event) -> int:
        """Send for as long as the lease is ours; returns at once when somebody else has it."""
        if await self._db.read(lambda session: is_leased(session, self._postman.name)):
            return 0
        began = _clock()
        fence = await self._streams.lease(self._stream, self._owner, self._patience.lease)
        if fence is None:
            return 0
        shift = Shift(began + self._patience.lease)
        try:
            await self._send_all(shift, fence, stop)
        finally:
            for task in shift.under_way.values():
                task.cancel()
            await asyncio.gather(*shift.under_way.values(), return_exceptions=True)
            await self._streams.release(self._stream, fence)
        return 0

    async def _send_all(self, shift: "Shift", fence: int, stop: asyncio.Event) -> None:
        while not stop.is_set():
            if shift.ours_until - _clock() < 0.75 * self._patience.lease:
                began = _clock()
                if not await self._streams.renew(self._stream, fence, self._patience.lease):
                    return
                shift.ours_until = began + self._patience.lease
            await self._begin(shift)
            await self._wait(shift, asyncio.FIRST_COMPLETED, self._patience.look)
            if not await self._settle(shift, fence):
                return
        await self._wait(shift, asyncio.ALL_COMPLETED, self._patience.timeout / 3)
        await self._settle(shift, fence)

    async def _begin(self, shift: "Shift") -> None:
        """Send the next heads, as many as may be under way; look for more when none is known."""
        if self.news.is_set():
            self.news.clear()
            shift.look_at = 0.0
        slots, now = 1 if self._failures >= DOUBTS else AT_ONCE, _clock()
        if len(shift.under_way) >= slots or now < self._quiet_until:
            return
        if not shift.waiting and now >= shift.look_at:
            busy = tuple(shift.under_way)
            found = await self._db.read(lambda session: heads(session, self._postman.name, AHEAD, busy=busy))
            shift.waiting.extend(found)
            shift.look_at = _clock() + (0.0 if found else self._patience.look)
        while shift.waiting and len(shift.under_way) < slots:
            if shift.ours_until - _clock() <= self._patience.timeout:
                return  # it could still be on its way when somebody else sends the same
            letter = shift.waiting.popleft()
            shift.under_way[letter.contract] = asyncio.create_task(self._try(letter))

    async def _try(self, letter: Letter) -> Result:
        try:
            reply = await self._postman.send(letter)
        except Exception as error:  # whatever is wrong with one event, the other contracts' must not wait for it
            log.error("event not sent", subscriber=self._postman.name, error=type(error).__name__, where=where(error))
            reply = Reply("failed", f"it could not be sent ({type(error).__name__})")
        self._note(reply)
        wait = self._patience.wait(letter.attempts + 1, reply.retry_after)
        return Result(letter, reply.outcome, reply.problem, wait)

    def _note(self, reply: Reply) -> None:
        self._failures = 0 if reply.outcome == "delivered" else self._failures + 1
        if reply.retry_after is not None:
            self._quiet_until = _clock() + min(reply.retry_after, self._patience.longest)

    async def _wait(self, shift: "Shift", what: str, seconds: float) -> None:
        """Wait until tries ended, or it is time to look again."""
        if shift.under_way:
            await asyncio.wait(shift.under_way.values(), timeout=seconds, return_when=what)
        elif what == asyncio.FIRST_COMPLETED:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.news.wait(), seconds)

    async def _settle(self, shift: "Shift", fence: int) -> bool:
        """Keep what became of the tries that ended. False when somebody else sends to the subscriber now."""
        ended = [contract for contract, task in shift.under_way.items() if task.done()]
        results = [shift.under_way.pop(contract).result() for contract in ended]
        if not results:
            return True
        for result in results:
            if result.outcome != "delivered":
                told = {"subscriber": self._postman.name, "event_id": result.letter.event_id, "why": result.problem}
                log.warning("a subscriber did not take an event", contract=result.letter.contract, **told)
        name, give_up, shift.look_at = self._postman.name, self._patience.give_up, 0.0
        if any(result.outcome == "gone" for result in results):
            shift.waiting.clear()  # they are held with it
        return await self._db.write(lambda session: settle(session, name, fence, results, give_up))


class Shift:
    """What a sender holds while it holds the lease, until `ours_until` on this process's clock."""

    def __init__(self, ours_until: float) -> None:
        self.ours_until = ours_until
        self.look_at = 0.0
        self.waiting: deque[Letter] = deque()
        self.under_way: dict[str, asyncio.Task[Result]] = {}


def _clock() -> float:
    return asyncio.get_running_loop().time()


async def _repeat(work: Callable[[], Awaitable[int]], seconds: float, stop: asyncio.Event) -> None:
    """Work until told to stop, at once while there is something to do. What fails is logged, and tried again."""
    while not stop.is_set():
        try:
            moved = await work()
        except TenureError as error:
            log.warning("the store does not answer, trying again", error=str(error))
            moved = 0
        except Exception as error:  # a publisher that is gone tells nobody anything
            log.error("publishing was broken off, trying again", error=type(error).__name__, where=where(error))
            moved = 0
        if not moved:
            await pause(stop, seconds)
