"""The notice of a price increase: its own cut-off, before which finance must have told the customer.

The increase itself is the ERP's: `uplift_reference` refers to it, and what is kept here is whether it was told in time.
"""

from datetime import date, datetime, timedelta

from domain import calendar
from domain.finance.coming import Coming
from domain.finance.commands import PriceNoticeGiven
from domain.refused import Refused
from domain.state import LifecycleState, OpenCase
from domain.view import CaseView, PriceNoticeView

DAY = timedelta(days=1)


def case_id(term: int) -> str:
    return f"price-notice:{term}"


def cut_off(state: LifecycleState) -> date | None:
    """The last day on which an increase for the next term may be told; None where none is agreed, or it needs no notice
    of its own."""
    term = state.term_now() if state.activated_on else None
    if term is None or state.known.terms.uplift_reference is None:
        return None
    return calendar.price_cut_off(state.known.terms, term)


def coming(state: LifecycleState) -> list[Coming]:
    """First the reminder, as many days before the cut-off as the renewal is led up to; then the cut-off itself."""
    last, term = cut_off(state), state.term_now()
    if last is None or term is None or state.ends_on is not None or state.term in state.price_notices:
        return []
    if state.price_notice_asked < state.term:
        lead = state.known.terms.renewal_lead_days * DAY
        at = calendar.start_of_day(max(last - lead, term.starts), state.zone)
        return [Coming(at, f"a price increase must be told by {last}", lambda s, now: _ask(s, last, now))]
    if state.price_notice_missed < state.term:
        at = calendar.start_of_day(last + DAY, state.zone)
        return [Coming(at, "the last day to tell a price increase is over", lambda s, now: _missed(s, last, now))]
    return []


def check(state: LifecycleState, command: PriceNoticeGiven, today: date) -> None:
    last = cut_off(state)
    if state.closed or state.cancelled is not None:
        raise Refused("the lifecycle is closed")
    if last is None:
        raise Refused("the contract agrees on no price increase that must be told by a day")
    if not command.by.strip():
        raise Refused("it needs to be said who has told it")
    if state.term in state.price_notices:
        raise Refused(f"it was told on {state.price_notices[state.term]} already")
    on = command.on or today
    if on > today:
        raise Refused(f"{on} is in the future; today is {today} in the contract's zone")
    if on > last:
        raise Refused(f"the last day to tell it was {last}: the increase can't apply to term {state.term + 1}")


def given(state: LifecycleState, command: PriceNoticeGiven, today: date) -> None:
    """The customer knows of it: the increase may apply from the next term on."""
    state.price_notices = {**state.price_notices, state.term: command.on or today}
    state.price_notice_missed = min(state.price_notice_missed, state.term - 1)
    state.cases.pop(case_id(state.term), None)


def shown(state: LifecycleState) -> PriceNoticeView | None:
    """What people see of it."""
    last = cut_off(state)
    if last is None:
        return None
    told = state.price_notices.get(state.term)
    missed = told is None and state.price_notice_missed >= state.term
    return PriceNoticeView(due=last, told=told, applies=False if missed else True if told else None)


def _ask(state: LifecycleState, last: date, now: datetime) -> None:
    state.price_notice_asked = state.term
    _open(
        state,
        now,
        title=f"a price increase for term {state.term + 1} must be told to the customer by {last}",
        mend=f"tell the customer, then tenure price-notice {state.contract}; tenure fix {state.contract} "
        f"--retry {case_id(state.term)} puts this away, where there is no increase",
    )


def _missed(state: LifecycleState, last: date, now: datetime) -> None:
    state.price_notice_missed = state.term
    if case_id(state.term) not in state.cases:
        return  # somebody has put it away: there is to be no increase
    _open(
        state,
        now,
        title=f"no price increase was told by {last}: it can't apply to term {state.term + 1}",
        mend=f"take {state.known.terms.uplift_reference} out of the renewal in the ERP; tenure fix {state.contract} "
        f"--retry {case_id(state.term)}; where it was told in time, tenure price-notice {state.contract} --on DATE",
    )


def _open(state: LifecycleState, now: datetime, *, title: str, mend: str) -> None:
    case = case_id(state.term)
    former = state.cases.get(case)
    state.cases[case] = OpenCase(
        view=CaseView(
            id=case,
            kind="price_notice",
            title=title,
            reasons=[f"the increase agreed on: {state.known.terms.uplift_reference}"],
            opened_at=former.view.opened_at if former else now,
            actor="finance",
            mend=mend,
        )
    )
