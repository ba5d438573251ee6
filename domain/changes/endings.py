"""Notice, its withdrawal, and termination within the term."""

from datetime import date

from domain import calendar, keys
from domain.changes.kinds import GiveNotice, Terminate
from domain.refused import Refused
from domain.state import LifecycleState


def give_notice(state: LifecycleState, change: GiveNotice, by: str, today: date) -> None:
    """The customer does not go on: the end follows from the terms."""
    term = endable(state)
    received = change.received_on or today
    if received > today:
        raise Refused(f"a notice can't have been received on {received}; today is {today}")
    if term.ends is None:
        ends = max(state.earliest_end(received), today)
    else:
        cut_off = calendar.notice_cut_off(state.known.terms, term)
        if state.known.terms.auto_renew and cut_off is not None and received > cut_off:
            raise Refused(
                f"notice for term {state.term} was due by {cut_off}: it renews by its clause, and can be ended with "
                f"the next term, or for cause"
            )
        minimum = state.minimum_ends()
        if minimum is not None and term.ends < minimum:
            raise Refused(f"the contract runs until {minimum} at the least; term {state.term} is over on {term.ends}")
        ends = max(term.ends, today)
    _end_on(state, ends, f"{change.reason}, received on {received} ({by})")


def terminate(state: LifecycleState, change: Terminate, by: str, today: date) -> None:
    """Within the term: for convenience as early as the terms allow; for cause on any day, also where another term is
    decided, whose renewal is then given up."""
    term = endable(state, for_cause=change.ground == "cause")
    if not change.reason.strip():
        raise Refused("an end needs a reason")
    earliest = today if change.ground == "cause" else state.earliest_end(today)
    on = change.on or earliest
    if change.ground == "cause" and on < term.starts:
        raise Refused(f"{on} is before the running term, which began on {term.starts}")
    if change.ground == "convenience" and on < earliest:
        raise Refused(f"for convenience the contract can't end before {earliest} (notice and minimum term)")
    if term.ends is not None and on > max(term.ends, today):
        raise Refused(f"the term ends on {term.ends}, before {on}")
    if state.decision is not None and state.decision.outcome == "renew":
        renewal = keys.renewal(state.contract, state.term + 1)
        state.queue = [step for step in state.queue if step.key != renewal]
        state.cases.pop(renewal, None)
    _end_on(state, on, f"{change.reason}, for {change.ground} ({by})")


def withdraw_notice(state: LifecycleState) -> None:
    """The contract goes on; what was to be decided on its renewal is open again."""
    if state.ends_on is None:
        raise Refused("the contract has no end that could be withdrawn")
    if any(step.key == keys.ending(state.leg_id) for step in (*state.queue, *state.doubts.values())):
        raise Refused("the ERP is ending the subscription at this moment; win the customer back with a new deal")
    state.ends_on, state.end_reason = None, ""
    if state.decision is not None and state.decision.outcome == "end":
        state.decision = None


def endable(state: LifecycleState, *, for_cause: bool = False) -> calendar.Term:
    """The running term, while no end of the contract and no next term is decided. Raises Refused."""
    term = state.term_now()
    if state.activated_on is None or term is None:
        raise Refused("the order is not activated yet; use tenure cancel")
    if state.ends_on is not None:
        raise Refused(f"the contract ends on {state.ends_on} already")
    decided = state.renewed or (state.decision is not None and state.decision.outcome == "renew")
    if decided and not for_cause:
        by = f" ({state.decision.by})" if state.decision else ""
        raise Refused(f"the renewal after term {state.term} is decided{by}")
    return term


def _end_on(state: LifecycleState, day: date, reason: str) -> None:
    state.ends_on, state.end_reason, state.decision = day, reason, None
