"""How often, and how often at once, a connection may be called: the rule, and the book that all processes share."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from contextvars import ContextVar
from typing import Any, Literal, Protocol

from pydantic import Field

from domain.base import Frozen

# All in seconds. A call is counted at their door at a moment that nobody here sees: after it left, before it was
# answered. So it holds its place until SECOND after its answer; what is not answered within TRANSIT has long arrived.
SECOND = 1.01
TRANSIT = 1.0
# A turn that was not used by then is void: its holder stood still, or waited for something else.
STALE = 1.0
# So long before it may be used a turn can be taken: what delays the asking must not be lost of the limit.
AHEAD = 0.4


class Limit(Frozen):
    """`per_second` calls, of which `burst` may go at once after a pause; at most `concurrent` without an answer.

    None: no such limit. At the other side's door no second sees more than `per_second + burst - 1` calls: with a burst
    of 1 never more than `per_second` (rounded up).
    """

    per_second: float | None = Field(None, gt=0, le=10_000, allow_inf_nan=False)
    burst: int = Field(1, ge=1, le=10_000)
    concurrent: int | None = Field(None, ge=1, le=10_000)

    @property
    def none(self) -> bool:
        return self.per_second is None and self.concurrent is None

    @property
    def in_a_second(self) -> int | None:
        return None if self.per_second is None else math.ceil(self.per_second) + self.burst - 1

    def __str__(self) -> str:
        said = []
        if self.per_second is not None:
            said.append(f"{self.per_second:g}/s" + (f", burst {self.burst}" if self.burst > 1 else ""))
        if self.concurrent is not None:
            said.append(f"{self.concurrent} at once")
        return ", ".join(said) or "none"


class Standing(Frozen):
    """What the book has of a connection. `given`: the fields of its limit that win over the configuration; `paused`:
    for how many seconds more the other side wants no calls."""

    given: dict[str, Any] | None = None
    paused: float = 0.0

    def limit(self, configured: Limit) -> Limit:
        return Limit.model_validate(configured.model_dump() | (self.given or {}))


class Ended(Frozen):
    """A turn that is over, `age` seconds ago. An answered call came to their door before its answer; one that was given
    up may still be on its way; one that was not made counts for nothing."""

    turn: int
    age: float
    how: Literal["answered", "given up", "not made"]


class Taken(Frozen):
    """The turns that were given, and after how many seconds asking for more makes sense. `after`: of each, how many
    seconds after `seen` it begins. `limit`: what holds now. `asked` and `seen`: the machine's own monotonic clock
    before and after the book looked at its."""

    turns: tuple[int, ...]
    wait: float
    limit: Limit
    paused: bool
    asked: float
    seen: float
    after: tuple[float, ...] = ()


class LimitBook(Protocol):
    """One token bucket for each connection, shared by every process, on the store's clock.

    A process that dies keeps its turns for a few seconds, no longer. Raises SourceUnavailable when the store does not
    answer; then no call may be made to a connection that has a limit.
    """

    async def standings(self) -> Mapping[str, Standing]:
        """Of every connection of which there is something to say."""
        ...

    async def take(
        self,
        connection: str,
        configured: Limit,
        wanted: int,
        *,
        ended: Sequence[Ended] = (),
        held: Iterable[int] = (),
        spare: bool = False,
    ) -> Taken:
        """At most `wanted` turns, as many as the limit allows now or within AHEAD; `ended` tells which are over, `held`
        which are not, though they began a while ago. `spare`: only those of now that nobody else has come for."""
        ...

    async def pause(self, connection: str, seconds: float) -> None:
        """Nobody calls this connection for so long: it has said when to come back."""
        ...


class Turns(Protocol):
    """The turns of one connection: who may call it, and when."""

    def ahead(
        self, wait: float, *, later: float, meanwhile: Callable[[], None], urgency: int = 3
    ) -> AbstractAsyncContextManager[None]:
        """A turn for the first call that is made within, taken now: for work that may not wait once it has begun.

        `wait`, and `later` for the calls after the first, are the longest waits in seconds; `meanwhile` is called every
        second of waiting. Of those who wait, the lowest `urgency` goes first. Raises RateLimited, with the time after
        which to ask again, when it would take longer.
        """
        ...


in_spare_time: ContextVar[bool] = ContextVar("in_spare_time", default=False)
"""Set by whoever makes calls that nobody waits for: they leave only where the limit has room that nobody else takes."""


class Room(Frozen):
    """What a limit has left. `earliest` is the instant at which the next call may leave, as far as the rate goes."""

    turns: int
    earliest: float


def room(
    limit: Limit, *, wanted: int, clock: float, earliest: float, counted: int, active: int, spare: bool = False
) -> Room:
    """How many of `wanted` calls may leave now; `spare`: so that one more still might.

    `earliest` comes from the last answer, `counted` calls may count at their door within a second from now, `active`
    are not over. A clock that was set back, or a limit that was raised, makes nobody wait for the old one.
    """
    turns, left = wanted, 1 if spare else 0
    if limit.concurrent is not None:
        turns = min(turns, max(limit.concurrent - left, 1) - active)
    if limit.per_second is None or limit.in_a_second is None:
        return Room(turns=max(turns, 0), earliest=clock)
    turns = min(turns, max(limit.in_a_second - left, 1) - counted)
    interval = 1 / limit.per_second
    earliest = min(earliest, clock + AHEAD + interval)
    # a bucket that is not full fills up by one each interval, to `burst`
    begins = max(earliest, clock - (limit.burst - 1 + left) * interval)
    turns = max(min(turns, math.floor((clock - begins) / interval + 1 + 1e-6) - left), 0)
    if turns:
        begins = max(earliest, clock - (limit.burst - 1) * interval)
    return Room(turns=turns, earliest=begins + turns * interval)


def soon(
    limit: Limit, *, wanted: int, clock: float, earliest: float, counted: Sequence[float]
) -> tuple[tuple[float, ...], float]:
    """The instants within AHEAD at which `wanted` further calls may leave, those that may; and `earliest` after them.

    `counted`: until when each call may count at their door that was allowed so far, `inf` for those of just now.
    """
    leaves: list[float] = []
    if limit.per_second is None or limit.in_a_second is None:
        return (), earliest
    interval, until = 1 / limit.per_second, sorted(counted)
    while len(leaves) < wanted:
        free = until[-limit.in_a_second] if len(until) >= limit.in_a_second else clock
        at = max(clock, earliest, free)
        if at > clock + AHEAD:
            break
        leaves.append(at)
        until.append(math.inf)
        earliest = max(earliest, at - (limit.burst - 1) * interval) + interval
    return tuple(leaves), earliest
