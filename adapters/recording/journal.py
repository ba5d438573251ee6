"""What happened outside, in order, and what it is o'clock there: business time, as each activity is told it."""

from contextvars import ContextVar
from datetime import UTC, date, datetime
from typing import Any, NamedTuple

from domain.recorded import Recorded
from domain.steps import Perform, Step


class Occasion(NamedTuple):
    """Why a system is called at this moment."""

    as_of: datetime
    step: Step | None


_occasion: ContextVar[Occasion | None] = ContextVar("occasion", default=None)


class Journal:
    """One world's record. Its clock is the business time of the activity that calls, else the machine's."""

    def __init__(self) -> None:
        self.entries: list[Recorded] = []

    def begun(self, request: object) -> None:
        """An activity begins, in this task: what it calls, it calls at its own business time."""
        as_of = getattr(request, "as_of", None)
        if isinstance(as_of, datetime):
            _occasion.set(Occasion(as_of, request.step if isinstance(request, Perform) else None))

    def now(self) -> datetime:
        occasion = _occasion.get()
        return datetime.now(UTC) if occasion is None else occasion.as_of

    def today(self) -> date:
        return self.now().astimezone(UTC).date()

    def note(self, operation: str, key: str, told: dict[str, Any]) -> None:
        occasion = _occasion.get()
        step = occasion.step if occasion else None
        self.entries.append(Recorded(at=self.now(), key=key, operation=operation, told=told, step=step))
