"""The dated calendar of a contract, in words."""

import tomllib
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given

from domain.billing import BillingFacts
from domain.company import Company
from domain.explain import Entry, Explanation, Topic, explain
from domain.policies.validation import verdict
from domain.terms import ContractTerms
from tests.contracts import CONTRACTS, Drawn

Told = Callable[..., Explanation]


@pytest.fixture
def told(examples: Path, company: Company) -> Told:
    """The calendar of an example, with what is known of it."""

    def of(name: str, count: int = 2, **facts: Any) -> Explanation:
        document = tomllib.loads((examples / "contracts" / f"{name}.toml").read_text())
        sheet = verdict(document, company, 1, parent_known=None).sheet
        assert sheet is not None
        known = BillingFacts(signed_on=sheet.signed_on, **facts)
        return explain(sheet.terms, sheet.lines, known, purchase_order=sheet.purchase_order, count=count)

    return of


def of(explanation: Explanation, *topics: Topic) -> list[tuple[str, str]]:
    return [(str(entry.on), entry.what) for entry in explanation.entries if entry.topic in topics]


def test_a_ramp_of_three_years_with_free_months(told: Told) -> None:
    ramp = told("ramp_36_months", activated_on=date(2026, 12, 20))
    assert of(ramp, Topic.RAMP) == [
        ("2028-01-01", "PLATFORM: 50 until the day before, 80 from this day on"),
        ("2029-01-01", "PLATFORM: 80 until the day before, 120 from this day on"),
    ]
    billed = {entry.line: entry.on for entry in ramp.entries if entry.line}
    assert billed == {
        "year-1": date(2027, 3, 1),
        "year-2": date(2028, 1, 1),
        "year-3": date(2029, 1, 1),
        "api": None,
    }
    assert of(ramp, Topic.TERM) == [
        ("2027-01-01", "term 1 begins, for 36 months, until 2029-12-31"),
        ("2030-01-01", "term 2 begins, for 12 months, until 2030-12-31"),
    ]
    assert of(ramp, Topic.PRICE)[0] == ("2029-10-03", "the last day to announce a price increase for term 2")
    [(expires, _)] = of(ramp, Topic.PURCHASE_ORDER)
    assert expires == "2029-12-31"
    assert ramp.awaited == ("the milestone go-live",)


def test_notice_longer_than_the_window_opens_it_earlier(told: Told) -> None:
    entries = told("long_notice").entries
    [window] = [
        entry for entry in entries if entry.topic is Topic.WINDOW and entry.what.startswith("the renewal window")
    ]
    assert (window.on, window.reckoned) == (date(2027, 6, 28), "150 days before its end, for notice and lead")
    [notice, from_then] = [entry for entry in entries if entry.topic is Topic.NOTICE]
    assert notice.on == date(2027, 7, 28)
    assert notice.what.endswith("if nobody decides, it then goes on with term 2, without end")
    assert (from_then.on, from_then.term) == (date(2027, 11, 25), 2)


def test_an_evergreen_has_reviews_and_no_window(told: Told) -> None:
    evergreen = told("evergreen", activated_on=date(2026, 12, 1))
    assert [on for on, _ in of(evergreen, Topic.REVIEW)] == ["2027-12-01", "2028-12-01"]
    assert of(evergreen, Topic.MINIMUM) == [
        ("2027-12-01", "the minimum is over: notice can end the contract from this day on")
    ]
    assert of(evergreen, Topic.CHECKPOINT) == []


def test_a_trial_is_billed_from_its_conversion_on(told: Told) -> None:
    trial = told("trial", activated_on=date(2026, 12, 1))
    assert {entry.line: entry.on for entry in trial.entries if entry.line} == {
        "1": date(2026, 11, 26),
        "2": date(2026, 12, 15),
    }
    assert of(trial, Topic.NOTICE)[0] == (
        "2026-12-14",
        "the last day on which the trial can be ended; if nobody decides, it then goes on with term 2, for 12 months",
    )


def test_what_is_not_known_yet_is_told_in_words(told: Told) -> None:
    annual = told("annual_saas")
    assert annual.awaited == ("the activation", "the milestone go-live")
    words = {entry.what: entry.reckoned for entry in annual.entries if entry.on is None}
    assert words["term 1 begins, for 12 months"] == "the day on which the ERP activates the order"
    assert words["the renewal window of term 1 is open"] == "90 days before its end"
    starts = [reckoned for what, reckoned in words.items() if what.startswith("billing of line 2 starts")]
    assert starts == ["when go-live is reached"]


def test_a_day_that_a_fact_may_bring_forward_is_the_latest_one(told: Told) -> None:
    [line] = [entry for entry in told("us_quarterly").entries if entry.line == "1"]
    assert (line.on, line.at_latest) == (date(2027, 1, 15), True)
    [line] = [
        entry for entry in told("us_quarterly", milestones={"go-live": date(2026, 12, 5)}).entries if entry.line == "1"
    ]
    assert (line.on, line.at_latest) == (date(2026, 12, 5), False)


def test_a_moved_term_is_told_as_it_is_now() -> None:
    terms = ContractTerms()
    facts = BillingFacts(signed_on=date(2026, 1, 1))
    moved = explain(terms, (), facts, moved={2: date(2027, 7, 1)}, count=2)
    assert of(moved, Topic.TERM)[0] == ("2026-01-01", "term 1 begins, until 2027-06-30")
    assert ("2027-07-01", "term 2 begins, until 2028-06-30") in of(moved, Topic.TERM)


def test_what_is_delivered_once_has_one_term_and_nothing_to_decide() -> None:
    once = explain(
        ContractTerms.model_validate({"kind": "one_off", "initial_months": 3}),
        (),
        BillingFacts(signed_on=date(2026, 1, 1)),
    )
    assert of(once, Topic.TERM) == [
        ("2026-01-01", "term 1 begins, for 3 months, until 2026-03-31"),
        ("2026-04-01", "term 1 is over, and with it the contract: it was delivered once"),
    ]
    assert of(once, Topic.WINDOW, Topic.NOTICE, Topic.CHECKPOINT) == []


@given(drawn=CONTRACTS)
def test_any_contract_is_told_in_order_and_to_its_end(drawn: Drawn) -> None:
    told = explain(drawn.terms, drawn.lines, drawn.facts, moved=drawn.moved)
    dated = [entry.on for entry in told.entries if entry.on]
    assert dated == sorted(dated)
    assert all(entry.on is None for entry in told.entries[len(dated) :])
    assert {entry.line for entry in told.entries if entry.line} == {line.id for line in drawn.lines}
    for entry in told.entries:
        assert_in_words(entry)


def assert_in_words(entry: Entry) -> None:
    for text in (entry.what, entry.reckoned):
        assert text
        assert "None" not in text
        assert "_" not in text.replace("one_time", "")
