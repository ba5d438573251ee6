"""What is refused at the door: what contradicts what was decided or told before, and days that nobody reaches."""

from datetime import date
from decimal import Decimal

import pytest

from domain import keys, plan
from domain.changes import moves, vetting
from domain.changes.applying import apply
from domain.changes.kinds import (
    Amend,
    AmendAtRenewal,
    Change,
    ChangeContract,
    CoTerm,
    End,
    Extend,
    GiveNotice,
    Move,
    Pause,
    Renew,
    Terminate,
    Undo,
    WithdrawNotice,
)
from domain.messages import AmendmentWon
from domain.outcomes import done
from domain.reactions import begin_next_term, react
from domain.refused import Refused
from domain.state import Decision, LifecycleState
from domain.steps import Performed
from tests.changing import ADDED, TODAY, settle
from tests.states import EVERGREEN, at, fail, live, renewing

FAR = date(9999, 12, 31)
AHEAD = date(2027, 9, 1)
MOVE = Move(selling_entity="ACME-US", currency="USD", revision=2, on=date(2027, 7, 1))


def seats(number: int, effective: date | None = None) -> Amend:
    return Amend(quantities={"2": Decimal(number)}, effective=effective)


def give(state: LifecycleState, change: Change, name: str = "c1", today: date = TODAY) -> None:
    """As the Update does: vetted, then applied."""
    command = ChangeContract(id=name, by="csm", change=change)
    vetting.check(state, command, at(today))
    apply(state, command, today)


def refused(state: LifecycleState, change: Change, name: str = "next", today: date = TODAY) -> str:
    """By the validator and in the preview, with the same reason; the state stays as it is."""
    before, command = state.model_copy(deep=True), ChangeContract(id=name, by="csm", change=change)
    with pytest.raises(Refused) as caught:
        vetting.check(state, command, at(today))
    assert vetting.preview(state, command, at(today)).refused == str(caught.value)
    assert state == before
    return str(caught.value)


def renew(state: LifecycleState) -> None:
    """The ERP holds the next term."""
    state.decision = Decision(outcome="renew", by="csm", on=TODAY)
    done(state, plan.renew_subscription(state), Performed(id="ren_1"), at(TODAY))


# ── days ─────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "change",
    [
        Extend(ends=FAR),
        CoTerm(contract="x", ends=FAR),
        Terminate(ground="cause", reason="breach", on=FAR),
        End(reason="ours", on=FAR),
        Renew(starts=FAR),
        Move(selling_entity="ACME-US", currency="USD", revision=2, on=FAR),
        Pause(reason="dispute", until=FAR),
        Amend(added=(ADDED.model_copy(update={"starts": FAR}),)),
    ],
    ids=lambda change: change.kind,
)
def test_no_change_names_a_day_that_nobody_reaches(change: Change) -> None:
    assert "no change names a day after 2077-03-01" in refused(live(**EVERGREEN), change)
    assert "no change names a day after 2077-03-01" in refused(live(), change)


def test_what_the_calendar_can_not_count_from_is_refused_with_the_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vetting, "FARTHEST_YEARS", 7972)
    seen = refused(live(), Extend(ends=date(9999, 2, 1)))
    assert seen == "the contract could not go on from there: year 10000 is out of range"


def test_notice_is_not_older_than_the_signature() -> None:
    assert "older than the signature, 2026-11-20" in refused(live(), GiveNotice(received_on=date(1990, 1, 1)))


# ── amendments ───────────────────────────────────────────────────────────────────────────────────────────────────


def test_amendments_of_a_line_are_made_in_the_order_of_their_days() -> None:
    state = live()
    give(state, seats(75, AHEAD), "a1")
    assert "a1 changes line 2 from 2027-09-01 on: name a day from then on, or undo a1" in refused(
        state, seats(60, date(2027, 6, 1))
    )
    assert "a1 changes line 2" in refused(state, Amend(removed=("2",)))
    give(state, Amend(removed=("3",)), "a2")
    settle(state)
    give(state, Undo(change="a1"), "u")
    give(state, seats(60, date(2027, 6, 1)), "a3")
    assert state.quantities["2"] == 60


def test_an_amendment_of_a_deal_that_is_on_its_way_is_one_too() -> None:
    state = live()
    react(state, AmendmentWon(deal="006-up", mode="target", changes={"PLATFORM": Decimal(75)}, effective=AHEAD), TODAY)
    assert "006-up changes line 2 from 2027-09-01 on: name a day from then on" in refused(state, seats(60))
    assert "006-up is effective on 2027-09-01, and it would move on 2027-07-01" in refused(state, MOVE)


def test_a_line_is_left_on_every_day_of_the_term() -> None:
    state = live()
    give(state, Amend(removed=("2", "3"), effective=AHEAD), "a1")
    assert "no line would be left from 2027-09-01 on" in refused(
        state, Amend(removed=("1",), effective=date(2027, 6, 1))
    )


def test_an_amendment_changes_something_and_what_has_begun() -> None:
    state = live()
    assert refused(state, seats(50)) == "it changes nothing"
    late = ADDED.model_copy(update={"starts": date(2040, 1, 1)})
    assert "line 4 would begin on 2040-01-01, and the running term ends on 2027-12-01" in refused(
        state, Amend(added=(late,))
    )
    give(state, Amend(added=(ADDED,), effective=AHEAD), "a1")
    settle(state)
    for change in (Amend(removed=("4",), effective=date(2027, 5, 1)), Amend(quantities={"4": Decimal(9)})):
        assert "line 4 begins on 2027-09-01: name that day, or a later one" in refused(state, change)
    give(state, Amend(quantities={"4": Decimal(9)}, effective=AHEAD), "a2")


def test_what_changes_at_the_renewal_is_there_then() -> None:
    for agreed in (AmendAtRenewal(removed=("3",)), AmendAtRenewal(quantities={"3": Decimal(1)})):
        state = live()
        give(state, agreed, "r")
        now = Amend(removed=("3",))
        assert "line 3 changes with the renewal on 2027-12-01, and would be over by then" in refused(state, now)
        give(state, AmendAtRenewal(keep=("3",)), "k")
        give(state, now, "a")


def test_a_line_is_left_for_the_next_term() -> None:
    state = live()
    give(state, AmendAtRenewal(removed=("1", "2")), "r")
    assert "no line would be left from the renewal on 2027-12-01" in refused(state, Amend(removed=("3",)))


def test_a_line_that_changes_at_the_renewal_is_not_undone_from_under_it() -> None:
    state = live()
    give(state, Amend(added=(ADDED,)), "a")
    give(state, AmendAtRenewal(quantities={"4": Decimal(20)}), "r")
    assert "line 4 changes with the renewal" in refused(state, Undo(change="a"))


# ── what is dated ahead ──────────────────────────────────────────────────────────────────────────────────────────


def test_a_move_takes_no_amendment_forward() -> None:
    state = live()
    give(state, seats(75, AHEAD), "a1")
    assert (
        "a1 is effective on 2027-09-01, and it would move on 2027-07-01: choose another day, or undo a1 first"
        in refused(state, MOVE)
    )
    give(state, Undo(change="a1"), "u")
    give(state, seats(60), "a2")
    give(state, MOVE, "m")
    assert "next is effective on 2027-09-01" in refused(state, Amend(removed=("3",), effective=AHEAD))
    assert moves.steps_there(state)


@pytest.mark.parametrize("earlier", [CoTerm(contract="x", ends=date(2027, 6, 1)), Renew(starts=date(2027, 6, 1))])
def test_a_term_does_not_end_before_what_is_dated_ahead_in_it(earlier: Change) -> None:
    state = live()
    give(state, seats(75, AHEAD), "a1")
    assert "a1 is effective on 2027-09-01, and the term would be over on 2027-06-01" in refused(state, earlier)
    moving = live()
    give(moving, MOVE, "m")
    assert "it moves on 2027-07-01, and the term would be over on 2027-06-01" in refused(moving, earlier)


def test_an_extension_is_not_undone_from_under_what_was_dated_in_it() -> None:
    state = live()
    give(state, Extend(ends=date(2028, 3, 1)), "e")
    give(state, seats(75, date(2028, 1, 1)), "a1")
    assert "a1 is effective on 2028-01-01, and the term would be over on 2027-12-01" in refused(state, Undo(change="e"))


# ── the end ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_for_cause_it_ends_between_a_decided_renewal_and_the_next_term() -> None:
    cause = Terminate(ground="cause", reason="breach", on=date(2027, 4, 1))
    held = live()
    renew(held)
    assert "the renewal after term 1 is decided" in refused(held, GiveNotice())
    assert "the renewal after term 1 is decided" in refused(held, Terminate(ground="convenience", reason="x"))
    give(held, cause, "t")
    assert (held.ends_on, held.decision) == (date(2027, 4, 1), None)
    assert "tenure undo t brings it back" in refused(held, WithdrawNotice())
    give(held, Undo(change="t"), "u")
    assert held.ends_on is None
    assert held.decision is not None


def test_for_cause_it_does_not_end_while_the_erp_is_at_the_renewal() -> None:
    cause = Terminate(ground="cause", reason="breach")
    state = renewing()
    give(state, Renew(), "r")
    step = plan.renew_subscription(state)
    state.queue.append(step)
    assert "the ERP is at the renewal" in refused(state, cause)
    fail(state, step, "REJECTED")
    give(state, cause, "t")
    assert not state.queue
    assert step.key not in state.cases
    doubtful = renewing()
    give(doubtful, Renew(), "r")
    fail(doubtful, plan.renew_subscription(doubtful), "IN_DOUBT")
    assert "the ERP is at the renewal" in refused(doubtful, cause)


# ── undo ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def extended() -> LifecycleState:
    """By three months, and the ERP has it."""
    state = live()
    give(state, Extend(ends=date(2028, 3, 1)), "e")
    settle(state)
    return state


def test_an_end_that_was_moved_goes_back_only_while_it_can() -> None:
    undo = Undo(change="e")
    give(extended(), undo, "u")
    late = date(2028, 2, 1)
    assert "without e the term would have ended on 2027-12-01" in refused(extended(), undo, today=late)
    noticed = extended()
    give(noticed, GiveNotice(), "n")
    assert "withdraw the notice first" in refused(noticed, undo)
    renewed = extended()
    renew(renewed)
    assert "the renewal after term 1 is decided" in refused(renewed, undo)
    begin_next_term(renewed)
    assert "the term whose end e moved is over" in refused(renewed, undo, today=date(2028, 6, 1))


def test_an_end_does_not_come_back_once_the_contract_goes_on() -> None:
    state, undo = live(), Undo(change="w")
    give(state, GiveNotice(), "n")
    give(state, WithdrawNotice(), "w")
    give(state.model_copy(deep=True), undo, "u")
    longer = state.model_copy(deep=True)
    give(longer, Extend(ends=date(2028, 3, 1)), "e")
    assert "e moved the term's end since" in refused(longer, undo)
    renew(state)
    assert "the renewal after term 1 is decided" in refused(state, undo)
    begin_next_term(state)
    assert "would have ended on 2027-12-01" in refused(state, undo, today=date(2028, 6, 1))


def test_what_was_agreed_for_a_renewal_does_not_come_back_in_a_later_term() -> None:
    state = live()
    give(state, AmendAtRenewal(quantities={"2": Decimal(30)}), "r")
    give(state, AmendAtRenewal(keep=("2",)), "k")
    give(state.model_copy(deep=True), Undo(change="k"), "u")
    renew(state)
    begin_next_term(state)
    assert "k was agreed for a term that has begun since" in refused(state, Undo(change="k"), today=date(2028, 6, 1))


# ── once ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_change_that_was_made_is_made_however_it_would_be_vetted_now() -> None:
    state = live()
    give(state, seats(75), "a1")
    again = ChangeContract(id="a1", by="csm", change=seats(75))
    vetting.check(state, again, at(TODAY))
    assert apply(state, again, TODAY) == "a1 was made already, on 2027-03-01"


def test_what_was_accepted_before_it_was_vetted_is_applied_as_it_was() -> None:
    """The handler that runs again on replay asks `apply` alone, and the contract can be changed from there."""
    state = live()
    apply(state, ChangeContract(id="a1", by="csm", change=seats(75, AHEAD)), TODAY)
    apply(state, ChangeContract(id="a2", by="csm", change=seats(60, date(2027, 6, 1))), TODAY)
    apply(state, ChangeContract(id="m", by="csm", change=MOVE), TODAY)
    give(state, Pause(reason="dispute"), "p")
    assert keys.amendment(state.contract, "a2") in {step.key for step in state.queue}
