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
    CATALOG,
    DealClosedWon,
    DealCorrected,
    DealReopened,
    EventData,
    InvoiceCredited,
    InvoiceDisputed,
    InvoiceDisputeResolved,
    InvoiceDueDateChanged,
    InvoiceOverdue,
    InvoicePaid,
    InvoicePartlyPaid,
    InvoicePosted,
    InvoiceVoided,
    InvoiceWrittenOff,
    LifecycleEnded,
    MilestoneCompleted,
    PaymentReversed,
    SubscriptionChanged,
    SupportCaseClosed,
    SupportCaseOpened,
    SupportCaseSeverityChanged,
    UnusableEvent,
    UsageReported,
)
from domain.facts import SUBSCRIPTION, SUPPORT_CASE, USAGE, Fact, facts_of, newer
from domain.mediation import (
    COLLECTIONS,
    LEVELS,
    TABLE,
    Asks,
    Keeps,
    Records,
    news,
    next_change,
    standing,
    treatment,
)

COMPANY = load_company((Path(__file__).parents[3] / "examples" / "company.toml").read_text())
DUE = date(2028, 2, 29)
DAY = timedelta(days=1)
Facts = dict[tuple[str, str], Fact]
OF = {"subscription": "s", "customer": "c"}


def invoice(kind: type[EventData], version: int, name: str = "inv_1", due: date = DUE, **fields: Any) -> EventData:
    demand = {"amount": "100", "currency": "EUR", "due_on": due}
    return kind.model_validate({**OF, **demand, "invoice": name, "version": version, **fields})


def learn(facts: Facts, *events: EventData) -> Facts:
    """What the dispatcher keeps: the newest version of each record."""
    for event in events:
        for fact in facts_of(event):
            known = facts.get((fact.kind, fact.entity))
            if known is None or newer(fact.version, fact.data, than=known):
                facts[fact.kind, fact.entity] = fact
    return facts


def level(facts: Facts, name: str, today: date, company: Company = COMPANY) -> dict[str, Any]:
    found = [fact for fact in facts.values() if fact.kind in LEVELS[name]]
    seen = news(standing(name, found, today, company))
    assert json.loads(json.dumps(seen)) == seen, "it is compared with what the store gives back"
    return seen


def changes(facts: Facts, today: date, company: Company = COMPANY) -> date | None:
    return next_change([fact for fact in facts.values() if fact.kind in LEVELS[COLLECTIONS]], today, company)


QUIET = level({}, COLLECTIONS, DUE)


def incoming() -> list[type[EventData]]:
    return [model for model in CATALOG.values() if not model.contract_.outgoing]


@pytest.mark.parametrize("model", incoming(), ids=lambda model: model.type)
def test_every_incoming_event_has_a_treatment_that_its_contract_tells(model: type[EventData]) -> None:
    does = TABLE[model]
    if isinstance(does, Asks | Records):
        assert model.contract_.wakes is None
    elif model not in (DealCorrected, DealReopened):
        assert model.contract_.wakes is not None
    if isinstance(does, Keeps):
        assert model.contract_.truth in ("erp", "billing", "support", "usage")


def test_what_tenure_says_is_not_taken_from_others() -> None:
    said = LifecycleEnded(contract="c", account="a", deal="d", on=DUE)
    with pytest.raises(UnusableEvent, match="sent by Tenure"):
        treatment(said)


@pytest.mark.parametrize("data", [
    DealClosedWon(record={}), MilestoneCompleted(contract="c", milestone="m", completed_on=DUE),
])  # fmt: skip
def test_what_is_told_as_it_is_carries_no_fact(data: EventData) -> None:
    assert facts_of(data) == ()


HAPPENINGS = {
    "posted": lambda name, n: invoice(InvoicePosted, n, name, DUE + DAY * n),
    "more time": lambda name, n: invoice(InvoiceDueDateChanged, n, name, DUE + DAY * n * 3),
    "paid": lambda name, n: invoice(InvoicePaid, n, name, DUE + DAY * n),
    "paid by name": lambda name, n: invoice(InvoicePaid, n, name, DUE, payment=f"p{n}"),
    "partly paid": lambda name, n: invoice(InvoicePartlyPaid, n, name, payment=f"p{n}", paid="60"),
    "credited": lambda name, n: invoice(InvoiceCredited, n, name, credit_note=f"c{n}", credited="45"),
    "reversed": lambda name, n: invoice(PaymentReversed, n, name, payment=f"p{n - 1}"),
    "disputed": lambda name, n: invoice(InvoiceDisputed, n, name),
    "resolved": lambda name, n: invoice(InvoiceDisputeResolved, n, name),
    "voided": lambda name, n: invoice(InvoiceVoided, n, name),
}


@given(
    st.lists(
        st.tuples(st.sampled_from(["a", "b"]), st.integers(1, 6), st.sampled_from(sorted(HAPPENINGS))),
        max_size=20,
        unique_by=lambda happening: happening[:2],
    ),
    st.randoms(use_true_random=False),
    st.integers(-40, 80),
)
def test_any_order_and_any_repetition_ends_in_the_same_level(
    history: list[tuple[str, int, str]], random: Any, days: int
) -> None:
    events = [HAPPENINGS[what](name, version) for name, version, what in history]
    shuffled = events + [event for event in events if random.random() < 0.5]
    random.shuffle(shuffled)
    today = DUE + DAY * days
    assert level(learn({}, *shuffled), COLLECTIONS, today) == level(learn({}, *events), COLLECTIONS, today)


POSTED, LATER = invoice(InvoicePosted, 1), DUE + DAY * 10


@pytest.mark.parametrize(
    ("happened", "delinquent"),
    [
        ([POSTED], True),
        ([POSTED, invoice(InvoiceDueDateChanged, 2, due=DUE + DAY * 20)], False),
        ([invoice(InvoiceDueDateChanged, 2, due=DUE + DAY * 20), POSTED], False),
        ([POSTED, invoice(InvoicePaid, 2)], False),
        ([POSTED, invoice(InvoiceDueDateChanged, 3), invoice(InvoicePaid, 2)], False),
        ([POSTED, HAPPENINGS["partly paid"]("inv_1", 2)], True),
        ([POSTED, HAPPENINGS["partly paid"]("inv_1", 2), HAPPENINGS["partly paid"]("inv_1", 3)], False),
        ([POSTED, HAPPENINGS["partly paid"]("inv_1", 2), HAPPENINGS["credited"]("inv_1", 3)], False),
        ([HAPPENINGS["credited"]("inv_1", 3), HAPPENINGS["partly paid"]("inv_1", 2)], False),
        ([POSTED, HAPPENINGS["paid by name"]("inv_1", 2), HAPPENINGS["reversed"]("inv_1", 3)], True),
        ([HAPPENINGS["reversed"]("inv_1", 3), HAPPENINGS["paid by name"]("inv_1", 2)], True),
        ([POSTED, invoice(InvoicePaid, 2), HAPPENINGS["reversed"]("inv_1", 3)], True),
        ([POSTED, invoice(InvoicePaid, 2), HAPPENINGS["reversed"]("inv_1", 3), invoice(InvoicePaid, 4)], False),
        ([POSTED, HAPPENINGS["disputed"]("inv_1", 2)], False),
        ([POSTED, HAPPENINGS["resolved"]("inv_1", 3), HAPPENINGS["disputed"]("inv_1", 2)], True),
        ([POSTED, HAPPENINGS["voided"]("inv_1", 2)], False),
        ([POSTED, invoice(InvoiceWrittenOff, 2)], False),
    ],
)
def test_what_of_an_invoice_is_open_decides_whether_it_is_delinquent(
    happened: list[EventData], delinquent: bool
) -> None:
    assert bool(level(learn({}, *happened), COLLECTIONS, LATER)["delinquent"]) == delinquent


@pytest.mark.parametrize("paid_after", [0, 10])
def test_an_invoice_posted_and_paid_on_time_is_never_news(paid_after: int) -> None:
    facts: Facts = {}
    for day in range(-30, 60):
        if day == -30:
            learn(facts, invoice(InvoicePosted, 1))
        if day == -paid_after:
            learn(facts, invoice(InvoicePaid, 2))
        assert level(facts, COLLECTIONS, DUE + DAY * day) == QUIET


def test_crossing_the_line_paying_late_and_long_overdue_are_news_once_each() -> None:
    facts = learn({}, invoice(InvoicePosted, 1))
    told = [QUIET]
    for day in range(-5, 60):
        if day == 50:
            learn(facts, invoice(InvoicePaid, 3))
        if day == 7:
            learn(facts, invoice(InvoiceOverdue, 2))
        if (now := level(facts, COLLECTIONS, DUE + DAY * day)) != told[-1]:
            told.append(now)
    assert [(each["delinquent"], each["long_overdue"], each.get("grace_over", False)) for each in told] == [
        ([], False, False),
        (["inv_1"], False, False),
        (["inv_1"], True, False),
        (["inv_1"], True, True),
        ([], False, False),
    ]
    assert told[-1] == QUIET


@pytest.mark.parametrize("grace", [0, 10])
def test_the_sweep_knows_the_days_on_which_time_alone_is_news(grace: int) -> None:
    company = COMPANY.model_copy(update={"collections": CollectionsPolicy(grace_days=grace)})
    facts = learn({}, invoice(InvoicePosted, 1))
    crossing, long = DUE + DAY * (grace + 1), DUE + DAY * COMPANY.risk.high_after_days_overdue
    assert changes(facts, DUE - DAY * 100, company) == crossing
    assert level(facts, COLLECTIONS, crossing - DAY, company) == level({}, COLLECTIONS, DUE, company)
    assert level(facts, COLLECTIONS, crossing, company) != level({}, COLLECTIONS, DUE, company)
    assert changes(facts, crossing, company) == long
    assert not level(facts, COLLECTIONS, long - DAY, company)["long_overdue"]
    assert level(facts, COLLECTIONS, long, company)["long_overdue"]
    graceless = DUE + DAY * 46  # the last day of grace is the 45th
    assert changes(facts, long, company) == graceless
    assert "grace_over" not in level(facts, COLLECTIONS, graceless - DAY, company)
    assert level(facts, COLLECTIONS, graceless, company)["grace_over"]
    assert changes(facts, graceless, company) is None
    assert changes(learn(facts, invoice(InvoicePaid, 2)), DUE - DAY * 100, company) is None


@given(st.lists(st.integers(0, 90), max_size=4), st.integers(-10, 130))
def test_between_two_looks_of_the_sweep_nothing_changes_by_itself(dues: list[int], start: int) -> None:
    facts = learn({}, *(invoice(InvoicePosted, 1, f"inv_{n}", DUE + DAY * due) for n, due in enumerate(dues)))
    today = DUE + DAY * start
    following = changes(facts, today)
    for day in range(1, 200):
        if following is not None and today + DAY * day >= following:
            break
        assert level(facts, COLLECTIONS, today + DAY * day) == level(facts, COLLECTIONS, today)
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
        ([case(1, 3), SupportCaseSeverityChanged(case="case_1", account="a", severity=1, version=2)], {1: 1}),
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
        ([], None),
        ([usage("90", 1)], None),
        ([usage("40", 1)], None),
        ([usage("39.9", 1)], "0.3990"),
        ([usage("19.9", 1)], "0.1990"),
        ([usage("10", 1), usage("80", 2)], None),
        ([usage("80", 2), usage("10", 1)], None),
        ([usage("10", 1), usage("11", 2)], "0.1100"),
        ([usage("11", 2), usage("10", 1)], "0.1100"),
        ([usage("0", 1, entitled="0")], None),
    ],
)
def test_usage_is_news_below_the_line_alone_and_the_newest_report_counts(
    reports: list[EventData], below: str | None
) -> None:
    assert level(learn({}, *reports), USAGE, DUE) == {"kind": "usage_changed", "adoption": below}


def told_of(status: str, version: int, subscription: str = "s", ends: date | None = None, **fields: Any) -> EventData:
    data = {"subscription": subscription, "status": status, "ends": ends, "version": version}
    return SubscriptionChanged.model_validate({"entitled": status in ("active", "ended"), **data, **fields})


@pytest.mark.parametrize(
    ("events", "status", "entitled", "ends"),
    [
        ([], "active", True, None),
        ([told_of("active", 1, ends=DUE)], "active", True, None),
        ([told_of("active", 1), told_of("ended", 2, ends=DUE)], "ended", True, DUE),
        ([told_of("ended", 2, ends=DUE), told_of("active", 1)], "ended", True, DUE),
        ([told_of("active", 1), told_of("active", 2, entitled=False)], "active", False, None),
        ([told_of("active", 1), told_of("cancelled", 2)], "cancelled", False, None),
        # renewed by a subscription of its own: the new one counts, whichever was told first
        ([told_of("ended", 5, ends=DUE), told_of("active", 1, "t", DUE + 365 * DAY)], "active", True, None),
        ([told_of("ended", 5, ends=DUE), told_of("ended", 2, "t", DUE + 365 * DAY)], "ended", True, DUE + 365 * DAY),
        ([told_of("ended", 5, ends=DUE), told_of("cancelled", 2, "t")], "ended", True, DUE),
    ],
)
def test_the_subscription_that_counts_is_news_when_it_is_not_as_expected(
    events: list[EventData], status: str, entitled: bool, ends: date | None
) -> None:
    seen = level(learn({}, *events), SUBSCRIPTION, DUE)
    said = {"status": status, "entitled": entitled, "ends": ends.isoformat() if ends else None}
    assert seen == {"kind": "subscription_reported", **said}
    assert (seen == level({}, SUBSCRIPTION, DUE)) is ((status, entitled, ends) == ("active", True, None))
