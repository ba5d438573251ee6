"""A contract that goes to another account and back: its keys, steps and cases follow, and nothing is left behind."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain import keys, plan
from domain.messages import MoveAccount
from domain.moving import check_back, move
from domain.refused import Refused
from domain.state import LifecycleState
from domain.steps import CreateRenewalOpportunity
from tests.states import CONTRACT, fail, live, ordered

HERE, THERE = "ACC-HOOLI", "ACC-GROUP"
THERES = {keys.customer(THERE, "ACME-DE"): "cus_9", keys.company(THERE): "co_9"}


def go(state: LifecycleState, **known: Any) -> None:
    move(state, MoveAccount(move="1", account=HERE, into=THERE, **known))


def back(state: LifecycleState) -> None:
    check_back(state, THERE, HERE)
    move(state, MoveAccount(move="1", account=THERE, into=HERE, back=True))


def dump(state: LifecycleState) -> dict[str, Any]:
    return state.model_dump(mode="json")


def test_a_live_contract_keeps_its_customer_and_takes_the_company_of_the_other_account() -> None:
    state = live()
    go(state, known=THERES)
    assert (state.account, state.customer, state.company) == (THERE, "cus_1", "co_9")
    assert not any(HERE in key for key in state.effects)
    again = dump(state)
    go(state, known=THERES)
    assert dump(state) == again


def test_an_order_that_waits_for_its_customer_takes_the_one_that_is_there() -> None:
    state = ordered()
    fail(state, plan.create_customer(state), "FENCED")
    go(state, known=THERES)
    assert (state.queue, state.cases) == ([], {})
    assert state.customer == "cus_9"
    with pytest.raises(Refused, match="has taken cus_9"):
        check_back(state, THERE, HERE)


def test_without_one_there_it_asks_for_its_own_under_the_new_key() -> None:
    state = ordered()
    fail(state, plan.create_customer(state), "FENCED")
    go(state)
    [step] = state.queue
    assert (step.key, getattr(step, "account", "")) == (f"customer:{THERE}:ACME-DE", THERE)
    [case] = state.cases.values()
    assert (case.view.id, HERE in case.view.mend) == (step.key, False)


def test_a_step_that_was_sent_stays_as_it_is_and_another_goes_to_the_new_account() -> None:
    term = live().term_now()
    assert term is not None
    for sent in (True, False):
        state = live()
        state.queue.append(plan.create_renewal_opportunity(state, term))
        go(state, sent=(keys.renewal_opportunity(CONTRACT, 1),) if sent else ())
        [step] = state.queue
        assert isinstance(step, CreateRenewalOpportunity)
        assert step.account == (HERE if sent else THERE)


def test_what_was_never_moved_has_nothing_to_go_back_to() -> None:
    state = live()
    before = dump(state)
    back(state)
    assert dump(state) == before
    go(state)
    with pytest.raises(Refused, match="has come from ACC-HOOLI"):
        check_back(state, THERE, "ACC-ELSE")


@given(
    st.sampled_from(["live", "ordered"]),
    st.sampled_from([None, "FENCED", "REJECTED", "IN_DOUBT"]),
    st.booleans(),
    st.booleans(),
)
def test_there_and_back_is_where_it_was(stage: str, failed: str | None, known: bool, renewing: bool) -> None:
    state = live() if stage == "live" else ordered()
    if failed and stage == "ordered":
        fail(state, plan.create_customer(state), failed)
    term = state.term_now()
    if renewing and stage == "live" and term is not None:
        state.queue.append(plan.create_renewal_opportunity(state, term))
    before = dump(state)
    go(state, known=THERES if known and stage == "live" else {})
    assert HERE not in {key.split(":")[1] for key in [*state.effects, *state.cases] if key.startswith("c")}
    back(state)
    assert dump(state) == before
