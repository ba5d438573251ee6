"""The words: each function decides what its definition says."""

from datetime import date
from decimal import Decimal
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.calendar import Term
from domain.company import CollectionsPolicy, RiskPolicy
from domain.glossary import (
    account_hierarchy,
    active_customer,
    customer_health,
    glossary,
    implementation_complete,
    invoice_delinquent,
    renewal_date,
    renewal_eligible,
    revenue_status,
)
from domain.policies.risk import Signals
from domain.terms import ContractTerms
from domain.view import Stage

YEAR = Term(number=1, starts=date(2026, 1, 1), ends=date(2027, 1, 1))


def test_every_word_is_defined() -> None:
    entries = {entry.term: entry for entry in glossary()}
    assert list(entries) == [
        "account hierarchy",
        "active customer",
        "annual recurring value",
        "billed before the rule allowed",
        "billing not started",
        "customer health",
        "expired but served",
        "forecast against what came",
        "gross revenue retention",
        "implementation complete",
        "invoice delinquent",
        "leakage",
        "leakage recovered",
        "logo churn",
        "net revenue retention",
        "renewal date",
        "renewal eligibility",
        "reporting currency",
        "revenue status",
        "time to activation",
        "time to first invoice",
        "time to go-live",
        "time to onboarding",
        "under-billed quantity",
    ]
    assert entries["renewal date"].rule_name == "domain.glossary.renewal_date"
    for entry in entries.values():
        assert len(entry.definition.split()) > 10
        assert entry.definition.endswith(".")
        assert "\n" not in entry.definition


@pytest.mark.parametrize(
    ("stages", "active"),
    [
        ([], False),
        ([Stage.ORDER_ACTIVATION], False),
        ([Stage.ENDED, Stage.CANCELLED], False),
        ([Stage.ENDED, Stage.ONBOARDING], True),
        ([Stage.ENDING], True),
        ([Stage.OUT_OF_TERM], True),
    ],
)
def test_active_customer(stages: list[Stage], active: bool) -> None:
    assert active_customer(stages) is active


def test_renewal_date() -> None:
    terms = ContractTerms(initial_months=12, renewal_months=6)
    assert renewal_date(terms, date(2026, 1, 31), date(2026, 12, 31)) == date(2027, 1, 31)
    assert renewal_date(terms, date(2026, 1, 31), date(2027, 1, 31)) == date(2027, 7, 31)
    assert renewal_date(ContractTerms(evergreen=True), date(2026, 1, 1), date(2030, 1, 1)) is None


def test_implementation_complete() -> None:
    reached = {"go-live": date(2026, 2, 1), "kick-off": date(2026, 1, 1)}
    assert implementation_complete(reached, "go-live", date(2026, 2, 1))
    assert not implementation_complete(reached, "go-live", date(2026, 1, 31))
    assert not implementation_complete({"kick-off": date(2026, 1, 1)}, "go-live", date(2026, 2, 1))


def test_invoice_delinquent() -> None:
    assert not invoice_delinquent(date(2026, 1, 1), False, date(2026, 1, 6), CollectionsPolicy(grace_days=5))
    assert invoice_delinquent(date(2026, 1, 1), False, date(2026, 1, 7), CollectionsPolicy(grace_days=5))


def test_account_hierarchy() -> None:
    parents = {"team": "unit", "unit": "group", "group": None}
    assert account_hierarchy("team", parents) == ("team", "unit", "group")
    assert account_hierarchy("alone", parents) == ("alone",)


@given(st.dictionaries(st.integers(0, 6).map(str), st.integers(0, 6).map(str)), st.integers(0, 6).map(str))
def test_a_circle_of_parents_ends(parents: dict[str, str | None], account: str) -> None:
    line = account_hierarchy(account, parents)
    assert line[0] == account
    assert len(set(line)) == len(line)
    assert all(parents[child] == parent for child, parent in pairwise(line))


def test_customer_health() -> None:
    signals = Signals(as_of=date(2026, 1, 1), adoption=Decimal("0.1"))
    assert customer_health(signals, RiskPolicy()).level == "high"


@pytest.mark.parametrize(
    ("billing", "ends_on", "status"),
    [
        ({}, None, "not_started"),
        ({"1": date(2026, 1, 1)}, None, "partly_started"),
        ({"1": date(2026, 1, 1), "2": date(2026, 7, 1)}, None, "partly_started"),
        ({"1": date(2026, 1, 1), "2": date(2026, 6, 1)}, None, "started"),
        ({"1": date(2026, 1, 1), "2": date(2026, 6, 1)}, date(2026, 6, 2), "started"),
        ({"1": date(2026, 1, 1), "2": date(2026, 6, 1)}, date(2026, 6, 1), "ended"),
    ],
)
def test_revenue_status(billing: dict[str, date], ends_on: date | None, status: str) -> None:
    assert revenue_status(["1", "2"], billing, ends_on, date(2026, 6, 1)) == status


def test_no_lines_no_revenue() -> None:
    assert revenue_status([], {}, None, date(2026, 6, 1)) == "not_started"


@pytest.mark.parametrize(
    ("stage", "today", "eligible"),
    [
        (Stage.SERVING, "2026-10-02", False),
        (Stage.SERVING, "2026-10-03", True),
        (Stage.ONBOARDING, "2026-10-03", True),
        (Stage.OUT_OF_TERM, "2027-02-01", True),
        (Stage.ORDER_ACTIVATION, "2026-12-01", False),
        (Stage.ENDING, "2026-12-01", False),
        (Stage.ENDED, "2026-12-01", False),
    ],
)
def test_renewal_eligibility(stage: Stage, today: str, eligible: bool) -> None:
    assert renewal_eligible(ContractTerms(), YEAR, stage, date.fromisoformat(today)) is eligible


def test_an_evergreen_contract_is_not_renewed() -> None:
    forever = Term(number=1, starts=date(2026, 1, 1), ends=None)
    assert not renewal_eligible(ContractTerms(evergreen=True), forever, Stage.SERVING, date(2030, 1, 1))
