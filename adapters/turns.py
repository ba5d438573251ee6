"""Turns: the right to make one call of a connection. One token bucket each, shared by every process over the store."""

import asyncio
import time
from bisect import insort
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from contextvars import Context, ContextVar
from dataclasses import dataclass
from datetime import timedelta
from itertools import count
from operator import attrgetter
from typing import Literal

from adapters.seen import Timekeeper
from domain.errors import RateLimited, SourceUnavailable, TenureError
from domain.limits import STALE, Ended, Limit, LimitBook, Standing, in_spare_time
from domain.urgency import FIRST, OF_TASK, SPARE, USUAL

FRESH = 2.0  # seconds that a process goes by what it knows of the limits, where none holds
RENEW = 5.0  # a call that lasts says so this often
LOOK = 1.0  # who waits looks up this often: whether it may go on waiting, whether the limit has changed
PATIENCE = 15.0  # seconds that a call waits for its turn, unless `ahead` says otherwise
GATHER = 0.02  # calls that end within so many seconds are told together
CLOSE = 2.0  # seconds for telling what is over, at the end

How = Literal["answered", "given up", "not made"]


@dataclass
class Turn:
    """The right to make one call, from `begins` until `ends` by this machine's monotonic clock."""

    id: int
    begins: float
    ends: float

    @property
    def stale(self) -> bool:
        return time.monotonic() > self.ends


@dataclass
class _Ahead:
    """A turn that was taken before the call is made."""

    limiter: "Limiter"
    turn: Turn | None


_ahead: ContextVar[_Ahead | None] = ContextVar("ahead", default=None)
_patience: ContextVar[float] = ContextVar("patience", default=PATIENCE)


class Limits:
    """The limiters of a process, one for each connection, over one book that all processes share.

    `times`: who keeps the time of the calls that are made within them.
    """

    def __init__(self, book: LimitBook, times: Timekeeper | None = None) -> None:
        self._book = book
        self.times = times
        self._limiters: dict[str, Limiter] = {}
        self._standings: Mapping[str, Standing] = {}
        self._known_until = 0.0
        self._reading = asyncio.Lock()

    def of(self, connection: str, configured: Limit) -> "Limiter":
        """The connection's limiter; `configured` is what it is limited to, unless the book says otherwise."""
        if connection not in self._limiters:
            self._limiters[connection] = Limiter(connection, configured, self._book, self._standing)
        return self._limiters[connection]

    async def close(self) -> None:
        """Tell the book which calls are over: the other processes need not wait for their leases."""
        for limiter in self._limiters.values():
            await limiter.close()

    async def _standing(self, connection: str, anew: bool = False) -> Standing:
        if anew or time.monotonic() > self._known_until:
            async with self._reading:
                if anew or time.monotonic() > self._known_until:
                    # Without the store no limit can be kept, but where none holds the store is not needed.
                    with suppress(SourceUnavailable):
                        self._standings = await self._book.standings()
                    self._known_until = time.monotonic() + FRESH
        return self._standings.get(connection, Standing())


class Limiter:
    """The turns of one connection in this process (domain.limits.Turns). They are asked for together, by one task, and
    given, when they may be used, in order: first to those who are in the middle of something, then by urgency, 1 before
    2. Where no limit holds, it costs a look at the book every other second, by whoever comes by."""

    def __init__(
        self,
        connection: str,
        configured: Limit,
        book: LimitBook,
        standing: Callable[[str, bool], Awaitable[Standing]],
    ) -> None:
        self.connection = connection
        self._limit = self._configured = configured
        self._book = book
        self._standing = standing
        self._first: deque[asyncio.Future[Turn]] = deque()
        self._then: list[tuple[int, int, asyncio.Future[Turn]]] = []  # by urgency, then in order
        self._came = count()
        self._ended: list[tuple[int, float, How]] = []
        self._taken: list[Turn] = []  # not begun, or not given yet
        self._under_way: dict[int, float] = {}
        self._closed_until = 0.0  # monotonic; no turn before
        self._news = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    @asynccontextmanager
    async def ahead(
        self,
        wait: float,
        *,
        later: float = PATIENCE,
        meanwhile: Callable[[], None] = lambda: None,
        urgency: int = USUAL,
    ) -> AsyncIterator[None]:
        """A turn for the first call that is made within, taken now: for work that may not wait once it has begun.

        It is given back when no call is made. `wait`, and `later` for the calls after the first, are the longest waits
        in seconds. `meanwhile` is called every second of waiting, and may raise.
        """
        held = _Ahead(self, await self.turn(wait, first=False, meanwhile=meanwhile, urgency=urgency))
        ours, patience = _ahead.set(held), _patience.set(later)
        try:
            yield
        finally:
            _ahead.reset(ours)
            _patience.reset(patience)
            if held.turn is not None:
                self.over(held.turn, "not made")

    async def turn(
        self, wait: float, *, first: bool = True, meanwhile: Callable[[], None] = lambda: None, urgency: int = USUAL
    ) -> Turn | None:
        """The right to make one call within STALE seconds; None where no limit holds. Whoever has it says when it is
        `over`. Raises RateLimited, with the time after which to ask again, when it would take longer than `wait`, and
        SourceUnavailable when there is a limit and the store does not answer."""
        standing = await self._standing(self.connection, False)
        if standing.limit(self._configured).none and not standing.paused:
            return None
        until = time.monotonic() + wait
        if self._closed_until > until and (await self._standing(self.connection, True)).paused > wait:
            raise self._later()
        place: asyncio.Future[Turn] = asyncio.get_running_loop().create_future()
        if first:
            self._first.append(place)
        else:
            insort(self._then, (urgency, next(self._came), place))
        self._work()
        try:
            while not place.done():
                left = until - time.monotonic()
                if left <= 0:
                    raise self._later()
                await asyncio.wait((place,), timeout=min(left, LOOK))
                meanwhile()
            return place.result()
        except BaseException:
            if place.done() and place.exception() is None:
                self.over(place.result(), "not made")
            place.cancel()
            raise

    async def now(self) -> Turn | None:
        """The turn of a call that is about to leave: the one taken ahead, as long as it is good, else the next one."""
        held = _ahead.get()
        if held is not None and held.limiter is self and held.turn is not None:
            turn, held.turn = held.turn, None
            if not turn.stale:
                return turn
            self.over(turn, "not made")
        spare = in_spare_time.get()
        return await self.turn(_patience.get(), first=not spare, urgency=SPARE if spare else USUAL)

    def over(self, turn: Turn, how: How) -> None:
        """The call was answered to its end, or was given up, or was never made."""
        self._under_way.pop(turn.id, None)
        self._ended.append((turn.id, time.monotonic(), how))
        self._work()

    async def pause(self, pause: timedelta) -> None:
        """The other side has said when to come back: nobody calls it before, in no process."""
        self._closed_until = max(self._closed_until, time.monotonic() + pause.total_seconds())
        await self._book.pause(self.connection, pause.total_seconds())
        await self._standing(self.connection, True)

    async def close(self) -> None:
        self._under_way.clear()
        self._ended += [(turn.id, time.monotonic(), "not made") for turn in self._taken]
        self._taken.clear()
        self._news.set()
        if self._task is not None:
            await asyncio.wait((self._task,), timeout=CLOSE)  # a store that is away does not hold up the end
            self._task.cancel()

    def _later(self) -> RateLimited:
        """Nobody who gives up keeps a place, so it need not wait until all who are before it have gone."""
        closed = self._closed_until - time.monotonic()
        queue = (len(self._first) + len(self._then)) / (self._limit.per_second or 10.0)
        again = timedelta(seconds=max(closed, min(queue, 30.0), 1.0))
        return RateLimited(f"{self.connection}: no call is free within its limit ({self._limit})", retry_after=again)

    # ── the task that asks for turns ────────────────────────────────────────────────────────────────────────────

    def _work(self) -> None:
        self._news.set()
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._serve(), context=Context())

    async def _serve(self) -> None:
        OF_TASK.set(FIRST)  # turns must not come as slowly as the store's writes of all who have had theirs
        # Nothing may be awaited between the last look and the end: nobody starts a second task while this one lives.
        while self._places() or self._taken or self._ended or self._under_way:
            if not self._hand_out():
                await self._sleep(GATHER if self._ended else RENEW)
            missing, ended, began = self._hand_out(), self._endings(), time.monotonic()
            spare = not self._first and all(urgency == SPARE for urgency, _, _ in self._then)
            held = [turn for turn, told in self._under_way.items() if told < began - RENEW]
            self._news.clear()
            if not (missing or ended or held):
                continue
            try:
                taken = await self._book.take(
                    self.connection, self._configured, missing, ended=ended, held=held, spare=spare
                )
            except TenureError as error:
                for place in self._places():
                    place.set_exception(error)
                continue
            self._limit = taken.limit
            self._under_way |= dict.fromkeys((turn for turn in held if turn in self._under_way), began)
            given = zip(taken.turns, taken.after, strict=True)
            self._taken += [Turn(turn, taken.seen + after, taken.asked + after + STALE) for turn, after in given]
            self._taken.sort(key=attrgetter("begins"))
            self._closed_until = taken.asked + taken.wait if taken.paused else 0.0
            if self._hand_out():
                await self._sleep(min(taken.asked + taken.wait - time.monotonic(), LOOK))

    def _hand_out(self) -> int:
        """Give the turns that may be used now, and give back those that nobody waits for. Returns how many of those who
        wait have none taken for them."""
        places, now = self._places(), time.monotonic()
        good = [turn for turn in self._taken if not turn.stale][: len(places)]
        self._ended += [(turn.id, now, "not made") for turn in self._taken if turn not in good]
        self._taken = good
        due = sum(turn.begins <= now for turn in self._taken)
        for turn, place in zip(self._taken[:due], places, strict=False):
            self._under_way[turn.id] = now
            place.set_result(turn)
        del self._taken[:due]
        return len(places) - due - len(self._taken)

    def _places(self) -> list[asyncio.Future[Turn]]:
        """Who waits, in the order of being served."""
        self._first = deque(place for place in self._first if not place.done())
        self._then = [each for each in self._then if not each[2].done()]
        return [*self._first, *(place for _, _, place in self._then)]

    def _endings(self) -> list[Ended]:
        ended, self._ended = self._ended, []
        now = time.monotonic()
        return [Ended(turn=turn, age=now - at, how=how) for turn, at, how in ended]

    async def _sleep(self, seconds: float) -> None:
        """Until there is news or a turn begins, or for so long."""
        if self._taken:
            seconds = min(seconds, self._taken[0].begins - time.monotonic())
        with suppress(TimeoutError):
            await asyncio.wait_for(self._news.wait(), max(seconds, 0.0))
