"""Change feeds of the box's systems, over its outbox, and a query of current records for those who come too late."""

from datetime import UTC, datetime
from typing import Any

from sandbox.api import Api, Call, Problem
from sandbox.box import Box
from sandbox.crm import LOST, WON, whole
from sandbox.store import Record

SYSTEMS = ("crm", "erp", "cs", "support", "usage")
_MOST = 1000

# By system: the kinds of records that are told of, and the field that is a record's version.
_TOLD: dict[str, tuple[tuple[str, ...], str]] = {
    "crm": (("opportunities",), "LastStageChangeDate"),
    "erp": (("invoices", "subscriptions"), "version"),
    "cs": (("tasks",), "status"),
    "support": (("cases",), "version"),
    "usage": (("reports",), "version"),
}


def changes(box: Box, call: Call) -> dict[str, Any]:
    """The changes after a cursor, oldest first. 410: the cursor is too old, or not of this box."""
    limit, number = _limit(call), _number(box, call.query.get("after", ""))
    if number is None or number < int(box.store.setting(f"forgotten:{call.system}", "0")):
        raise Problem(410, "cursor_expired", "the feed does not go on from this cursor any more")
    found = box.outbox.after(call.system, number, limit + 1)
    page = found[:limit]
    end = page[-1][0] if page else number
    return {"events": [event for _, event in page], "cursor": _cursor(box, end), "more": len(found) > limit}


def head(box: Box, call: Call) -> dict[str, Any]:
    return {"cursor": _cursor(box, box.outbox.last(call.system))}


def back_fill(box: Box, call: Call) -> dict[str, Any]:
    """The records as they are now that changed `since` (an instant), by the order of their creation."""
    limit, after = _limit(call), call.query.get("after") or "0"
    if not after.isdecimal():
        raise Problem(400, "malformed", "after must be what an answer gave as next")
    found = box.store.changed_since(call.system, _instant(call.query.get("since")), int(after), limit + 1)
    page = found[:limit]
    records = [told for _, kind, record in page if (told := _told(box, call.system, kind, record))]
    return {"records": records, "next": str(page[-1][0]) if page else after, "more": len(found) > limit}


def feed_api(system: str) -> Api:
    api = Api(system)
    api.operation("GET", "/changes")(changes)
    api.operation("GET", "/changes/head")(head)
    api.operation("GET", "/records")(back_fill)
    return api


def _told(box: Box, system: str, kind: str, record: Record) -> dict[str, Any] | None:
    told, version = _TOLD[system]
    if kind not in told or not _is_news(kind, record):
        return None
    record_id = str(record.get("id") or record.get("Id") or record["account"])
    event_id = box.event_id(system, kind, record_id, record[version])
    return {"kind": kind, "event": event_id, "record": whole(box, record) if system == "crm" else record}


def _is_news(kind: str, record: Record) -> bool:
    if kind == "opportunities":
        return record["StageName"] in (WON, LOST) and "LastStageChangeDate" in record
    if kind == "tasks":
        return record["status"] == "completed" and bool(record["milestone"])
    return "version" in record


def _limit(call: Call) -> int:
    given = call.query.get("limit", "100")
    if not given.isdecimal() or not 1 <= int(given) <= _MOST:
        raise Problem(400, "malformed", f"limit must be a number from 1 to {_MOST}")
    return int(given)


def _instant(given: str | None) -> str:
    if given is None:
        return ""
    try:
        return datetime.fromisoformat(given).astimezone(UTC).isoformat(timespec="microseconds")
    except ValueError:
        raise Problem(400, "malformed", "since must be an instant") from None


def _cursor(box: Box, number: int) -> str:
    return f"{box.origin}.{number}"


def _number(box: Box, cursor: str) -> int | None:
    origin, _, number = cursor.rpartition(".")
    return int(number) if origin == box.origin and number.isdecimal() else None
