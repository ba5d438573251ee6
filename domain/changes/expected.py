"""What a lifecycle has decided and not done yet, with the day on which it will be done."""

from datetime import date

from domain import plan
from domain.base import Frozen
from domain.changes import moves
from domain.outcomes import title
from domain.state import LifecycleState
from domain.steps import Step


class DatedEffect(Frozen):
    """`on` is the civil day on which it is asked of the outside."""

    on: date
    key: str
    title: str


def expected(state: LifecycleState, today: date) -> list[DatedEffect]:
    """The steps in the queue, and those that a decided renewal or end brings on its day; soonest first."""
    steps: list[tuple[date, Step]] = [(today, step) for step in state.queue]
    if state.cancelled is not None and state.subscription is not None:
        steps.append((today, plan.cancel_subscription(state)))
    if state.activated_on is not None and state.ends_on is not None and not state.closed:
        steps.append((max(state.ends_on, today), plan.end_subscription(state, today)))
    elif state.decision is not None and state.decision.outcome == "renew" and not state.renewed:
        steps.append((today, plan.renew_subscription(state)))
        if changes := plan.amend_with_renewal(state):
            steps.append((today, changes))
    if state.moving is not None:
        steps += [(max(state.moving.on, today), step) for step in moves.steps_there(state)]
    unique = {step.key: DatedEffect(on=on, key=step.key, title=title(step)) for on, step in reversed(steps)}
    coming = [effect for key, effect in unique.items() if key not in state.effects]
    return sorted(coming, key=lambda effect: (effect.on, effect.key))
