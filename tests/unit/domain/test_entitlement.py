"""Whether a customer may use what it bought, as the ERP's facts say, and since when."""

from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain import prospects
from domain.messages import CollectionsChanged
from domain.policies.entitlement import ENTITLED, EntitlementFacts, entitlement
from domain.reactions import react
from domain.state import Decision
from tests.states import ACTIVE, ENDS, at, live, ordered, renewing

TODAY = date(2027, 6, 1)
DAYS = st.dates(TODAY - timedelta(days=400), TODAY + timedelta(days=400))
FACTS = st.builds(
    EntitlementFacts,
    today=st.just(TODAY),
    cancelled=st.booleans(),
    activated_on=st.none() | DAYS,
    ends_on=st.none() | DAYS,
    closed=st.booleans(),
    term_over=st.none() | DAYS,
    hold=st.none() | st.just("unpaid"),
    overdue_since=st.none() | DAYS,
    grace_over=st.booleans(),
    erp_status=st.sampled_from([None, "draft", "active", "ended", "cancelled"]),
    erp_entitled=st.none() | st.booleans(),
)
SERVED = EntitlementFacts(today=TODAY, activated_on=ACTIVE)


@given(FACTS)
def test_every_entitlement_is_explained_and_nobody_has_one_before_the_activation_or_after_the_end(
    facts: EntitlementFacts,
) -> None:
    made = entitlement(facts)
    assert made.level in ENTITLED
    assert made.reason
    if facts.activated_on is None:
        assert made.level == "none"
    elif facts.ends_on is not None and facts.ends_on <= TODAY and not facts.cancelled:
        assert (made.level, made.since) == ("ended", facts.ends_on)


@given(FACTS)
def test_a_hold_never_entitles(facts: EntitlementFacts) -> None:
    held = entitlement(facts.model_copy(update={"hold": "unpaid"}))
    assert held.level in ("none", "suspended", "ended")


@pytest.mark.parametrize(
    ("known", "level"),
    [
        ({}, "active"),
        ({"erp_status": "active", "erp_entitled": True}, "active"),
        ({"erp_status": "ended", "erp_entitled": True}, "active"),  # its end is ordered, and has not come
        ({"erp_status": "ended", "erp_entitled": False}, "ended"),
        ({"erp_status": "cancelled"}, "ended"),
        ({"erp_status": "active", "erp_entitled": False}, "suspended"),
        ({"hold": "unpaid"}, "suspended"),
        ({"hold": "unpaid", "overdue_since": TODAY}, "suspended"),
        ({"overdue_since": TODAY}, "grace"),
        ({"overdue_since": TODAY, "grace_over": True}, "suspended"),
        ({"term_over": TODAY}, "grace"),
        ({"term_over": TODAY, "erp_status": "active", "erp_entitled": False}, "grace"),
        ({"ends_on": TODAY}, "ended"),
        ({"ends_on": TODAY + timedelta(days=1)}, "active"),
        ({"closed": True}, "ended"),
        ({"cancelled": True}, "none"),
    ],
)
def test_the_strongest_fact_wins(known: dict[str, Any], level: str) -> None:
    assert entitlement(SERVED.model_copy(update=known)).level == level


def test_a_life_goes_through_its_entitlements() -> None:
    assert prospects.entitlement_of(ordered(), at(ACTIVE)).level == "none"
    state = renewing()
    assert prospects.entitlement_of(state, at(ACTIVE)).since == ACTIVE
    react(state, CollectionsChanged(delinquent=("INV-1",), overdue_since=TODAY), TODAY)
    assert prospects.entitlement_of(state, at(TODAY)).level == "grace"
    react(state, CollectionsChanged(delinquent=("INV-1",), overdue_since=TODAY, grace_over=True), TODAY)
    assert prospects.entitlement_of(state, at(TODAY)).level == "suspended"
    react(state, CollectionsChanged(), TODAY)
    assert prospects.entitlement_of(state, at(TODAY)).level == "active"
    undecided = prospects.entitlement_of(state, at(ENDS))
    assert (undecided.level, undecided.since) == ("grace", ENDS)
    state.decision = Decision(outcome="renew", by="csm", on=ENDS)
    assert prospects.entitlement_of(state, at(ENDS)).level == "active"
    state.decision, state.ends_on = None, ENDS
    assert prospects.entitlement_of(state, at(ENDS - timedelta(days=1))).level == "active"
    assert prospects.entitlement_of(state, at(ENDS)).level == "ended"


def test_a_hold_of_the_state_suspends() -> None:
    state = live()
    state.hold = "unpaid"
    assert prospects.entitlement_of(state, at(TODAY)).reason == "credit hold: unpaid"
