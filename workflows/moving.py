"""The track of a contract that moves to another legal entity or currency: once ended here, it is begun there."""

from collections.abc import Callable
from datetime import datetime

from temporalio import workflow

from workflows.lanes import Lanes
from workflows.waiting import Due, until

with workflow.unsafe.imports_passed_through():
    from domain import calendar
    from domain.changes import moves
    from domain.state import LifecycleState
    from domain.steps import Step


class Relocation:
    """Every step is guarded by its recorded fact, so that a new run goes on where it stood."""

    def __init__(self, state: LifecycleState, lanes: Lanes, now: Callable[[], datetime]) -> None:
        self._state = state
        self._lanes = lanes
        self._now = now

    async def track(self) -> None:
        """Wait for moves, as long as the contract lives."""
        s = self._state
        while not s.closed:
            await workflow.wait_condition(lambda: s.closed or s.moving is not None)
            await until(self._now, self._day, unless=self._off, held=lambda: s.paused is not None)
            if not self._off():
                await self._move()

    async def _move(self) -> None:
        s = self._state
        if s.moving is not None:
            s.moving.begun = True
        await self._do(moves.steps_there(s))
        await self._do(moves.steps_there(s))  # the subscription, now that its customer is known
        await self._do(moves.steps_across(s))
        moves.arrive(s)

    async def _do(self, steps: list[Step]) -> None:
        for step in steps:
            self._lanes.ask(step)
        await workflow.wait_condition(lambda: all(step.key in self._state.effects for step in steps))

    def _day(self) -> Due:
        moving = self._state.moving
        if moving is None:
            return Due(None, "")
        what = f"the contract moves to {moving.selling_entity}, {moving.currency}"
        return Due(calendar.start_of_day(moving.on, self._state.zone), what)

    def _off(self) -> bool:
        """Undone, or the contract is over: an end that comes before the move."""
        return self._state.closed or self._state.moving is None
