"""Who goes first where many wait: at a system that takes only so many calls, in the engine's queues, at the store."""

from contextvars import ContextVar

from domain.state import LifecycleState
from domain.view import LifecycleView, Stage

FIRST, NEW, AT_RISK, USUAL, LATER, SPARE = 0, 1, 2, 3, 4, 5
"""The smaller goes first. What names none is `USUAL`; `SPARE` is for calls that nobody waits for (domain.limits),
`FIRST` for what all the others wait for."""

OF_TASK: ContextVar[int] = ContextVar("urgency", default=USUAL)
"""Of what this task does."""


def urgency(state: LifecycleState) -> int:
    """Of what a lifecycle asks for. A customer whose order is not activated yet waits for it; of those that renew, one
    that may be lost is looked at before the others."""
    if state.activated_on is None:
        return NEW
    if state.risk is not None and (state.risk.level == "high" or state.risk.renewal_priority == "urgent"):
        return AT_RISK
    return USUAL


def urgency_of_view(view: LifecycleView) -> int:
    """The same, as far as a lifecycle shows it."""
    if view.stage is Stage.ORDER_ACTIVATION:
        return NEW
    return AT_RISK if view.risk == "high" or view.renewal_priority == "urgent" else USUAL


def urgency_of_reading(state: LifecycleState) -> int:
    """Of a look at what systems say, by which nobody is kept waiting: after what is done for others."""
    return LATER if urgency(state) == USUAL else urgency(state)
