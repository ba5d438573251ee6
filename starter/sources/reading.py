"""How an event of a source is read: what it is to us is decided anew each time, by the configuration of that moment."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from domain.events import CATALOG, Event, UnusableEvent, read_event
from domain.events.support import OF_SUPPORT
from domain.expressions import UnusableRecord, evaluate, holds
from domain.fields import Fields, instant, values_of
from starter.sources.declaration import Declaration, TypeRule

if TYPE_CHECKING:
    from starter.settings import Settings

LONGEST_TEXT = 255
READ_BACK = "/tenure/read-back"
"""What was read back after a hint says that it comes from there: it speaks plainly, whatever its source speaks."""


class Unreadable(UnusableEvent):
    """An authentic event that can't be used. `problem` is one of a few words, by which dead letters are alike:

    unknown_type, broken_contract (our event has not the fields it needs), broken_mapping (an expression does not fit),
    broken_shape (it is no event at all).
    """

    def __init__(self, problem: str, reason: str) -> None:
        super().__init__(reason)
        self.problem = problem


@dataclass(frozen=True)
class Usable:
    """An event of ours."""

    event: Event


@dataclass(frozen=True)
class Hint:
    """Something changed in a record of that kind: the record itself is to be read back.

    Of the kind `gap`: events of the source were lost, and `record` is the source's name.
    """

    kind: str
    record: str


@dataclass(frozen=True)
class Ignored:
    """By configuration it concerns no lifecycle."""

    reason: str


Reading = Usable | Hint | Ignored


class Source:
    """One source, as declared."""

    def __init__(self, name: str, declared: Declaration) -> None:
        self.name = name
        self.cloudevents, self.may_be_empty = declared.cloudevents, declared.empty
        self._declared = declared
        self._rules: list[tuple[TypeRule, Fields]] = [(rule, declared.data_of(rule)) for rule in declared.types]

    def split(self, body: Any) -> list[Any] | None:
        """The events of a body that holds several; None where the body is the event. Raises Unreadable."""
        if self._declared.each is None:
            return None
        try:
            found = evaluate(self._declared.each, body)
            kept = evaluate(self._declared.keep, body) if self._declared.keep else None
        except UnusableRecord as error:
            raise Unreadable("broken_mapping", str(error)) from None
        if isinstance(found, dict):
            found = [found]
        if not isinstance(found, list):
            raise Unreadable("broken_shape", f"{self._declared.each} holds no array of events in this body")
        if not isinstance(kept, dict):
            return found
        return [{**kept, **event} if isinstance(event, dict) else event for event in found]

    def key(self, event: Any) -> str:
        """What tells this event from every other of its source; empty when it has nothing of the kind."""
        if not self._declared.dedupe:
            return self._label(event, self._declared.id)
        parts = [_part(event, expression) for expression in self._declared.dedupe]
        key = "/".join(parts) if any(parts) else ""
        return key if len(key) <= LONGEST_TEXT else f"sha256:{hashlib.sha256(key.encode()).hexdigest()}"

    def type_of(self, event: Any) -> str:
        return self._label(event, self._declared.type)

    def subject_of(self, event: Any) -> str:
        return self._label(event, self._declared.subject) if self._declared.subject else ""

    def read(self, event: Any) -> Reading:
        """What the event is to us. Raises Unreadable."""
        try:
            rule, fields = self._rule(event)
            if rule is None:
                return _cloud_event(event)
            if rule.ignore:
                return Ignored(f"events of type {self.type_of(event)} are ignored by webhooks.{self.name}")
            if rule.hint == "gap":
                return Hint(rule.hint, self.name)
            if rule.hint:
                record = self._label(event, rule.record or "@")
                if not record:
                    raise Unreadable("broken_mapping", f"{rule.record} names no record in this event")
                return Hint(rule.hint, record)
            return _cloud_event(self._as_ours(event, rule, fields))
        except (UnusableRecord, RecursionError) as error:
            raise Unreadable("broken_mapping", str(error)) from None

    def _rule(self, event: Any) -> tuple[TypeRule | None, Fields]:
        type_ = self.type_of(event)
        fits = [each for each in self._rules if any(fnmatchcase(type_, pattern) for pattern in each[0].type)]
        for rule, fields in fits:
            if rule.when is None or holds(rule.when, event):
                return rule, fields
        if self._declared.cloudevents and not fits:
            return None, {}
        what = "has a `when` that holds" if fits else f"is for the type {type_!r}" if type_ else "fits: it has no type"
        raise Unreadable("unknown_type", f"no rule in webhooks.{self.name}.types {what}")

    def _as_ours(self, event: Any, rule: TypeRule, fields: Fields) -> dict[str, Any]:
        """The event as a CloudEvent of ours."""
        ours = {
            "specversion": "1.0",
            "id": self._label(event, self._declared.id) or self.key(event) or "-",
            "source": f"/webhooks/{quote(self.name)}",
            "type": rule.becomes,
            "data": values_of(event, fields),
        }
        moment = self._moment(event)
        return ours if moment is None else {**ours, "time": moment.isoformat()}

    def _moment(self, event: Any) -> datetime | None:
        return instant(evaluate(self._declared.time, event)) if self._declared.time else None

    def _label(self, event: Any, expression: str) -> str:
        """A short text that an expression finds; empty when it can't serve as an id or label."""
        try:
            value = evaluate(expression, event)
        except UnusableRecord:
            return ""
        if isinstance(value, int) and not isinstance(value, bool) and not self._declared.cloudevents:
            value = str(value)
        return value if isinstance(value, str) and value.isprintable() and len(value) <= LONGEST_TEXT else ""


class Sources:
    """Every configured source. A name that is none (`cli`, `tenure`, a feed's) speaks plain CloudEvents."""

    def __init__(self, settings: "Settings | None" = None) -> None:
        webhooks = settings.webhooks if settings else {}
        self._sources = {name: Source(name, declared) for name, declared in webhooks.items()}
        feeds = settings.feeds.items() if settings else ()
        self._connections = {feed.source or name: feed.connection for name, feed in feeds}
        self._connections |= {name: webhook.connection for name, webhook in webhooks.items()}
        self._support = set(settings.connections_of("support")) if settings else set[str]()

    def __getitem__(self, name: str) -> Source:
        return self._sources[name]

    def connection_of(self, source: str) -> str | None:
        """The connection whose events a source tells; None of what is no connection's, such as `cli`."""
        return self._connections.get(source)

    def of_support(self, source: str, type: str) -> bool:
        """Whether an event may hold what a customer has written to support."""
        return type.startswith(OF_SUPPORT) or self._connections.get(source) in self._support

    def event(self, source: str, payload: str) -> Event:
        """The same for what must be an event of ours. Raises UnusableEvent also for a hint, or what is ignored."""
        reading = self.read(source, payload)
        if not isinstance(reading, Usable):
            raise UnusableEvent(f"webhooks.{source} takes it for no event of its own")
        return reading.event

    def read(self, source: str, payload: str) -> Reading:
        """What one stored event is to us. Raises UnusableEvent, nearly always as Unreadable."""
        try:
            event = json.loads(payload)
        except (ValueError, RecursionError):
            raise Unreadable("broken_shape", "the payload is not JSON") from None
        known = None if _was_read_back(event) else self._sources.get(source)
        return known.read(event) if known else _cloud_event(event)


def _was_read_back(event: Any) -> bool:
    return isinstance(event, Mapping) and event.get("source") == READ_BACK


def _part(event: Any, expression: str) -> str:
    """A part of a key: whatever the expression finds, in characters that no other part could be mistaken for."""
    try:
        value = evaluate(expression, event)
        text = value if isinstance(value, str) else "" if value is None else json.dumps(value, sort_keys=True)
    except (UnusableRecord, RecursionError):
        return ""
    return quote(text, safe=":", errors="replace")


def _cloud_event(body: Any) -> Usable:
    try:
        return Usable(read_event(body))
    except UnusableEvent as error:
        named = body.get("type") if isinstance(body, Mapping) else None
        known = not isinstance(named, str) or named in CATALOG
        raise Unreadable("broken_contract" if known else "unknown_type", str(error)) from None
