"""The floor of an activation: a workflow that makes the recorded calls of a real one, and nothing else.

As many activities, in the same lanes, on queues of its own, each with the same HTTP requests by plain httpx: no ledger,
no view, no policy, no adapter. bench/bare_worker.py serves it.
"""

import asyncio
from datetime import timedelta
from typing import Any

from pydantic import BaseModel
from temporalio import workflow

DEAL = "{deal}"
"""Stands in a script for the deal; `{id of the recorded record}` for what an earlier answer named."""


class Call(BaseModel):
    """One request. `teaches`: the recorded id that its answer's id stands for."""

    method: str
    path: str
    key: str | None = None
    body: Any = None
    teaches: str | None = None


class Action(BaseModel):
    """One activity: where, and what it asks. `name` is the product's, for who reads the history."""

    system: str
    name: str
    calls: list[Call]


class Script(BaseModel):
    """Phases one after another, in each the systems side by side, in each of those one activity after another."""

    phases: list[dict[str, list[Action]]]

    @property
    def activities(self) -> int:
        return sum(len(lane) for phase in self.phases for lane in phase.values())

    @property
    def calls(self) -> int:
        return sum(len(each.calls) for phase in self.phases for lane in phase.values() for each in lane)


class Asked(BaseModel):
    """One activity's input. `ids`: what the answers so far have named."""

    deal: str
    phase: int
    system: str
    number: int
    ids: dict[str, str]


class Plan(BaseModel):
    """For which deal, and in each phase how many activities each lane has."""

    deal: str
    phases: list[dict[str, int]]


@workflow.defn(name="BareActivation")
class BareActivation:
    """The lanes of a phase run side by side, as the product's do."""

    @workflow.run
    async def run(self, plan: Plan) -> dict[str, str]:
        self._ids: dict[str, str] = {}
        for phase, lanes in enumerate(plan.phases):
            await asyncio.gather(*(self._lane(plan.deal, phase, system, many) for system, many in lanes.items()))
        return self._ids

    async def _lane(self, deal: str, phase: int, system: str, many: int) -> None:
        for number in range(many):
            self._ids |= await workflow.execute_activity(
                "bare.perform",
                Asked(deal=deal, phase=phase, system=system, number=number, ids=self._ids),
                task_queue=f"{workflow.info().task_queue}-{system}",
                start_to_close_timeout=timedelta(seconds=15),
                result_type=dict[str, str],
            )
