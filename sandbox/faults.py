"""What can go wrong on command: faults, outages between two business dates, and rate limits."""

import time
from collections import deque
from datetime import UTC, date, datetime
from datetime import time as clock_time
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class Fault(BaseModel):
    """A fault of an operation ("*": all of the system's), `times` times or until cleared.

    slow: answers after `seconds`. error: `status`, nothing done. lose_answer: the work is done, the answer is 504 (or
    the connection is cut, with `cut`). commit_late: 504 at once, the work is done after `seconds`. refuse: a business
    refusal with `reason`. rate_limit: 429. down: 503, not accepted. hang: nothing done, 504 after `seconds`. garbage:
    200 with `answer`. `from`/`until` bound it in business dates (until exclusive); seconds are real.
    """

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    system: str
    operation: str = "*"
    kind: Literal["slow", "error", "lose_answer", "commit_late", "refuse", "rate_limit", "down", "hang", "garbage"]
    times: int | None = Field(default=None, ge=1)
    seconds: float = Field(default=1.0, ge=0)
    status: int = Field(default=500, ge=400, le=599)
    reason: str = "refused by a business rule"
    retry_after: str = "1"
    answer: str = "<html>It works!</html>"
    cut: bool = False
    since: date | None = Field(default=None, alias="from")
    until: date | None = None

    def hits(self, system: str, operation: str, today: date) -> bool:
        return (
            self.system == system
            and self.operation in ("*", operation)
            and (self.times is None or self.times > 0)
            and (self.since is None or self.since <= today)
            and (self.until is None or today < self.until)
        )

    def edges(self) -> list[datetime]:
        """The instants at which it begins and ends."""
        return [datetime.combine(day, clock_time(), UTC) for day in (self.since, self.until) if day is not None]


class Faults:
    """Held in memory: a restarted box is healthy."""

    def __init__(self) -> None:
        self.active: list[Fault] = []

    def take(self, system: str, operation: str, today: date) -> Fault | None:
        """The oldest fault that hits this call, used up by one."""
        for fault in self.active:
            if fault.hits(system, operation, today):
                if fault.times is not None:
                    fault.times -= 1
                return fault
        return None


class Limits:
    """A true limit per system: at most `per_second` calls in any second of real time."""

    def __init__(self) -> None:
        self._per_second: dict[str, int] = {}
        self._calls: dict[str, deque[float]] = {}

    def set(self, system: str, per_second: int | None) -> None:
        self._calls.pop(system, None)
        if per_second is None:
            self._per_second.pop(system, None)
        else:
            self._per_second[system] = per_second

    def admit(self, system: str) -> bool:
        limit = self._per_second.get(system)
        if limit is None:
            return True
        now = time.monotonic()
        calls = self._calls.setdefault(system, deque())
        while calls and calls[0] <= now - 1:
            calls.popleft()
        if len(calls) >= limit:
            return False
        calls.append(now)
        return True

    def clear(self) -> None:
        self._per_second.clear()
        self._calls.clear()
