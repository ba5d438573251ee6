"""Upsells that come before their time, corrections of the order from outside, and renewals that somebody decided."""

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest

from domain import keys, plan
from domain.messages import AmendmentWon, OrderCorrected, RenewalSettled
from domain.outcomes import done, retried
from domain.reactions import amend_early, react
from domain.refused import Refused
from domain.state import LifecycleState
from domain.steps import AmendSubscription, CreateSubscription, Performed, ValidateOrder
from tests.states import ACTIVE, CONTRACT, at, fail, live, ordered, quantities, renewing

TODAY = ACTIVE + timedelta(days=14)


def upsell(deal: str = "UP-1", product: str = "PLATFORM", quantity: str = "25") -> AmendmentWon:
    return AmendmentWon(deal=deal, mode="difference", changes={product: Decimal(quantity)})


def activate(state: LifecycleState) -> None:
    state.effects[keys.subscription(CONTRACT)] = "sub_1"
    done(state, plan.activate_order(state, ACTIVE), Performed(id="act_1", on=ACTIVE), at(ACTIVE))
    amend_early(state, TODAY, at(TODAY))


def test_an_upsell_that_is_won_before_the_activation_amends_after_it_once() -> None:
    state, usual = ordered(), live()
    for deal in ("UP-1", "UP-2", "UP-1"):
        react(state, upsell(deal), TODAY)
        react(usual, upsell(deal), TODAY)
    assert [step for step in state.queue if isinstance(step, AmendSubscription)] == []
    state = LifecycleState.model_validate_json(state.model_dump_json())
    activate(state)
    amend_early(state, TODAY, at(TODAY))
    assert state.queue == usual.queue
    assert quantities(state) == quantities(usual)


def test_an_early_upsell_that_does_not_fit_is_a_case_that_a_person_puts_away() -> None:
    state = ordered()
    react(state, upsell(product="ROCKETS"), TODAY)
    react(state, upsell("UP-2"), TODAY)
    activate(state)
    [case] = state.cases
    assert state.cases[case].view.kind == "refused_amendment"
    assert "no line for ROCKETS" in state.cases[case].view.reasons[0]
    assert case in state.cases[case].view.mend
    assert len([step for step in state.queue if isinstance(step, AmendSubscription)]) == 1
    retried(state, case, None, at(TODAY))
    assert state.cases == {}


def test_a_corrected_order_is_judged_anew_and_told_twice_is_judged_once() -> None:
    state = ordered()
    state.queue = [plan.create_subscription(state)]
    for _ in range(2):
        react(state, OrderCorrected(revision=2), TODAY)
    assert (state.order_revision, state.sheet) == (2, None)
    assert [type(step) for step in state.queue] == [ValidateOrder]


def refused(state: LifecycleState, **how: Any) -> str:
    before = state.model_dump(mode="json")
    with pytest.raises(Refused) as caught:
        react(state, OrderCorrected(revision=2), TODAY, **how)
    assert state.model_dump(mode="json") == before
    return str(caught.value)


def test_an_order_that_the_erp_has_or_may_have_is_not_corrected() -> None:
    assert "activated already" in refused(live())
    making = ordered()
    making.queue = [plan.create_subscription(making)]
    assert "at this moment" in refused(making, making=True)
    doubtful = ordered()
    fail(doubtful, plan.create_subscription(doubtful), "OUTCOME_UNKNOWN")
    assert isinstance(doubtful.queue[0], CreateSubscription)
    assert "nobody knows" in refused(doubtful)


@pytest.mark.parametrize(("outcome", "ends"), [("renew", None), ("end", date(2027, 12, 1))])
def test_whoever_is_entitled_to_decide_decides_the_running_term(outcome: Any, ends: date | None) -> None:
    state = renewing()
    react(state, RenewalSettled(outcome=outcome, by="the board"), TODAY)
    assert state.decision is not None
    assert (state.decision.outcome, state.decision.by, state.ends_on) == (outcome, "the board", ends)
    other = "end" if outcome == "renew" else "renew"
    with pytest.raises(Refused, match="already decided"):
        react(state, RenewalSettled(outcome=other, by="somebody"), TODAY)
