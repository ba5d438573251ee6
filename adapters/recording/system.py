"""What the recording systems share: every key once, levels set whole, ids made from keys, outages by business time."""

import hashlib
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any, NamedTuple, Protocol, TypeVar

from pydantic import BaseModel

from adapters.recording.journal import Journal
from domain.effects import EffectClass, Guarantee
from domain.errors import NotFound, Rejected, SourceUnavailable
from domain.ports import Probed

A = TypeVar("A")

DEADLINE = timedelta(seconds=2)
KEY = EffectClass(guarantee=Guarantee.KEY, deadline=DEADLINE, commits_within=timedelta())
LEVEL = EffectClass(guarantee=Guarantee.LEVEL, deadline=DEADLINE, commits_within=timedelta())


class Line(Protocol):
    """The way to a system."""

    async def carry_out(self, operation: str, work: Callable[[], A], *, writes: bool) -> A:
        """Do the work there and answer, or fail on the way as an adapter may."""
        ...


class Outages:
    """A line that is down between two instants of business time: nothing arrives then."""

    def __init__(self, system: str, journal: Journal) -> None:
        self._system = system
        self._journal = journal
        self._down: list[tuple[datetime, datetime]] = []

    def add(self, begins: datetime, ends: datetime) -> None:
        self._down.append((begins, ends))

    async def carry_out(self, operation: str, work: Callable[[], A], *, writes: bool) -> A:
        now = self._journal.now()
        if any(begins <= now < ends for begins, ends in self._down):
            raise SourceUnavailable(f"{self._system} is down")
        return work()


class _Done(NamedTuple):
    told: BaseModel | Mapping[str, Any]
    answer: Any


class RecordingSystem:
    """`name` is the connection's."""

    effects: Mapping[str, EffectClass] = {}

    def __init__(self, name: str, journal: Journal, line: Line) -> None:
        self.name = name
        self.journal = journal
        self._line = line
        self._done: dict[str, _Done] = {}

    async def probe(self) -> Probed:
        return await self._read("probe", lambda: Probed())

    async def _read(self, operation: str, work: Callable[[], A]) -> A:
        return await self._line.carry_out(operation, work, writes=False)

    async def _once(
        self, operation: str, key: str, told: BaseModel, work: Callable[[], A], *, known_by: str | None = None
    ) -> A:
        """Do it, once per key. `known_by`: what is unique there instead of the key. Rejected with other arguments."""

        def carried() -> A:
            name = f"{operation}/{known_by or key}"
            if (done := self._done.get(name)) is not None:
                if done.told != told and known_by is None:
                    raise Rejected(f"{operation}: the key {key} was used with other arguments")
                answer: A = done.answer
                return answer
            made = work()
            self._done[name] = _Done(told, made)
            self.journal.note(f"{self.name}.{operation}", key, told.model_dump(mode="json"))
            return made

        return await self._line.carry_out(operation, carried, writes=True)

    async def _level(self, operation: str, told: BaseModel, work: Callable[[], None]) -> None:
        """Set it. The operation stands for a key: the last value is what counts."""

        def carried() -> None:
            work()
            name = f"{self.name}.{operation}"
            self.journal.note(name, name, told.model_dump(mode="json"))

        await self._line.carry_out(operation, carried, writes=True)


def record_id(kind: str, key: str) -> str:
    """The id that a record of this key has in every run."""
    return f"{kind}_{hashlib.sha256(key.encode()).hexdigest()[:10]}"


def there(records: Mapping[str, A], record: str, kind: str) -> A:
    """Raises NotFound."""
    if record not in records:
        raise NotFound(f"there is no {kind} {record}")
    return records[record]
