"""How every connected system is tried."""

from datetime import datetime
from typing import Protocol

from domain.base import Frozen


class Problem(Frozen):
    """Something that is wrong with a connection, and how to mend it, each in one line for a person."""

    what: str
    mend: str


class Probed(Frozen):
    """What a look at a connected system found. `clock` is what it is o'clock there, when it tells."""

    problems: tuple[Problem, ...] = ()
    clock: datetime | None = None


class Probe(Protocol):
    """Every adapter can be tried: whether it may do what it is there for. Changes nothing. Raises AuthFailed,
    SourceUnavailable and the other errors when it can't even ask."""

    async def probe(self) -> Probed: ...
