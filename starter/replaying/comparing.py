"""Whether a history was lived again as it had been lived."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from temporalio.client import WorkflowHistory
from temporalio.workflow import NondeterminismError

from domain.state import LifecycleState
from starter.replaying.commands import CANCEL_TIMER, CONTINUE, TIMER, Command, answered, held
from starter.replaying.living import Lived, live_apart

PATCH = 'keep the old way for it: if workflow.patched("<what changed>"): <the new way>; else: <the old way>'
READ = "keep reading what was written: a new field has a default, a field that is gone stays readable"
SLACK = timedelta(seconds=10)
"""While a local activity runs, the clock of its workflow task goes on; in a replay it stands at the beginning. So
what is reckoned from it differs by as long as our own store may take."""
DEADLOCK = "TMPRL1101"
EMPTY: tuple[Any, ...] = (None, [], {}, "")


@dataclass(frozen=True)
class Red:
    """A history that today's code would not live as it was lived. `of`: a contract, or a recorded path. `what`: what
    differs, without any value; `values`: what it was and is, which is not for everybody's eyes."""

    of: str
    what: str
    values: str = ""
    advice: str = PATCH

    def __str__(self) -> str:
        return f"{self.of}: {self.what}{self.values}"


async def judge(of: str, history: WorkflowHistory) -> tuple[Red | None, Lived]:
    """Live a history again as far as code has lived it, and compare with what it holds itself."""
    history = answered(history)
    if not history.events:
        return None, Lived()
    try:
        lived = await _lived(history)
    except NondeterminismError as error:
        return Red(of, f"it can't be replayed any more: {_nondeterminism(error)}"), Lived()
    except Exception as error:  # whatever stops a replay would stop the lifecycle's next task
        what = f"it can't be replayed any more: {type(error).__name__}"
        return Red(of, what, f": {_first_line(error)}", READ), Lived()
    return against_history(of, list(held(history)), lived.commands), lived


async def _lived(history: WorkflowHistory) -> Lived:
    """A busy machine may take two seconds over a task, which the SDK holds for a deadlock: that is asked twice."""
    try:
        return await live_apart(history)
    except RuntimeError as error:
        if DEADLOCK not in str(error):
            raise
        return await live_apart(history)


def _nondeterminism(error: NondeterminismError) -> str:
    """What the SDK says in the middle of how it came to say it: types and numbers of events, and no values."""
    said = re.search(r"Nondeterminism error: ([^\"\n]{1,400})", str(error))
    return said[1] if said else "its commands come in another order"


def _first_line(error: Exception) -> str:
    return str(error).strip().split("\n", 1)[0][:400]


def against_history(of: str, was: Sequence[Command], now: Sequence[Command]) -> Red | None:
    """Compare with the commands that the history holds: each is given again, the same, and no other."""
    lived = {command.key: command for command in now}
    for before in was:
        after = lived.get(before.key)
        if after is None or (after.name, after.local) != (before.name, before.local):
            instead = f"is now {after.name}" if after is not None else "is not given any more"
            return Red(of, f"{before.name} ({before.key}) {instead}")
        if before.queue != after.queue:
            return Red(of, f"{before.name} ({before.key}) was asked of the queue {before.queue}, now of {after.queue}")
        if not before.local and not same_input(before.name, before.input, after.input):
            place, values = difference(before.input, after.input)
            return Red(of, f"{before.name} ({before.key}) is given another input: {place}", values)
    # a timer that is cancelled in the task that starts it never reaches the server; what a local activity was asked for
    # stands in the history only once it is done
    cancelled = {f"{TIMER} {command.key.removeprefix(CANCEL_TIMER).strip()}" for command in now if _cancels(command)}
    unwritten = {command.key for command in now if command.local or _cancels(command)} | cancelled
    added = [command for command in now if command.key not in {each.key for each in was} | unwritten]
    return Red(of, f"{added[0].name} ({added[0].key}) is given, which was not") if added else None


def _cancels(command: Command) -> bool:
    return command.name == CANCEL_TIMER


def same_input(name: str, was: Any, now: Any) -> bool:
    """Whether a command says the same. The state that is handed on is compared as today's code reads it."""
    if name == CONTINUE:
        return as_before([read_today(each) for each in was], [read_today(each) for each in now])
    if name == TIMER:
        return bool(abs(was - now) <= SLACK.total_seconds())
    return as_before(was, now)


def read_today(state: Any, model: type[Any] = LifecycleState) -> Any:
    """A state as today's code reads it: fields that were added since then are at their defaults, at any depth."""
    return model.model_validate(state).model_dump(mode="json")


def as_before(was: Any, now: Any) -> bool:
    """Whether two JSON values say the same. A field that was added since then says nothing while it is empty."""
    if isinstance(was, dict) and isinstance(now, dict):
        added = [value for name, value in now.items() if name not in was]
        return all(as_before(was[name], now.get(name)) for name in was) and all(value in EMPTY for value in added)
    if isinstance(was, list) and isinstance(now, list):
        return len(was) == len(now) and all(map(as_before, was, now))
    return bool(was == now) or _same_moment(was, now)


def _same_moment(was: Any, now: Any) -> bool:
    if not (isinstance(was, str) and isinstance(now, str) and "T" in was and "T" in now):
        return False
    try:
        return abs(datetime.fromisoformat(was) - datetime.fromisoformat(now)) <= SLACK
    except (ValueError, TypeError):  # not both are instants
        return False


def difference(was: Any, now: Any, at: str = "") -> tuple[str, str]:
    """The first place where two JSON values differ, and the two values."""
    if isinstance(was, dict) and isinstance(now, dict):
        for key in sorted({*was, *now}):
            if not as_before(was.get(key), now.get(key)):
                return difference(was.get(key), now.get(key), f"{at}.{key}")
    if isinstance(was, list) and isinstance(now, list) and len(was) == len(now):
        for index, (one, other) in enumerate(zip(was, now, strict=True)):
            if not as_before(one, other):
                return difference(one, other, f"{at}[{index}]")
    return at or "all of it", f" was {json.dumps(was)[:200]}, is {json.dumps(now)[:200]}"
