"""Risk, readiness and collections: explained, monotone, and exact at their thresholds."""

import re
from datetime import date, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.company import CollectionsPolicy, RiskPolicy
from domain.policies.collections import CollectionStanding, InvoiceStatus, delinquency, is_delinquent, next_due
from domain.policies.readiness import ErpReading, Readings, RenewalReadiness, SourceReading, assess_readiness
from domain.policies.risk import Risk, Signals, assess_risk
from domain.ports import Adoption, LineState, OpportunityRef, SubscriptionState, SupportCases

TODAY = date(2027, 6, 1)
POLICY = RiskPolicy()
LEVELS = ("low", "medium", "high")
PRIORITIES = ("normal", "raised", "urgent")

SIGNALS = st.builds(
    Signals,
    overdue_since=st.none() | st.dates(TODAY - timedelta(days=90), TODAY),
    severities=st.dictionaries(st.integers(1, 4), st.integers(0, 3)),
    adoption=st.none() | st.decimals(0, 1, places=2),
    onboarding_late=st.booleans(),
    as_of=st.just(TODAY),
    days_to_renewal=st.none() | st.integers(-5, 400),
)


def rank(risk: Risk) -> tuple[int, int]:
    return LEVELS.index(risk.level), PRIORITIES.index(risk.renewal_priority)


def never_lower(before: Signals, after: Signals) -> bool:
    level, priority = rank(assess_risk(before, POLICY))
    worse_level, worse_priority = rank(assess_risk(after, POLICY))
    return worse_level >= level and worse_priority >= priority


@given(signals=SIGNALS, days=st.integers(1, 60), severity=st.integers(1, 4), drop=st.decimals(0, 1, places=2))
def test_more_bad_never_lowers_the_risk(signals: Signals, days: int, severity: int, drop: Decimal) -> None:
    since = (signals.overdue_since or TODAY) - timedelta(days=days)
    cases = {**signals.severities, severity: signals.severities.get(severity, 0) + 1}
    adoption = drop if signals.adoption is None else min(drop, signals.adoption)
    nearer = None if signals.days_to_renewal is None else signals.days_to_renewal - days
    for worse in (
        {"overdue_since": since},
        {"severities": cases},
        {"adoption": adoption},
        {"onboarding_late": True},
        {"days_to_renewal": nearer},
    ):
        assert never_lower(signals, signals.model_copy(update=worse))


@given(signals=SIGNALS)
def test_every_risk_is_explained(signals: Signals) -> None:
    risk = assess_risk(signals, POLICY)
    assert (risk.level == "low") == (risk.reasons == ())
    assert (risk.level == "low") == (risk.renewal_priority == "normal")


@pytest.mark.parametrize(
    ("signals", "level", "priority", "reason"),
    [
        ({}, "low", "normal", None),
        ({"overdue_since": TODAY - timedelta(days=5)}, "medium", "raised", "an invoice is 5 days overdue"),
        ({"overdue_since": TODAY - timedelta(days=29)}, "medium", "raised", "an invoice is 29 days overdue"),
        ({"overdue_since": TODAY - timedelta(days=30)}, "high", "urgent", "an invoice is 30 days overdue"),
        ({"severities": {1: 1}}, "high", "urgent", "open support cases of severity 1: 1"),
        ({"severities": {2: 2, 4: 9}}, "medium", "raised", "open support cases of severity 2: 2"),
        ({"severities": {1: 0, 3: 5}}, "low", "normal", None),
        ({"adoption": Decimal("0.4")}, "low", "normal", None),
        ({"adoption": Decimal("0.39")}, "medium", "raised", "adoption is 39%, less than 40%"),
        ({"adoption": Decimal("0.19")}, "high", "urgent", "adoption is 19%, less than 40%"),
        ({"onboarding_late": True}, "medium", "raised", "onboarding is late"),
        ({"onboarding_late": True, "days_to_renewal": 30}, "medium", "urgent", "the renewal is 30 days away"),
        ({"onboarding_late": True, "days_to_renewal": 31}, "medium", "raised", "onboarding is late"),
        ({"days_to_renewal": 1}, "low", "normal", None),
        (
            {"onboarding_late": True, "severities": {2: 1}, "adoption": Decimal("0.3")},
            "high",
            "urgent",
            "onboarding is late",
        ),
    ],
)
def test_named_risks(signals: dict[str, object], level: str, priority: str, reason: str | None) -> None:
    risk = assess_risk(Signals.model_validate({"as_of": TODAY, **signals}), POLICY)
    assert (risk.level, risk.renewal_priority) == (level, priority)
    assert risk.reasons == () if reason is None else reason in risk.reasons


GOOD = Readings(
    erp=SourceReading(
        as_of=TODAY,
        value=ErpReading(invoices=4, paid_late=0, overdue=0, currency="EUR", overdue_amount=Decimal(0)),
    ),
    support=SourceReading(as_of=TODAY, value=SupportCases()),
    usage=SourceReading(as_of=TODAY, value=Adoption(active=Decimal(45), entitled=Decimal(50))),
    cs=SourceReading(as_of=TODAY, value=0),
    crm=SourceReading(as_of=TODAY, value=OpportunityRef(id="006R", stage="Prospecting")),
)
AS_OF = st.dates(TODAY - timedelta(days=10), TODAY)
COUNT = st.integers(0, 5)
SUBSCRIPTIONS = st.builds(
    SubscriptionState,
    id=st.just("sub_1"),
    starts=st.just(date(2026, 12, 1)),
    ends=st.none() | st.just(date(2027, 12, 1)),
    lines=st.tuples(st.builds(LineState, line=st.just("seats"), quantity=st.decimals(0, 99, places=0))),
)
READINGS = st.builds(
    Readings,
    erp=st.none()
    | st.builds(
        SourceReading[ErpReading],
        as_of=AS_OF,
        value=st.builds(
            ErpReading,
            invoices=COUNT,
            paid_late=COUNT,
            overdue=COUNT,
            currency=st.just("EUR"),
            overdue_amount=st.decimals(0, 9999, places=2),
            subscription=st.none() | SUBSCRIPTIONS,
        ),
    ),
    support=st.none()
    | st.builds(
        SourceReading[SupportCases],
        as_of=AS_OF,
        value=st.builds(SupportCases, by_severity=st.dictionaries(st.integers(1, 4), COUNT)),
    ),
    usage=st.none()
    | st.builds(
        SourceReading[Adoption],
        as_of=AS_OF,
        value=st.builds(Adoption, active=st.decimals(0, 50, places=0), entitled=st.decimals(0, 50, places=0)),
    ),
    cs=st.none() | st.builds(SourceReading[int], as_of=AS_OF, value=COUNT),
    crm=st.none()
    | st.builds(
        SourceReading[OpportunityRef | None],
        as_of=AS_OF,
        value=st.none() | st.just(OpportunityRef(id="006R", stage="Prospecting")),
    ),
)


def points(readiness: RenewalReadiness) -> int:
    lost = [re.match(r"−(\d+): .+", reason) for reason in readiness.reasons]
    assert all(lost)
    return sum(int(one[1]) for one in lost if one)


@given(readings=READINGS)
def test_every_point_of_the_score_is_explained(readings: Readings) -> None:
    readiness = assess_readiness(readings, TODAY)
    assert readiness.score == 100 - points(readiness)
    assert 0 <= readiness.score <= 100
    assert readiness.next_steps
    assert set(readiness.sources) == {"erp", "support", "usage", "cs", "crm"}
    if readiness.verdict == "ready":
        assert readiness.score >= 75
        assert not any(source.stale for source in readiness.sources.values())
    assert (readiness.verdict == "at_risk") == (readiness.score < 50)
    shown = readiness.entitlement
    assert (shown is None) == (readings.erp is None or readings.erp.value.subscription is None)
    if shown is not None and readings.erp is not None:
        assert (shown.as_of, shown.stale) == (readings.erp.as_of, readiness.sources["erp"].stale)
        assert shown.entitled or readiness.verdict != "ready"


def subscription(*, entitled: bool = True, revenue: str = "running") -> SubscriptionState:
    line = {"line": "seats", "quantity": 50, "billed_from": date(2026, 12, 1), "accepted_on": None, "revenue": revenue}
    return SubscriptionState(
        id="sub_1", status="active" if entitled else "cancelled", entitled=entitled,
        starts=date(2026, 12, 1), ends=date(2027, 12, 1), lines=(LineState.model_validate(line),),
    )  # fmt: skip


def told(state: SubscriptionState | None) -> RenewalReadiness:
    """The readiness of a good customer whose ERP says this of the contract."""
    assert GOOD.erp is not None
    erp = GOOD.erp.model_copy(update={"value": GOOD.erp.value.model_copy(update={"subscription": state})})
    return assess_readiness(GOOD.model_copy(update={"erp": erp}), TODAY)


def test_entitlement_and_revenue_are_shown_as_the_erp_said_them() -> None:
    readiness = told(subscription())
    assert (readiness.verdict, readiness.score) == ("ready", 100)
    assert readiness.entitlement is not None
    assert readiness.entitlement.revenue == {"seats": "running"}
    assert f"Entitled until 2027-12-01 (active); revenue: 1 running. As of {TODAY}." in readiness.summary()


@pytest.mark.parametrize(
    ("state", "step"),
    [
        (subscription(entitled=False), "Find out why the ERP entitles the customer to nothing: it is cancelled"),
        (subscription(revenue="none"), "Have finance look at the revenue of seats: billed, and triggered by nothing"),
    ],
)
def test_what_the_erp_must_settle_first_holds_the_verdict_back_and_costs_no_points(
    state: SubscriptionState, step: str
) -> None:
    readiness = told(state)
    assert (readiness.verdict, readiness.score, readiness.reasons) == ("attention", 100, ())
    assert readiness.next_steps == (step,)


def test_a_readiness_of_before_is_what_it_was() -> None:
    """A history holds it: with nothing read of the contract, nothing is added."""
    assert "entitlement" not in told(None).model_dump()
    assert "subscription" not in GOOD.model_dump()["erp"]["value"]


def test_a_good_customer_is_ready() -> None:
    readiness = assess_readiness(GOOD, TODAY)
    assert (readiness.verdict, readiness.score, readiness.reasons) == ("ready", 100, ())
    assert readiness.next_steps == ("Send the renewal proposal",)


def test_the_worst_customer_scores_zero() -> None:
    worst = Readings(
        erp=SourceReading(
            as_of=TODAY,
            value=ErpReading(invoices=4, paid_late=2, overdue=2, currency="EUR", overdue_amount=Decimal("1234.5")),
        ),
        support=SourceReading(as_of=TODAY, value=SupportCases(by_severity={1: 1, 2: 3})),
        usage=SourceReading(as_of=TODAY, value=Adoption(active=Decimal(1), entitled=Decimal(50))),
        cs=SourceReading(as_of=TODAY, value=3),
        crm=SourceReading(as_of=TODAY, value=None),
    )
    readiness = assess_readiness(worst, TODAY)
    assert (readiness.verdict, readiness.score) == ("at_risk", 0)
    assert readiness.reasons[0] == "−25: 2 of 4 invoices overdue, 1,234.50 EUR"
    assert "−20: 1 of 50 seats in use (2%)" in readiness.reasons
    assert "Next: Settle the overdue invoices" in readiness.summary()


@pytest.mark.parametrize("source", ["erp", "support", "usage", "cs", "crm"])
def test_a_missing_or_old_source_is_stale_and_never_ready(source: str) -> None:
    missing = assess_readiness(GOOD.model_copy(update={source: None}), TODAY)
    assert (missing.verdict, missing.score) == ("attention", 95)
    assert (missing.sources[source].as_of, missing.sources[source].stale) == (None, True)
    read = getattr(GOOD, source)
    for days, stale in ((7, False), (8, True)):
        aged = read.model_copy(update={"as_of": TODAY - timedelta(days=days)})
        readiness = assess_readiness(GOOD.model_copy(update={source: aged}), TODAY)
        assert readiness.sources[source].stale is stale
        assert (readiness.verdict == "ready") is not stale


def test_seats_that_nobody_is_entitled_to_say_nothing() -> None:
    none = SourceReading[Adoption](as_of=TODAY, value=Adoption(active=Decimal(0), entitled=Decimal(0)))
    assert assess_readiness(GOOD.model_copy(update={"usage": none}), TODAY).score == 100


def test_readiness_and_risk_survive_a_newer_versions_fields() -> None:
    newer = {**assess_readiness(GOOD, TODAY).model_dump(mode="json"), "confidence": 0.9}
    assert RenewalReadiness.model_validate(newer).model_dump()["confidence"] == 0.9
    assert Risk.model_validate({"level": "low", "renewal_priority": "normal", "trend": "up"}).level == "low"


@pytest.mark.parametrize(
    ("days", "grace", "paid", "delinquent"),
    [(0, 0, False, False), (1, 0, False, True), (1, 0, True, False), (7, 7, False, False), (8, 7, False, True)],
)
def test_the_delinquency_line(days: int, grace: int, paid: bool, delinquent: bool) -> None:
    policy = CollectionsPolicy(grace_days=grace)
    assert is_delinquent(TODAY - timedelta(days=days), paid, TODAY, policy) is delinquent


def test_where_an_accounts_invoices_stand() -> None:
    policy = CollectionsPolicy(grace_days=3)
    invoices = [
        InvoiceStatus(id="new", due_on=TODAY + timedelta(days=10), paid=False),
        InvoiceStatus(id="grace", due_on=TODAY - timedelta(days=3), paid=False),
        InvoiceStatus(id="late", due_on=TODAY - timedelta(days=4), paid=False),
        InvoiceStatus(id="later", due_on=TODAY - timedelta(days=40), paid=False),
        InvoiceStatus(id="paid", due_on=TODAY - timedelta(days=90), paid=True),
    ]
    standing = delinquency(invoices, TODAY, policy)
    assert standing == CollectionStanding(delinquent=("later", "late"), oldest_due=TODAY - timedelta(days=40))
    assert next_due(invoices, TODAY, policy) == TODAY + timedelta(days=1)
    assert delinquency(invoices[:1], TODAY, policy) == CollectionStanding()
    assert next_due(invoices[2:], TODAY, policy) is None


INVOICES = st.lists(
    st.builds(
        InvoiceStatus,
        id=st.uuids().map(str),
        due_on=st.dates(TODAY - timedelta(days=20), TODAY + timedelta(days=20)),
        paid=st.booleans(),
    ),
    max_size=5,
)


@given(invoices=INVOICES, grace=st.integers(0, 10))
def test_nothing_changes_by_itself_before_the_next_due_day(invoices: list[InvoiceStatus], grace: int) -> None:
    policy = CollectionsPolicy(grace_days=grace)
    now = delinquency(invoices, TODAY, policy)
    due = next_due(invoices, TODAY, policy)
    if due is None:
        assert delinquency(invoices, TODAY + timedelta(days=400), policy) == now
    else:
        assert delinquency(invoices, due - timedelta(days=1), policy) == now
        assert delinquency(invoices, due, policy) != now
