"""What happens to a simulated contract from outside: dated entries, written as TOML. Every mistake is told at once."""

import re
import tomllib
from collections.abc import Iterator, Mapping
from datetime import date, datetime
from typing import Any, Literal

from dateutil.relativedelta import relativedelta
from pydantic import Field, TypeAdapter, ValidationError

from domain.base import Frozen
from domain.changes.kinds import Change, ChangeContract
from domain.finance.commands import ApproveOrder, RejectOrder
from domain.messages import CancelOrder, EndContract, LifecycleEvent, RenewContract
from starter.mistakes import Mistake

Decider = Literal["renew", "end", "nobody"]
COMMANDS: Mapping[str, type[Any]] = {
    "renew": RenewContract,
    "end": EndContract,
    "cancel": CancelOrder,
    "approve": ApproveOrder,
    "reject": RejectOrder,
}
"""By the name of the lifecycle's Update."""

WHAT = ("event", "command", "change", "outage")
EVENT: TypeAdapter[Any] = TypeAdapter(LifecycleEvent)
CHANGE: TypeAdapter[Any] = TypeAdapter(Change)
_LENGTH = re.compile(r"(\d{1,4}) (day|week|month|year)s?")


class Outage(Frozen):
    """A connection, or every connection of a kind, is down for so many days."""

    system: str
    days: int = Field(ge=1, le=3660)


class Entry(Frozen):
    """`number` counts the script's entries from 1. `update` names what the lifecycle is told by: deliver, change, or a
    command's; None for an outage. `sold`: the lines that a change adds, as an order has them."""

    number: int
    on: date
    update: str | None
    what: Any
    sold: tuple[dict[str, Any], ...] = ()

    @property
    def kind(self) -> str:
        if isinstance(self.what, Outage):
            return self.what.system
        return getattr(self.what, "kind", None) or self.update or ""


class Script(Frozen):
    """`decide`: how renewals are decided where no entry does. `milestones`: whether those that no entry names are
    reached when the onboarding plan says, or never."""

    decide: Decider = "nobody"
    milestones: Literal["plan", "none"] = "plan"
    entries: tuple[Entry, ...] = ()


class UnusableScript(Mistake):
    """One line for each mistake."""


def read_script(text: str, first: date) -> Script:
    """Read a script; `first` is the day from which `after` counts. Raises UnusableScript."""
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise UnusableScript(f"it is not TOML: {error}") from None
    mistakes = [f"unknown: {name}; a script has at, decide and milestones" for name in document if name not in _TOP]
    for name, choices in _CHOICES.items():
        if document.get(name, choices[0]) not in choices:
            mistakes.append(f"{name}: {document[name]!r} is not one of {', '.join(choices)}")
    raw = document.get("at", [])
    if not isinstance(raw, list) or not all(isinstance(each, dict) for each in raw):
        mistakes.append("at: write each entry as a table [[at]]")
        raw = []
    entries = []
    for number, each in enumerate(raw, 1):
        try:
            entries.append(_entry(number, each, first))
        except _Wrong as wrong:
            mistakes += [f"entry {number}: {line}" for line in wrong.lines]
    if mistakes:
        raise UnusableScript("\n".join(mistakes))
    chosen = {name: document[name] for name in _CHOICES if name in document}
    return Script(**chosen, entries=tuple(entries))


def read_length(text: str) -> relativedelta:
    """`3 months`, `1 year`, `10 days`. ValueError when it is none."""
    found = _LENGTH.fullmatch(text.strip())
    if found is None:
        raise ValueError(f"{text!r} is not a length of time; write it as 3 months, 10 days, 2 weeks or 1 year")
    return relativedelta(**{f"{found[2]}s": int(found[1])})  # type: ignore[arg-type]  # a name of ours each


_CHOICES = {"decide": ("nobody", "renew", "end"), "milestones": ("plan", "none")}
_TOP = {"at", *_CHOICES}


class _Wrong(Exception):
    def __init__(self, *lines: str) -> None:
        super().__init__(*lines)
        self.lines = lines


def _entry(number: int, raw: dict[str, Any], first: date) -> Entry:
    lines: list[str] = []
    on = date.min
    try:
        on = _day(raw, first)
    except _Wrong as wrong:
        lines += wrong.lines
    unknown = [name for name in raw if name not in (*WHAT, "on", "after")]
    lines += [f"unknown: {name}; an entry has on or after, and one of {', '.join(WHAT)}" for name in unknown]
    named = [name for name in WHAT if name in raw]
    if len(named) != 1:
        lines.append(f"give one of {', '.join(WHAT)}{'' if not named else ', not ' + ' and '.join(named)}")
    elif not isinstance(raw[named[0]], dict):
        lines.append(f"{named[0]}: write it as {{ … }}")
    else:
        table = dict(raw[named[0]])
        try:
            sold = _sold(table) if named[0] == "change" else ()
            update, what = _what(named[0], table, on, number)
        except _Wrong as wrong:
            lines += wrong.lines
        else:
            if not lines:
                return Entry(number=number, on=on, update=update, what=what, sold=sold)
    raise _Wrong(*lines)


def _day(raw: dict[str, Any], first: date) -> date:
    if ("on" in raw) == ("after" in raw):
        raise _Wrong("give either on = 2027-03-01 or after = '3 months'")
    if "after" in raw:
        try:
            return first + read_length(str(raw["after"]))
        except (ValueError, OverflowError) as error:
            raise _Wrong(f"after: {error}") from None
    day = raw["on"]
    if isinstance(day, str):
        try:
            day = date.fromisoformat(day)
        except ValueError:
            raise _Wrong(f"on: {day!r} is not a date; write it as 2027-03-01") from None
    if isinstance(day, datetime) or not isinstance(day, date):
        raise _Wrong(f"on: {day} is not a date; write it as 2027-03-01")
    return day


def _what(name: str, raw: dict[str, Any], on: date, number: int) -> tuple[str | None, Any]:
    match name:
        case "outage":
            return None, _valid(Outage.model_validate, raw, name)
        case "event":
            return "deliver", _valid(EVENT.validate_python, _with_day(raw, on), name)
        case "change":
            called = str(raw.pop("id", f"script-{number}"))
            change = _valid(CHANGE.validate_python, raw, name)
            return "change", ChangeContract(id=called, by="script", change=change)
    kind = str(raw.get("kind", ""))
    if kind not in COMMANDS:
        raise _Wrong(f"command.kind: {kind!r} is not one of {', '.join(COMMANDS)}; other changes are written as change")
    given = {"by": "script", **{field: value for field, value in raw.items() if field != "kind"}}
    if "revision" in COMMANDS[kind].model_fields:
        given.setdefault("revision", 0)  # the newest, when its time comes
    if foreign := sorted(set(given) - set(COMMANDS[kind].model_fields)):
        raise _Wrong(*(f"command: {kind} has no {field}" for field in foreign))
    return kind, _valid(COMMANDS[kind].model_validate, given, name)


def _sold(table: dict[str, Any]) -> tuple[dict[str, Any], ...]:
    """The lines that a change adds: they get their terms when its time comes, with a revision of the order."""
    lines = table.pop("added", [])
    if not isinstance(lines, list) or not all(isinstance(line, dict) and line.get("product") for line in lines):
        raise _Wrong("change.added: write each line as { product = …, quantity = …, unit_price = … }")
    return tuple(lines)


def _with_day(raw: dict[str, Any], on: date) -> dict[str, Any]:
    """A milestone is reached on its entry's day, and an opportunity is the one of the term that runs, unless said."""
    given = dict(raw)
    if given.get("kind") == "milestone_reached":
        given.setdefault("on", on)
    if given.get("kind") in ("renewal_won", "renewal_lost"):
        given.setdefault("opportunity", "")
    return given


def _valid(read: Any, raw: dict[str, Any], name: str) -> Any:
    try:
        return read(raw)
    except ValidationError as error:
        raise _Wrong(*(f"{name}{_where(each)}: {each['msg']}" for each in error.errors(include_url=False))) from None


def _where(error: Any) -> str:
    return "".join(f".{part}" for part in error["loc"])


def foreign_systems(script: Script, known: frozenset[str]) -> Iterator[str]:
    """What is down in the script and is no system of ours, one line each."""
    for entry in script.entries:
        if isinstance(entry.what, Outage) and entry.what.system not in known:
            system = entry.what.system
            yield f"entry {entry.number}: unknown system {system!r}; known: {', '.join(sorted(known))}"
