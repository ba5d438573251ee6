"""What can't be taken back though its facts stand as it left them."""

from datetime import date
from decimal import Decimal

import pytest

from domain import keys, plan
from domain.changes import moves
from domain.changes.kinds import Amend, Change, CoTerm, End, Extend, GiveNotice, Move, Pause, Terminate, Undo
from domain.changes.undo_checks import check_not_ending, check_undo
from domain.refused import Refused
from domain.state import LifecycleState
from domain.steps import AmendSubscription, ChangeTerm, CreateSubscription
from tests.changing import TODAY, give, settle
from tests.states import CONTRACT, ENDS, fail, live

THERE = date(2027, 4, 1)
ENDINGS = [
    GiveNotice(),
    Terminate(ground="cause", reason="breach"),
    End(reason="we stop"),
    End(reason="we stop", on=TODAY),
]


def checked(state: LifecycleState, change: str) -> str | None:
    try:
        check_undo(state, Undo(change=change))
    except Refused as refused:
        return str(refused)
    return None


def moved(state: LifecycleState) -> None:
    """It goes on in US dollars from THERE on."""
    state.renewed_as = "sub_1b"
    give(state, Move(selling_entity="ACME-US", currency="USD", revision=2, on=THERE), "m")
    for _ in range(2):
        for step in moves.steps_there(state):
            state.effects[step.key] = "sub_2" if isinstance(step, CreateSubscription) else "cus_2"
    moves.arrive(state)
    assert (state.leg, state.subscription) == (2, "sub_2")


@pytest.mark.parametrize("change", ENDINGS, ids=lambda change: change.kind)
def test_an_end_that_the_erp_is_at_is_not_undone(change: Change) -> None:
    state = live()
    give(state, Amend(quantities={"2": Decimal(75)}), "a")
    settle(state)
    give(state, change, "e")
    assert checked(state, "e") is None
    give(state, Pause(reason="dispute"), "p")
    step = plan.end_subscription(state, TODAY)
    state.queue.append(step)
    for _ in range(2):
        assert "the ERP is ending the subscription" in (checked(state, "e") or "")
        assert "the ERP is ending the subscription" in (checked(state, "a") or "")
        assert checked(state, "p") is None, "it goes on, and ends"
        if state.queue:
            fail(state, step, "IN_DOUBT")
            assert (state.queue, list(state.doubts)) == ([], [step.key])
    state.doubts, state.effects[step.key] = {}, "withheld"
    assert "ended already" in (checked(state, "e") or "")
    with pytest.raises(Refused, match="ended already"):
        check_not_ending(state)


def test_after_a_move_the_subscription_of_there_is_told_and_nothing_from_before_it() -> None:
    state = live()
    give(state, Amend(quantities={"2": Decimal(75)}), "before")
    give(state, Extend(ends=date(2028, 3, 1)), "longer")
    settle(state)
    moved(state)
    give(state, Amend(removed=("3",), effective=THERE), "after")
    settle(state)
    assert "before the contract moved on 2027-04-01" in (checked(state, "before") or "")
    assert checked(state, "longer") is None
    assert checked(state, "after") is None
    give(state, Undo(change="longer"), "u1", THERE)
    give(state, Undo(change="after"), "u2", THERE)
    shorter, fewer = state.queue
    assert isinstance(shorter, ChangeTerm)
    assert isinstance(fewer, AmendSubscription)
    assert (shorter.subscription, fewer.subscription, shorter.ends) == ("sub_2", "sub_2", ENDS)


def test_a_move_that_was_undone_or_is_still_to_come_cuts_nothing_off() -> None:
    state = live()
    give(state, Amend(quantities={"2": Decimal(75)}), "before")
    settle(state)
    coming = Move(selling_entity="ACME-US", currency="USD", revision=2, on=THERE)
    give(state, coming, "m")
    assert checked(state, "before") is None
    give(state, Undo(change="m"), "u")
    assert checked(state, "before") is None


@pytest.mark.parametrize(
    "change",
    [Amend(quantities={"2": Decimal(75)}), CoTerm(contract="x", ends=date(2027, 8, 1))],
    ids=lambda change: change.kind,
)
def test_what_the_erp_never_had_is_made_anew_and_not_by_undoing_the_undo(change: Change) -> None:
    state = live()
    give(state, change, "c")
    give(state, Undo(change="c"), "u")
    assert state.queue == []
    assert checked(state, "u") == "the ERP never had c: make the change anew"
    done = live()
    give(done, change, "c")
    settle(done)
    give(done, Undo(change="c"), "u")
    assert checked(done, "u") is None
    give(done, Undo(change="u"), "uu")
    assert done.queue == [], "it was not undone in the ERP yet"
    assert checked(done, "uu") == "the ERP never had u: make the change anew"
    assert checked(done, "c") is None


def test_what_is_unknown_is_left_to_the_undo_itself() -> None:
    state = live()
    assert checked(state, "nope") is None
    give(state, Pause(reason="dispute"), "p")
    give(state, Undo(change="p"), "u")
    assert checked(state, "p") is None
    assert keys.ending(CONTRACT) not in state.effects
