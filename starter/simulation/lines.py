"""The dated ledger in lines: what was done outside, and what came in between. Sorted by business date and key."""

from collections.abc import Iterable
from datetime import date
from itertools import zip_longest
from typing import Any, Literal

from pydantic import Field

from domain.base import Frozen
from domain.calendar import civil_date
from domain.outcomes import title
from domain.recorded import Recorded

Kind = Literal["effect", "event", "command", "change", "outage", "turn"]

SAID_ALREADY = {"started", "activated", "billing_started", "risk_changed", "ended", "cancelled"}
"""Turns that an effect, or another turn, tells as well."""
LEVELS = {"stage_changed", "forecast_changed", "entitlement_changed"}


class Line(Frozen):
    """`on` is a civil date in the contract's zone. `kind`: effect (done outside), what the script told, or turn (what
    became of the lifecycle). `level`: the last value of a day stands."""

    on: date
    key: str
    kind: Kind
    what: str
    level: bool = Field(default=False, exclude=True)


def in_order(lines: Iterable[Line]) -> list[Line]:
    """By date and key; under one key in the order in which it happened.

    Of a level only what stands at the day's end is told, and only where that is another value than before: what it
    was in between depends on which of two systems answered first.
    """
    ordered = sorted(lines, key=lambda line: (line.on, line.key))
    shown: dict[str, str] = {}
    kept = []
    for line, following in zip_longest(ordered, ordered[1:]):
        if line.level:
            overtaken = following is not None and (following.on, following.key) == (line.on, line.key)
            if overtaken or shown.get(line.key) == line.what:
                continue
            shown[line.key] = line.what
        kept.append(line)
    return kept


def effect_line(recorded: Recorded, zone: str) -> Line:
    return Line(
        on=civil_date(recorded.at, zone),
        key=recorded.key,
        kind="effect",
        what=_effect(recorded),
        level=recorded.key == recorded.operation,
    )


def turn_line(event: dict[str, Any]) -> Line | None:
    """Of an outgoing event; None for what is told already."""
    turn, said = str(event["type"]).removeprefix("tenure.lifecycle.").rpartition(".")[0], event["data"]
    if turn in SAID_ALREADY:
        return None
    key, what = _turn(turn, said)
    return Line(on=date.fromisoformat(said["on"]), key=key, kind="turn", what=what, level=turn in LEVELS)


def _turn(turn: str, said: dict[str, Any]) -> tuple[str, str]:
    contract = said["contract"]
    match turn:
        case "stage_changed":
            return f"stage:{contract}", f"stage: {_words(said['stage'])}"
        case "renewal_opened":
            return f"window:{contract}:{said['term']}", f"the renewal window of term {said['term']} is open"
        case "renewal_decided":
            return f"decision:{contract}:{said['term']}", f"decided: {said['decision']} ({said['by']})"
        case "term_begun":
            until = said["term_ends"] or "ended by notice"
            return f"term:{contract}:{said['term']}", f"term {said['term']} begins, until {until}"
        case "forecast_changed":
            booked = ", ".join(f"line {line} has {quantity}" for line, quantity in said["booked_quantities"].items())
            books = f"; from {said['booked_starts']}: {booked}" if booked and said["booked_starts"] else ""
            return f"forecast:{contract}", f"forecast: {_words(said['category'])} ({'; '.join(said['reasons'])}){books}"
        case "entitlement_changed":
            return (
                f"entitlement:{contract}",
                f"entitlement: {_words(said['entitlement'])} from {said['effective']} ({said['reason']})",
            )
        case "case_opened":
            return f"case:{said['case']}", f"case for {said['actor']}: {said['title']}"
        case "case_resolved":
            return f"case:{said['case']}", "settled"
    own = {name: value for name, value in said.items() if name not in ("contract", "account", "deal", "on")}
    facts = ", ".join(f"{_words(name)} {value}" for name, value in own.items() if value not in (None, "", [], {}))
    return f"{turn.replace('_', '-')}:{contract}", f"{_words(turn)}: {facts}" if facts else _words(turn)


def _words(name: str) -> str:
    return name.replace("_", " ")


def _effect(recorded: Recorded) -> str:
    words = title(recorded.step) if recorded.step else recorded.operation.partition(".")[2].replace("_", " ")
    facts = ", ".join(_facts(recorded.told))
    return f"{words}: {facts}" if facts else words


def _facts(told: dict[str, Any]) -> Iterable[str]:
    """Dates, quantities and levels, in words: what tells one future from another."""
    if told.get("starts") or told.get("ends"):
        yield _span(told.get("starts"), told.get("ends"))
    for name, words in _DATES.items():
        if told.get(name):
            yield f"{words} {told[name]}"
    for line, quantity in (told.get("quantities") or {}).items():
        yield f"line {line} has {quantity}"
    for each in told.get("added") or ():
        yield f"line {each['id']} ({each['product']}) with {each['quantity']} is added"
    for each in told.get("removed") or ():
        yield f"line {each} is removed"
    for name, words in _LEVELS.items():
        if told.get(name) is not None:
            yield f"{words} {told[name]}".strip()
    if text := told.get("text"):
        yield str(text).splitlines()[0]


def _span(starts: str | None, ends: str | None) -> str:
    if starts and ends:
        return f"{starts} until {ends}"
    return f"from {starts}" if starts else f"until {ends}"


_DATES = {"effective": "from", "due": "by", "close_by": "by", "accepted_on": "accepted on"}
_LEVELS = {
    "status": "",
    "renewal_date": "renewal on",
    "lifecycle_stage": "stage",
    "risk": "risk",
    "renewal_priority": "priority",
    "held": "held",
    "reason": "",
}
