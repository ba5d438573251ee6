"""Asking the lifecycles after a deploy in place: a slow worker is waited for, a dead one is not."""

from types import SimpleNamespace
from typing import Any, cast

import pytest
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from starter.deploying.in_place import Silence, _looked_at
from starter.mistakes import Mistake
from store.tables import LifecycleRow

LIFE = LifecycleRow(
    contract="crm/SLOW/1", tenant="acme", account="a", deal="SLOW", selling_entity="ACME-DE", workflow_id="slow"
)


class Worker:
    """Answers after so many questions have been waited for in vain."""

    def __init__(self, silent: int) -> None:
        self.asked, self._silent = 0, silent

    def get_workflow_handle(self, _: str) -> Any:
        return SimpleNamespace(query=self._query)

    async def _query(self, *_: object, **__: object) -> None:
        self.asked += 1
        if self.asked <= self._silent:
            raise RPCError("no answer", RPCStatusCode.DEADLINE_EXCEEDED, b"")


async def test_a_worker_with_much_to_replay_is_asked_until_it_answers() -> None:
    worker = Worker(silent=4)
    assert await _looked_at(cast(Client, worker), LIFE, 0, Silence(60, print)) is None
    assert worker.asked == 5


async def test_a_worker_that_answers_nobody_is_given_up_after_the_patience() -> None:
    with pytest.raises(Mistake, match="crm/SLOW/1 does not answer: is the worker up"):
        await _looked_at(cast(Client, Worker(silent=1000)), LIFE, 0, Silence(0.15, print))


async def test_a_long_silence_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("starter.deploying.in_place.QUIET", 0.0)
    said: list[str] = []
    assert await _looked_at(cast(Client, Worker(silent=1)), LIFE, 0, Silence(60, said.append)) is None
    assert said == ["no lifecycle has answered for 0 s: is the worker up?"]
