"""Dates: anchored, leap-safe and right in every zone."""

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import Any
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
    earliest_end,
    if_undecided,
    notice_cut_off,
    price_cut_off,
    review,
    start_of_day,
    term,
    term_on,
    window_opens,
)
from domain.terms import ContractKind, ContractTerms, Conversion, StartRule

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


def ends_of(terms: ContractTerms, first: date, count: int) -> list[str]:
    return [str(term(terms, first, number).ends) for number in range(1, count + 1)]


def test_a_contract_that_renews_to_evergreen_has_a_second_term_without_end() -> None:
    terms = ContractTerms(initial_months=12, renew_to_evergreen=True)
    assert ends_of(terms, date(2026, 1, 31), 2) == ["2027-01-31", "None"]
    assert term_on(terms, date(2026, 1, 31), date(2040, 1, 1)).number == 2
    with pytest.raises(ValueError, match="no term 3"):
        term(terms, date(2026, 1, 31), 3)
    assert [if_undecided(terms, number) for number in (1, 2)] == ["out_of_term", "runs_on"]


def test_a_trial_becomes_a_term_of_its_own_length() -> None:
    terms = ContractTerms(kind=ContractKind.TRIAL, trial_days=14, converts_to=Conversion(months=24, auto=True))
    assert ends_of(terms, date(2026, 1, 31), 3) == ["2026-02-14", "2028-02-14", "2029-02-14"]
    assert notice_cut_off(terms, term(terms, date(2026, 1, 31), 1)) == date(2026, 2, 13)
    assert [if_undecided(terms, number) for number in (1, 2)] == ["renews", "out_of_term"]
    by_hand = ContractTerms(kind=ContractKind.TRIAL, initial_months=2, converts_to=Conversion(months=12))
    assert ends_of(by_hand, date(2026, 12, 31), 3) == ["2027-02-28", "2028-02-29", "2029-02-28"]
    assert if_undecided(by_hand, 1) == "ends"


def test_what_is_delivered_once_ends_with_its_term() -> None:
    terms = ContractTerms(kind=ContractKind.ONE_OFF, initial_months=3)
    only = term(terms, date(2026, 1, 1), 1)
    assert (window_opens(terms, only), notice_cut_off(terms, only), price_cut_off(terms, only)) == (None, None, None)
    assert checkpoints(terms, only) == ()
    assert if_undecided(terms, 1) == "ends"
    assert earliest_end(terms, date(2026, 1, 1), {}, date(2026, 1, 5)) == date(2026, 4, 1)
    with pytest.raises(ValueError, match="no term 2"):
        term(terms, date(2026, 1, 1), 2)


def test_a_co_term_ends_the_first_term_with_the_other_contract() -> None:
    terms = ContractTerms(coterm_with="crm/006/1", coterm_ends=date(2026, 7, 1))
    assert ends_of(terms, date(2026, 1, 31), 2) == ["2026-07-01", "2027-07-01"]
    # activated after that day, it ends with the other contract's next term
    assert ends_of(terms, date(2026, 7, 1), 2) == ["2027-07-01", "2028-07-01"]


def test_the_reviews_of_an_evergreen_come_once_a_year_and_never_overlap() -> None:
    terms = ContractTerms(evergreen=True)
    first = review(terms, date(2028, 2, 29), 1)
    assert (first.opens, first.on) == (date(2028, 11, 30), date(2029, 2, 28))
    assert review(terms, date(2028, 2, 29), 4).on == date(2032, 2, 29)
    long = ContractTerms(evergreen=True, notice_days=400)
    assert review(long, date(2026, 1, 1), 2).opens == date(2027, 1, 1)
    with pytest.raises(ValueError, match="no review 0"):
        review(terms, date(2026, 1, 1), 0)


@pytest.mark.parametrize(
    ("terms", "given", "ends"),
    [
        pytest.param({"evergreen": True}, "2026-03-01", "2026-03-31", id="an evergreen, after its notice"),
        pytest.param({"evergreen": True, "minimum_months": 12}, "2026-03-01", "2027-01-01", id="after its minimum"),
        pytest.param({"evergreen": True, "notice_days": 0}, "2025-12-01", "2026-01-02", id="never before it began"),
        pytest.param({}, "2026-12-02", "2027-01-01", id="with the term, on the last day of notice"),
        pytest.param({}, "2026-12-03", "2028-01-01", id="a day too late: with the next term"),
        pytest.param(
            {"initial_months": 1, "renewal_months": 1, "minimum_months": 6, "notice_days": 7},
            "2026-02-01", "2026-07-01", id="a minimum of several terms",
        ),
        pytest.param({"initial_months": 36, "minimum_months": 12}, "2026-02-01", "2027-01-01", id="a break"),
        pytest.param({"initial_months": 36, "minimum_months": 12}, "2027-05-01", "2027-05-31", id="after the break"),
        pytest.param({"renew_to_evergreen": True}, "2026-12-02", "2027-01-01", id="before it becomes evergreen"),
        pytest.param({"renew_to_evergreen": True}, "2026-12-20", "2027-01-19", id="after it has"),
    ],
)  # fmt: skip
def test_the_earliest_end_by_notice(terms: dict[str, Any], given: str, ends: str) -> None:
    found = earliest_end(ContractTerms(**terms), date(2026, 1, 1), {}, date.fromisoformat(given))
    assert found == date.fromisoformat(ends)


@given(first=DAYS, terms=TERMS, later=st.integers(0, 4000), more=st.integers(0, 400))
def test_later_notice_never_ends_a_contract_sooner(first: date, terms: ContractTerms, later: int, more: int) -> None:
    given = first + timedelta(days=later)
    ends = earliest_end(terms, first, {}, given)
    assert ends > given
    assert earliest_end(terms, first, {}, given + timedelta(days=more)) >= ends


def test_a_price_increase_has_a_cut_off_of_its_own() -> None:
    terms = ContractTerms(notice_days=30, price_notice_days=60)
    year = term(terms, date(2026, 1, 1), 1)
    assert (price_cut_off(terms, year), notice_cut_off(terms, year)) == (date(2026, 11, 2), date(2026, 12, 2))
    assert price_cut_off(ContractTerms(), year) is None
