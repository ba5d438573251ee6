"""The purchase order that billing and renewals wait for: since when, until when, and what settles it."""

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain import calendar
from domain.finance import dues, purchasing
from domain.finance.purchasing import PURCHASE_ORDER_CASE
from domain.messages import PurchaseOrderReceived
from domain.order import OrderVerdict
from domain.outcomes import judged
from domain.reactions import decide, react
from domain.refused import Refused
from domain.state import Decision, LifecycleState
from domain.terms import PurchaseOrder
from tests.states import ACTIVE, ENDS, at, live, ordered

DAY = timedelta(days=1)
PO = PurchaseOrder(number="PO-1")
WEEK = 7


def without(**changes: Any) -> LifecycleState:
    """Active, and the customer has not sent the purchase order that it needs."""
    state = live(purchase_order=None, **changes)
    state.purchase_order_days = WEEK
    return state


def expiring(on: date, **changes: Any) -> LifecycleState:
    state = without(**changes)
    state.purchase_order = PurchaseOrder(number="PO-1", expires_on=on)
    return state


def receive(state: LifecycleState, day: date = ACTIVE, **fields: Any) -> None:
    react(state, PurchaseOrderReceived(number="PO-9", **fields), day)


def test_an_order_that_needs_one_is_valid_without_and_says_after_how_many_days_it_is_a_case() -> None:
    state = ordered(purchase_order=None)
    assert state.sheet is not None
    assert state.sheet.purchase_order is None
    judged(state, OrderVerdict(revision=1, sheet=state.sheet, purchase_order_days=WEEK), at(ACTIVE))
    assert state.purchase_order_days == WEEK


def test_one_that_came_before_the_order_was_judged_is_not_forgotten() -> None:
    state = ordered(purchase_order=None)
    receive(state)
    judged(state, OrderVerdict(revision=1, sheet=state.sheet, purchase_order_days=WEEK), at(ACTIVE))
    assert state.purchase_order is not None
    assert state.purchase_order.number == "PO-9"


def test_a_lifecycle_from_before_there_were_waits_waits_for_nothing() -> None:
    state = without()
    state.purchase_order_days = None
    assert not purchasing.holds_billing(state, ACTIVE)
    assert purchasing.covers_next_term(state)
    assert purchasing.coming(state) == []


def test_nothing_waits_where_none_is_required() -> None:
    state = without(**{"terms.purchase_order_required": False})
    assert not purchasing.holds_billing(state, ACTIVE)
    assert purchasing.covers_next_term(state)


@pytest.mark.parametrize(("days", "held"), [(-1, True), (0, False), (1, False)])
def test_billing_waits_for_one_that_has_expired(days: int, held: bool) -> None:
    assert purchasing.holds_billing(expiring(ACTIVE + days * DAY), ACTIVE) is held


def test_it_is_a_case_after_the_company_s_days_once() -> None:
    state = without()
    [due] = purchasing.coming(state)
    assert due.at == calendar.start_of_day(ACTIVE + WEEK * DAY, state.zone)
    dues.come(state, due.at - DAY)
    assert PURCHASE_ORDER_CASE not in state.cases
    dues.come(state, due.at)
    case = state.cases[PURCHASE_ORDER_CASE].view
    assert (case.actor, case.reasons) == ("finance", [f"billing of 1, 2, 3 lacks one since {ACTIVE}"])
    assert purchasing.coming(state) == []
    receive(state)
    assert PURCHASE_ORDER_CASE not in state.cases


def test_one_that_has_expired_is_refused_and_settles_nothing() -> None:
    state = without()
    dues.come(state, at(ACTIVE + 8 * DAY))
    with pytest.raises(Refused, match="expired on"):
        receive(state, expires_on=ACTIVE - DAY)
    with pytest.raises(Refused, match="more than zero"):
        receive(state, limit=Decimal(0))
    assert PURCHASE_ORDER_CASE in state.cases
    assert state.purchase_order is None


def test_on_its_last_day_a_contract_is_billed_without() -> None:
    state = without()
    state.ends_on = ACTIVE + 10 * DAY
    assert purchasing.holds_billing(state, ACTIVE + 8 * DAY)
    assert not purchasing.holds_billing(state, ACTIVE + 9 * DAY)
    assert purchasing.or_last_day(state, None, ACTIVE) == calendar.start_of_day(ACTIVE + 9 * DAY, state.zone)


@pytest.mark.parametrize(
    ("expires_on", "covered"), [(ENDS, False), (date(2028, 11, 29), False), (date(2028, 11, 30), True), (None, True)]
)
def test_the_next_term_is_covered_to_its_last_day_or_not_at_all(expires_on: date | None, covered: bool) -> None:
    state = without()
    state.purchase_order = PurchaseOrder(number="PO-1", expires_on=expires_on)
    assert purchasing.covers_next_term(state) is covered


def test_the_renewal_asks_once_and_the_next_purchase_order_settles_it() -> None:
    state = expiring(ENDS)
    state.window_opened = 1
    decide(state, Decision(outcome="renew", by="csm", on=ENDS - 20 * DAY))
    for later in (20, 19):  # asked anew after continue-as-new
        purchasing.ask_for_renewal(state, at(ENDS - later * DAY))
    assert len(state.cases[PURCHASE_ORDER_CASE].view.reasons) == 1
    assert state.cases[PURCHASE_ORDER_CASE].view.opened_at == at(ENDS - 20 * DAY)
    assert "term 2 runs from 2027-12-01 to 2028-12-01" in state.cases[PURCHASE_ORDER_CASE].view.reasons[0]
    receive(state, ENDS - 10 * DAY, expires_on=ENDS)
    assert PURCHASE_ORDER_CASE in state.cases, "it does not cover the next term either"
    receive(state, ENDS - 10 * DAY)
    assert PURCHASE_ORDER_CASE not in state.cases


def test_a_preview_says_what_would_go_on_and_changes_nothing() -> None:
    state = without()
    before = state.model_dump()
    assert purchasing.preview(state, PO, ACTIVE) == ["billing of 1, 3 would start"]
    assert state.model_dump() == before
    receive(state)
    assert purchasing.preview(state, PO, ACTIVE)[0].startswith("nothing waits for it")


@given(st.integers(-400, 800), st.integers(0, 400), st.one_of(st.none(), st.integers(1, 400)))
def test_what_waits_has_a_case_coming_or_had_one(expires: int, today: int, ends: int | None) -> None:
    """No line waits in silence: while billing is held, a case is due or was opened."""
    state = expiring(ACTIVE + expires * DAY)
    state.ends_on = ACTIVE + ends * DAY if ends else None
    day = ACTIVE + today * DAY
    if purchasing.holds_billing(state, day):
        assert purchasing.coming(state)
        dues.come(state, at(day + (WEEK + 1) * DAY))
        assert PURCHASE_ORDER_CASE in state.cases
