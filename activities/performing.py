"""What the activities of all systems share: one step in, the effect under the ledger, one result out."""

import inspect
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

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


def operation(connection: str, step: StepBase) -> str:
    """The ledger's name of what a step does: the connection's name, and the method."""
    return f"{connection}.{step.do.partition('.')[2]}"


async def perform_once(
    effects: Effects,
    connection: str,
    request: Perform,
    declared: EffectClass,
    arguments: BaseModel,
    answer: type[R],
    send: Callable[[], Awaitable[R]],
    find: Callable[[], Awaitable[R | None]] | None = None,
    vet: Callable[[], Awaitable[R | None]] | None = None,
    taken: R | None = None,
) -> R:
    """The step's effect in the system behind `connection`, as often as the adapter's declared class promises, keyed by
    the step's fact.

    `taken`: it was done by hand, and this is what it would have answered.
    """
    effect = Effect(
        key=request.step.key,
        contract=request.contract,
        operation=operation(connection, request.step),
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


def activities_of(owner: object) -> list[Callable[..., Any]]:
    """The methods of an activity class that Temporal may call."""
    methods = [method for _, method in inspect.getmembers(owner, inspect.ismethod)]
    return [method for method in methods if hasattr(method, "__temporal_activity_definition")]
