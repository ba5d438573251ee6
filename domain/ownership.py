"""Whose turn it is: connections, events and reasons of cases map to a team, its hours and its escalation, as data."""

from collections.abc import Mapping
from datetime import timedelta
from fnmatch import fnmatchcase
from itertools import pairwise

from pydantic import Field, field_validator

from domain.base import Frozen
from domain.hours import Amount

UNOWNED = ""


class Escalation(Frozen):
    """One step: `to` is the team that is told when nobody has answered within `after` of a breach, of the owning team's
    time."""

    to: str
    after: Amount = timedelta(hours=4)


class Team(Frozen):
    """`hours`: the name of its business hours, around the clock without. `tell`: the channels by which it is told.
    `escalate`: the steps, in the order in which they come; a single one may stand there without a list.
    """

    id: str = Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,40}$")
    name: str = ""
    hours: str | None = None
    tell: tuple[str, ...] = ()
    escalate: tuple[Escalation, ...] = ()

    @field_validator("escalate", mode="before")
    @classmethod
    def _one_is_a_list_too(cls, given: object) -> object:
        return (given,) if isinstance(given, Mapping) else given

    @field_validator("escalate")
    @classmethod
    def _each_comes_later(cls, steps: tuple[Escalation, ...]) -> tuple[Escalation, ...]:
        if any(later.after <= former.after for former, later in pairwise(steps)):
            raise ValueError("each step of an escalation comes after the one before it")
        return steps


class Ownership(Frozen):
    """Which team owns what. Each table maps a glob to a team; the first that matches counts, in the file's order.

    `cases` is asked with a case's problem, then with its kind. `events` with an event's type, `connections` with the
    connection's name, `actors` with who can mend it (ops, finance, engineer), `clocks` with the kind of an SLA clock.
    """

    default: str = UNOWNED
    cases: dict[str, str] = {}
    events: dict[str, str] = {}
    connections: dict[str, str] = {}
    actors: dict[str, str] = {}
    clocks: dict[str, str] = {}

    def named(self) -> frozenset[str]:
        """Every team that something is given to."""
        tables = (self.cases, self.events, self.connections, self.actors, self.clocks)
        return frozenset(team for table in tables for team in table.values()) | ({self.default} - {UNOWNED})

    def of_case(self, *, kind: str, problem: str = "", event: str = "", connection: str = "", actor: str = "") -> str:
        """The team that a case belongs to: by its reason, else the event that it is about, else the connection, else
        by who can mend it. Empty where nobody is named.
        """
        return (
            _first(self.cases, problem)
            or _first(self.cases, kind)
            or _first(self.events, event)
            or _first(self.connections, connection)
            or _first(self.actors, actor)
            or self.default
        )

    def of_clock(self, kind: str) -> str:
        return _first(self.clocks, kind) or self.default

    def of_event(self, type: str) -> str:
        return _first(self.events, type) or self.default

    def of_connection(self, name: str) -> str:
        return _first(self.connections, name) or self.default


def _first(table: Mapping[str, str], name: str) -> str:
    if not name:
        return UNOWNED
    return next((team for glob, team in table.items() if fnmatchcase(name, glob)), UNOWNED)
