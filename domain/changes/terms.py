"""Changes of the term: longer, ending with another contract's, and renewed before its time."""

from datetime import date, timedelta

from domain import calendar, keys
from domain.changes.kinds import CoTerm, Extend, Renew
from domain.refused import Refused
from domain.state import Decision, LifecycleState
from domain.steps import ChangeTerm


def extend(state: LifecycleState, change: Extend, name: str, today: date) -> None:
    """The running term ends later."""
    ends = _running_end(state)
    if change.ends <= ends:
        raise Refused(f"the term ends on {ends} already; an extension ends later")
    _move_end(state, ends, change.ends, name, "extended", today)


def co_term(state: LifecycleState, change: CoTerm, name: str, today: date) -> None:
    """The running term ends on the day on which another contract's does."""
    ends, term = _running_end(state), state.term_now()
    if change.contract == state.contract:
        raise Refused("a contract ends with itself anyway; name another one")
    if change.ends == ends:
        raise Refused(f"both terms end on {ends} already")
    if term is not None and change.ends <= max(today, term.starts):
        raise Refused(f"the term of {change.contract} ends on {change.ends}: too early for one that runs on {today}")
    minimum = state.minimum_ends()
    if term is not None and minimum is not None and change.ends < minimum:
        raise Refused(f"the minimum term lasts until {minimum}; {change.ends} is before it")
    _move_end(state, ends, change.ends, name, f"ends with {change.contract}", today)


def renew(state: LifecycleState, change: Renew, by: str, today: date) -> None:
    """Decided now, whether or not the window is open."""
    ends = _running_end(state)
    opens = state.window_opens()
    if state.window_opened < state.term and not change.early and change.starts is None:
        when = calendar.civil_date(opens, state.zone) if opens else None
        raise Refused(f"the renewal window is not open; it opens on {when}; an early renewal is decided before")
    following = state.term + 1
    term = state.term_now()
    if change.starts is not None and term is not None:
        earliest = max(today, term.starts + timedelta(days=1))
        if not earliest <= change.starts < ends:
            raise Refused(f"an early term begins from {earliest} on, and before {ends}, where the running one ends")
        state.moved[following] = change.starts
    starts = change.starts or ends
    if change.months is not None:
        state.moved[following] = starts
        state.moved[following + 1] = calendar.add_months(starts, change.months)
    state.decision = Decision(outcome="renew", by=by, on=today)


def _running_end(state: LifecycleState) -> date:
    """The day on which the running term ends, while that can still be changed. Raises Refused."""
    term = state.term_now()
    if state.activated_on is None or term is None:
        raise Refused("the order is not activated yet: correct it with tenure fix")
    if term.ends is None:
        raise Refused("the contract has no term's end")
    if state.ends_on is not None:
        raise Refused(f"the contract ends on {state.ends_on}; withdraw the notice first")
    if state.renewed:
        raise Refused(f"term {state.term + 1} is in the ERP already")
    if state.decision is not None:
        raise Refused(f"term {state.term} is decided: {state.decision.outcome} ({state.decision.by})")
    return term.ends


def _move_end(state: LifecycleState, former: date, ends: date, name: str, why: str, today: date) -> None:
    state.moved = {number: day for number, day in state.moved.items() if number <= state.term} | {state.term + 1: ends}
    opens = state.window_opens()
    if state.window_opened == state.term and opens is not None and calendar.civil_date(opens, state.zone) > today:
        state.window_opened, state.readiness = state.term - 1, None  # there is time again
    state.queue.append(
        ChangeTerm(
            key=keys.term_change(state.contract, name),
            subscription=state.subscription or "",
            ends=ends,
            former=former,
            reason=why,
        )
    )
