"""Change feeds: pages of events, how far a feed was read, and how an event of it enters the inbox."""

import hashlib
import json
from datetime import datetime
from typing import Any

from domain.base import Frozen
from domain.counting import many
from domain.events import read_event

LONGEST_TEXT = 255
LONGEST_REASON = 500


class ChangePage(Frozen):
    """`events` are CloudEvents in structured mode. `cursor` is where the page ends; `more`: something came after it."""

    events: tuple[dict[str, Any], ...]
    cursor: str
    more: bool


class FeedPosition(Frozen):
    """`cursor` is the source's own, empty before the first page; `read_at` the last time that nothing came after it."""

    cursor: str
    read_at: datetime | None = None


class Received(Frozen):
    """One event as the inbox keeps it; `dead` says why it can't be used."""

    event_id: str
    type: str
    subject: str
    payload: str
    dead: str | None = None


class ReadFeed(Frozen):
    """Read this feed, by its name in the configuration."""

    feed: str


class FeedRead(Frozen):
    """What one attempt did. `more`: it stopped before the end. `gap`: the source had forgotten, a query filled in.

    `overtaken`: another attempt moved the cursor meanwhile; what this one had read was that one's to store.
    """

    pages: int = 0
    new: int = 0
    more: bool = False
    gap: bool = False
    overtaken: bool = False

    def then(self, later: "FeedRead") -> "FeedRead":
        """Both together."""
        return FeedRead(
            pages=self.pages + later.pages,
            new=self.new + later.new,
            more=later.more,
            gap=self.gap or later.gap,
            overtaken=later.overtaken,
        )

    def __str__(self) -> str:
        told = [f"{many(self.new, 'new event')} in {many(self.pages, 'page')}"]
        told += ["a gap was filled by a query"] if self.gap else []
        told += ["another attempt went on"] if self.overtaken else []
        told += ["there is more"] if self.more else []
        return "; ".join(told)


class FeedFailed(Frozen):
    """`kind` is one of domain/errors.py."""

    feed: str
    kind: str
    reason: str


def received(event: dict[str, Any]) -> Received:
    """An event of a feed as it enters the inbox. One that can't be used goes there too, as a dead letter."""
    payload = json.dumps(event, ensure_ascii=True, sort_keys=True)
    dead: str | None = None
    try:
        json.dumps(event, allow_nan=False)
        read_event(event)
    except ValueError as error:  # an UnusableEvent, or a number that JSON does not have
        dead = str(error)[:LONGEST_REASON].replace("\0", "?").encode(errors="replace").decode()
    # without an id of its own, an event is known by what it says
    event_id = _text(event, "id") or f"sha256:{hashlib.sha256(payload.encode()).hexdigest()}"
    return Received(
        event_id=event_id, type=_text(event, "type"), subject=_text(event, "subject"), payload=payload, dead=dead
    )


def _text(event: dict[str, Any], name: str) -> str:
    """A text attribute; empty when it can't serve as an id or label."""
    value = event.get(name)
    return value if isinstance(value, str) and value.isprintable() and len(value) <= LONGEST_TEXT else ""
