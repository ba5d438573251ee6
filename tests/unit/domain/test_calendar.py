"""Dates: anchored, leap-safe and right in every zone."""

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.calendar import (
    Checkpoint,
    Term,
    add_months,
    anchor,
    checkpoints,
    civil_date,
    notice_cut_off,
    start_of_day,
    term,
    term_on,
    window_opens,
)
from domain.terms import ContractTerms, StartRule

ZONES = sorted(zone for zone in available_timezones() if zone not in ("Factory", "localtime"))
DAYS = st.dates(min_value=date(1975, 1, 1), max_value=date(2080, 12, 31))
TERMS = st.builds(ContractTerms, initial_months=st.integers(1, 60), renewal_months=st.integers(1, 36))


def skipped(day: date, zone: str) -> bool:
    """Whether the zone jumped over the whole day."""
    begins = start_of_day(day, zone)
    return civil_date(begins, zone) != day


@settings(max_examples=600)
@given(day=DAYS, zone=st.sampled_from(ZONES))
def test_a_day_starts_at_its_first_instant_in_every_zone(day: date, zone: str) -> None:
    begins = start_of_day(day, zone)
    assert begins.tzinfo is UTC
    wall = begins.astimezone(ZoneInfo(zone)).replace(tzinfo=None)
    before = (begins - timedelta(seconds=1)).astimezone(ZoneInfo(zone)).replace(tzinfo=None)
    midnight = datetime(day.year, day.month, day.day)  # noqa: DTZ001
    assert before < midnight <= wall
    assert skipped(day, zone) or civil_date(begins, zone) == day


@settings(max_examples=300)
@given(day=DAYS, zone=st.sampled_from(ZONES))
def test_days_follow_each_other(day: date, zone: str) -> None:
    following = start_of_day(day + timedelta(days=1), zone)
    assert start_of_day(day, zone) <= following
    assert following - start_of_day(day, zone) <= timedelta(hours=36)


@pytest.mark.parametrize(
    ("day", "zone", "expected"),
    [
        pytest.param("2018-11-04", "America/Sao_Paulo", "2018-11-04T03:00:00+00:00", id="gap at midnight"),
        pytest.param("2024-04-26", "Africa/Cairo", "2024-04-25T22:00:00+00:00", id="gap at midnight, Cairo"),
        pytest.param("2024-03-31", "Asia/Beirut", "2024-03-30T22:00:00+00:00", id="gap at midnight, Beirut"),
        pytest.param("1919-03-31", "America/Toronto", "1919-03-31T04:30:00+00:00", id="gap over midnight"),
        pytest.param("2011-12-30", "Pacific/Apia", "2011-12-30T10:00:00+00:00", id="the whole day is skipped"),
        pytest.param("2020-11-01", "America/Havana", "2020-11-01T04:00:00+00:00", id="midnight comes twice"),
        pytest.param("2026-07-01", "Asia/Kolkata", "2026-06-30T18:30:00+00:00", id="half an hour"),
        pytest.param("2026-07-01", "Asia/Kathmandu", "2026-06-30T18:15:00+00:00", id="a quarter"),
        pytest.param("2026-07-01", "Pacific/Kiritimati", "2026-06-30T10:00:00+00:00", id="+14"),
        pytest.param("2026-07-01", "Etc/GMT+12", "2026-07-01T12:00:00+00:00", id="-12"),
        pytest.param("2026-03-29", "Europe/Berlin", "2026-03-28T23:00:00+00:00", id="a DST day"),
    ],
)
def test_start_of_day_named(day: str, zone: str, expected: str) -> None:
    assert start_of_day(date.fromisoformat(day), zone) == datetime.fromisoformat(expected)


def test_a_naive_datetime_names_no_instant() -> None:
    with pytest.raises(ValueError, match="no offset"):
        civil_date(datetime(2026, 1, 1), "UTC")  # noqa: DTZ001


def test_civil_date_is_the_zones_day() -> None:
    instant = datetime(2026, 11, 20, 23, 30, tzinfo=UTC)
    assert civil_date(instant, "Europe/Paris") == date(2026, 11, 21)
    assert civil_date(instant, "America/Los_Angeles") == date(2026, 11, 20)


def test_months_are_clamped_from_the_anchor() -> None:
    first = date(2027, 1, 31)
    assert [add_months(first, months) for months in (1, 2, 3, 13)] == [
        date(2027, 2, 28),
        date(2027, 3, 31),
        date(2027, 4, 30),
        date(2028, 2, 29),
    ]


@given(first=DAYS, terms=TERMS, number=st.integers(1, 20))
def test_terms_never_drift_from_the_anchor(first: date, terms: ContractTerms, number: int) -> None:
    starts = term(terms, first, number).starts
    last_of_month = (starts + timedelta(days=1)).month != starts.month
    assert starts.day == first.day or (starts.day < first.day and last_of_month)
    months = (starts.year - first.year) * 12 + starts.month - first.month
    assert months == (0 if number == 1 else terms.initial_months + (number - 2) * terms.renewal_months)


@given(first=DAYS, terms=TERMS, offset=st.integers(0, 6000))
def test_every_day_is_in_exactly_one_term(first: date, terms: ContractTerms, offset: int) -> None:
    day = first + timedelta(days=offset)
    found = term_on(terms, first, day)
    every = [term(terms, first, number) for number in range(1, found.number + 2)]
    assert [one.number for one in every if one.ends and one.starts <= day < one.ends] == [found.number]
    assert all(before.ends == after.starts for before, after in pairwise(every))


def test_a_leap_start_comes_back_to_the_29th() -> None:
    terms = ContractTerms(initial_months=12, renewal_months=12)
    starts = [term(terms, date(2028, 2, 29), number).starts for number in range(1, 6)]
    assert [day.isoformat()[5:] for day in starts] == ["02-29", "02-28", "02-28", "02-28", "02-29"]


def test_multi_year_then_annual() -> None:
    terms = ContractTerms(initial_months=36, renewal_months=12)
    assert term(terms, date(2026, 11, 20), 1).last_day == date(2029, 11, 19)
    assert term(terms, date(2026, 11, 20), 2) == Term(number=2, starts=date(2029, 11, 20), ends=date(2030, 11, 20))


def test_an_evergreen_contract_has_one_term_without_end() -> None:
    terms = ContractTerms(evergreen=True)
    only = term_on(terms, date(2026, 1, 1), date(2066, 1, 1))
    assert (only.number, only.ends, only.last_day) == (1, None, None)
    assert window_opens(terms, only) is None
    assert notice_cut_off(terms, only) is None
    assert checkpoints(terms, only) == ()
    with pytest.raises(ValueError, match="no term 2"):
        term(terms, date(2026, 1, 1), 2)


@pytest.mark.parametrize("terms", [ContractTerms(initial_months=0), ContractTerms(renewal_months=-1)])
def test_a_term_without_length_is_refused(terms: ContractTerms) -> None:
    with pytest.raises(ValueError, match="at least one month"):
        term_on(terms, date(2026, 1, 1), date(2036, 1, 1))


def test_no_term_before_the_anchor() -> None:
    with pytest.raises(ValueError, match="before the contract's first day"):
        term_on(ContractTerms(), date(2026, 1, 2), date(2026, 1, 1))


@pytest.mark.parametrize(
    ("start", "expected"),
    [
        (StartRule.ON_SIGNATURE, date(2026, 1, 1)),
        (StartRule.ON_ACTIVATION, date(2026, 1, 5)),
        (StartRule.ON_DATE, date(2026, 2, 1)),
    ],
)
def test_the_anchor_follows_the_start_rule(start: StartRule, expected: date) -> None:
    terms = ContractTerms(start=start, starts_on=date(2026, 2, 1) if start is StartRule.ON_DATE else None)
    assert anchor(terms, date(2026, 1, 1), date(2026, 1, 5)) == expected


def test_the_anchor_waits_for_activation() -> None:
    assert anchor(ContractTerms(start=StartRule.ON_ACTIVATION), date(2026, 1, 1), None) is None


@pytest.mark.parametrize(
    ("window", "notice", "lead", "opens"),
    [(90, 30, 30, "2026-10-03"), (90, 90, 30, "2026-09-03"), (0, 0, 0, "2027-01-01")],
)
def test_the_window_is_the_longer_of_window_and_notice_plus_lead(
    window: int, notice: int, lead: int, opens: str
) -> None:
    terms = ContractTerms(renewal_window_days=window, notice_days=notice, renewal_lead_days=lead)
    assert window_opens(terms, term(terms, date(2026, 1, 1), 1)) == date.fromisoformat(opens)


def test_notice_cut_off_lies_in_the_term() -> None:
    year = Term(number=1, starts=date(2026, 1, 1), ends=date(2027, 1, 1))
    assert notice_cut_off(ContractTerms(notice_days=30), year) == date(2026, 12, 2)
    assert notice_cut_off(ContractTerms(notice_days=0), year) == year.last_day


def test_checkpoints_lie_in_window_and_term() -> None:
    year = Term(number=1, starts=date(2026, 1, 1), ends=date(2027, 1, 1))
    assert checkpoints(ContractTerms(), year) == (
        Checkpoint(days_before=90, on=date(2026, 10, 3)),
        Checkpoint(days_before=60, on=date(2026, 11, 2)),
        Checkpoint(days_before=30, on=date(2026, 12, 2)),
        Checkpoint(days_before=7, on=date(2026, 12, 25)),
    )
    late = ContractTerms(renewal_window_days=45, notice_days=10)
    assert [point.days_before for point in checkpoints(late, year)] == [30, 7]
    month = Term(number=1, starts=date(2026, 11, 25), ends=date(2026, 12, 25))
    assert [point.days_before for point in checkpoints(ContractTerms(), month)] == [30, 7]


MOVES = st.dictionaries(st.integers(2, 8), st.integers(1, 900), max_size=4)


def moves(terms: ContractTerms, first: date, days: dict[int, int]) -> dict[int, date]:
    """First days for the terms named, each so many days after the term before it began."""
    moved: dict[int, date] = {}
    for number in sorted(days):
        before = term(terms, first, number - 1, moved)
        moved[number] = before.starts + timedelta(days=days[number])
    return moved


@given(first=DAYS, terms=TERMS, days=MOVES, offset=st.integers(0, 6000))
def test_every_day_is_in_exactly_one_term_however_terms_were_moved(
    first: date, terms: ContractTerms, days: dict[int, int], offset: int
) -> None:
    moved = moves(terms, first, days)
    day = first + timedelta(days=offset)
    found = term_on(terms, first, day, moved)
    every = [term(terms, first, number, moved) for number in range(1, found.number + 2)]
    assert [one.number for one in every if one.ends and one.starts <= day < one.ends] == [found.number]
    assert all(before.ends == after.starts for before, after in pairwise(every))


@given(first=DAYS, terms=TERMS, days=MOVES, further=st.integers(0, 8))
def test_from_a_moved_term_on_days_are_counted_from_it(
    first: date, terms: ContractTerms, days: dict[int, int], further: int
) -> None:
    moved = moves(terms, first, days)
    last = max(moved, default=1)
    again = ContractTerms(initial_months=terms.renewal_months if moved else terms.initial_months,
                          renewal_months=terms.renewal_months)  # fmt: skip
    from_there = term(again, moved.get(last, first), further + 1)
    assert term(terms, first, last + further, moved) == from_there.model_copy(update={"number": last + further})


def test_an_extension_moves_every_later_term() -> None:
    terms, moved = ContractTerms(initial_months=12), {2: date(2027, 3, 31)}
    assert term(terms, date(2026, 1, 31), 1, moved).ends == date(2027, 3, 31)
    assert [term(terms, date(2026, 1, 31), number, moved).starts for number in (2, 3, 4)] == [
        date(2027, 3, 31),
        date(2028, 3, 31),
        date(2029, 3, 31),
    ]


def test_a_moved_term_can_come_after_an_evergreen_one() -> None:
    terms, moved = ContractTerms(evergreen=True), {2: date(2027, 1, 1)}
    assert term(terms, date(2026, 1, 1), 1, moved).ends == date(2027, 1, 1)
    assert term(terms, date(2026, 1, 1), 2, moved) == Term(number=2, starts=date(2027, 1, 1), ends=None)


def test_a_move_that_leaves_a_term_no_day_is_refused() -> None:
    with pytest.raises(ValueError, match="the next one can't begin"):
        term(ContractTerms(), date(2026, 1, 1), 1, {2: date(2026, 1, 1)})
