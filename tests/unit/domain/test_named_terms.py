"""Named cases of the calendar, as a lifecycle sees them: its instants in its own zone."""

from datetime import date, datetime, timedelta
from typing import Any

import pytest

from domain import calendar
from domain.billing import BillingFacts
from domain.projection import due
from domain.state import LifecycleState
from domain.terms import ContractTerms, StartRule
from tests.contracts import Drawn
from tests.states import at, ordered


def living(**terms: Any) -> LifecycleState:
    """A contract from its first day on, named by starts_on."""
    agreed = ContractTerms.model_validate({"start": StartRule.ON_DATE, **terms})
    assert agreed.starts_on is not None
    return Drawn(
        terms=agreed, lines=(), facts=BillingFacts(signed_on=agreed.starts_on, activated_on=agreed.starts_on)
    ).state()


def instants(state: LifecycleState) -> list[str]:
    """Window, the end of the last day for notice, and the term's end, in UTC."""
    found = (state.window_opens(), state.cut_off(), state.term_over())
    return [each.strftime("%Y-%m-%dT%H:%M") for each in found if each is not None]


@pytest.mark.parametrize(
    ("zone", "starts_on", "expected"),
    [
        pytest.param(
            "Europe/Berlin", "2026-03-28", ["2026-12-27T23:00", "2027-02-26T23:00", "2027-03-27T23:00"],
            id="the day before the clocks go forward",
        ),
        pytest.param(
            "Europe/Berlin", "2026-03-29", ["2026-12-28T23:00", "2027-02-27T23:00", "2027-03-28T22:00"],
            id="the day after they went forward",
        ),
        pytest.param(
            "Europe/Berlin", "2026-10-31", ["2027-08-01T22:00", "2027-10-01T22:00", "2027-10-30T22:00"],
            id="the day on which they go back",
        ),
        pytest.param(
            "America/New_York", "2026-11-01", ["2027-08-03T04:00", "2027-10-03T04:00", "2027-11-01T04:00"],
            id="they went back a year ago",
        ),
        pytest.param(
            "Pacific/Kiritimati", "2027-01-01", ["2027-10-02T10:00", "2027-12-02T10:00", "2027-12-31T10:00"], id="+14"
        ),
        pytest.param(
            "Etc/GMT+12", "2027-01-01", ["2027-10-03T12:00", "2027-12-03T12:00", "2028-01-01T12:00"], id="-12"
        ),
        pytest.param(
            "Asia/Kolkata", "2027-01-01", ["2027-10-02T18:30", "2027-12-02T18:30", "2027-12-31T18:30"], id="half hours"
        ),
        pytest.param(
            "Australia/Lord_Howe", "2026-10-04", ["2027-07-05T13:30", "2027-09-04T13:30", "2027-10-03T13:00"],
            id="clocks that go forward by half an hour",
        ),
        pytest.param(
            "Asia/Beirut", "2026-03-29", ["2026-12-28T22:00", "2027-02-27T22:00", "2027-03-28T21:00"],
            id="a day that begins at one o'clock",
        ),
    ],
)  # fmt: skip
def test_a_term_begins_and_ends_at_midnight_of_its_own_zone(zone: str, starts_on: str, expected: list[str]) -> None:
    assert instants(living(zone=zone, starts_on=starts_on)) == expected


def test_a_year_in_two_zones_is_not_the_same_year() -> None:
    east, west = (living(zone=zone, starts_on="2027-01-01") for zone in ("Pacific/Kiritimati", "Etc/GMT+12"))
    over_there, over_here = east.term_over(), west.term_over()
    assert over_there is not None
    assert over_here is not None
    assert over_here - over_there == timedelta(hours=26)


@pytest.mark.parametrize(
    ("starts_on", "months", "ends"),
    [
        ("2027-01-31", 1, ["2027-02-28", "2027-03-31", "2027-04-30", "2027-05-31"]),
        ("2027-11-30", 3, ["2028-02-29", "2028-05-30", "2028-08-30", "2028-11-30"]),
        ("2028-02-29", 12, ["2029-02-28", "2030-02-28", "2031-02-28", "2032-02-29"]),
        ("2028-02-29", 6, ["2028-08-29", "2029-02-28", "2029-08-29", "2030-02-28"]),
        ("2026-12-31", 2, ["2027-02-28", "2027-04-30", "2027-06-30", "2027-08-31"]),
    ],
)
def test_month_ends_and_leap_days(starts_on: str, months: int, ends: list[str]) -> None:
    state = living(starts_on=starts_on, initial_months=months, renewal_months=months)
    found = [state.term_number(number) for number in range(1, 5)]
    assert [str(term.ends) for term in found if term] == ends


def test_a_term_shorter_than_its_window_is_worked_on_from_its_first_day() -> None:
    state = living(starts_on="2027-01-31", initial_months=1, renewal_months=1, notice_days=7, zone="UTC")
    opens, begins = state.window_opens(), calendar.start_of_day(date(2027, 1, 31), "UTC")
    assert opens is not None
    assert opens < begins
    term = state.term_now()
    assert term is not None
    assert [point.days_before for point in calendar.checkpoints(state.known.terms, term)] == [7]
    assert state.cut_off() == calendar.start_of_day(date(2027, 2, 22), "UTC")


def test_120_days_of_notice_with_a_window_of_90() -> None:
    state = living(starts_on="2027-01-01", notice_days=120, renewal_window_days=90, renewal_lead_days=30, zone="UTC")
    assert instants(state) == ["2027-08-04T00:00", "2027-09-04T00:00", "2028-01-01T00:00"]
    term = state.term_now()
    assert term is not None
    assert [point.days_before for point in calendar.checkpoints(state.known.terms, term)] == [90, 60, 30, 7]


def test_a_ramp_of_36_months_with_annual_billing() -> None:
    """Each year's line is billed from its own day, once; nothing is billed twice, and no year is left out."""
    step = {"product": "PLATFORM", "frequency": "annual", "billing_start": "on_activation"}
    state = ordered(
        **{
            "terms.start": "on_date",
            "terms.starts_on": "2027-01-31",
            "terms.initial_months": 36,
            "lines": [
                {**step, "id": "1", "quantity": "50", "ends": "2028-01-31"},
                {**step, "id": "2", "quantity": "80", "starts": "2028-01-31", "ends": "2029-01-31"},
                {**step, "id": "3", "quantity": "120", "starts": "2029-01-31"},
            ],
        }
    )
    state.activated_on = date(2027, 1, 31)
    assert [str(state.line_starts(line, date(2036, 1, 1))) for line in state.known.lines] == [
        "2027-01-31", "2028-01-31", "2029-01-31",
    ]  # fmt: skip
    state.billing = {"1": date(2027, 1, 31)}
    billed = [(at, what) for at, what in due(state, at(date(2027, 6, 1))) if what.startswith("billing")]
    assert billed == [
        (calendar.start_of_day(date(2028, 1, 31), "Europe/Berlin"), "billing of line 2 may start"),
        (calendar.start_of_day(date(2029, 1, 31), "Europe/Berlin"), "billing of line 3 may start"),
    ]
    assert [line.id for line in state.known.lines if state.awaits_billing(line, date(2028, 6, 1))] == ["2"]


def test_the_clock_decides_when_a_cut_off_is_over_not_the_day_in_utc() -> None:
    state = living(zone="Pacific/Kiritimati", starts_on="2027-01-01", auto_renew=True)
    over = state.cut_off()
    assert over == datetime.fromisoformat("2027-12-02T10:00+00:00")
    assert calendar.civil_date(over, "Pacific/Kiritimati") == date(2027, 12, 3)
