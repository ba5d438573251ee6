"""The embedded server as Temporal ships it and as Tenure starts it, side by side: six activities that do nothing."""

import asyncio
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from temporalio.client import Client
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Worker

from bench.nothings import SixNothings, nothing
from starter.stack_specs import TEMPORAL_TUNING

QUEUE = "server"


@dataclass
class Served:
    """`alone`: seconds of a workflow by itself; `rates`: workflows per second, many at once, by round."""

    alone: list[float] = field(default_factory=list)
    rates: list[float] = field(default_factory=list)

    @property
    def alone_ms(self) -> float:
        return 1000 * median(self.alone)

    @property
    def per_second(self) -> float:
        return median(self.rates)


async def servers(home: Path, *, alone: int, at_once: int, rounds: int) -> dict[str, Served]:
    """In turns, each with its own file and worker; the one whose turn it is not has nothing to do."""
    seen = {"untuned": Served(), "tuned": Served()}
    async with AsyncExitStack() as stack:
        flags = {"untuned": (), "tuned": TEMPORAL_TUNING}
        clients = {name: await stack.enter_async_context(_served(home, name, flags[name])) for name in seen}
        for client in clients.values():
            await _one(client, "warm")
        for turn in range(rounds):
            for name, served in seen.items():
                for number in range(alone):
                    began = time.perf_counter()
                    await _one(clients[name], f"{turn}-{number}")
                    served.alone.append(time.perf_counter() - began)
                began = time.perf_counter()
                await asyncio.gather(*(_one(clients[name], f"{turn}-many-{number}") for number in range(at_once)))
                served.rates.append(at_once / (time.perf_counter() - began))
    return seen


async def _one(client: Client, name: str) -> None:
    await client.execute_workflow(SixNothings.run, id=name, task_queue=QUEUE)


@asynccontextmanager
async def _served(home: Path, name: str, flags: Sequence[str]) -> AsyncIterator[Client]:
    async with await WorkflowEnvironment.start_local(
        dev_server_existing_path=str(Path(sys.executable).with_name("temporal")),
        dev_server_database_filename=str(home / f"{name}.db"),
        dev_server_log_level="error",
        dev_server_extra_args=flags,
    ) as environment:
        worker = Worker(environment.client, task_queue=QUEUE, workflows=[SixNothings], activities=[nothing])
        async with worker:
            yield environment.client
