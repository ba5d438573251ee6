"""Reconciling many contracts: how many reads, how fast at most, how much memory, and whether a workflow woke.

The reconciliation runs in a process of its own, over HTTP to the box, within a limit that the box has too.
"""

import asyncio
import json
import os
import resource
import socket
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
from sqlmodel import Session
from temporalio.client import Client
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.testing import WorkflowEnvironment

from adapters.crm.sandbox import SandboxCrm
from adapters.cs.sandbox import SandboxCs
from adapters.erp.sandbox import SandboxErp
from adapters.limits import LimitedTransport
from adapters.turns import Limits
from bench.agreed import Plain
from bench.process import running
from bench.town import ROOT
from domain import keys
from domain.limits import Limit
from domain.ports.records import RecordKind, RecordPage, RunRecord
from domain.state import LifecycleState
from domain.view import Stage
from sandbox.store import Store
from starter.reconciling.reading import Source
from starter.reconciling.reconciler import Reconciler
from starter.reconciling.runs import AT_ONCE as PAGE
from starter.reconciling.runs import CONNECTION, Runs
from store.database import Database
from store.limits import SqlLimits
from store.migrate import migrate
from workflows.desk import SEARCH_ATTRIBUTES, at_start
from workflows.lifecycle import CustomerLifecycle

TENANT = "bench"
AT_ONCE = 250
REAL = 1_000
"""So many workflows really run, two pages of Temporal's list: an embedded server takes minutes to start ten thousand.
Those of the other contracts are listed behind them, in pages as long."""
PORTS = {"erp": SandboxErp, "crm": SandboxCrm, "cs": SandboxCs}


@dataclass(frozen=True)
class Reckoned:
    """`reads` and `most` (in any one second) by system, as the box counted them; `woken`: of a sample of those that
    run, the workflows whose history grew."""

    contracts: int
    planted: int
    found: int
    seconds: float
    megabytes: float
    reads: dict[str, int]
    most: int
    refused: int
    woken: int


async def reckoned(home: Path, *, contracts: int, per_second: int, say: Callable[[str], None] = print) -> Reckoned:
    """Every fiftieth contract has another quantity in the ERP than was sold; nothing else is wrong."""
    lives = [Plain(n) for n in range(contracts)]
    url = f"sqlite:///{home / 'store.db'}"
    await asyncio.to_thread(_fill, home, url, lives)
    say(f"{contracts} contracts are in the store and in the box")
    async with await WorkflowEnvironment.start_local(
        data_converter=pydantic_data_converter,
        dev_server_existing_path=str(Path(sys.executable).with_name("temporal")),
        dev_server_log_level="error",
        search_attributes=SEARCH_ATTRIBUTES,
    ) as environment:
        client = environment.client
        real = running_of(contracts)
        await _begin(client, real)
        say(f"{len(real)} workflows run")
        port = _free_port()
        command = [sys.executable, "-m", "sandbox", "--port", str(port), "--db", str(home / "box.db")]
        environment_of = {"PYTHONPATH": str(ROOT)}
        with running(command, f"http://127.0.0.1:{port}/healthz", home / "box.log", environment_of):
            async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=60) as box:
                for system in PORTS:
                    limit = {"system": system, "per_second": per_second}
                    (await box.post("/admin/limits", json=limit)).raise_for_status()
                sample = real[:: max(1, len(real) // 200)]
                before = await _lengths(client, sample)
                target = client.service_client.config.target_host
                told = await _in_a_process(
                    home, [url, f"http://127.0.0.1:{port}", target, str(per_second), str(contracts)]
                )
                after = await _lengths(client, sample)
                calls = (await box.get("/admin/calls")).json()
    moments = {system: [datetime.fromisoformat(c["received_at"]).timestamp() for c in calls if c["system"] == system]
               for system in PORTS}  # fmt: skip
    return Reckoned(
        contracts=told["contracts"],
        planted=len(range(0, contracts, 50)) - sum(each.stage is Stage.ENDED for each in lives[::50]),
        found=told["found"],
        seconds=told["seconds"],
        megabytes=told["megabytes"],
        reads=dict(Counter(call["system"] for call in calls)),
        most=max(most_in_a_second(times) for times in moments.values()),
        refused=sum(call["status"] == 429 for call in calls),
        woken=sum(before[name] != after[name] for name in before),
    )


def _fill(home: Path, url: str, lives: Sequence[Plain]) -> None:
    migrate(url)
    database = Database(url, lasting=False)
    for first in range(0, len(lives), AT_ONCE):
        part = lives[first : first + AT_ONCE]

        def seed(session: Session, part: Sequence[Plain] = part) -> None:
            for each in part:
                session.add_all(each.rows(TENANT))

        database.write_sync(seed)
    database.close()
    box = Store(str(home / "box.db"))
    with box.transaction():
        for each in lives:
            for system, kind, record in each.documents():
                if kind == "subscriptions" and each.n % 50 == 0:
                    record["lines"][1]["quantity"] = "49"
                name = record.get("id") or record.get("Id") or record["company"]
                external = record.get("external_id") or record.get("Tenure_External_Id__c")
                box.put(system, kind, str(name), record, external)
    box.close()


async def _begin(client: Client, lives: Sequence[Plain]) -> None:
    """No worker serves them: they stand there, to be listed."""
    slots = asyncio.Semaphore(50)

    async def begin(each: Plain) -> None:
        async with slots:
            await client.start_workflow(
                CustomerLifecycle.run,
                LifecycleState(tenant=TENANT, contract=each.contract),
                id=keys.lifecycle_id(TENANT, each.contract),
                task_queue=TENANT,
                search_attributes=at_start(each.account, "ACME-DE"),
            )

    await asyncio.gather(*map(begin, lives))


async def _lengths(client: Client, lives: Sequence[Plain]) -> dict[str, int]:
    handles = [client.get_workflow_handle(keys.lifecycle_id(TENANT, each.contract)) for each in lives]
    return {handle.id: (await handle.describe()).history_length for handle in handles}


async def _in_a_process(home: Path, arguments: Sequence[str]) -> dict[str, Any]:
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bench.reconciling", *arguments,
        stdout=asyncio.subprocess.PIPE, env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    output, _ = await child.communicate()
    if child.returncode:
        raise RuntimeError(f"the reconciliation failed ({child.returncode})")
    answer: dict[str, Any] = json.loads(output.decode().strip().splitlines()[-1])
    return answer


def most_in_a_second(times: Sequence[float]) -> int:
    """The most in any one second."""
    first = most = 0
    for last, moment in enumerate(times):
        while times[first] <= moment - 1:
            first += 1
        most = max(most, last - first + 1)
    return most


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


# ── the process that reconciles ─────────────────────────────────────────────────────────────────────────────────


class AllRuns:
    """domain.ports.records.RecordReader: what Temporal lists, and then those that stand for the others."""

    kinds: tuple[RecordKind, ...] = ("runs",)

    def __init__(self, runs: Runs, contracts: int) -> None:
        self._runs = runs
        real = {each.n for each in running_of(contracts)}
        self._others = [each for each in living(contracts) if each.n not in real]

    async def records(self, kind: RecordKind, cursor: str | None = None, *, about: str | None = None) -> RecordPage:
        if about is not None:
            found = [each for each in self._others if each.contract == about]
            return RecordPage(records=_runs(found)) if found else await self._runs.records(kind, about=about)
        first, _, begins = (cursor or "").partition("others:")
        if not begins:
            page = await self._runs.records(kind, first or None)
            return page if page.cursor or not self._others else page.model_copy(update={"cursor": "others:0"})
        until = int(begins) + PAGE
        more = f"others:{until}" if until < len(self._others) else None
        return RecordPage(records=_runs(self._others[int(begins) : until]), cursor=more)


def living(contracts: int) -> list[Plain]:
    return [each for each in map(Plain, range(contracts)) if each.stage is not Stage.ENDED]


def running_of(contracts: int) -> list[Plain]:
    """Those whose workflow really runs, spread over all that have one."""
    all_of_them = living(contracts)
    return all_of_them[:: max(1, -(-len(all_of_them) // REAL))]


def _runs(lives: Sequence[Plain]) -> tuple[RunRecord, ...]:
    ids = ((keys.lifecycle_id(TENANT, each.contract), each.contract) for each in lives)
    return tuple(RunRecord(id=id, contract=contract, running=True) for id, contract in ids)


async def reconcile(url: str, box: str, temporal: str, per_second: int, contracts: int) -> dict[str, Any]:
    database = Database(url)
    limits = Limits(SqlLimits(database))
    client = await Client.connect(temporal, data_converter=pydantic_data_converter)
    async with _sources(box, limits, per_second) as sources:
        sources[CONNECTION] = Source(CONNECTION, "workflow", AllRuns(Runs(client, TENANT), contracts))
        began = time.monotonic()
        done = await Reconciler(database, sources, {}, settle=timedelta(0)).run()
        seconds = time.monotonic() - began
    await limits.close()
    database.close()
    used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    said = {"contracts": done.contracts, "found": done.found, "seconds": seconds, "megabytes": used}
    if problems := [each.problem for each in done.sources if each.problem]:
        raise RuntimeError("; ".join(problems))
    return said


@asynccontextmanager
async def _sources(box: str, limits: Limits, per_second: int) -> AsyncIterator[dict[str, Source]]:
    limit = Limit(per_second=per_second, burst=1)
    clients = {
        system: httpx.AsyncClient(
            base_url=f"{box}/{system}/",
            headers={"Authorization": "Bearer sandbox"},
            transport=LimitedTransport(httpx.AsyncHTTPTransport(), limits.of(system, limit)),
            timeout=30,
        )
        for system in PORTS
    }
    try:
        yield {name: Source(name, name, port(clients[name]).records) for name, port in PORTS.items()}  # type: ignore[attr-defined]  # each of these can list
    finally:
        for client in clients.values():
            await client.aclose()


if __name__ == "__main__":
    store, http, server, rate, many = sys.argv[1:]
    sys.stdout.write(json.dumps(asyncio.run(reconcile(store, http, server, int(rate), int(many)))) + "\n")
    sys.stdout.flush()
    os._exit(0)  # a process that ends right after its Temporal client can abort (sdk-python #300)
