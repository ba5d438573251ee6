"""How long the calls of a connection take, counted in classes: what many processes measure can be added up."""

from bisect import bisect_left
from collections import Counter
from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Protocol

BOUNDS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, float("inf"))
"""The longest call of each class, in seconds."""


@dataclass
class CallTimes:
    """`calls` by class (an index of BOUNDS); `failed`: how many of them had no answer, or a 5xx; `seconds`: all of
    them together."""

    calls: Counter[int] = field(default_factory=Counter)
    failed: int = 0
    seconds: float = 0.0

    @property
    def count(self) -> int:
        return self.calls.total()

    def add(self, seconds: float, failed: bool) -> None:
        self.calls[bisect_left(BOUNDS, seconds)] += 1
        self.failed += failed
        self.seconds += seconds

    def up_to(self) -> tuple[int, ...]:
        """How many calls took at most each of BOUNDS."""
        return tuple(accumulate(self.calls[n] for n in range(len(BOUNDS))))

    def within(self, share: float) -> float | None:
        """The seconds within which this share of the calls was over, as precise as the classes are; None without
        calls. Of calls longer than the last finite bound no more is known: it is the answer."""
        wanted, before, lower = share * self.count, 0, 0.0
        for bound, upto in zip(BOUNDS, self.up_to(), strict=True):
            if upto > before and upto >= wanted:
                return lower if bound == BOUNDS[-1] else lower + (bound - lower) * (wanted - before) / (upto - before)
            before, lower = upto, bound
        return None


@dataclass
class Calls:
    """How many calls were made for one contract over one connection; `failed` as above."""

    made: int = 0
    failed: int = 0


ABOUT: ContextVar[str] = ContextVar("about", default="")
"""The contract for which calls are made in this task; empty: for none alone."""


class CallBook(Protocol):
    """Where the processes add up what they measured."""

    async def add(self, times: Mapping[str, CallTimes], calls: Mapping[tuple[str, str], Calls]) -> None:
        """By connection; and `calls` by contract and connection. Raises SourceUnavailable; then nothing was added."""
        ...
