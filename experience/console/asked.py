"""What an address asks for, read: a word of a closed list, or a day. Each raises Mistake in one line."""

from collections.abc import Iterable
from datetime import date
from typing import TypeVar

from starter.mistakes import Mistake

T = TypeVar("T", bound=str)


def one_of(known: Iterable[T], text: str) -> T | None:
    """None for an empty text."""
    names = list(known)
    found = next((each for each in names if each == text), None)
    if text and found is None:
        raise Mistake(f"{text!r} is none of {', '.join(names)}")
    return found


def day_of(text: str) -> date | None:
    """None for an empty text."""
    try:
        return date.fromisoformat(text) if text else None
    except ValueError:
        raise Mistake(f"{text!r} is no day; write it as 2027-01-31") from None
