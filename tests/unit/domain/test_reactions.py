"""What an event does to a lifecycle, or why it is refused: milestones, amendments, renewal deals, repeats."""

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from pydantic import ValidationError

from domain import keys, plan
from domain.messages import (
    AmendmentWon,
    EventBatch,
    LifecycleEvent,
    MilestoneReached,
    RenewalLost,
    RenewalWon,
    SubscriptionReported,
    SupportChanged,
)
from domain.outcomes import done
from domain.reactions import REMEMBERED, react, receive, receive_one
from domain.refused import Refused
from domain.state import LifecycleState
from domain.steps import AmendSubscription, Performed
from tests.states import ACTIVE, CONTRACT, ENDS, SIGNED, at, fail, live, ordered, quantities, renewing

TODAY = date(2027, 9, 15)
DAY = timedelta(days=1)


def tell(state: LifecycleState, *events: LifecycleEvent, since: int = 1) -> list[tuple[str, str]]:
    for seq, event in enumerate(events, since):
        event.seq = seq
    return [(each.outcome, each.reason) for each in receive(state, EventBatch(events=list(events)), TODAY)]


def refused(state: LifecycleState, event: LifecycleEvent) -> str:
    """The reason, having made sure that nothing was changed."""
    before = state.model_dump(mode="json")
    with pytest.raises(Refused) as caught:
        react(state, event, TODAY)
    assert state.model_dump(mode="json") == before
    return str(caught.value)


def upsell(quantity: str = "25", product: str = "PLATFORM", mode: Any = "difference") -> AmendmentWon:
    return AmendmentWon(deal="UP-1", mode=mode, changes={product: Decimal(quantity)})


def amendments(state: LifecycleState) -> list[AmendSubscription]:
    return [step for step in state.queue if isinstance(step, AmendSubscription)]


# ── repeats ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_refused_event_whose_answer_was_lost_is_refused_again_with_its_reason() -> None:
    state = live()
    first = tell(state, upsell(product="ROCKETS"), SupportChanged(severities={1: 1}))
    assert [outcome for outcome, _ in first] == ["refused", "applied"]
    again = tell(state, upsell(product="ROCKETS"), SupportChanged(severities={1: 1}))
    assert again == [first[0], ("stale", "")]


def test_refusals_are_remembered_across_runs_and_not_without_end() -> None:
    state = live()
    for seq in range(1, 2 * REMEMBERED):
        tell(state, upsell(product="ROCKETS"), since=seq)
    state = LifecycleState.model_validate_json(state.model_dump_json())
    assert len(state.refusals) <= REMEMBERED + 1
    assert tell(state, upsell(product="ROCKETS"), since=2 * REMEMBERED - 1)[0][0] == "refused"
    assert tell(state, upsell(product="ROCKETS"), since=1) == [("stale", "")]


def test_a_signal_with_a_high_number_does_not_silence_the_stream() -> None:
    state = live()
    receive_one(state, {"kind": "support_changed", "severities": {"2": 1}, "seq": 5000}, TODAY)
    assert (state.severities, state.last_seq) == ({2: 1}, 0)
    assert tell(state, SupportChanged(severities={}))[0][0] == "applied"
    with pytest.raises(ValidationError):
        receive_one(state, {"kind": "support_changed"}, TODAY)


# ── milestones ───────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_milestone_before_the_signature_is_refused() -> None:
    state = live()
    assert f"before the signature on {SIGNED}" in refused(state, MilestoneReached(milestone="go-live", on=SIGNED - DAY))
    react(state, MilestoneReached(milestone="go-live", on=SIGNED), TODAY)
    assert state.milestones == {"go-live": SIGNED}


def test_a_milestone_reported_before_the_order_could_be_read_bills_nothing_before_the_signature() -> None:
    state = ordered()
    sheet, state.sheet = state.sheet, None
    react(state, MilestoneReached(milestone="go-live", on=date(2020, 1, 1)), TODAY)
    state.sheet = sheet
    assert state.billing_facts.milestones == {"go-live": SIGNED}


# ── amendments ───────────────────────────────────────────────────────────────────────────────────────────────────


def test_an_upsell_is_one_step_with_target_quantities() -> None:
    state = live()
    react(state, upsell(), TODAY)
    [step] = amendments(state)
    assert (step.key, step.effective) == (keys.amendment(CONTRACT, "UP-1"), TODAY)
    assert step.quantities == {"2": Decimal(75)}
    assert quantities(state) == ["1", "75", "1"]


@pytest.mark.parametrize(
    ("event", "reason"),
    [
        (upsell(product="ROCKETS"), "no line for ROCKETS; it has ONBOARDING, PLATFORM, SUPPORT-PREMIUM"),
        (upsell(quantity="0.5"), "sold in whole numbers, not 50.5"),
        (upsell(quantity="99999", mode="target"), "at most 5000 are sold"),
        (upsell(quantity="4951"), "at most 5000 are sold"),
        (upsell(quantity="-50"), "would have the quantity 0"),
        (upsell(quantity="-1", mode="target"), "would have the quantity -1"),
    ],
)
def test_an_upsell_obeys_what_the_order_itself_must_obey(event: AmendmentWon, reason: str) -> None:
    assert reason in refused(live(), event)


def test_a_product_in_two_lines_is_not_amended_by_guessing() -> None:
    state = live(**{"lines[3]": {**TWIN, "quantity": "10"}})
    assert "PLATFORM stands in 2 lines" in refused(state, upsell())


TWIN = {"id": "4", "product": "PLATFORM", "unit_price": "1200", "billing_start": "on_activation"}


def test_the_same_upsell_adds_nothing_while_the_first_waits_is_in_doubt_or_is_done() -> None:
    state = live()
    react(state, upsell(), TODAY)
    [step] = amendments(state)
    react(state, upsell(), TODAY)
    fail(state, step, "IN_DOUBT")
    assert step.key in state.doubts
    react(state, upsell(), TODAY)
    assert (quantities(state), state.queue) == (["1", "75", "1"], [])
    del state.doubts[step.key]
    done(state, step, Performed(id="amd_1"), at(TODAY))
    react(state, upsell(), TODAY)
    assert (quantities(state), state.queue) == (["1", "75", "1"], [])


# ── renewal deals ────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("event", [RenewalWon(opportunity="006-renewal-1"), RenewalLost(opportunity="006-renewal-1")])
def test_an_earlier_term_s_opportunity_decides_nothing(event: LifecycleEvent) -> None:
    state = renewing()
    state.term = state.window_opened = 2
    assert "was for the renewal after term 1; this is term 2" in refused(state, event)
    state.effects[keys.renewal_opportunity(CONTRACT, 2)] = "006-renewal-2"
    react(state, event.model_copy(update={"opportunity": "006-renewal-2"}), TODAY)
    assert state.decision is not None


def test_a_deal_that_the_sales_people_made_themselves_decides_the_running_term() -> None:
    state = renewing()
    react(state, RenewalWon(opportunity="006-by-hand"), TODAY)
    assert state.decision is not None
    assert state.decision.outcome == "renew"


def test_a_won_renewal_s_other_quantities_are_amended_from_the_next_term_s_first_day() -> None:
    state = renewing()
    won = {"PLATFORM": Decimal(75), "SUPPORT-PREMIUM": Decimal(1)}
    react(state, RenewalWon(opportunity="006-renewal-1", quantities=won), TODAY)
    assert state.decision is not None
    assert quantities(state) == ["1", "50", "1"], "the running term stays as it is"
    step = plan.amend_with_renewal(state)
    assert step is not None
    assert (step.effective, step.quantities) == (date(2027, 12, 1), {"2": Decimal(75)})
    assert step.former == {"2": Decimal(50)}


def test_a_renewal_without_lines_or_with_the_same_ones_changes_no_quantity() -> None:
    for same in ({}, {"PLATFORM": Decimal("50.0")}):
        state = renewing()
        react(state, RenewalWon(opportunity="006-renewal-1", quantities=same), TODAY)
        assert state.decision is not None
        assert state.decision.quantities == {}


def test_a_renewal_that_repeats_a_product_s_two_lines_is_no_riddle() -> None:
    state = renewing(**{"lines[3]": {**TWIN, "quantity": "10"}})
    assert "PLATFORM stands in 2 lines" in refused(state, renewal_of(61))
    react(state, renewal_of(60), TODAY)
    assert state.decision is not None


def renewal_of(seats: int) -> RenewalWon:
    return RenewalWon(opportunity="006-renewal-1", quantities={"PLATFORM": Decimal(seats)})


@pytest.mark.parametrize(
    ("product", "quantity", "reason"),
    [
        ("ANALYTICS", "5", "no line for ANALYTICS"),
        ("PLATFORM", "5001", "at most 5000"),
        ("PLATFORM", "0", "y 0"),
    ],
)
def test_a_renewal_that_the_contract_can_not_hold_decides_nothing(product: str, quantity: str, reason: str) -> None:
    won = RenewalWon(opportunity="006-renewal-1", quantities={product: Decimal(quantity)})
    assert reason in refused(renewing(), won)


def test_other_quantities_after_the_decision_are_not_lost_in_silence() -> None:
    state = renewing()
    react(state, RenewalWon(opportunity="006-renewal-1"), ACTIVE)
    assert "renewed already" in refused(state, renewal_of(75))
    react(state, RenewalWon(opportunity="006-renewal-1"), TODAY)


def test_what_the_erp_says_of_the_subscription_is_kept_as_it_is_told_last() -> None:
    state = live()
    assert (state.erp_status, state.erp_entitled, state.erp_ends) == (None, None, None)
    tell(state, SubscriptionReported(status="active", entitled=False))
    assert (state.erp_status, state.erp_entitled, state.erp_ends) == ("active", False, None)
    tell(state, SubscriptionReported(status="ended", ends=ENDS), SubscriptionReported(), since=2)
    assert (state.erp_status, state.erp_entitled, state.erp_ends) == ("active", True, None)


def test_a_deal_that_ends_where_no_calendar_counts_is_refused() -> None:
    won = AmendmentWon(deal="006-far", mode="target", changes={}, ends=date(9999, 12, 31))
    assert refused(live(), won) == "the contract could not go on from there: year 10000 is out of range"
