"""Changes happen once, are previewed, and are taken back."""

from datetime import date
from decimal import Decimal

import pytest

from domain import keys, plan
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
)
from domain.commands import check_drop
from domain.outcomes import DROPPED, done, dropped
from domain.projection import view
from domain.refused import Refused
from domain.steps import AmendSubscription, ChangeTerm, Performed
from tests.changing import ADDED, TODAY, give, refused, settle
from tests.states import CONTRACT, ENDS, at, fail, live, ordered, renewing


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


def test_what_is_undone_can_be_made_so_again_and_stands_then() -> None:
    state = live()
    give(state, Amend(quantities={"2": Decimal(75)}), "c1")
    settle(state)
    give(state, Undo(change="c1"), "u1")
    settle(state)
    give(state, Undo(change="u1"), "u2")
    assert [record.undone_by for record in state.changes] == [None, "u2", None]
    settle(state)
    give(state, Undo(change="u2"), "u3")
    assert [record.undone_by for record in state.changes] == ["u1", None, "u3", None]
    [back] = state.queue
    fail(state, back, "REJECTED")
    dropped(state, back.key, at(TODAY))
    assert [record.undone_by for record in state.changes] == [None, "u2", None, "given up"]
    give(state, Amend(quantities={"2": Decimal(80)}), "c2")
    assert "c1 can't be undone: c2 builds on it" in refused(state, Undo(change="c1"), "u4")
    give(state, Undo(change="c2"), "u5")
    give(state, Undo(change="c1"), "u6")
    assert state.quantities["2"] == 50


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


def test_a_renewal_before_its_window_must_be_meant() -> None:
    assert "it opens on 2027-09-02; an early renewal is decided before" in refused(live(), Renew())
    state = renewing()
    give(state, Renew())
    assert state.decision is not None


def test_a_renewal_that_the_erp_holds_is_not_undone() -> None:
    state = live()
    give(state, Renew(early=True), "c1")
    done(state, plan.renew_subscription(state), Performed(id="ren_1"), at(TODAY))
    assert "the ERP holds term 2 already" in refused(state, Undo(change="c1"), "u")


def test_a_renewal_may_make_another_subscription_with_which_the_contract_goes_on() -> None:
    state = live()
    former = state.subscription
    give(state, Renew(early=True), "c1")
    renewal = plan.renew_subscription(state)
    done(state, renewal, Performed(id="ren_1"), at(TODAY))
    assert state.subscription == former, "the same one, in most ERPs"
    done(state, renewal, Performed(id="sub_2", subscription="sub_2"), at(TODAY))
    assert (state.subscription, view(state, at(TODAY)).subscription) == ("sub_2", "sub_2")


def test_a_closed_or_unknown_contract_is_not_changed() -> None:
    closed = live()
    closed.closed = True
    assert "closed" in refused(closed, Pause(reason="x"))
    broken = ordered()
    broken.sheet = None
    assert "not valid yet" in refused(broken, Amend(quantities={"2": Decimal(1)}))
    give(broken, Pause(reason="waits for legal"))
    assert broken.paused is not None
