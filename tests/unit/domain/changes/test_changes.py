"""Each change: what it does, what it refuses, and its inverse."""

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from domain import keys, plan
from domain.calendar import start_of_day
from domain.changes.applying import apply, preview
from domain.changes.kinds import (
    Amend,
    AmendAtRenewal,
    Change,
    ChangeContract,
    CoTerm,
    Extend,
    GiveNotice,
    Pause,
    Renew,
    Resume,
    Terminate,
    Undo,
    WithdrawNotice,
)
from domain.commands import check_drop
from domain.outcomes import DROPPED, done, dropped
from domain.reactions import begin_next_term
from domain.refused import Refused
from domain.state import Decision, LifecycleState
from domain.steps import AmendSubscription, ChangeTerm, Performed
from domain.terms import ChargeType, Frequency, LineTerms, OnActivation
from tests.states import CONTRACT, ENDS, EVERGREEN, at, fail, live, ordered, renewing

TODAY = date(2027, 3, 1)
ADDED = LineTerms(
    id="4",
    product="ANALYTICS",
    charge=ChargeType.RECURRING,
    frequency=Frequency.ANNUAL,
    quantity=Decimal(10),
    billing_start=OnActivation(),
)


def give(state: LifecycleState, change: Change, name: str = "c1", today: date = TODAY) -> str:
    return apply(state, ChangeContract(id=name, by="csm", change=change), today)


def refused(state: LifecycleState, change: Change, name: str = "c1", today: date = TODAY) -> str:
    with pytest.raises(Refused) as caught:
        give(state.model_copy(deep=True), change, name, today)
    return str(caught.value)


def settle(state: LifecycleState, today: date = TODAY) -> None:
    """Everything that is queued is done outside."""
    for step in list(state.queue):
        done(state, step, Performed(id=f"id of {step.key}", on=today), at(today))


def term_ends(state: LifecycleState) -> date | None:
    term = state.term_now()
    assert term is not None
    return term.ends


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


@pytest.mark.parametrize("change", [Extend(ends=date(2028, 6, 1)), Renew(), CoTerm(contract="x", ends=ENDS)])
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


# ── once, preview, undo ──────────────────────────────────────────────────────────────────────────────────────────


def test_the_same_command_again_changes_nothing_and_another_under_its_id_is_refused() -> None:
    state = live()
    up = Amend(quantities={"2": Decimal(75)})
    give(state, up)
    again = state.model_copy(deep=True)
    assert "was made already" in give(again, up)
    assert again == state
    assert "id of another change" in refused(state, Resume())


def test_a_preview_tells_facts_and_effects_and_changes_nothing() -> None:
    state = live()
    before = state.model_copy(deep=True)
    seen = preview(state, ChangeContract(id="c1", by="csm", change=Extend(ends=date(2028, 3, 1))), TODAY)
    assert state == before
    differences = {each.what: (each.before, each.after) for each in seen.differences}
    assert differences["term ends"] == ("2027-12-01", "2028-03-01")
    assert differences["renewal window opens"] == ("2027-09-02", "2027-12-02")
    assert [(effect.on, effect.key) for effect in seen.effects] == [(TODAY, keys.term_change(CONTRACT, "c1"))]
    ending = preview(state, ChangeContract(id="c1", by="csm", change=GiveNotice()), TODAY)
    assert [(effect.on, effect.key) for effect in ending.effects] == [(ENDS, keys.ending(CONTRACT))]
    assert preview(state, ChangeContract(id="c1", by="csm", change=Resume()), TODAY).refused == "it is not paused"


@pytest.mark.parametrize(
    "change",
    [
        Amend(quantities={"2": Decimal(75)}),
        Amend(added=(ADDED,)),
        Extend(ends=date(2028, 3, 1)),
        CoTerm(contract="x", ends=date(2027, 8, 1)),
        AmendAtRenewal(quantities={"2": Decimal(30)}, removed=("3",)),
        Renew(starts=date(2027, 6, 1), months=6),
        GiveNotice(),
        Terminate(ground="cause", reason="breach", on=date(2027, 4, 1)),
        Pause(reason="dispute"),
        Amend(removed=("3",)),
    ],
    ids=lambda change: change.kind,
)
def test_an_undone_change_leaves_no_trace_while_nothing_was_done_outside(change: Change) -> None:
    state = live()
    before = state.model_copy(deep=True)
    give(state, change, "c1")
    give(state, Undo(change="c1"), "u1")
    assert state.model_dump(exclude={"changes"}) == before.model_dump(exclude={"changes"})
    assert "undone already, by u1" in refused(state, Undo(change="c1"), "u2")


def test_what_was_done_outside_is_taken_back_by_a_step_of_its_own() -> None:
    state = live()
    give(state, Amend(quantities={"2": Decimal(75)}, added=(ADDED,), revision=2, effective=date(2027, 2, 1)), "c1")
    give(state, Extend(ends=date(2028, 3, 1)), "c2")
    settle(state)
    give(state, Undo(change="c2"), "u2")
    give(state, Undo(change="c1"), "u1")
    shorter, fewer = state.queue
    assert isinstance(shorter, ChangeTerm)
    assert shorter.ends == ENDS
    assert isinstance(fewer, AmendSubscription)
    assert (fewer.quantities, fewer.removed, fewer.effective) == ({"2": Decimal(50)}, ("4",), date(2027, 2, 1))
    assert state.line("4") is None
    assert "4" not in state.quantities


def test_what_something_builds_on_or_the_outside_can_not_take_back_is_not_undone() -> None:
    state = live()
    give(state, Amend(quantities={"2": Decimal(75)}), "c1")
    give(state, Amend(quantities={"2": Decimal(80)}), "c2")
    assert "c2 builds on it" in refused(state, Undo(change="c1"), "u")
    settle(state)
    give(state, Amend(added=(ADDED,)), "c4")
    settle(state)
    state.billing["4"] = TODAY
    assert "billing of line 4 has started" in refused(state, Undo(change="c4"), "u")
    assert "there is no change 'c9'; changes: c1, c2, c4" in refused(state, Undo(change="c9"), "u")


def test_a_removal_that_the_erp_has_is_taken_back_from_the_same_day() -> None:
    state = live()
    give(state, Amend(removed=("3",), added=(ADDED,), revision=5, effective=date(2027, 2, 1)), "c1")
    settle(state)
    give(state, Undo(change="c1"), "u1")
    [back] = state.queue
    assert isinstance(back, AmendSubscription)
    assert (back.added, back.removed, back.revision, back.effective) == (("3",), ("4",), 5, date(2027, 2, 1))
    [line] = [line for line in state.known.lines if line.id == "3"]
    assert line.ends is None


def test_a_change_that_the_erp_refuses_can_be_given_up() -> None:
    for change in (
        Amend(removed=("3",), added=(ADDED,), quantities={"2": Decimal(75)}, revision=2),
        Extend(ends=date(2028, 3, 1)),
    ):
        state = live()
        before = state.model_copy(deep=True)
        give(state, change)
        [step] = state.queue
        fail(state, step, "REJECTED")
        check_drop(state, step.key)
        dropped(state, step.key, at(TODAY))
        assert state.queue == []
        assert state.effects.pop(step.key) == DROPPED
        assert state.changes[0].undone_by == "given up"
        untold = {"changes", "generations"}
        assert state.model_dump(exclude=untold) == before.model_dump(exclude=untold)


def test_an_undo_that_the_erp_refuses_leaves_the_change_as_it_was() -> None:
    state = live()
    give(state, Amend(removed=("3",)), "c1")
    settle(state)
    changed = state.model_copy(deep=True)
    give(state, Undo(change="c1"), "u1")
    [back] = state.queue
    fail(state, back, "REJECTED")
    dropped(state, back.key, at(TODAY))
    assert state.known == changed.known
    assert state.changes[0].undone_by is None


def test_a_line_that_does_not_come_is_not_billed() -> None:
    state = live()
    give(state, Amend(added=(ADDED,), revision=2))
    [step] = state.queue
    state.queue.append(plan.start_billing(state, "4", TODAY))
    fail(state, step, "REJECTED")
    dropped(state, step.key, at(TODAY))
    assert state.queue == []
    assert state.effects[plan.start_billing(state, "4", TODAY).key] == DROPPED


def test_a_step_that_is_under_way_is_waited_for() -> None:
    state = live()
    give(state, Amend(quantities={"2": Decimal(75)}), "c1")
    [step] = state.queue
    command = ChangeContract(id="u", by="csm", change=Undo(change="c1"))
    with pytest.raises(Refused, match="the ERP is at it"):
        apply(state, command, TODAY, {step.key})


def test_a_renewal_that_the_erp_holds_is_not_undone() -> None:
    state = live()
    give(state, Renew(), "c1")
    done(state, plan.renew_subscription(state), Performed(id="ren_1"), at(TODAY))
    assert "the ERP holds term 2 already" in refused(state, Undo(change="c1"), "u")


def test_a_closed_or_unknown_contract_is_not_changed() -> None:
    closed = live()
    closed.closed = True
    assert "closed" in refused(closed, Pause(reason="x"))
    broken = ordered()
    broken.sheet = None
    assert "not valid yet" in refused(broken, Amend(quantities={"2": Decimal(1)}))
    give(broken, Pause(reason="waits for legal"))
    assert broken.paused is not None
