"""From an authentic request to the inbox rows of its events: each event on its own, as raw as it came."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import structlog

from domain.events import UnusableEvent
from domain.events.envelope import from_binary
from starter.logs import where
from starter.sources.reading import Hint, Ignored, Source, Unreadable, Usable
from store.group_commit import Received

log = structlog.get_logger("tenure.gateway")

BATCH = "application/cloudevents-batch+json"
LONGEST_REASON = 500
MOST_EVENTS = 1000


class NotTaken(ValueError):
    """No row can be made of the request; its sender is told. `reason` is one word for the metrics."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason


def rows_of(source: Source, body: bytes, headers: Mapping[str, str], message_id: str) -> list[Received]:
    """One row for each event. `message_id` is the same when the message is sent again; it may be empty.

    What is authentic and can't be used becomes a dead letter. Raises NotTaken.
    """
    if not body and source.may_be_empty:
        return []
    if source.cloudevents and _is_binary(headers):
        try:
            event = from_binary(headers, body)
        except UnusableEvent as error:
            raise NotTaken("not_a_cloudevent", str(error)[:LONGEST_REASON]) from None
        # Headers are not signed, but for the message's id: so a recorded message can't be sent again as another event.
        return [_row(source, event, _dumped(event), message_id or source.key(event))]
    text, document = _parsed(body)
    try:
        events = _batch(document) if source.cloudevents and _media_type(headers) == BATCH else source.split(document)
    except Unreadable as error:
        key = message_id or _digest(text)
        return [Received(source.name, key, "", "", text, "dead", _storable(error), error.problem)]
    if events is None:
        return [_row(source, document, text, source.key(document) or message_id or _digest(text))]
    if len(events) > MOST_EVENTS:
        raise NotTaken("too_many", f"there are more than {MOST_EVENTS} events in one request")
    rows = []
    for number, event in enumerate(events):
        payload = _dumped(event)
        rows.append(_row(source, event, payload, source.key(event) or _nth(message_id, number) or _digest(payload)))
    return rows


def _row(source: Source, event: Any, payload: str, key: str) -> Received:
    row = Received(source.name, key, source.type_of(event), source.subject_of(event), payload)
    try:
        match source.read(event):
            case Usable(ours):
                row.type = ours.type
            case Hint(kind, record):
                row.state, row.type, row.subject = "hint", f"hint.{kind}", record
            case Ignored(reason):
                row.state, row.reason = "ignored", reason
    except Unreadable as error:
        row.state, row.reason, row.problem = "dead", _storable(error), error.problem
    except Exception as error:  # whatever is wrong with a mapping, the event itself is authentic and must not be lost
        log.error("event not read", source=source.name, error=type(error).__name__, where=where(error))
        row.state, row.problem = "dead", "broken_mapping"
        row.reason = f"it could not be read ({type(error).__name__})"
    return row


def _is_binary(headers: Mapping[str, str]) -> bool:
    return "ce-specversion" in headers and not _media_type(headers).startswith("application/cloudevents")


def _media_type(headers: Mapping[str, str]) -> str:
    return headers.get("content-type", "").partition(";")[0].strip().lower()


def _batch(document: Any) -> list[Any]:
    if isinstance(document, list):
        return document
    raise Unreadable("broken_shape", "a batch of CloudEvents is an array")


def _parsed(body: bytes) -> tuple[str, Any]:
    try:
        text = body.decode("utf-8")
        return text, json.loads(text, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        raise NotTaken("not_json", "the body is not JSON in UTF-8") from None


def _dumped(event: Any) -> str:
    """One event of several, with everything that it had; not ASCII is escaped, since text columns don't take it all."""
    try:
        return json.dumps(event, separators=(",", ":"), allow_nan=False)
    except (ValueError, RecursionError):  # a number beyond what a double holds, or nested too deeply
        raise NotTaken("not_json", "the body holds what can't be written as JSON again") from None


def _no_constant(constant: str) -> None:
    """Python reads NaN and Infinity; JSON doesn't have them."""
    raise ValueError(constant)


def _nth(message_id: str, number: int) -> str:
    return f"{message_id}/{number}" if message_id else ""


def _digest(payload: str) -> str:
    return f"sha256:{hashlib.sha256(payload.encode()).hexdigest()}"


def _storable(error: Exception) -> str:
    """A reason may repeat text that no database takes."""
    return str(error)[:LONGEST_REASON].replace("\0", "?").encode(errors="replace").decode()
