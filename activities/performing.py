"""What the activities of all systems share: one step in, the effect under the ledger, one result out."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from pydantic import BaseModel

from activities.effects import Effect, Effects
from domain.effects import EffectClass
from domain.errors import Internal
from domain.steps import Perform, StepBase

R = TypeVar("R", bound=BaseModel)
S = TypeVar("S", bound=StepBase)


def step_of(request: Perform, kind: type[S]) -> S:
    """The request's step, which the lanes' table promises to be of this kind."""
    if not isinstance(request.step, kind):
        raise Internal(f"{request.step.do} was given to the activity of {kind.__name__}")
    return request.step


async def perform_once(
    effects: Effects,
    request: Perform,
    declared: EffectClass,
    arguments: BaseModel,
    answer: type[R],
    send: Callable[[], Awaitable[R]],
    find: Callable[[], Awaitable[R | None]] | None = None,
    vet: Callable[[], Awaitable[None]] | None = None,
    taken: R | None = None,
) -> R:
    """The step's effect, as often as the adapter's declared class promises, keyed by the step's fact.

    `taken`: it was done by hand, and this is what it would have answered.
    """
    effect = Effect(
        key=request.step.key,
        contract=request.contract,
        operation=request.step.do,
        declared=declared,
        arguments=arguments,
        answer=answer,
        send=send,
        find=find,
        vet=vet,
        generation=request.generation,
        view=request.view,
    )
    return await (effects.once(effect) if taken is None else effects.taken(effect, taken))
