"""Activations through the whole house beside the bare workflow on the same server: as fast as they go, and at a rate.

In turns: a burst of deals through the gateway, then a burst of bare workflows, round by round; then both at a rate that
leaves the machine time, for the latency. Counted is at the box's door, for both.
"""

import asyncio
import re
import sqlite3
import sys
import time
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from statistics import median
from typing import NamedTuple

from temporalio.client import Client

from bench.bare import BareActivation, Plan, Script
from bench.events import Customer
from bench.load import Line, signed
from bench.outage import event, unfinished, until
from bench.process import processor_seconds
from bench.recording import recorded
from bench.town import ROOT, Town, open_town
from starter.temporal import local_address

QUEUE = "bare"
SENDERS = 16
PATIENCE = 600.0
LOOK = 0.2
DEAL = re.compile("006A[0-9]{6}Z")
NOT_DONE_YET = ("set_health",)
"""A level, set again whenever it changes: an activation does not end with it."""


class Seen(NamedTuple):
    """One call at the box's door. `text`: all that may name the deal."""

    at: float
    operation: str
    text: str


@dataclass
class Side:
    """What was seen of one of the two. `rates`: activations per second, by burst; `latencies` in seconds, at the rate;
    `processor`: milliseconds of it per activation, by process, over the bursts."""

    rates: list[float] = field(default_factory=list)
    latencies: list[float] = field(default_factory=list)
    processor: dict[str, float] = field(default_factory=dict)

    @property
    def per_second(self) -> float:
        return median(self.rates)

    @property
    def processor_ms(self) -> float:
        return sum(self.processor.values())

    def percentile(self, share: float) -> float:
        ordered = sorted(self.latencies)
        return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


@dataclass
class Compared:
    """`activities` and `calls` are those of one activation: the same for both."""

    activities: int
    calls: int
    house: Side
    bare: Side

    @property
    def throughput(self) -> float:
        """The median of the rounds' ratios."""
        return median(ours / floor for ours, floor in zip(self.house.rates, self.bare.rates, strict=True))

    @property
    def p50(self) -> float:
        return self.house.percentile(0.5) / self.bare.percentile(0.5)


async def activations(
    home: Path, *, burst: int, rounds: int, at_a_rate: int, per_second: float, say: Callable[[str], None] = print
) -> Compared:
    """`burst` deals at once in each of `rounds`; then `at_a_rate` of them, `per_second`."""
    async with open_town(home) as town:
        client = await town.client()
        bench = _Bench(town, client, say)
        script = await bench.record()
        say(f"one activation: {script.activities} activities, {script.calls} HTTP requests")
        async with _bare_worker(home, town, script) as worker:
            return await _compared(bench, script, worker, burst, rounds, at_a_rate, per_second)


async def _compared(
    bench: "_Bench", script: Script, worker: int, burst: int, rounds: int, at_a_rate: int, per_second: float
) -> Compared:
    pids = bench.pids()
    house = {name: pids[name] for name in ("gateway", "dispatcher", "worker", "temporal", "sandbox")}
    bare = {"worker": worker, "temporal": pids["temporal"], "sandbox": pids["sandbox"]}
    seen = Compared(script.activities, script.calls, Side(), Side())
    sides = ((seen.house, bench.through_the_house, house), (seen.bare, bench.through_the_bare(script), bare))
    for _, begin, _ in sides:  # both warm, and neither the first
        await bench.lived(min(4, burst), begin, None)
    spent: dict[int, dict[str, float]] = defaultdict(lambda: defaultdict(float))
    for number in range(rounds):
        for side, begin, processes in sides:
            before = {name: processor_seconds(pid) for name, pid in processes.items()}
            ended = await bench.lived(burst, begin, None)
            side.rates.append(burst / max(ended))
            for name, pid in processes.items():
                spent[id(side)][name] += processor_seconds(pid) - before[name]
        bench.say(f"round {number + 1}: {seen.house.rates[-1]:.2f}/s, bare {seen.bare.rates[-1]:.2f}/s")
    for side, _, _ in sides:
        side.processor = {name: 1000 * used / (burst * rounds) for name, used in spent[id(side)].items()}
    parts = min(4, at_a_rate)  # in turns, here too
    for _ in range(parts):
        for side, begin, _ in sides:
            side.latencies += await bench.lived(at_a_rate // parts, begin, per_second)
    return seen


@asynccontextmanager
async def _bare_worker(home: Path, town: Town, script: Script) -> AsyncIterator[int]:
    file, ready = home / "script.json", home / "bare.ready"
    file.write_text(script.model_dump_json(), encoding="utf-8")
    address = local_address(town.settings)
    with (home / "bare.log").open("wb") as log:
        worker = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "bench.bare_worker", address, town.settings.sandbox_url, QUEUE),
            *(str(file), str(ready)),
            cwd=ROOT, stdout=log, stderr=log,
        )  # fmt: skip
    try:
        while not ready.exists():
            if worker.returncode is not None:
                raise RuntimeError(f"the bare worker ended: {(home / 'bare.log').read_text()[-2000:]}")
            await asyncio.sleep(0.05)
        yield worker.pid
    finally:
        worker.terminate()
        await worker.wait()


class _Bench:
    """Begins activations, and reads at the box's door when they are done."""

    def __init__(self, town: Town, client: Client, say: Callable[[str], None]) -> None:
        self._town = town
        self._client = client
        self.say = say
        self._count = 0
        self._read = 0
        self._done = Counter[str]()
        """By operation in ERP and CS, how often one activation makes it."""

    def pids(self) -> Mapping[str, int]:
        return {each.name: each.pid for each in self._town.stack.status() if each.pid is not None}

    async def record(self) -> Script:
        """Live through one activation, the second: the first finds everything cold."""
        for _ in range(2):
            (customer,) = await self._customers(1)
            await self.through_the_house(customer)
            await self._until_rest()
        lifecycle = f"lifecycle/{self._town.settings.tenant}/{customer.contract}"
        script = await recorded(self._town, self._client, lifecycle, customer.deal)
        mine = [call for call in await self._new_calls() if customer.deal in call.text]
        self._done = Counter(call.operation for call in mine if call.operation not in NOT_DONE_YET)
        return script

    async def through_the_house(self, customer: Customer) -> None:
        happening = event(customer, 0, "deal.closed_won", {"record": customer.record()})
        line = Line(self._town.gateways[0])
        await line.deliver(signed(self._town.secret, "/webhooks/crm", happening.id, happening.body({})))
        line.close()

    def through_the_bare(self, script: Script) -> Callable[[Customer], Awaitable[None]]:
        plan = [{system: len(lane) for system, lane in phase.items()} for phase in script.phases]

        async def begin(customer: Customer) -> None:
            await self._client.start_workflow(
                BareActivation.run, Plan(deal=customer.deal, phases=plan), id=f"bare/{customer.deal}", task_queue=QUEUE
            )

        return begin

    async def lived(
        self, number: int, begin: Callable[[Customer], Awaitable[None]], per_second: float | None
    ) -> list[float]:
        """Begin so many, at once or at a rate, and wait for the last. Seconds from when each was due (the first, where
        all are due at once) until its last call in ERP or CS came in."""
        customers = await self._customers(number)
        due = {}
        slots, first = asyncio.Semaphore(SENDERS), time.time()

        async def one(place: int, customer: Customer) -> None:
            due[customer.deal] = first + (place / per_second if per_second else 0)
            await asyncio.sleep(max(0.0, due[customer.deal] - time.time()))
            async with slots:
                await begin(customer)

        await asyncio.gather(*(one(place, customer) for place, customer in enumerate(customers)))
        ended = await self._until_done(customers)
        await self._until_rest()
        return [ended[deal] - at for deal, at in due.items()]

    async def _customers(self, number: int) -> list[Customer]:
        """Deals that are open in the CRM."""
        today = datetime.now(UTC).date()
        customers = [Customer(Random(n), f"006A{n:06d}Z", today) for n in range(self._count, self._count + number)]
        self._count += number
        for customer in customers:
            record = customer.record(StageName="Negotiation", IsWon=False, IsClosed=False)
            (await self._town.box.post("/crm/opportunities", json=record)).raise_for_status()
        return customers

    async def _until_done(self, customers: Sequence[Customer]) -> dict[str, float]:
        """When each one's last call in ERP or CS came in."""
        wanted, give_up = self._done.total(), time.monotonic() + PATIENCE
        at: dict[str, list[float]] = {customer.deal: [] for customer in customers}
        while time.monotonic() < give_up:
            for call in await self._new_calls():
                if call.operation in self._done and (deal := DEAL.search(call.text)) and deal[0] in at:
                    at[deal[0]].append(call.at)
            if all(len(times) >= wanted for times in at.values()):
                return {deal: max(times) for deal, times in at.items()}
            await asyncio.sleep(LOOK)
        raise TimeoutError(f"activations were not done within {PATIENCE:.0f} s")

    async def _until_rest(self) -> None:
        """Nothing is under way any more: the next turn must find the machine idle."""
        await until(self._town, unfinished, 0)
        for _ in range(int(PATIENCE / LOOK)):
            if not await self._running_bare():
                break
            await asyncio.sleep(LOOK)
        await asyncio.sleep(1.0)

    async def _running_bare(self) -> int:
        query = "WorkflowType = 'BareActivation' AND ExecutionStatus = 'Running'"
        return (await self._client.count_workflows(query)).count

    async def _new_calls(self) -> Sequence[Seen]:
        """Those of ERP and CS since the last look. In the box's own file: to ask it would take the processor's time."""
        seen, self._read = await asyncio.to_thread(
            _calls_after, self._town.settings.state_path / "sandbox.db", self._read
        )
        return seen


def _calls_after(file: Path, last: int) -> tuple[list[Seen], int]:
    query = (
        "SELECT n, received_at, operation, path || coalesce(key, '') || coalesce(body, '') FROM calls"
        " WHERE n > ? AND system IN ('erp', 'cs') ORDER BY n"
    )
    with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True, timeout=30)) as box:
        rows = box.execute(query, (last,)).fetchall()
    return [Seen(datetime.fromisoformat(at).timestamp(), *rest) for _, at, *rest in rows], rows[-1][0] if rows else last
