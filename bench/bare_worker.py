"""Serves the bare workflow, with the product's worker settings: one worker for workflows, one for each system's queue.

`python -m bench.bare_worker ADDRESS BOX_URL TASK_QUEUE SCRIPT READY_FILE`, until SIGTERM.
"""

import asyncio
import json
import os
import signal
import sys
from collections.abc import Callable
from contextlib import AsyncExitStack
from datetime import timedelta
from pathlib import Path

import httpx
from temporalio import activity
from temporalio.client import Client
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.worker import Worker

from bench.bare import DEAL, Asked, BareActivation, Script
from starter.sections import Tuning

SYSTEMS = ("crm", "erp", "cs")


class Performing:
    """The activities' one method, over a client of the box."""

    def __init__(self, script: Script, client: httpx.AsyncClient) -> None:
        self._script = script
        self._client = client

    @activity.defn(name="bare.perform")
    async def perform(self, asked: Asked) -> dict[str, str]:
        learnt: dict[str, str] = {}
        for call in self._script.phases[asked.phase][asked.system][asked.number].calls:
            words = {DEAL: asked.deal, **asked.ids, **learnt}
            headers = {"Idempotency-Key": _filled(call.key, words)} if call.key else {}
            body = None if call.body is None else json.loads(_filled(json.dumps(call.body), words))
            answer = await self._client.request(call.method, _filled(call.path, words), headers=headers, json=body)
            answer.raise_for_status()
            if call.teaches:
                learnt[call.teaches] = answer.json()["id"]
        return learnt


def _filled(text: str, words: dict[str, str]) -> str:
    for word, value in words.items():
        text = text.replace(word, value)
    return text


async def serve(address: str, box: str, queue: str, script: Script, ready: Callable[[], None]) -> None:
    client = await Client.connect(address, data_converter=pydantic_data_converter)
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    token = {"Authorization": "Bearer sandbox"}
    tuning = Tuning()
    async with (
        httpx.AsyncClient(base_url=box, headers=token, trust_env=False, timeout=30) as http,
        AsyncExitStack() as at,
    ):
        performing = Performing(script, http)
        lifecycles = Worker(
            client,
            task_queue=queue,
            workflows=[BareActivation],
            max_cached_workflows=tuning.max_cached_workflows,
            max_concurrent_workflow_tasks=tuning.workflow_tasks,
            sticky_queue_schedule_to_start_timeout=timedelta(seconds=tuning.sticky_timeout),
        )
        await at.enter_async_context(lifecycles)
        for system in SYSTEMS:
            worker = Worker(
                client,
                task_queue=f"{queue}-{system}",
                activities=[performing.perform],
                max_concurrent_activities=tuning.steps,
            )
            await at.enter_async_context(worker)
        ready()
        await stop.wait()


if __name__ == "__main__":
    temporal, box_url, task_queue, script_file, ready_file = sys.argv[1:]
    recorded = Script.model_validate_json(Path(script_file).read_text(encoding="utf-8"))
    asyncio.run(serve(temporal, box_url, task_queue, recorded, Path(ready_file).touch))
    os._exit(0)  # a process that ends right after its Temporal client can abort (sdk-python #300)
