"""Accounting periods that are closed in the ERP: what was to be dated in one is held, and dated on the first open day.

Only what the customer gains by may be dated later by policy: a billing start, a change of the subscription. An end is
dated anew by a person alone, since it would be served longer than was agreed.
"""

from datetime import date, datetime

from domain import calendar
from domain.finance.records import Redated
from domain.refused import Refused
from domain.state import LifecycleState
from domain.steps import AmendSubscription, EndSubscription, StartBilling, Step

BY_POLICY = "the closed period"
Dated = StartBilling | AmendSubscription | EndSubscription


def day_of(step: Dated) -> date:
    match step:
        case StartBilling():
            return step.starts
        case AmendSubscription():
            return step.effective
        case EndSubscription():
            return step.ends


def redate_by_policy(state: LifecycleState, step: Step, on: date, now: datetime) -> bool:
    """Hold a refused step and date it on the first open day. False where that is not the policy's to do, or would not
    help: then its case stays a person's."""
    queued = _queued(state, step.key)
    if not isinstance(queued, StartBilling | AmendSubscription) or on <= day_of(queued):
        return False
    _redate(state, queued, on, BY_POLICY)
    case = state.cases[step.key]
    case.retry_at = max(now, calendar.start_of_day(on, state.zone))
    case.view.reasons = [*case.view.reasons, f"it is dated {on} now, the first day that is open"]
    return True


def check_redate(state: LifecycleState, key: str, on: date, *, under_way: bool) -> None:
    """Why a person can't date a step anew. Raises Refused."""
    queued = _queued(state, key)
    if queued is None:
        raise Refused("only a billing start, a change of the subscription or its end can be dated anew")
    if under_way:
        raise Refused("the step is being tried at this moment; try again in a minute")
    if not isinstance(queued, EndSubscription) and on < day_of(queued):
        raise Refused(f"it is due on {day_of(queued)}; it can be dated later, not earlier")
    term = state.term_now()
    if isinstance(queued, EndSubscription) and term is not None and on < term.starts:
        raise Refused(f"the term began on {term.starts}, after {on}")


def redate(state: LifecycleState, key: str, on: date, by: str) -> None:
    queued = _queued(state, key)
    if queued is not None:
        _redate(state, queued, on, by)


def _redate(state: LifecycleState, step: Dated, on: date, by: str) -> None:
    former = state.redated.get(step.key)
    state.redated = {**state.redated, step.key: Redated(was=former.was if former else day_of(step), on=on, by=by)}
    match step:
        case StartBilling():
            # the acceptance triggers revenue, which the closed period refuses too
            step.accepted_on = max(step.accepted_on, on)
            step.starts = on
        case AmendSubscription():
            step.effective = on
        case EndSubscription():
            step.ends, state.ends_on = on, on


def _queued(state: LifecycleState, key: str) -> Dated | None:
    found = next((step for step in state.queue if step.key == key), None)
    return found if isinstance(found, Dated) else None
