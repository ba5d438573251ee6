"""How values read on a page: stages and kinds in words, days and moments, how long ago."""

import json
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from urllib.parse import quote

from domain.counting import many

MINUTE, HOUR, DAY = 60, 3600, 86400
TONES = {
    **dict.fromkeys(("ended", "cancelled", "shadow", "low", "snoozed", "none", "full"), ""),
    **dict.fromkeys(("serving", "ready", "delivered", "recorded", "DONE", "active", "commit", "closed"), "good"),
    **dict.fromkeys(("onboarding", "order_activation", "billing_activation", "renewal", "open", "best_case"), "info"),
    **dict.fromkeys(
        ("medium", "attention", "at_risk", "ending", "paused", "on_hold", "parked", "pending", "SENT", "CLAIMED"),
        "warn",
    ),
    **dict.fromkeys(("high", "churn", "out_of_term", "dead", "refused", "REFUSED", "critical", "breached"), "bad"),
}


def words(name: object) -> str:
    """`billing_activation` as people write it."""
    return str(name).replace("_", " ")


def tone(value: object) -> str:
    """The colour that a state has everywhere: good, info, warn, bad, or none."""
    return TONES.get(str(value), "")


def day(value: Any) -> str:
    """A civil day, or the day of a moment in UTC."""
    found = _read(value)
    return "" if found is None else f"{found:%Y-%m-%d}"


def moment(value: Any) -> str:
    """A moment in UTC, to the minute."""
    found = _read(value)
    return f"{found.astimezone(UTC):%Y-%m-%d %H:%M}" if isinstance(found, datetime) else day(found)


def ago(value: Any, now: datetime) -> str:
    """How far a moment lies from now: "4 min ago", "in 3 days"."""
    found = _read(value)
    if found is None:
        return ""
    if not isinstance(found, datetime):
        days = (found - now.date()).days
        return "today" if days == 0 else f"in {many(days, 'day')}" if days > 0 else f"{many(-days, 'day')} ago"
    seconds = (found - now).total_seconds()
    far = span(timedelta(seconds=abs(seconds)))
    return "just now" if abs(seconds) < MINUTE else f"in {far}" if seconds > 0 else f"{far} ago"


def span(length: timedelta) -> str:
    """A length of time in its largest unit."""
    seconds = int(length.total_seconds())
    if seconds < HOUR:
        return f"{max(1, seconds // MINUTE)} min"
    if seconds < 2 * DAY:
        return f"{seconds // HOUR} h"
    return many(seconds // DAY, "day")


def seconds(value: float | None) -> str:
    """A length of time in seconds, to where it matters: "0.04 s", "2.1 s", "4 min"."""
    if value is None:
        return ""
    if value >= MINUTE:
        return span(timedelta(seconds=value))
    return f"{value:.2f} s" if value < 1 else f"{value:.1f} s"


def number(value: Any) -> str:
    """A number with its thousands apart; an amount keeps its places."""
    if value is None:
        return ""
    return f"{Decimal(str(value)):,f}"


def pretty(value: Any) -> str:
    """A payload as somebody reads and edits it: JSON over several lines; a text that is none stays as it is."""
    return value if isinstance(value, str) else json.dumps(value, indent=2, ensure_ascii=False)


def path(text: object) -> str:
    """An id as a part of an address; slashes stay."""
    return quote(str(text), safe="/")


def _read(value: Any) -> date | datetime | None:
    if value is None or value == "":
        return None
    if isinstance(value, date):
        return value
    text = str(value)
    return date.fromisoformat(text) if len(text) == len("2026-01-31") else datetime.fromisoformat(text)
