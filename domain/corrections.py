"""Corrections of an order that is not activated yet: when one is possible, and what it does to the state."""

from domain import keys, outcomes, plan
from domain.refused import Refused
from domain.state import LifecycleState
from domain.steps import CreateSubscription

# with these it is certain that the ERP holds no subscription; else a correction would be another one under its key
NOT_MADE = outcomes.NOTHING_DONE | {"SOURCE_UNAVAILABLE", "RATE_LIMITED"}


def check_correction(state: LifecycleState, revision: int, *, making: bool) -> None:
    """Raises Refused with the reason. `making`: the ERP is at work for this contract at this moment."""
    if state.activated_on is not None:
        raise Refused("the order is activated already; a live contract is amended, not fixed")
    if revision <= state.order_revision:
        raise Refused(f"revision {revision} is not newer than revision {state.order_revision}")
    if state.subscription is not None:
        raise Refused("the ERP holds the subscription already; cancel the order, and win a new deal for it")
    if making and any(isinstance(step, CreateSubscription) for step in state.queue):
        raise Refused("the ERP is being asked for the subscription at this moment; try again in a minute")
    case = state.cases.get(keys.subscription(state.contract))
    if case is not None and case.view.kind.upper() not in NOT_MADE:
        raise Refused(
            "nobody knows whether the ERP holds the subscription; settle that case first, or cancel the order"
        )


def correct(state: LifecycleState, revision: int) -> None:
    """Have a new revision judged; the activation goes on from where it stood."""
    outcomes.revised(state, revision)
    check = plan.validate_order(state)
    if check.key not in state.effects and all(step.key != check.key for step in state.queue):
        state.queue.append(check)
