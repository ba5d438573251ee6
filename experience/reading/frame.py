"""What every answer has in common: how fresh it is, and how a long list is read page by page."""

import base64
import json
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Generic, TypeVar

from pydantic import BaseModel, ConfigDict

from starter.mistakes import Mistake

T = TypeVar("T")
Row = TypeVar("Row")

LONGEST_PAGE = 500
LARGEST = 2**63


class Answer(BaseModel):
    """`freshness`: of each source that the answer rests on, the moment as of which it is known; null: never heard."""

    model_config = ConfigDict(frozen=True)

    freshness: dict[str, datetime | None]


class Page(Answer, Generic[T]):
    """One page. `next`: the cursor of the page after it; null on the last."""

    items: list[T]
    next: str | None = None


def cursor_of(values: Sequence[Any]) -> str:
    """An opaque cursor that names a row by what the list is ordered by."""
    return base64.urlsafe_b64encode(json.dumps(values, default=str).encode()).decode().rstrip("=")


def position(cursor: str, kinds: Sequence[Callable[[str], Any]]) -> list[Any]:
    """What a cursor names, each value read by its kind, such as `str` or `date.fromisoformat`. Raises Mistake."""
    try:
        values = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        return [_kept(kind(value)) for kind, value in zip(kinds, values, strict=True)]
    except (ValueError, TypeError, OverflowError):
        raise Mistake("the cursor is none that this list has given; begin without one") from None


def _kept(value: Any) -> Any:
    """A value that a database can hold. ValueError for any other: we have given none."""
    if isinstance(value, str):
        value.encode()  # UnicodeEncodeError, a ValueError, for half a letter
        if "\0" in value:
            raise ValueError("no text of ours")
    elif isinstance(value, datetime):
        value.astimezone(UTC)
        if value.tzinfo is None:
            raise ValueError("no moment of ours")
    elif isinstance(value, int | float) and not abs(value) < LARGEST:
        raise ValueError("no number of ours")
    return value


def page_of(
    rows: Sequence[Row],
    limit: int,
    place: Callable[[Row], Sequence[Any]],
    show: Callable[[Row], T],
    freshness: Mapping[str, datetime | None],
) -> Page[T]:
    """The page of `rows`, of which one more than `limit` was asked for."""
    shown = rows[:limit]
    following = cursor_of(place(shown[-1])) if len(rows) > limit else None
    return Page(items=[show(row) for row in shown], next=following, freshness=dict(freshness))
