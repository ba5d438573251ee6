"""What a renewal is expected to become: the worst that is known counts, always with a reason, and people may differ."""

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain import prospects
from domain.company import ForecastPolicy
from domain.messages import ForecastRenewal
from domain.policies.forecast import CATEGORIES, Outlook, forecast
from domain.policies.risk import Risk
from domain.refused import Refused
from domain.state import Decision, LifecycleState
from tests.states import ACTIVE, ENDS, EVERGREEN, at, live, ordered, renewing

OUTLOOKS = st.builds(
    Outlook,
    days=st.integers(-5, 400),
    auto_renew=st.booleans(),
    readiness=st.sampled_from([None, "ready", "attention", "at_risk"]),
    score=st.integers(0, 100),
    risk=st.sampled_from(["low", "medium", "high"]),
    overdue=st.booleans(),
    long_overdue=st.booleans(),
    opportunity=st.sampled_from([None, "open", "committed", "lost"]),
    opportunity_stage=st.just("Proposal"),
    escalated=st.booleans(),
)
WORSE: tuple[dict[str, Any], ...] = (
    {"risk": "high"},
    {"long_overdue": True},
    {"overdue": True},
    {"opportunity": "lost"},
    {"readiness": "at_risk"},
    {"escalated": True},
    {"days": 0},
    {"decided": "end"},
)


@given(OUTLOOKS)
def test_every_forecast_is_explained(outlook: Outlook) -> None:
    made = forecast(outlook)
    assert made.reasons
    assert all(reason.strip() for reason in made.reasons)


@given(OUTLOOKS, st.sampled_from(WORSE))
def test_worse_news_never_makes_a_better_forecast(outlook: Outlook, worse: dict[str, Any]) -> None:
    before, after = forecast(outlook), forecast(outlook.model_copy(update=worse))
    assert CATEGORIES.index(after.category) >= CATEGORIES.index(before.category)


@pytest.mark.parametrize(
    ("known", "category"),
    [
        ({"auto_renew": True}, "commit"),
        ({"auto_renew": True, "readiness": "ready", "score": 95}, "commit"),
        ({"auto_renew": True, "readiness": "attention", "score": 80}, "best_case"),
        ({"auto_renew": True, "risk": "medium"}, "best_case"),
        ({"auto_renew": True, "overdue": True}, "best_case"),
        ({"auto_renew": True, "overdue": True, "long_overdue": True}, "at_risk"),
        ({}, "best_case"),
        ({"opportunity": "committed", "opportunity_stage": "Verbal"}, "commit"),
        ({"opportunity": "lost", "opportunity_stage": "Closed Lost"}, "churn"),
        ({"days": 0}, "at_risk"),
        ({"decided": "renew", "by": "csm", "risk": "high"}, "commit"),
        ({"decided": "end", "by": "moved away"}, "churn"),
    ],
)
def test_each_fact_has_its_weight(known: dict[str, Any], category: str) -> None:
    assert forecast(Outlook(**{"days": 60} | known)).category == category


@pytest.mark.parametrize(
    ("stage", "says"), [("verbal commitment", "committed"), ("CLOSED LOST", "lost"), ("Proposal", "open")]
)
def test_the_stages_of_the_crm_are_read_as_the_company_says(stage: str, says: str) -> None:
    policy = ForecastPolicy(committed_stages=("Verbal Commitment",), lost_stages=("Closed Lost",))
    assert policy.reads(stage) == says


def shown(state: LifecycleState, day: date = ENDS - timedelta(days=60)) -> str | None:
    found = prospects.forecast_of(state, at(day))
    return found.category if found else None


def test_there_is_no_forecast_where_no_renewal_follows() -> None:
    assert shown(ordered()) is None
    assert shown(live(**EVERGREEN)) is None


def test_what_is_booked_is_the_next_term_with_its_quantities_and_nothing_charged_once() -> None:
    state = renewing()
    state.decision = Decision(outcome="renew", by="csm", on=ACTIVE)
    recurring = [line for line in state.known.lines if line.charge.value != "one_time"]
    state.decision.quantities = {recurring[0].id: Decimal(75)}
    found = prospects.forecast_of(state, at(ENDS - timedelta(days=60)))
    assert found is not None
    assert found.category == "commit"
    booking = found.booking
    assert booking is not None
    assert (booking.term, booking.starts, booking.ends) == (2, ENDS, date(2028, 12, 1))
    assert booking.quantities.keys() == {line.id for line in recurring}
    assert booking.quantities[recurring[0].id] == "75"


def test_who_leaves_books_nothing() -> None:
    state = renewing()
    state.ends_on, state.end_reason = ENDS, "moved away (csm)"
    found = prospects.forecast_of(state, at(ENDS - timedelta(days=60)))
    assert found is not None
    assert (found.category, found.booking, found.reasons) == ("churn", None, ["it ends: moved away (csm)"])


def by_hand(category: Any, reason: str = "they told us") -> ForecastRenewal:
    return ForecastRenewal(by="csm", category=category, reason=reason)


def give(state: LifecycleState, command: ForecastRenewal) -> str:
    prospects.check_forecast(state, command)
    return prospects.take_forecast(state, command, ACTIVE)


def test_a_forecast_by_hand_stands_beside_the_computed_one_until_it_is_withdrawn() -> None:
    state = renewing()
    state.risk = Risk(level="high", renewal_priority="urgent", reasons=("an invoice is 40 days overdue",))
    assert give(state, by_hand("commit")) == "the renewal after term 1 is forecast as commit"
    found = prospects.forecast_of(state, at(ENDS - timedelta(days=60)))
    assert found is not None
    assert (found.category, found.computed, found.by) == ("commit", "at_risk", "csm")
    assert found.reasons == ["they told us", "its risk is high", *found.reasons[2:]]
    give(state, by_hand(None))
    assert shown(state) == "at_risk"


def test_a_forecast_by_hand_stands_until_the_decision_and_not_in_the_next_term() -> None:
    state = renewing()
    give(state, by_hand("churn"))
    state.decision = Decision(outcome="renew", by="csm", on=ACTIVE)
    assert shown(state) == "commit"
    state.decision, state.term = None, 2
    assert shown(state) == "best_case"


@pytest.mark.parametrize(
    ("state", "command", "why"),
    [
        (ordered(), by_hand("commit"), "not activated"),
        (live(**EVERGREEN), by_hand("commit"), "no renewal follows"),
        (renewing(), by_hand("commit", "  "), "needs a reason"),
        (renewing(), by_hand(None), "nothing to withdraw"),
    ],
)
def test_what_is_no_forecast_is_refused(state: LifecycleState, command: ForecastRenewal, why: str) -> None:
    with pytest.raises(Refused, match=why):
        prospects.check_forecast(state, command)


def test_what_is_decided_is_not_forecast() -> None:
    state = renewing()
    state.ends_on = ENDS
    with pytest.raises(Refused, match="is decided"):
        prospects.check_forecast(state, by_hand("commit"))
