"""Billing-start rules: never early, and steady as facts come in."""

from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from domain.billing import (
    BillingFacts,
    awaited_dates,
    awaited_milestones,
    billing_starts,
    describe,
    is_over,
    line_starts,
    rule_of,
)
from domain.terms import (
    BillingRule,
    ContractKind,
    ContractTerms,
    EarliestOf,
    LatestOf,
    LineTerms,
    OnActivation,
    OnDate,
    OnMilestone,
    OnSignature,
    StartRule,
)

DAYS = st.dates(min_value=date(2026, 1, 1), max_value=date(2026, 3, 31))
NAMES = st.sampled_from(["go-live", "kick-off", "trained"])
LEAVES: st.SearchStrategy[Any] = st.one_of(
    st.just(OnSignature()), st.just(OnActivation()), st.builds(OnMilestone, name=NAMES), st.builds(OnDate, on=DAYS)
)
RULES: st.SearchStrategy[Any] = st.recursive(
    LEAVES,
    lambda rules: st.lists(rules, min_size=1, max_size=3).flatmap(
        lambda parts: st.sampled_from([EarliestOf(rules=tuple(parts)), LatestOf(rules=tuple(parts))])
    ),
    max_leaves=6,
)
FACTS = st.builds(
    BillingFacts,
    signed_on=st.none() | DAYS,
    activated_on=st.none() | DAYS,
    milestones=st.dictionaries(NAMES, DAYS),
)
SIGNED, ACTIVE, LIVE = date(2026, 1, 10), date(2026, 1, 20), date(2026, 2, 10)
ALL = BillingFacts(signed_on=SIGNED, activated_on=ACTIVE, milestones={"go-live": LIVE})

parsed = TypeAdapter[BillingRule](BillingRule).validate_python


@given(rule=RULES, facts=FACTS, today=DAYS)
def test_billing_starts_on_a_day_that_has_come_and_that_the_rule_names(
    rule: BillingRule, facts: BillingFacts, today: date
) -> None:
    starts = billing_starts(rule, facts, today)
    named = {facts.signed_on, facts.activated_on, *facts.milestones.values(), *awaited_dates(rule)}
    assert starts is None or (starts <= today and starts in named)


@given(rule=RULES, facts=FACTS, today=DAYS)
def test_once_met_a_rule_stays_met_and_keeps_its_day(rule: BillingRule, facts: BillingFacts, today: date) -> None:
    starts = billing_starts(rule, facts, today)
    if starts is not None:
        assert billing_starts(rule, facts, today + timedelta(days=30)) == starts
        # The day is the first on which the rule holds: seen from the day before, it is not met.
        assert billing_starts(rule, facts, starts) == starts
        assert billing_starts(rule, facts, starts - timedelta(days=1)) is None


@given(rule=RULES, facts=FACTS, today=DAYS, name=NAMES, on=DAYS)
def test_one_more_fact_never_unmeets_a_rule(
    rule: BillingRule, facts: BillingFacts, today: date, name: str, on: date
) -> None:
    more = facts.model_copy(update={"milestones": {name: on, **facts.milestones}})
    assert billing_starts(rule, facts, today) is None or billing_starts(rule, more, today) is not None


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("on_signature", SIGNED),
        ("on_activation", ACTIVE),
        ("on_milestone:go-live", LIVE),
        ("on_milestone:trained", None),
        ("on_date:2026-02-01", date(2026, 2, 1)),
        ("on_date:2026-06-01", None),
        ("earliest_of:on_milestone:go-live|on_date:2026-02-01", date(2026, 2, 1)),
        ("latest_of:on_milestone:go-live|on_date:2026-02-01", LIVE),
        ({"latest_of": ["on_signature", {"on_milestone": "trained"}]}, None),
        ({"latest_of": [{"earliest_of": ["on_signature", "on_activation"]}, "on_activation"]}, ACTIVE),
    ],
)
def test_named_rules(written: object, expected: date | None) -> None:
    assert billing_starts(parsed(written), ALL, date(2026, 3, 1)) == expected


@pytest.mark.parametrize(
    "written", ["on_signature:now", "at_noon", "on_milestone", "on_date:soon", {"earliest_of": []}, "earliest_of:"]
)
def test_a_rule_that_says_nothing_is_refused(written: object) -> None:
    with pytest.raises(ValidationError):
        parsed(written)


def test_nothing_is_met_before_its_day() -> None:
    assert billing_starts(OnMilestone(name="go-live"), ALL, LIVE - timedelta(days=1)) is None
    assert billing_starts(OnMilestone(name="go-live"), ALL, LIVE) == LIVE


def test_what_a_rule_waits_for() -> None:
    rule = parsed({"latest_of": ["on_date:2026-05-01", "earliest_of:on_milestone:go-live|on_date:2026-04-01"]})
    assert awaited_dates(rule) == (date(2026, 4, 1), date(2026, 5, 1))
    assert awaited_milestones(rule) == ("go-live",)


@pytest.mark.parametrize(
    ("written", "words"),
    [
        ("on_signature", "on signature"),
        ("on_activation", "on activation"),
        ("on_milestone:go-live", "when go-live is reached"),
        ("on_date:2027-01-01", "on 2027-01-01"),
        ("earliest_of:on_activation|on_date:2027-01-01", "the earliest of on activation and on 2027-01-01"),
        (
            {"latest_of": ["on_signature", "on_activation", "earliest_of:on_signature"]},
            "the latest of on signature, on activation and (the earliest of on signature)",
        ),
    ],
)
def test_a_rule_in_words(written: object, words: str) -> None:
    assert describe(parsed(written)) == words


def line(**changes: Any) -> LineTerms:
    written = {
        "id": "1", "product": "PLATFORM", "charge": "recurring", "frequency": "annual", "quantity": "5",
        "billing_start": "on_signature",
    }  # fmt: skip
    return LineTerms.model_validate(written | changes)


YEAR = ContractTerms(start=StartRule.ON_ACTIVATION)


@pytest.mark.parametrize(
    ("written", "terms", "today", "expected"),
    [
        ({"starts": "2026-06-01"}, YEAR, "2026-05-31", None),
        ({"starts": "2026-06-01"}, YEAR, "2026-06-01", "2026-06-01"),
        ({"starts": "2026-01-01"}, YEAR, "2026-06-01", "2026-01-10"),
        ({"ends": "2026-02-10", "billing_start": "on_milestone:go-live"}, YEAR, "2026-06-01", None),
        ({"ends": "2026-02-11", "billing_start": "on_milestone:go-live"}, YEAR, "2026-06-01", "2026-02-10"),
        ({}, ContractTerms(start=StartRule.ON_ACTIVATION, free_months=2), "2026-03-19", None),
        ({}, ContractTerms(start=StartRule.ON_ACTIVATION, free_months=2), "2026-06-01", "2026-03-20"),
        ({"charge": "usage"}, ContractTerms(free_months=2), "2026-06-01", "2026-01-10"),
        ({}, ContractTerms(kind=ContractKind.TRIAL), "2026-06-01", None),
        ({"charge": "one_time"}, ContractTerms(kind=ContractKind.TRIAL), "2026-06-01", "2026-01-10"),
    ],
)
def test_the_line_and_the_contract_can_hold_billing_back(
    written: dict[str, Any], terms: ContractTerms, today: str, expected: str | None
) -> None:
    starts = line_starts(line(**written), terms, ALL, date.fromisoformat(today))
    assert (starts and starts.isoformat()) == expected


def test_a_trial_is_billed_from_its_conversion_on() -> None:
    converted = ALL.model_copy(update={"milestones": {"conversion": date(2026, 3, 1)}})
    assert line_starts(line(), ContractTerms(kind=ContractKind.TRIAL), converted, date(2026, 6, 1)) == date(2026, 3, 1)


def test_free_months_of_a_contract_that_is_not_active_wait_for_its_activation() -> None:
    rule = rule_of(line(), ContractTerms(start=StartRule.ON_ACTIVATION, free_months=3), BillingFacts(signed_on=SIGNED))
    assert describe(rule) == "the latest of on signature and on activation"


def test_a_line_that_says_no_more_than_its_rule_is_billed_by_it_alone() -> None:
    assert rule_of(line(), YEAR, ALL) == OnSignature()


def test_a_line_is_over_from_the_day_it_ends() -> None:
    assert not is_over(line(), date(2066, 1, 1))
    assert not is_over(line(ends="2026-06-01"), date(2026, 5, 31))
    assert is_over(line(ends="2026-06-01"), date(2026, 6, 1))
