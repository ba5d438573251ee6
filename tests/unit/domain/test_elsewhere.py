"""A corrected order that would go to another system, and steps that wait for a frozen one."""

from datetime import timedelta

from domain import outcomes, plan
from domain.order import OrderVerdict
from domain.outcomes import ORDER_CASE, done, failed, judged, revised
from domain.state import LifecycleState
from domain.steps import Performed
from tests.states import ACTIVE, at, live, ordered

NOW = at(ACTIVE)
MINUTE = timedelta(minutes=1)


def routed(state: LifecycleState, erp: str, *, home: bool = False, revision: int = 2) -> OrderVerdict:
    scopes = {} if home else {"erp": erp}
    return OrderVerdict(revision=revision, sheet=ordered().sheet, connections={"erp": erp, "cs": "cs"}, scopes=scopes)


def test_an_order_without_a_customer_goes_wherever_its_correction_sends_it() -> None:
    state = ordered()
    judged(state, routed(state, "us"), NOW)
    revised(state, 2)
    judged(state, routed(state, "eu"), NOW)
    assert (state.connection("erp"), state.connection("cs"), state.connection("usage")) == ("eu", "cs", "usage")
    assert plan.create_customer(state).key == "customer:ACC-HOOLI:ACME-DE@eu"
    assert plan.ensure_company(state).key == "company:ACC-HOOLI", "at its kind's home"


def test_an_order_with_a_customer_stays_where_that_is_and_says_why() -> None:
    state = ordered()
    judged(state, routed(state, "us"), NOW)
    done(state, plan.create_customer(state), Performed(id="5"), NOW)
    assert state.customer == "5"
    revised(state, 2)
    judged(state, routed(state, "eu"), NOW)
    assert state.sheet is None
    case = state.cases[ORDER_CASE].view
    assert case.kind == "invalid_order"
    assert "would go to eu now, and its customer is in us already" in case.reasons[0]
    revised(state, 3)
    judged(state, routed(state, "us", revision=3), NOW)
    assert (state.cases, state.customer, state.connection("erp")) == ({}, "5", "us")


def test_a_lifecycle_from_before_stays_at_home() -> None:
    state = ordered()
    assert state.connection("erp") == "erp"
    done(state, plan.create_customer(state), Performed(id="5"), NOW)
    revised(state, 2)
    judged(state, routed(state, "netsuite", home=True), NOW)
    assert (state.customer, state.cases) == ("5", {})
    revised(state, 3)
    judged(state, routed(state, "eu", revision=3), NOW)
    assert list(state.cases) == [ORDER_CASE]


def test_a_freeze_neither_grows_the_pauses_nor_counts_as_another_try() -> None:
    state = live()
    state.connections = {"erp": "eu"}
    step = plan.cancel_subscription(state)
    state.queue.append(step)
    failed(state, step, "SOURCE_UNAVAILABLE", "no answer", NOW, MINUTE)
    for _ in range(3):
        failed(state, step, "FROZEN", "eu is frozen", NOW, 10 * MINUTE)
    case = state.cases[step.key]
    assert (case.failures, case.retry_at) == (1, NOW + 10 * MINUTE)
    assert (case.view.kind, case.view.connection, case.view.actor) == ("frozen", "eu", "ops")
    assert "tenure thaw eu (or tenure thaw, where everything is frozen)" in case.view.mend
    assert state.generations == {}, "nobody has said that what may have been sent was not done"
    outcomes.retried(state, step.key, None, NOW)
    assert state.cases[step.key].retry_at == NOW
    failed(state, step, "SOURCE_UNAVAILABLE", "no answer", NOW, MINUTE)
    assert state.cases[step.key].failures == 2
