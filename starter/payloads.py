"""A received event as people may see it, and its payload with some of its fields changed."""

import copy
import json
from typing import Any

from sqlmodel import Session, col, select

from domain.document import keys_of, put_at
from domain.masking import MASK, masked, masked_text, texts_of, unmasked
from starter.mistakes import Mistake
from store.tables import DeliveryRow, InboxRow


def received(session: Session, row: InboxRow, *, written: bool) -> dict[str, Any]:
    """Everything about a received event, what must not be shown masked. `written`: what is in words, too."""
    sent = session.exec(select(DeliveryRow).where(DeliveryRow.inbox_id == row.id).order_by(col(DeliveryRow.id)))
    return {
        "id": row.id,
        "source": row.source,
        "event_id": row.event_id,
        "type": row.type,
        "state": row.state,
        "reason": masked_text(row.reason),
        "received_at": row.received_at,
        "attempts": row.attempts,
        "edited": row.original is not None,
        "payload": shown(row.payload, written=written),
        "deliveries": [{"contract": each.stream, "state": each.state, "answer": each.answer} for each in sent],
    }


def shown(payload: str, *, written: bool) -> Any:
    """A payload as people may see it: JSON where it is, else its text."""
    try:
        return masked(json.loads(payload), written=written)
    except (ValueError, RecursionError):
        return MASK if written else masked_text(payload)


def texts(payload: str) -> dict[str, str]:
    """What is in words in a payload, by its path; the whole where it is no JSON."""
    try:
        return texts_of(json.loads(payload))
    except (ValueError, RecursionError):
        return {"": masked_text(payload)}


def restored(payload: str, edited: str, *, written: bool) -> str:
    """A payload as somebody has edited what they were shown of it, with what they were not shown. Raises Mistake."""
    if MASK not in _plain(edited):
        return edited
    try:
        whole = unmasked(json.loads(edited), json.loads(payload), written=written)
    except (ValueError, RecursionError) as error:
        raise Mistake(f"the payload can't be taken so: {error}") from None
    return json.dumps(whole, ensure_ascii=False)


def _plain(text: str) -> str:
    """JSON without its escapes, in which the mask may be written, too."""
    try:
        return json.dumps(json.loads(text), ensure_ascii=False)
    except (ValueError, RecursionError):
        return text


def fixed(payload: str, fixes: dict[str, str]) -> Any:
    """The payload with each path set. Raises Mistake where one leads nowhere."""
    try:
        document = json.loads(payload)
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict):
        raise Mistake("the payload is no JSON object: give another one with --payload FILE")
    changed = copy.deepcopy(document)
    for path, text in fixes.items():
        try:
            put_at(changed, path, _value(document, path, text))
        except ValueError as error:
            raise Mistake(str(error)) from None
    return changed


def _value(document: Any, path: str, text: str) -> Any:
    """A text where one stands already; else what it is in JSON, or the text itself. Empty: nothing."""
    if not text:
        return None
    old = document
    for key in keys_of(path):
        old = old[key] if isinstance(old, dict) and key in old else None
    try:
        return text if isinstance(old, str) else json.loads(text)
    except ValueError:
        return text
