"""Why a command is refused: pure functions over the state, asked by the Updates' validators. The reason is in words."""

from datetime import date

from domain.messages import CancelOrder, EndContract, FixOrder, RenewContract, RetryStep
from domain.outcomes import ORDER_CASE, OUT_OF_TERM_CASE
from domain.reactions import Refused, decide
from domain.state import Decision, LifecycleState
from domain.steps import ActivateOrder, ValidateOrder


def check_open(state: LifecycleState) -> None:
    if state.closed or state.cancelled:
        raise Refused("the lifecycle is closed")


def check_fix(state: LifecycleState, command: FixOrder) -> None:
    check_open(state)
    if state.activated_on is not None:
        raise Refused("the order is activated already; a live contract is amended, not fixed")
    if command.revision <= state.order_revision:
        raise Refused(f"revision {command.revision} is not newer than revision {state.order_revision}")
    if state.subscription is not None:
        raise Refused("the ERP holds the subscription already; cancel the order and win it anew")


def check_retry(state: LifecycleState, command: RetryStep) -> None:
    # also while an ended contract or a cancelled order is being wound up: its cases need people as well
    if command.case not in state.cases:
        known = ", ".join(sorted(state.cases)) or "none is open"
        raise Refused(f"there is no open case {command.case!r}; open: {known}")
    if command.case in (ORDER_CASE, OUT_OF_TERM_CASE):
        raise Refused("this case is settled by correcting the order (tenure fix) or by a decision (tenure renew, end)")
    steps = (*state.queue, *state.doubts.values())
    made = any(step.key == command.case and not isinstance(step, ValidateOrder) for step in steps)
    if command.done_as is not None and not made:
        raise Refused("only a step that makes something outside can be taken as done; try this one again without an id")


def check_renew(state: LifecycleState, command: RenewContract, today: date) -> None:
    check_open(state)
    # tried on a copy: a validator changes nothing
    decide(state.model_copy(), Decision(outcome="renew", by=command.by, on=today))


def check_end(state: LifecycleState, command: EndContract, today: date) -> None:
    check_open(state)
    if state.activated_on is None:
        raise Refused("the order is not activated yet; use tenure cancel")
    if state.ends_on is not None:
        raise Refused(f"the contract ends on {state.ends_on} already")
    if state.decision is not None:
        raise Refused(f"term {state.term} is decided: {state.decision.outcome} ({state.decision.by})")
    term = state.term_now()
    if command.on is None and (term is None or term.ends is None):
        raise Refused("an evergreen contract has no term's end; name the day with --on")
    if command.on is not None and command.on < today:
        raise Refused(f"{command.on} is in the past; today is {today} in the contract's zone")
    if command.on is not None and term is not None and term.ends is not None and command.on > term.ends:
        raise Refused(f"the term ends on {term.ends}, before {command.on}")


def check_cancel(state: LifecycleState, command: CancelOrder) -> None:
    check_open(state)
    if state.activated_on is not None or any(isinstance(step, ActivateOrder) for step in state.queue):
        raise Refused("the ERP has activated the order, or is at it; use tenure end")
