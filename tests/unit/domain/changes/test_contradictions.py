"""What a won deal may not contradict: it is refused with the reason, and a person dates it anew."""

from datetime import date
from decimal import Decimal

import pytest

from domain import keys
from domain.changes.kinds import Amend, Move
from domain.messages import AmendmentWon, EventBatch
from domain.outcomes import dropped
from domain.reactions import amend_early, react, receive
from domain.refused import Refused
from domain.state import LifecycleState
from domain.steps import AmendSubscription
from tests.changing import TODAY, give, settle
from tests.states import at, fail, live

AHEAD, BEFORE = date(2027, 9, 1), date(2027, 6, 1)


def won(deal: str, seats: int, effective: date | None = None, ends: date | None = None) -> AmendmentWon:
    return AmendmentWon(
        deal=deal, mode="difference", changes={"PLATFORM": Decimal(seats)}, effective=effective, ends=ends
    )


def refused(state: LifecycleState, event: AmendmentWon) -> str:
    """With the reason, and the state stays as it is."""
    before = state.model_copy(deep=True)
    with pytest.raises(Refused) as caught:
        react(state, event, TODAY)
    assert state == before
    return str(caught.value)


@pytest.mark.parametrize("done", [False, True], ids=["on its way", "done"])
def test_a_deal_is_not_effective_before_one_that_changed_the_line_later(done: bool) -> None:
    state = live()
    react(state, won("006-a", 25, AHEAD), TODAY)
    if done:
        settle(state)
    for day in (BEFORE, None):
        assert "006-a changes line 2 from 2027-09-01 on: name a day from then on" in refused(
            state, won("006-b", 10, day)
        )
    assert state.quantities["2"] == 75
    react(state, won("006-b", 10, AHEAD), TODAY)
    assert state.quantities["2"] == 85


def test_nor_before_a_change_that_somebody_made() -> None:
    state = live()
    give(state, Amend(quantities={"2": Decimal(75)}, effective=AHEAD), "a1")
    settle(state)
    assert "name a day from then on, or undo a1 first" in refused(state, won("006-b", 10, BEFORE))
    react(state, AmendmentWon(deal="006-c", mode="target", changes={"ONBOARDING": Decimal(1)}), TODAY)


def test_nor_after_a_move() -> None:
    state = live()
    give(state, Move(selling_entity="ACME-US", currency="USD", revision=2, on=BEFORE), "m")
    assert "effective on 2027-09-01, and it would move on 2027-06-01" in refused(state, won("006-a", 25, AHEAD))
    later = won("006-a", 25, AHEAD, date(2028, 12, 1))
    assert "effective on 2027-09-01, and it would move on 2027-06-01" in refused(state, later)


def test_what_was_given_up_stands_in_nobodys_way() -> None:
    state = live()
    react(state, won("006-a", 25, AHEAD), TODAY)
    [step] = [each for each in state.queue if isinstance(each, AmendSubscription)]
    fail(state, step)
    dropped(state, step.key, at(TODAY))
    react(state, won("006-b", 10, BEFORE), TODAY)
    assert state.quantities["2"] == 60


def test_won_before_the_activation_it_is_a_case() -> None:
    state = live()
    state.early = [won("006-a", 25, AHEAD), won("006-b", 10, BEFORE)]
    amend_early(state, TODAY, at(TODAY))
    assert "006-a changes line 2" in state.cases["refused-amendment:006-b"].view.reasons[0]
    assert keys.amendment(state.contract, "006-b") not in [step.key for step in state.queue]


def test_a_history_from_before_it_was_vetted_is_applied_as_it_was() -> None:
    state, asked = live(), []

    def not_yet() -> bool:
        asked.append(1)
        return False

    events = [won("006-a", 25, AHEAD), won("006-b", 10, BEFORE)]
    batch = EventBatch(events=[event.model_copy(update={"seq": n}) for n, event in enumerate(events, 1)])
    answers = receive(state, batch, TODAY, vets=not_yet)
    assert [answer.outcome for answer in answers] == ["applied", "applied"]
    assert state.quantities["2"] == 85
    assert len(asked) == 1
