"""When a command is refused, and what it does to the state: fixes in flight, ends, cancellations, what is given up."""

from datetime import date, timedelta
from decimal import Decimal

import pytest

from domain import outcomes, plan
from domain.commands import check_cancel, check_end, check_fix, check_retry
from domain.messages import AmendmentWon, CancelOrder, EndContract, FixOrder, RetryStep, SupportChanged
from domain.order import OrderVerdict
from domain.outcomes import ORDER_CASE
from domain.projection import levels
from domain.reactions import react
from domain.refused import Refused
from domain.state import Decision, LifecycleState
from domain.steps import AmendSubscription, Level, Performed, SetHealth, Step, WriteStatus, fingerprint
from tests.states import ACTIVE, ENDS, at, fail, live, ordered, quantities, renewing

DAY = timedelta(days=1)
FIX = FixOrder(revision=2, by="ops")
CANCEL = CancelOrder(by="sales", reason="sold twice")


def upsell(state: LifecycleState, deal: str, seats: int) -> AmendSubscription:
    react(state, AmendmentWon(deal=deal, mode="difference", changes={"PLATFORM": Decimal(seats)}), ACTIVE)
    step = state.queue[-1]
    assert isinstance(step, AmendSubscription)
    return step


def drop(state: LifecycleState, case: str, *, under_way: bool = False) -> None:
    check_retry(state, RetryStep(case=case, by="ops", drop=True), under_way=under_way)
    outcomes.dropped(state, case, at(ACTIVE))


def end(state: LifecycleState, today: date, on: date | None = None) -> None:
    check_end(state, EndContract(by="csm", reason="moved away", on=on), today)
    outcomes.ended(state, on, today, "moved away")


def level(state: LifecycleState, key: str, day: date = ACTIVE) -> Level:
    [found] = [each for each in levels(state, at(day)) if each.key == key]
    return found


def test_an_id_that_is_none_is_asked_for_again() -> None:
    state = ordered()
    step = plan.create_customer(state)
    state.queue.append(step)
    fail(state, step, "IN_DOUBT")
    outcomes.retried(state, step.key, "cus_none", at(ACTIVE), recorded=True)
    fail(state, step, "NOT_FOUND")
    case = state.cases[step.key]
    assert case.view.mend.startswith(f"tenure fix {state.contract} --retry '{step.key}' --done-as ID")
    assert case.retry_at is None
    assert not step.anew, "a mistaken id says nothing about whether it is a new customer"


# ── corrections ──────────────────────────────────────────────────────────────────────────────────────────────────


def test_an_order_is_not_corrected_while_the_erp_makes_its_subscription() -> None:
    state = ordered()
    state.queue.append(plan.create_customer(state))
    check_fix(state, FIX, making=True)
    state.queue = [plan.create_subscription(state)]
    with pytest.raises(Refused, match="at this moment"):
        check_fix(state, FIX, making=True)
    check_fix(state, FIX, making=False)


@pytest.mark.parametrize("kind", ["OUTCOME_UNKNOWN", "CONTRACT_BROKEN", "IN_DOUBT", "BUSY", "INTERNAL"])
def test_an_order_whose_subscription_the_erp_may_hold_is_not_corrected(kind: str) -> None:
    state = ordered()
    fail(state, plan.create_subscription(state), kind)
    with pytest.raises(Refused, match="nobody knows whether"):
        check_fix(state, FIX)


@pytest.mark.parametrize("kind", ["REJECTED", "INVALID_INPUT", "SOURCE_UNAVAILABLE", "RATE_LIMITED"])
def test_an_order_that_the_erp_certainly_did_not_take_is_corrected(kind: str) -> None:
    state = ordered()
    step = plan.create_subscription(state)
    fail(state, step, kind)
    check_fix(state, FIX)
    outcomes.revised(state, 2)
    assert (state.sheet, state.queue, state.cases) == (None, [], {})


def test_a_correction_takes_everything_back_until_it_is_judged() -> None:
    state = ordered()
    sheet, first = state.sheet, plan.validate_order(state)
    fail(state, first, "CONTRACT_BROKEN")
    state.queue.append(plan.create_customer(state))
    outcomes.revised(state, 2)
    assert (state.order_revision, state.sheet, state.queue, state.cases) == (2, None, [], {})
    outcomes.done(state, first, Performed(id="", verdict=OrderVerdict(revision=1, sheet=sheet)), at(ACTIVE))
    assert state.sheet is None, "the verdict on what was corrected says nothing any more"
    second = plan.validate_order(state)
    outcomes.done(state, second, Performed(id="", verdict=OrderVerdict(revision=2, sheet=sheet)), at(ACTIVE))
    assert state.sheet == sheet


# ── cancelling ───────────────────────────────────────────────────────────────────────────────────────────────────


def test_an_activation_that_the_erp_refused_can_be_cancelled_and_no_other() -> None:
    state = ordered()
    step = plan.activate_order(state, ACTIVE)
    state.queue.append(step)
    with pytest.raises(Refused, match="or is at it"):
        check_cancel(state, CANCEL, under_way=False)
    fail(state, step, "OUTCOME_UNKNOWN")
    with pytest.raises(Refused, match="or is at it"):
        check_cancel(state, CANCEL, under_way=False)
    fail(state, step, "REJECTED")
    with pytest.raises(Refused, match="or is at it"):
        check_cancel(state, CANCEL, under_way=True)
    check_cancel(state, CANCEL, under_way=False)
    outcomes.cancelled(state, "sold twice")
    assert (state.queue, state.cases) == ([], {})


def test_a_cancelled_order_gets_no_case_from_a_verdict_that_comes_after() -> None:
    state = ordered()
    state.sheet = None
    step = plan.validate_order(state)
    state.queue.append(step)
    outcomes.cancelled(state, "sold twice")
    outcomes.done(state, step, Performed(id="", verdict=OrderVerdict(revision=1)), at(ACTIVE))
    outcomes.failed(state, step, "INTERNAL", "late", at(ACTIVE), DAY)
    assert (state.cases, state.queue) == ({}, [])
    assert ORDER_CASE not in state.cases


@pytest.mark.parametrize("blank", ["", "  "])
def test_nobody_cancels_or_ends_without_a_reason(blank: str) -> None:
    with pytest.raises(Refused, match="needs a reason"):
        check_cancel(ordered(), CancelOrder(by="sales", reason=blank), under_way=False)
    with pytest.raises(Refused, match="needs a reason"):
        check_end(live(), EndContract(by="sales", reason=blank), ACTIVE)


# ── ending ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_renewal_that_the_erp_refused_can_be_ended_instead() -> None:
    state = renewing()
    state.decision = Decision(outcome="renew", by="csm", on=ACTIVE)
    step = plan.renew_subscription(state)
    fail(state, step, "SOURCE_UNAVAILABLE")
    with pytest.raises(Refused, match="is decided: renew"):
        end(state, ACTIVE)
    fail(state, step, "REJECTED")
    end(state, ACTIVE)
    assert (state.ends_on, state.queue, state.cases) == (ENDS, [], {})


def test_a_contract_out_of_term_ends_on_any_day_from_today_on() -> None:
    today = ENDS + 9 * DAY
    for on in (today, today + DAY, today + 30 * DAY, None):
        state = renewing()
        end(state, today, on)
        assert state.ends_on == (on or today)
    with pytest.raises(Refused, match="in the past"):
        end(renewing(), today, ENDS)
    with pytest.raises(Refused, match=f"the term ends on {ENDS}"):
        end(renewing(), ENDS - DAY, ENDS + DAY)


def test_what_was_still_to_serve_or_renew_a_contract_is_given_up_when_it_is_over() -> None:
    state = renewing()
    term = state.term_now()
    assert term is not None
    waiting: list[Step] = [
        plan.launch_onboarding(state, ACTIVE),
        plan.create_renewal_opportunity(state, term),
        plan.start_playbook(state, term),
        plan.post_note(state, term),
    ]
    bill = plan.start_billing(state, "2", ACTIVE)
    state.queue = [*waiting, bill]
    fail(state, waiting[0], "SOURCE_UNAVAILABLE")
    outcomes.closed(state)
    assert (state.closed, state.queue, state.cases) == (True, [bill], {})


# ── giving up ────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_refused_amendment_is_given_up_and_the_quantities_are_what_they_were() -> None:
    state = live()
    step = upsell(state, "UP-1", 25)
    fail(state, step)
    drop(state, step.key)
    assert (quantities(state), state.queue, state.cases) == (["1", "50", "1"], [], {})
    react(state, AmendmentWon(deal="UP-1", mode="difference", changes={"PLATFORM": Decimal(25)}), ACTIVE)
    assert state.queue == [], "what was given up is not asked again"


def test_a_later_amendment_keeps_its_target_when_the_one_before_it_is_given_up() -> None:
    state = live()
    first, second = upsell(state, "UP-1", 25), upsell(state, "UP-2", 5)
    fail(state, first)
    drop(state, first.key)
    assert (quantities(state), second.quantities) == (["1", "80", "1"], {"2": Decimal(80)})
    fail(state, second)
    drop(state, second.key)
    assert quantities(state) == ["1", "50", "1"]


def test_an_earlier_amendment_is_kept_when_the_one_after_it_is_given_up() -> None:
    state = live()
    upsell(state, "UP-1", 25)
    second = upsell(state, "UP-2", 5)
    fail(state, second)
    drop(state, second.key)
    assert quantities(state) == ["1", "75", "1"]


def test_a_renewal_s_refused_quantities_are_given_up_before_or_after_its_term_begins() -> None:
    for begun in (False, True):
        state = renewing()
        state.decision = Decision(outcome="renew", by="deal", on=ACTIVE, quantities={"2": Decimal(75)})
        step = plan.amend_with_renewal(state)
        assert step is not None
        fail(state, step)
        if begun:
            state.quantities |= state.decision.quantities
            state.term, state.decision = 2, None
        drop(state, step.key)
        assert quantities(state) == ["1", "50", "1"]
        assert state.decision is None or state.decision.quantities == {}


def test_an_amendment_that_the_erp_may_hold_is_not_given_up() -> None:
    for kind in ("IN_DOUBT", "OUTCOME_UNKNOWN"):
        state = live()
        step = upsell(state, "UP-1", 25)
        fail(state, step, kind)
        with pytest.raises(Refused, match="nobody knows whether"):
            drop(state, step.key)


def test_what_a_contract_can_not_do_without_is_not_given_up() -> None:
    state = live()
    state.ends_on = ACTIVE
    for step in (
        plan.end_subscription(state, ACTIVE),
        plan.start_billing(state, "2", ACTIVE),
        plan.ensure_company(state),
    ):
        fail(state, step)
        with pytest.raises(Refused, match="can't do without"):
            drop(state, step.key)


def test_the_status_of_a_deal_that_is_gone_is_given_up_until_there_is_another_to_tell() -> None:
    state = live()
    status = level(state, "crm.write_status")
    fail_level(state, status)
    drop(state, status.key)
    assert state.told[status.key] == fingerprint(level(state, status.key))
    state.closed = True
    assert state.told[status.key] != fingerprint(level(state, status.key))


def test_a_step_that_is_being_tried_is_neither_taken_as_done_nor_given_up() -> None:
    state = live()
    step = upsell(state, "UP-1", 25)
    fail(state, step)
    for command in (RetryStep(case=step.key, by="ops", done_as="amd_9"), RetryStep(case=step.key, by="ops", drop=True)):
        with pytest.raises(Refused, match="being tried at this moment"):
            check_retry(state, command, under_way=True)
        check_retry(state, command, under_way=False)
    check_retry(state, RetryStep(case=step.key, by="ops"), under_way=True)


# ── levels ───────────────────────────────────────────────────────────────────────────────────────────────────────


def fail_level(state: LifecycleState, step: Step) -> None:
    outcomes.failed(state, step, "REJECTED", "no", at(ACTIVE), DAY)


def test_a_level_that_went_back_to_what_was_told_closes_its_case() -> None:
    state = live()
    calm = level(state, "cs.set_health")
    outcomes.done(state, calm, Performed(id="co_1"), at(ACTIVE))
    react(state, SupportChanged(severities={1: 1}), ACTIVE)
    fail_level(state, level(state, "cs.set_health"))
    outcomes.settle_levels(state, at(ACTIVE))
    assert list(state.cases) == ["cs.set_health"], "it is still to be told"
    react(state, SupportChanged(severities={}), ACTIVE)
    outcomes.settle_levels(state, at(ACTIVE))
    assert state.cases == {}


class WiderHealth(SetHealth):
    sponsor_left: bool = False


class WiderStatus(WriteStatus):
    csm: str | None = None


def test_a_field_that_is_added_with_a_default_is_no_news_to_older_lifecycles() -> None:
    state = live()
    health, status = level(state, "cs.set_health"), level(state, "crm.write_status")
    assert fingerprint(WiderHealth(**health.model_dump())) == fingerprint(health)
    assert fingerprint(WiderStatus(**status.model_dump())) == fingerprint(status)
    assert fingerprint(WiderStatus(**status.model_dump(), csm="u1")) != fingerprint(status)


def test_the_last_month_and_days_dated_ahead_are_due_by_time_alone() -> None:
    state = renewing()
    near = state.last_month()
    assert near is not None
    assert near.date() == date(2027, 10, 31), "the first of November in Berlin"
    for day, reached in ((ENDS - 31 * DAY, False), (ENDS - 30 * DAY, True)):
        health = level(state, "cs.set_health", day)
        assert isinstance(health, SetHealth)
        assert health.last_month is reached
    state.milestones["go-live"] = ACTIVE + 3 * DAY
    line = state.known.lines[1]
    assert state.next_date(line, ACTIVE) is not None
    assert state.next_date(line, ACTIVE + 3 * DAY) is None
