"""A received event as people may see it, and its payload with some of its fields changed."""

import copy
import json
from typing import Any

from sqlmodel import Session, col, select

from domain.document import keys_of, put_at
from domain.masking import masked, masked_text
from starter.mistakes import Mistake
from store.tables import DeliveryRow, InboxRow


def received(session: Session, row: InboxRow) -> dict[str, Any]:
    """Everything about a received event, what must not be shown masked."""
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
        "payload": shown(row.payload),
        "deliveries": [{"contract": each.stream, "state": each.state, "answer": each.answer} for each in sent],
    }


def shown(payload: str) -> Any:
    """A payload as people may see it: JSON where it is, else its text."""
    try:
        return masked(json.loads(payload))
    except (ValueError, RecursionError):
        return masked_text(payload)


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
