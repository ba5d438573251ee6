"""The corpus: completed histories, one per path of a life and released version, that today's code must still live.

`python -m tests.replay.record` writes them: `histories/<version>/<path>.json.gz`, and beside it `.expected.json` with
what a history does not hold: what local activities were given, and the final state.
"""

import gzip
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from temporalio.client import WorkflowHistory

from starter.replaying.commands import Command
from starter.replaying.comparing import Red, difference, judge, read_today, same_input
from starter.replaying.living import Lived

HISTORIES = Path(__file__).parent / "histories"
HISTORY, EXPECTED = ".json.gz", ".expected.json"


@dataclass(frozen=True)
class Recorded:
    """A completed history and what was recorded beside it: {"commands": [[name, input], …], "state": …}."""

    version: str
    path: str
    history: WorkflowHistory
    expected: dict[str, Any]

    @property
    def name(self) -> str:
        return f"{self.version}/{self.path}"


def recorded_paths(folder: Path = HISTORIES) -> list[tuple[str, str]]:
    """Version and path of everything that is recorded."""
    return sorted((file.parent.name, file.name.removesuffix(EXPECTED)) for file in folder.glob(f"*/*{EXPECTED}"))


def corpus(folder: Path = HISTORIES, only: Iterable[str] = ()) -> Iterator[Recorded]:
    """The recorded paths, one read after the other. `only`: names of paths, of every version."""
    chosen = set(only)
    for version, path in recorded_paths(folder):
        if not chosen or path in chosen:
            told = gzip.decompress((folder / version / f"{path}{HISTORY}").read_bytes()).decode()
            history = WorkflowHistory.from_json(f"replay-{path}", told)
            expected = json.loads((folder / version / f"{path}{EXPECTED}").read_text())
            yield Recorded(version, path, history, expected)


async def check_corpus(folder: Path = HISTORIES, only: Iterable[str] = ()) -> list[Red]:
    """Every recorded history that today's code would not live as it was recorded. An empty list: the gate is green."""
    return [red for recorded in corpus(folder, only) if (red := await check(recorded)) is not None]


async def check(recorded: Recorded) -> Red | None:
    """The first difference of one recorded history."""
    red, lived = await judge(recorded.name, recorded.history)
    return red or _against_expected(recorded.name, recorded.expected, lived)


def as_expected(lived: Lived) -> dict[str, Any]:
    """What is written beside a history, of how it was lived."""
    state = lived.state.model_dump(mode="json") if lived.state is not None else None
    return {"commands": _commands(lived.commands), "state": state}


def _commands(commands: Sequence[Command]) -> list[list[Any]]:
    return [[command.name, command.input] for command in commands]


def _against_expected(of: str, expected: dict[str, Any], lived: Lived) -> Red | None:
    commands = _commands(lived.commands)
    for number, (was, now) in enumerate(zip(expected["commands"], commands, strict=False), 1):
        if was[0] != now[0]:
            return Red(of, f"command {number} was {was[0]}, is now {now[0]}")
        if not same_input(was[0], was[1], now[1]):
            place, values = difference(was[1], now[1])
            return Red(of, f"command {number}, {was[0]}, is given another input: {place}", values)
    if len(expected["commands"]) != len(commands):
        return Red(of, f"{len(expected['commands'])} commands were given, now {len(commands)}")
    if expected["state"] is None or lived.state is None:
        return None if expected["state"] is lived.state else Red(of, "it ends, or it does not end any more")
    then, today = read_today(expected["state"], type(lived.state)), lived.state.model_dump(mode="json")
    if then != today:
        place, values = difference(then, today)
        return Red(of, f"the final state is another: {place}", values)
    return None
