"""Business hours: what counts, across nights, holidays, breaks, and the days on which clocks change."""

from datetime import UTC, date, datetime, timedelta

import pytest
from pydantic import TypeAdapter, ValidationError

from domain.hours import Amount, BusinessHours, after, counted, in_words, is_open, next_open

OFFICE = BusinessHours(
    zone="Europe/Berlin",
    week=dict.fromkeys(("mon", "tue", "wed", "thu", "fri"), ("09:00-12:00", "13:00-17:00")),
    holidays=(date(2027, 5, 6),),
)
H = timedelta(hours=1)


def at(day: int, hour: int, minute: int = 0, month: int = 3) -> datetime:
    """In Berlin, in winter: an hour ahead of UTC."""
    return datetime(2027, month, day, hour - 1, minute, tzinfo=UTC)


@pytest.mark.parametrize(
    ("start", "amount", "end"),
    [
        (at(1, 9), 2 * H, at(1, 11)),
        (at(1, 11), 2 * H, at(1, 14)),  # over noon
        (at(1, 16), 2 * H, at(2, 10)),  # over night
        (at(5, 16), 2 * H, at(8, 10)),  # Friday to Monday
        (at(6, 3), 1 * H, at(8, 10)),  # begun on a Saturday
        (at(1, 9), 3 * H, at(1, 12)),  # to the very end of a span
        (at(1, 9), 0 * H, at(1, 9)),
    ],
)
def test_time_counts_while_it_is_open(start: datetime, amount: timedelta, end: datetime) -> None:
    assert after(OFFICE, start, amount) == end
    assert counted(OFFICE, start, end) == amount


def test_holidays_and_breaks_do_not_count() -> None:
    evening = datetime(2027, 5, 5, 14, tzinfo=UTC)  # 16:00 in summer; Thursday is Ascension Day
    assert after(OFFICE, evening, 2 * H) == datetime(2027, 5, 7, 8, tzinfo=UTC)
    paused = [(at(1, 10), at(1, 11))]
    assert after(OFFICE, at(1, 9), 2 * H, paused) == at(1, 12)
    assert after(None, at(1, 9), 2 * H, paused) == at(1, 12)
    assert counted(None, at(1, 9), at(1, 12), paused) == 2 * H
    assert after(None, at(1, 10), H, [(at(1, 9), at(1, 20))]) == at(1, 21), "begun within a break"


def test_a_day_keeps_its_hours_when_the_clocks_change() -> None:
    hours = BusinessHours(zone="Europe/Berlin", week={"sat": ("00:00-24:00",), "sun": ("00:00-24:00",)})
    saturday = datetime(2027, 3, 26, 23, tzinfo=UTC)
    assert counted(hours, saturday, saturday + timedelta(days=3)) == timedelta(hours=47), "spring forward"


def test_open_now_and_next() -> None:
    assert is_open(OFFICE, at(1, 9))
    assert not is_open(OFFICE, at(1, 12))
    assert next_open(OFFICE, at(1, 12)) == at(1, 13)
    assert next_open(OFFICE, at(1, 10)) == at(1, 10)
    assert next_open(None, at(1, 3)) == at(1, 3)
    assert is_open(None, at(6, 3))


@pytest.mark.parametrize(
    ("text", "amount"), [("15m", H / 4), ("4h", 4 * H), ("2h30m", 2.5 * H), ("1d", 24 * H), ("1d12h", 36 * H)]
)
def test_amounts_as_people_write_them(text: str, amount: timedelta) -> None:
    assert TypeAdapter(Amount).validate_python(text) == amount
    assert TypeAdapter(Amount).validate_python(in_words(amount).replace("min", "m").replace(" ", "")) == amount


@pytest.mark.parametrize("text", ["", "4", "4 hours", "-1h", "1w"])
def test_an_amount_that_is_none(text: str) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(Amount).validate_python(text)


@pytest.mark.parametrize(
    "wrong",
    [
        {"zone": "Mars", "week": {"mon": ("09:00-17:00",)}},
        {"zone": "UTC", "week": {"mon": ("17:00-09:00",)}},
        {"zone": "UTC", "week": {"mon": ("09:00-25:00",)}},
        {"zone": "UTC", "week": {"mon": ("09:00-13:00", "12:00-17:00")}},
        {"zone": "UTC", "week": {"mon": ()}},
        {"zone": "UTC", "week": {"someday": ("09:00-17:00",)}},
    ],
)
def test_hours_that_are_none(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        BusinessHours.model_validate(wrong)
