"""Moments and lengths of time, as people type them."""

import re
from datetime import UTC, datetime, timedelta

from starter.mistakes import Mistake

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
LONGEST = timedelta(days=36500)


def is_length(text: str) -> bool:
    return re.fullmatch(r"\d+[smhdw]", text) is not None


def parse_length(text: str) -> timedelta:
    """`10m`, `2h`, `3d`. Raises Mistake."""
    if not is_length(text):
        raise Mistake(f"{text!r} is not a length of time; write it as 30s, 10m, 2h, 3d or 1w")
    number = int(text[:-1])
    length = timedelta(**{_UNITS[text[-1]]: number}) if number < 10**9 else LONGEST
    return min(length, LONGEST)


def parse_moment(text: str) -> datetime:
    """`2026-11-25T10:00Z`, or a day, which begins at 00:00 UTC. Raises Mistake."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise Mistake(f"{text!r} is not a moment; write it as 2026-11-25T10:00Z, or 2026-11-25") from None
    if moment.tzinfo is None:
        if "T" in text or ":" in text:
            raise Mistake(f"{text!r} names no time zone; write it as {text}Z")
        moment = moment.replace(tzinfo=UTC)
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        raise Mistake(f"{text!r} is a moment that can't be reckoned with") from None
