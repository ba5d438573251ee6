"""The notice of a price increase: reminded of, told in time, or too late for this renewal."""

from datetime import date, timedelta
from typing import Any

import pytest

from domain import calendar
from domain.finance import dues, price_notice
from domain.finance.commands import PriceNoticeGiven
from domain.messages import RetryStep
from domain.outcomes import retried
from domain.projection import view
from domain.refused import Refused
from domain.state import LifecycleState
from tests.states import ACTIVE, ENDS, at, live

DAY = timedelta(days=1)
LAST = ENDS - 60 * DAY
TOLD = PriceNoticeGiven(by="fin")
CASE = "price-notice:1"


def agreed(**changes: Any) -> LifecycleState:
    return live(**{"terms.uplift_reference": "CPI-2027", "terms.price_notice_days": 60, **changes})


def tell(state: LifecycleState, today: date, on: date | None = None) -> None:
    command = PriceNoticeGiven(by="fin", on=on)
    price_notice.check(state, command, today)
    price_notice.given(state, command, today)


def test_without_an_increase_or_a_notice_of_its_own_nothing_is_due() -> None:
    for state in (agreed(**{"terms.uplift_reference": None}), agreed(**{"terms.price_notice_days": None})):
        assert price_notice.coming(state) == []
        assert view(state, at(ACTIVE)).price_notice is None
        with pytest.raises(Refused, match="agrees on no price increase"):
            price_notice.check(state, TOLD, ACTIVE)


def test_it_is_reminded_of_before_the_cut_off_and_told() -> None:
    state = agreed()
    [due] = price_notice.coming(state)
    assert due.at == calendar.start_of_day(LAST - 30 * DAY, state.zone)
    dues.come(state, due.at)
    assert f"by {LAST}" in state.cases[CASE].view.title
    tell(state, LAST)
    assert CASE not in state.cases
    assert price_notice.coming(state) == []
    seen = view(state, at(LAST)).price_notice
    assert seen is not None
    assert (seen.due, seen.told, seen.applies) == (LAST, LAST, True)


def test_after_the_cut_off_it_can_t_apply_and_people_see_that() -> None:
    state = agreed()
    dues.come(state, at(LAST - 5 * DAY))
    assert view(state, at(LAST)).price_notice.applies is None  # type: ignore[union-attr]  # it is agreed on
    dues.come(state, at(LAST))
    assert state.price_notice_missed == 0, "the last day is in time"
    dues.come(state, at(LAST + DAY))
    assert "can't apply to term 2" in state.cases[CASE].view.title
    assert view(state, at(LAST + DAY)).price_notice.applies is False  # type: ignore[union-attr]  # it is agreed on
    with pytest.raises(Refused, match="the last day to tell it was"):
        tell(state, LAST + DAY)
    tell(state, LAST + DAY, on=LAST)
    assert CASE not in state.cases
    assert view(state, at(LAST + DAY)).price_notice.applies is True  # type: ignore[union-attr]  # it is agreed on


def test_put_away_it_is_not_asked_again_in_this_term() -> None:
    state = agreed()
    dues.come(state, at(LAST - 5 * DAY))
    retried(state, RetryStep(case=CASE, by="fin").case, None, at(LAST - 5 * DAY))
    dues.come(state, at(LAST + DAY))
    assert state.cases == {}
    assert price_notice.coming(state) == []


def test_a_contract_that_came_after_its_cut_off_is_asked_and_missed_at_once() -> None:
    state = agreed()
    while any(each.at <= at(LAST + 10 * DAY) for each in dues.coming(state)):
        dues.come(state, at(LAST + 10 * DAY))
    assert "can't apply" in state.cases[CASE].view.title


def test_each_term_has_its_own() -> None:
    state = agreed()
    dues.come(state, at(LAST - DAY))
    tell(state, LAST - DAY)
    state.term = 2
    [due] = price_notice.coming(state)
    assert due.at > at(ENDS)


@pytest.mark.parametrize(("on", "why"), [(LAST, "already"), (None, "already")], ids=["the same day", "today"])
def test_it_is_told_once(on: date | None, why: str) -> None:
    state = agreed()
    tell(state, LAST)
    with pytest.raises(Refused, match=why):
        tell(state, LAST, on)


def test_it_can_t_have_been_told_tomorrow() -> None:
    with pytest.raises(Refused, match="in the future"):
        tell(agreed(), LAST - DAY, on=LAST)


def test_a_contract_that_ends_needs_none() -> None:
    state = agreed()
    state.ends_on = ENDS
    assert price_notice.coming(state) == []
