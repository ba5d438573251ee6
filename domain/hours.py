"""Business hours: when a team is at work, and how time is counted by them."""

import re
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from domain.base import Frozen
from domain.calendar import civil_date, start_of_day, zone_exists

Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
WEEK: tuple[Weekday, ...] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
Break = tuple[datetime, datetime]
"""A stretch of time that does not count, between two instants."""

_SPAN = re.compile(r"(\d\d):(\d\d)-(\d\d):(\d\d)", re.ASCII)
_AMOUNT = re.compile(r"(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?", re.ASCII)
_FARTHEST = 3660  # days that are looked at for open hours before a calendar counts as closed for good


def _amount(value: object) -> object:
    if isinstance(value, str):
        found = _AMOUNT.fullmatch(value)
        if not value or found is None:
            raise ValueError("write it as 15m, 4h, 2h30m or 1d; a day is 24 hours that count")
        days, hours, minutes = (int(part or 0) for part in found.groups())
        return timedelta(days=days, hours=hours, minutes=minutes)
    return value


def _span(text: str) -> str:
    found = _SPAN.fullmatch(text)
    if found is None:
        raise ValueError(f"{text!r}: write hours as 09:00-17:30")
    opens, closes = _minutes(found[1], found[2]), _minutes(found[3], found[4])
    if not 0 <= opens < closes <= 24 * 60 or int(found[2]) > 59 or int(found[4]) > 59:
        raise ValueError(f"{text!r}: hours end after they begin, and by 24:00")
    return text


def _zone(name: str) -> str:
    if not zone_exists(name):
        raise ValueError(f"there is no time zone {name!r}")
    return name


Amount = Annotated[timedelta, BeforeValidator(_amount), Field(ge=timedelta(0))]
"""A length of time, written as 15m, 4h, 2h30m or 1d."""


class BusinessHours(Frozen):
    """When somebody is at work, in a time zone: spans such as 09:00-17:30 for each weekday, none on holidays."""

    zone: Annotated[str, AfterValidator(_zone)] = "UTC"
    week: dict[Weekday, tuple[Annotated[str, AfterValidator(_span)], ...]] = Field(min_length=1)
    holidays: tuple[date, ...] = ()

    @model_validator(mode="after")
    def _apart(self) -> "BusinessHours":
        for day, spans in self.week.items():
            in_order = sorted(spans)
            if any(before[6:] > later[:5] for before, later in pairwise(in_order)):
                raise ValueError(f"{day}: {', '.join(in_order)} overlap")
        if not any(self.week.values()):
            raise ValueError("a week needs some hours")
        return self


def is_open(hours: BusinessHours | None, instant: datetime) -> bool:
    """None is around the clock."""
    return hours is None or any(opens <= instant < closes for opens, closes in _open_on(hours, _day(hours, instant)))


def next_open(hours: BusinessHours | None, instant: datetime) -> datetime:
    """The instant itself while it is open, else the next one at which it opens."""
    return next(_open_from(hours, instant))[0]


def after(hours: BusinessHours | None, start: datetime, amount: timedelta, breaks: Sequence[Break] = ()) -> datetime:
    """The instant at which so much time has counted since `start`. ValueError for hours that never open again."""
    left = amount
    for opens, closes in _counting(hours, start, breaks):
        if closes is None or closes - opens >= left:
            return opens + left
        left -= closes - opens
    raise ValueError("these business hours are never open again")


def counted(hours: BusinessHours | None, start: datetime, end: datetime, breaks: Sequence[Break] = ()) -> timedelta:
    """How much time counts between two instants."""
    total = timedelta(0)
    for opens, closes in _counting(hours, start, breaks):
        if opens >= end:
            break
        total += min(closes or end, end) - opens
    return total


def in_words(amount: timedelta) -> str:
    """1 d 2 h 30 min."""
    minutes = int(amount.total_seconds()) // 60
    parts = ((minutes // 1440, "d"), (minutes // 60 % 24, "h"), (minutes % 60, "min"))
    return " ".join(f"{number} {unit}" for number, unit in parts if number) or "no time"


def _counting(
    hours: BusinessHours | None, start: datetime, breaks: Sequence[Break]
) -> Iterator[tuple[datetime, datetime | None]]:
    """The stretches that count, in order; the last one has no end where breaks alone interrupt."""
    pauses = sorted(breaks)
    for opens, closes in _open_from(hours, start):
        for begin, end in pauses:
            if end <= opens or (closes is not None and begin >= closes):
                continue
            if begin > opens:
                yield opens, begin
            opens = max(opens, end)
            if closes is not None and opens >= closes:
                break
        if closes is None or opens < closes:
            yield opens, closes


def _open_from(hours: BusinessHours | None, start: datetime) -> Iterator[tuple[datetime, datetime | None]]:
    if hours is None:
        yield start, None
        return
    day = _day(hours, start)
    for _ in range(_FARTHEST):
        for opens, closes in _open_on(hours, day):
            if closes > start:
                yield max(opens, start), closes
        day += timedelta(days=1)
    raise ValueError("these business hours are never open again")


def _open_on(hours: BusinessHours, day: date) -> Iterator[tuple[datetime, datetime]]:
    if day in hours.holidays:
        return
    for span in sorted(hours.week.get(WEEK[day.weekday()], ())):
        opens, closes = (_instant(hours.zone, day, part) for part in span.split("-"))
        if opens < closes:  # a span that the clocks skip is none
            yield opens, closes


def _instant(zone: str, day: date, wall: str) -> datetime:
    if wall == "24:00":
        return start_of_day(day + timedelta(days=1), zone)
    return datetime.combine(day, time.fromisoformat(wall), ZoneInfo(zone)).astimezone(UTC)


def _day(hours: BusinessHours, instant: datetime) -> date:
    return civil_date(instant, hours.zone)


def _minutes(hour: str, minute: str) -> int:
    return int(hour) * 60 + int(minute)
