"""Where a worker of the campaign dies: at the n-th passing of a boundary of an effect, counted over all its lives.

Each passing adds a byte to a file of that boundary, so that the count outlives the process; the one that makes the
count reach a point's number kills itself, and the file `fired` says so.
"""

import json
import os
import signal
from collections import defaultdict
from contextvars import ContextVar
from pathlib import Path
from typing import Any

import httpx

from adapters.seen import SeenTransport
from domain.books import ViewRow
from store.ledger import SqlLedger
from store.views import SqlViews

DIRECTORY = "FAULTS_POINTS"
BOUNDARIES = ("claimed", "sent", "committed", "answered", "recorded")
"""claimed, sent: before the call, the ledger knows. committed: after the outside commit, nobody here has read the
answer. answered: before the ledger. recorded: after it, before Temporal is told."""
FIRED = "fired"
VIEW = "publish_view"

_operation: ContextVar[str] = ContextVar("operation", default="")


class Points:
    """The points at which this process dies, and the counts that it shares with those before it."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._numbers: dict[str, set[int]] = defaultdict(set)
        for point in json.loads((directory / "points.json").read_text(encoding="utf-8")):
            self._numbers[f"{point['operation']}.{point['boundary']}"].add(point["nth"])

    def passed(self, boundary: str) -> None:
        place = f"{_operation.get()}.{boundary}"
        if not _operation.get():
            return
        count = _appended(self._directory / place, b".")
        if count in self._numbers.get(place, ()):
            _appended(self._directory / FIRED, f"{place} {count}\n".encode())
            os.kill(os.getpid(), signal.SIGKILL)


def _appended(path: Path, what: bytes) -> int:
    """The size afterwards. O_APPEND is atomic, whoever writes beside us."""
    with path.open("ab") as file:
        file.write(what)
        file.flush()
        return file.tell()


def write_points(directory: Path, points: list[dict[str, Any]]) -> None:
    directory.mkdir(parents=True)
    (directory / FIRED).touch()
    (directory / "points.json").write_text(json.dumps(points), encoding="utf-8")


def fired(directory: Path) -> list[str]:
    """The points that have fired, oldest first."""
    return (directory / FIRED).read_text(encoding="ascii").splitlines()


class Worn:
    """Ledger, views and way out, each with the points around it; in the place of those of the composition root."""

    def __init__(self, points: Points) -> None:
        class Ledger(SqlLedger):
            async def permit(self, operation: str) -> None:
                await super().permit(operation)
                _operation.set(operation.partition(".")[2])
                points.passed("sent")

            async def claim(self, key: str, *, operation: str, **rest: Any) -> Any:
                claim = await super().claim(key, operation=operation, **rest)
                _operation.set(operation.partition(".")[2])
                points.passed("claimed")
                return claim

            async def mark_sent(self, *args: Any, **rest: Any) -> bool:
                sent = await super().mark_sent(*args, **rest)
                points.passed("sent")
                return sent

            async def done(self, *args: Any, **rest: Any) -> bool:
                points.passed("answered")
                new = await super().done(*args, **rest)
                points.passed("recorded")
                return new

        class Views(SqlViews):
            async def publish(self, row: ViewRow) -> None:
                _operation.set(VIEW)
                points.passed("answered")
                await super().publish(row)
                points.passed("recorded")

        class Way(SeenTransport):
            async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
                response = await super().handle_async_request(request)
                if request.method != "GET":
                    points.passed("committed")
                return response

        self.ledger, self.views, self.way = Ledger, Views, Way
