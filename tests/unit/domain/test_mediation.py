"""Mediation: levels instead of edges, whatever the order of what comes in; and what of a level is news."""

import json
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.company import CollectionsPolicy, Company, load_company
from domain.events import (
    DealClosedWon,
    EventData,
    InvoiceOverdue,
    InvoicePaid,
    InvoicePosted,
    MilestoneCompleted,
    SupportCaseClosed,
    SupportCaseOpened,
    UsageReported,
)
from domain.mediation import INVOICE, SUPPORT_CASE, USAGE, fact_of, news, next_change, standing

COMPANY = load_company((Path(__file__).parents[3] / "examples" / "company.toml").read_text())
DUE = date(2028, 2, 29)
DAY = timedelta(days=1)
Facts = dict[tuple[str, str], tuple[int, dict[str, Any]]]


def invoice(kind: type[EventData], version: int, name: str = "inv_1", due: date = DUE) -> EventData:
    fields = {"subscription": "s", "customer": "c", "amount": "1", "currency": "EUR"}
    return kind.model_validate({**fields, "invoice": name, "due_on": due, "version": version})


def learn(facts: Facts, *events: EventData) -> Facts:
    """What the dispatcher keeps: the newest version of each record."""
    for event in events:
        learnt = fact_of(event)
        assert learnt is not None
        kind, entity, version, data = learnt
        if (kind, entity) not in facts or facts[kind, entity][0] < version:
            facts[kind, entity] = version, data
    return facts


def level(facts: Facts, kind: str, today: date, company: Company = COMPANY) -> dict[str, Any]:
    found = [(entity, data) for (of, entity), (_, data) in sorted(facts.items()) if of == kind]
    seen = news(standing(kind, found, today, company), company)
    assert json.loads(json.dumps(seen)) == seen, "it is compared with what the store gives back"
    return seen


def changes(facts: Facts, today: date, company: Company = COMPANY) -> date | None:
    return next_change([(entity, data) for (_, entity), (_, data) in facts.items()], today, company)


QUIET = level({}, INVOICE, DUE)


@pytest.mark.parametrize("data", [
    DealClosedWon(record={}), MilestoneCompleted(contract="c", milestone="m", completed_on=DUE),
])  # fmt: skip
def test_what_is_told_as_it_is_carries_no_fact(data: EventData) -> None:
    assert fact_of(data) is None


@given(
    st.lists(
        st.tuples(st.sampled_from(["a", "b", "c"]), st.integers(1, 6), st.booleans()),
        max_size=20,
        unique_by=lambda event: event[:2],
    ),
    st.randoms(use_true_random=False),
    st.integers(-40, 80),
)
def test_any_order_and_any_repetition_ends_in_the_same_level(
    history: list[tuple[str, int, bool]], random: Any, days: int
) -> None:
    events = [
        invoice(InvoicePaid if paid else InvoicePosted, version, name, DUE + DAY * ord(name))
        for name, version, paid in history
    ]
    shuffled = events + [event for event in events if random.random() < 0.5]
    random.shuffle(shuffled)
    today = DUE + DAY * (ord("b") + days)
    in_order = level(learn({}, *events), INVOICE, today)
    assert level(learn({}, *shuffled), INVOICE, today) == in_order
    newest = {name: max(version for of, version, _ in history if of == name) for name, _, _ in history}
    unpaid = {name for name, version, paid in history if version == newest[name] and not paid}
    late = {name for name in unpaid if today > DUE + DAY * ord(name)}
    assert set(in_order["delinquent"]) == late


@pytest.mark.parametrize("paid_after", [0, 10])
def test_an_invoice_posted_and_paid_on_time_is_never_news(paid_after: int) -> None:
    facts: Facts = {}
    for day in range(-30, 60):
        if day == -30:
            learn(facts, invoice(InvoicePosted, 1))
        if day == -paid_after:
            learn(facts, invoice(InvoicePaid, 2))
        assert level(facts, INVOICE, DUE + DAY * day) == QUIET


def test_crossing_the_line_paying_late_and_long_overdue_are_news_once_each() -> None:
    facts = learn({}, invoice(InvoicePosted, 1))
    told = [QUIET]
    for day in range(-5, 60):
        if day == 50:
            learn(facts, invoice(InvoicePaid, 3))
        if day == 7:
            learn(facts, invoice(InvoiceOverdue, 2))
        if (now := level(facts, INVOICE, DUE + DAY * day)) != told[-1]:
            told.append(now)
    assert [(each["delinquent"], each["long_overdue"]) for each in told] == [
        ([], False),
        (["inv_1"], False),
        (["inv_1"], True),
        ([], False),
    ]
    assert told[-1] == QUIET


@pytest.mark.parametrize("grace", [0, 10])
def test_the_sweep_knows_the_days_on_which_time_alone_is_news(grace: int) -> None:
    company = COMPANY.model_copy(update={"collections": CollectionsPolicy(grace_days=grace)})
    facts = learn({}, invoice(InvoicePosted, 1))
    crossing, long = DUE + DAY * (grace + 1), DUE + DAY * COMPANY.risk.high_after_days_overdue
    assert changes(facts, DUE - DAY * 100, company) == crossing
    assert level(facts, INVOICE, crossing - DAY, company) == level({}, INVOICE, DUE, company)
    assert level(facts, INVOICE, crossing, company) != level({}, INVOICE, DUE, company)
    assert changes(facts, crossing, company) == long
    assert not level(facts, INVOICE, long - DAY, company)["long_overdue"]
    assert level(facts, INVOICE, long, company)["long_overdue"]
    assert changes(facts, long, company) is None
    assert changes(learn(facts, invoice(InvoicePaid, 2)), DUE - DAY * 100, company) is None


@given(st.lists(st.integers(0, 90), max_size=4), st.integers(-10, 130))
def test_between_two_looks_of_the_sweep_nothing_changes_by_itself(dues: list[int], start: int) -> None:
    facts = learn({}, *(invoice(InvoicePosted, 1, f"inv_{n}", DUE + DAY * due) for n, due in enumerate(dues)))
    today = DUE + DAY * start
    following = changes(facts, today)
    for day in range(1, 200):
        if following is not None and today + DAY * day >= following:
            break
        assert level(facts, INVOICE, today + DAY * day) == level(facts, INVOICE, today)
    assert following is None or following > today


def case(number: int, severity: int, version: int = 1, *, closed: bool = False) -> EventData:
    kind = SupportCaseClosed if closed else SupportCaseOpened
    return kind(case=f"case_{number}", account="a", severity=severity, version=version)


@pytest.mark.parametrize(
    ("events", "severities"),
    [
        ([], {}),
        ([case(1, 1)], {1: 1}),
        ([case(1, 1), case(2, 2), case(3, 2)], {1: 1, 2: 2}),
        ([case(1, 3), case(2, 4)], {}),
        ([case(1, 1), case(1, 1, 2, closed=True)], {}),
        ([case(1, 1, 2, closed=True), case(1, 1)], {}),
        ([case(1, 3), case(1, 1, 2)], {1: 1}),
        ([case(1, 1, 2), case(1, 1, 3, closed=True), case(1, 2, 4)], {2: 1}),
    ],
)
def test_only_open_cases_of_the_two_worst_severities_count(events: list[EventData], severities: dict[int, int]) -> None:
    wanted = {str(severity): count for severity, count in severities.items()}
    assert level(learn({}, *events), SUPPORT_CASE, DUE) == {"kind": "support_changed", "severities": wanted}


def usage(active: str, day: int, entitled: str = "100") -> EventData:
    return UsageReported(account="a", active=Decimal(active), entitled=Decimal(entitled), as_of=DUE + DAY * day)


@pytest.mark.parametrize(
    ("reports", "below"),
    [
        ([], ""),
        ([usage("90", 1)], ""),
        ([usage("40", 1)], ""),
        ([usage("39.9", 1)], "line"),
        ([usage("20", 1)], "line"),
        ([usage("19.9", 1)], "half"),
        ([usage("10", 1), usage("80", 2)], ""),
        ([usage("80", 2), usage("10", 1)], ""),
        ([usage("0", 1, entitled="0")], ""),
    ],
)
def test_usage_is_news_when_it_crosses_a_line_and_the_newest_report_counts(
    reports: list[EventData], below: str
) -> None:
    assert level(learn({}, *reports), USAGE, DUE) == {"below": below}
