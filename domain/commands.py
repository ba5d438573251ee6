"""Why a command is refused: pure functions over the state, asked by the Updates' validators. The reason is in words."""

from datetime import date

from domain import keys
from domain.corrections import check_correction
from domain.errors import AccountFenced, ConnectionFrozen
from domain.finance.approval import APPROVAL_CASE
from domain.finance.periods import check_redate
from domain.finance.purchasing import PURCHASE_ORDER_CASE
from domain.messages import CancelOrder, EndContract, FixOrder, RenewContract, RetryStep
from domain.outcomes import NOTHING_DONE, ORDER_CASE, find_step
from domain.reactions import decide
from domain.refused import Refused
from domain.renewals import OUT_OF_TERM_CASE, UNDECIDED_CASE, check_notice
from domain.state import Decision, LifecycleState
from domain.steps import (
    ActivateOrder,
    AmendSubscription,
    ChangeTerm,
    CreateRenewalOpportunity,
    PostNote,
    StartPlaybook,
    ValidateOrder,
)

FROZEN = ConnectionFrozen.kind.lower()
HELD = (FROZEN, AccountFenced.kind.lower())
DROPPABLE = (AmendSubscription, ChangeTerm, CreateRenewalOpportunity, StartPlaybook, PostNote)


def check_open(state: LifecycleState) -> None:
    if state.closed or state.cancelled:
        raise Refused("the lifecycle is closed")


def check_fix(state: LifecycleState, command: FixOrder, *, making: bool = False) -> None:
    check_open(state)
    check_correction(state, command.revision, making=making)


def check_retry(state: LifecycleState, command: RetryStep, *, under_way: bool) -> None:
    # also while an ended contract or a cancelled order is being wound up: its cases need people as well
    if command.case not in state.cases:
        known = ", ".join(sorted(state.cases)) or "none is open"
        raise Refused(f"there is no open case {command.case!r}; open: {known}")
    kind = state.cases[command.case].view.kind
    if command.by == FROZEN and kind not in HELD:
        raise Refused(f"the thaw moves on what is frozen, and this is {kind}: a doubt is a person's")
    if command.case in (ORDER_CASE, OUT_OF_TERM_CASE, UNDECIDED_CASE):
        raise Refused("this case is settled by correcting the order (tenure fix) or by a decision (tenure renew, end)")
    if command.case == PURCHASE_ORDER_CASE:
        raise Refused("this case is settled by the purchase order (tenure po)")
    if command.case == APPROVAL_CASE:
        raise Refused("this case is settled by finance (tenure approve, reject) or by a corrected order (tenure fix)")
    step = find_step(state, command.case)
    if command.done_as is not None and (step is None or isinstance(step, ValidateOrder)):
        raise Refused("only a step that makes something outside can be taken as done; try this one again without an id")
    if step is not None and under_way and (command.done_as is not None or command.drop):
        raise Refused("the step is being tried at this moment; try again in a minute")
    if command.on is not None:
        check_redate(state, command.case, command.on, under_way=under_way)
    if command.drop:
        check_drop(state, command.case)


def check_drop(state: LifecycleState, case: str) -> None:
    """Only what the contract can do without is dropped, and a change only where the ERP certainly holds nothing."""
    step = find_step(state, case)
    refused = state.cases[case].view.kind.upper() in NOTHING_DONE
    if isinstance(step, AmendSubscription | ChangeTerm) and not refused:
        raise Refused("nobody knows whether the ERP has the change; look there, then --done-as or --retry alone")
    if step is not None and not isinstance(step, DROPPABLE):
        raise Refused("the contract can't do without this step; mend the cause, or take it as done with --done-as")


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
    if state.decision is not None and not renewal_refused(state):
        raise Refused(f"term {state.term} is decided: {state.decision.outcome} ({state.decision.by})")
    if not command.reason.strip():
        raise Refused("an end needs a reason")
    term = state.term_now()
    if command.on is None and (term is None or term.ends is None):
        raise Refused("an evergreen contract has no term's end; name the day with --on")
    if command.on is not None and command.on < today:
        raise Refused(f"{command.on} is in the past; today is {today} in the contract's zone")
    if command.on is None and not renewal_refused(state):
        check_notice(state, today)
    running = term is not None and term.ends is not None and today < term.ends
    if running and term is not None and term.ends is not None and command.on is not None and command.on > term.ends:
        raise Refused(f"the term ends on {term.ends}, before {command.on}")


def renewal_refused(state: LifecycleState) -> bool:
    """Whether the ERP has refused the renewal that was decided: then the contract may still be ended instead."""
    case = state.cases.get(keys.renewal(state.contract, state.term + 1))
    return case is not None and case.view.kind.upper() in NOTHING_DONE


def check_cancel(state: LifecycleState, command: CancelOrder, *, under_way: bool) -> None:
    check_open(state)
    if not command.reason.strip():
        raise Refused("a cancellation needs a reason")
    case = state.cases.get(keys.activation(state.contract))
    refused = case is not None and case.view.kind.upper() in NOTHING_DONE and not under_way
    activating = any(isinstance(step, ActivateOrder) for step in state.queue)
    if state.activated_on is not None or (activating and not refused):
        raise Refused("the ERP has activated the order, or is at it; use tenure end")
