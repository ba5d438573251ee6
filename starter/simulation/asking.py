"""What `tenure what-if` is asked on the command line, as a script's entries."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Any

from domain.changes.kinds import Amend, ChangeContract, Renew
from domain.changes.lines import line_named
from domain.messages import EndContract, MilestoneReached
from domain.refused import Refused
from domain.state import LifecycleState
from starter.mistakes import Mistake
from starter.simulation.script import Entry, Outage, Script


@dataclass(frozen=True)
class Asked:
    """The options as typed. `dates`: DAY, on which the change happens, or MILESTONE=DAY."""

    amend: Sequence[str] = ()
    dates: Sequence[str] = ()
    outages: Sequence[str] = ()
    renew: bool = False
    end: str | None = None

    def entries(self, of: "Asking", first: int = 1) -> list[Entry]:
        """In the contract's words of today; numbered from `first`. Raises Mistake."""
        state = of.state
        day, reached = self._dates(of)
        told: list[tuple[date, str | None, Any]] = [
            (on, "deliver", MilestoneReached(milestone=name, on=on)) for name, on in reached.items()
        ]
        told += [(day, None, _outage(each, of.systems)) for each in self.outages]
        if self.amend:
            quantities = dict(_quantity(each, state, day) for each in self.amend)
            told.append((day, "change", _change("what-if-amend", Amend(quantities=quantities))))
        if self.renew:
            told.append((day, "change", _change("what-if-renew", Renew(early=True))))
        if self.end is not None:
            command = EndContract(by="what-if", reason="what if", on=_date(self.end, "--end"))
            told.append((day, "end", command))
        return [
            Entry(number=number, on=on, update=update, what=what)
            for number, (on, update, what) in enumerate(told, first)
        ]

    def _dates(self, of: "Asking") -> tuple[date, dict[str, date]]:
        days, reached = [], {}
        for each in self.dates:
            name, sign, text = each.rpartition("=")
            day = _date(text, "--date")
            if not of.today <= day <= of.until:
                where = f"before today, {of.today}" if day < of.today else f"after {of.until}; give more --years"
                raise Mistake(f"--date: {day} is {where}")
            if not sign:
                days.append(day)
            elif name not in of.milestones:
                raise Mistake(f"--date: unknown milestone {name!r}; the plan has {', '.join(sorted(of.milestones))}")
            elif name in of.state.milestones:
                raise Mistake(f"--date: {name} was reached on {of.state.milestones[name]} already")
            else:
                reached[name] = day
        if len(days) > 1:
            raise Mistake("--date: give one day for the change; a milestone's is written as go-live=2027-03-01")
        return (days[0] if days else of.today), reached


@dataclass(frozen=True)
class Asking:
    """What is asked about: the state as it stands today, until when it is lived on, and what can be named."""

    state: LifecycleState
    today: date
    until: date
    milestones: frozenset[str]
    systems: frozenset[str]


def with_asked(script: Script, entries: Sequence[Entry]) -> Script:
    return script.model_copy(update={"entries": (*script.entries, *entries)})


def _change(name: str, change: Any) -> ChangeContract:
    return ChangeContract(id=name, by="what-if", change=change)


def _quantity(text: str, state: LifecycleState, day: date) -> tuple[str, Decimal]:
    """`2=75`, `PLATFORM=75`, or a difference: `2=+25`, `2=-5`."""
    name, sign, value = text.partition("=")
    try:
        number = Decimal(value.strip())
    except InvalidOperation:
        number = Decimal("NaN")
    if not sign or not name.strip() or not number.is_finite():
        raise Mistake(f"--amend: {text!r} is no change; write it as LINE=75, or as a difference: LINE=+25")
    if state.sheet is None:
        raise Mistake("--amend: the order is not valid yet; correct it with tenure fix")
    try:
        line = line_named(state, name.strip(), day)
    except Refused as refused:
        raise Mistake(f"--amend: {refused}") from None
    differs = value.strip().startswith(("+", "-"))
    return line.id, number + (state.quantities.get(line.id, line.quantity) if differs else 0)


def _outage(text: str, systems: frozenset[str]) -> Outage:
    system, sign, days = (part.strip() for part in text.partition("="))
    if not sign or not days.isdecimal() or not 1 <= int(days) <= 3660:
        raise Mistake(f"--outage: {text!r} is no outage; write it as erp=3, for three days")
    if system not in systems:
        raise Mistake(f"--outage: unknown system {system!r}; known: {', '.join(sorted(systems))}")
    return Outage(system=system, days=int(days))


def _date(text: str, option: str) -> date:
    try:
        return date.fromisoformat(text.strip())
    except ValueError:
        raise Mistake(f"{option}: {text!r} is not a date; write it as 2027-08-25") from None
