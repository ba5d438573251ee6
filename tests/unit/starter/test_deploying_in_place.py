"""Asking the lifecycles after a deploy in place: a slow worker is waited for, a dead one is not."""

from types import SimpleNamespace
from typing import Any, cast

import pytest
from temporalio.api.workflowservice.v1 import DescribeWorkflowExecutionResponse
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from starter.deploying.in_place import Silence, _looked_at
from starter.mistakes import Mistake
from store.tables import LifecycleRow

LIFE = LifecycleRow(
    contract="crm/SLOW/1", tenant="acme", account="a", deal="SLOW", selling_entity="ACME-DE", workflow_id="slow"
)


class Worker:
    """Answers after so many questions have been waited for in vain. `busy`: how often its lifecycle is under way when
    Temporal is asked about it."""

    def __init__(self, silent: int, busy: int = 0) -> None:
        self.asked, self.busy, self._silent = 0, busy, silent

    def get_workflow_handle(self, _: str) -> Any:
        return SimpleNamespace(query=self._query, describe=self._describe)

    async def _describe(self, **_: object) -> Any:
        found = DescribeWorkflowExecutionResponse()
        if self.busy:
            self.busy -= 1
            found.pending_activities.add()
        return SimpleNamespace(raw_description=found)

    async def _query(self, *_: object, **__: object) -> None:
        assert not self.busy, "asked while something was under way"
        self.asked += 1
        if self.asked <= self._silent:
            raise RPCError("no answer", RPCStatusCode.DEADLINE_EXCEEDED, b"")


async def test_a_worker_with_much_to_replay_is_asked_until_it_answers() -> None:
    worker = Worker(silent=4)
    assert await _looked_at(cast(Client, worker), LIFE, 0, Silence(60, print)) is None
    assert worker.asked == 5


async def test_a_lifecycle_is_asked_only_once_nothing_of_it_is_under_way() -> None:
    worker = Worker(silent=0, busy=3)
    assert await _looked_at(cast(Client, worker), LIFE, 0, Silence(60, print)) is None
    assert (worker.asked, worker.busy) == (1, 0)


async def test_a_worker_that_answers_nobody_is_given_up_after_the_patience() -> None:
    with pytest.raises(Mistake, match="crm/SLOW/1 does not answer: is the worker up"):
        await _looked_at(cast(Client, Worker(silent=1000)), LIFE, 0, Silence(0.15, print))


async def test_a_long_silence_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("starter.deploying.in_place.QUIET", 0.0)
    said: list[str] = []
    assert await _looked_at(cast(Client, Worker(silent=1)), LIFE, 0, Silence(60, said.append)) is None
    assert said == ["no lifecycle has answered for 0 s: is the worker up?"]
