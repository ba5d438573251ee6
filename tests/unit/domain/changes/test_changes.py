"""Each change: what it does, and what it refuses."""

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from domain import plan
from domain.calendar import start_of_day
from domain.changes.kinds import (
    Amend,
    AmendAtRenewal,
    Change,
    CoTerm,
    Extend,
    GiveNotice,
    Pause,
    Renew,
    Resume,
    Terminate,
    WithdrawNotice,
)
from domain.reactions import begin_next_term
from domain.state import Decision
from domain.steps import AmendSubscription, ChangeTerm
from tests.changing import ADDED, TODAY, give, refused, term_ends
from tests.states import ENDS, EVERGREEN, live, ordered, renewing

# ── amend ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_quantities_go_up_and_down_to_their_targets() -> None:
    state = live()
    give(state, Amend(quantities={"PLATFORM": Decimal(75)}), "up")
    give(state, Amend(quantities={"2": Decimal(40)}, effective=date(2027, 5, 1)), "down")
    up, down = state.queue
    assert isinstance(up, AmendSubscription)
    assert isinstance(down, AmendSubscription)
    assert (up.effective, up.quantities, up.former) == (TODAY, {"2": Decimal(75)}, {"2": Decimal(50)})
    assert (down.effective, down.quantities, down.former) == (date(2027, 5, 1), {"2": Decimal(40)}, {"2": Decimal(75)})
    assert state.quantities["2"] == 40


def test_a_line_is_swapped_in_one_amendment() -> None:
    state = live()
    give(state, Amend(removed=("SUPPORT-PREMIUM",), added=(ADDED,), effective=date(2027, 4, 1), revision=2))
    [step] = state.queue
    assert isinstance(step, AmendSubscription)
    assert (step.removed, step.added, step.revision) == (("3",), ("4",), 2)
    gone, new = state.line("3"), state.line("4")
    assert gone is not None
    assert gone.ends == date(2027, 4, 1)
    assert new is not None
    assert new.starts == date(2027, 4, 1)
    assert state.quantities["4"] == 10


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (Amend(), "it changes nothing"),
        (Amend(quantities={"ROCKETS": Decimal(1)}), "no line for ROCKETS; it has ONBOARDING, PLATFORM"),
        (Amend(quantities={"2": Decimal(0)}), "to end a line, remove it"),
        (Amend(quantities={"2": Decimal("1.5")}), "whole numbers"),
        (Amend(quantities={"2": Decimal(5001)}), "at most 5000"),
        (Amend(quantities={"2": Decimal(9)}, removed=("PLATFORM",)), "removed and changed"),
        (Amend(quantities={"2": Decimal(9), "PLATFORM": Decimal(8)}), "named twice"),
        (Amend(removed=("1", "2", "3")), "no line would be left"),
        (Amend(added=(ADDED.model_copy(update={"id": "2"}),)), "has a line '2' already"),
        (Amend(quantities={"2": Decimal(9)}, effective=date(2026, 11, 30)), "before the contract's first day"),
        (Amend(quantities={"2": Decimal(9)}, effective=ENDS), "changed at renewal"),
    ],
)
def test_an_amendment_that_makes_no_sense_is_refused_with_the_reason(change: Amend, reason: str) -> None:
    assert reason in refused(live(), change)


def test_a_removed_line_can_not_be_amended_after_its_last_day() -> None:
    state = live()
    give(state, Amend(removed=("SUPPORT-PREMIUM",)))
    assert "no line for 3; it has ONBOARDING, PLATFORM" in refused(state, Amend(quantities={"3": Decimal(1)}), "c2")


def test_what_was_agreed_for_the_renewal_comes_with_the_next_term() -> None:
    state = renewing()
    give(state, AmendAtRenewal(quantities={"PLATFORM": Decimal(30)}, removed=("3",), added=(ADDED,), revision=2))
    assert state.quantities["2"] == 50
    assert not state.queue
    state.decision = Decision(outcome="renew", by="csm", on=TODAY)
    step = plan.amend_with_renewal(state)
    assert step is not None
    assert (step.effective, step.quantities, step.removed, step.added) == (ENDS, {"2": Decimal(30)}, ("3",), ("4",))
    begin_next_term(state)
    gone, new = state.line("3"), state.line("4")
    assert gone is not None
    assert new is not None
    assert (gone.ends, new.starts, state.quantities["2"], bool(state.at_renewal)) == (ENDS, ENDS, Decimal(30), False)


def test_what_the_won_renewal_says_goes_before_what_was_agreed() -> None:
    state = renewing()
    give(state, AmendAtRenewal(quantities={"PLATFORM": Decimal(30)}, removed=("3",)))
    state.decision = Decision(outcome="renew", by="CRM", on=TODAY, quantities={"2": Decimal(60), "3": Decimal(1)})
    step = plan.amend_with_renewal(state)
    assert step is not None
    assert step.removed == ()
    assert step.quantities == {"2": 60, "3": 1}
    begin_next_term(state)
    assert state.quantities["2"] == 60
    assert state.known.lines[2].ends is None


def test_a_line_is_kept_after_all() -> None:
    state = live()
    give(state, AmendAtRenewal(quantities={"PLATFORM": Decimal(30)}, removed=("3",)), "c1")
    give(state, AmendAtRenewal(keep=("3",)), "c2")
    assert (state.at_renewal.quantities, state.at_renewal.removed) == ({"2": Decimal(30)}, ())


# ── the term ─────────────────────────────────────────────────────────────────────────────────────────────────────


def test_an_extension_moves_the_end_and_all_that_is_counted_from_it() -> None:
    state = live()
    give(state, Extend(ends=date(2028, 3, 31)))
    [step] = state.queue
    assert isinstance(step, ChangeTerm)
    assert (step.former, step.ends) == (ENDS, date(2028, 3, 31))
    assert term_ends(state) == date(2028, 3, 31)
    assert state.window_opens() == start_of_day(date(2028, 1, 1), state.zone)
    following = state.term_number(2)
    assert following is not None
    assert following.ends == date(2029, 3, 31)


def test_a_window_that_is_open_closes_when_there_is_time_again() -> None:
    state = renewing()
    give(state, Extend(ends=date(2029, 12, 1)), today=date(2027, 10, 1))
    assert (state.window_opened, state.readiness) == (0, None)


def test_a_co_term_may_be_shorter_but_not_than_the_minimum() -> None:
    state = live(**{"terms.minimum_months": 6})
    assert "minimum term lasts until 2027-06-01" in refused(state, CoTerm(contract="x", ends=date(2027, 5, 1)))
    assert "too early" in refused(state, CoTerm(contract="x", ends=TODAY))
    give(state, CoTerm(contract="x", ends=date(2027, 8, 1)))
    assert term_ends(state) == date(2027, 8, 1)


def test_a_renewal_is_decided_before_its_window_and_may_begin_early_and_last_longer() -> None:
    state = live()
    give(state, Renew(starts=date(2027, 6, 1), months=24))
    assert state.decision is not None
    assert term_ends(state) == date(2027, 6, 1)
    step = plan.renew_subscription(state)
    assert (step.starts, step.ends) == (date(2027, 6, 1), date(2029, 6, 1))


@pytest.mark.parametrize("change", [Extend(ends=date(2028, 6, 1)), Renew(early=True), CoTerm(contract="x", ends=ENDS)])
def test_a_term_that_is_decided_or_over_is_not_changed(change: Change) -> None:
    decided = live()
    decided.decision = Decision(outcome="renew", by="csm", on=TODAY)
    assert "term 1 is decided" in refused(decided, change) or "both terms end" in refused(decided, change)
    ending = live()
    give(ending, GiveNotice(), "n")
    assert "withdraw the notice first" in refused(ending, change)
    assert "not activated" in refused(ordered(), change)


# ── the end ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_notice_ends_the_contract_with_its_term_and_can_be_withdrawn() -> None:
    state = live()
    before = state.model_copy(deep=True)
    give(state, GiveNotice(received_on=date(2027, 2, 26)), "n")
    assert state.ends_on == ENDS
    assert "received on 2027-02-26 (csm)" in state.end_reason
    give(state, WithdrawNotice(), "w")
    assert state.model_dump(exclude={"changes"}) == before.model_dump(exclude={"changes"})


def test_notice_after_the_cut_off_of_a_renewing_contract_is_too_late() -> None:
    state = live(**{"terms.auto_renew": True, "terms.notice_days": 60})
    assert "due by 2027-10-02" in refused(state, GiveNotice(), today=date(2027, 10, 3))
    give(state, GiveNotice(received_on=date(2027, 10, 2)), today=date(2027, 10, 3))
    assert state.ends_on == ENDS


def test_an_evergreen_ends_when_notice_and_minimum_are_over() -> None:
    terms: dict[str, Any] = {**EVERGREEN, "terms.minimum_months": 12}
    state = live(**terms)
    give(state, GiveNotice())
    assert state.ends_on == date(2027, 12, 1)
    late = live(**terms)
    give(late, GiveNotice(), today=date(2028, 3, 1))
    assert late.ends_on == date(2028, 3, 31)


def test_no_notice_ends_a_contract_before_its_minimum() -> None:
    state = live(**{"terms.auto_renew": True, "terms.minimum_months": 18})
    assert "runs until 2028-06-01 at the least; term 1 is over on 2027-12-01" in refused(state, GiveNotice())
    assert state.ends_on is None


def test_a_termination_keeps_to_the_terms_unless_there_is_cause() -> None:
    state = live(**{"terms.minimum_months": 6, "terms.initial_months": 12})
    convenient = Terminate(ground="convenience", reason="closing the office", on=date(2027, 4, 1))
    assert "can't end before 2027-06-01" in refused(state, convenient)
    give(state, Terminate(ground="convenience", reason="closing the office"))
    assert state.ends_on == date(2027, 6, 1)
    other = live()
    give(other, Terminate(ground="cause", reason="breach", on=date(2027, 2, 1)))
    assert other.ends_on == date(2027, 2, 1)
    assert "needs a reason" in refused(live(), Terminate(ground="cause", reason=" "))
    assert "before the running term" in refused(live(), Terminate(ground="cause", reason="x", on=date(2026, 1, 1)))


def test_an_end_that_the_erp_is_at_is_not_withdrawn() -> None:
    state = live()
    give(state, GiveNotice(), "n")
    state.queue.append(plan.end_subscription(state, ENDS))
    assert "win the customer back" in refused(state, WithdrawNotice(), "w", today=ENDS)
    assert "the contract has no end" in refused(live(), WithdrawNotice())


# ── pause ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_it_is_paused_once_and_goes_on_once() -> None:
    state = live()
    give(state, Pause(reason="dispute", until=date(2027, 4, 1)), "p")
    assert "paused already: dispute" in refused(state, Pause(reason="again"), "p2")
    give(state, Resume(), "r")
    assert (state.paused, state.paused_until) == (None, None)
    assert "not paused" in refused(state, Resume(), "r2")
    assert "today is 2027-03-01" in refused(state, Pause(reason="x", until=TODAY), "p3")
