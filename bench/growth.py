"""What open lifecycles cost while nothing happens, and what they cost those that are new: as their number grows.

At each size: memory and processor of worker and Temporal, at rest; databases on disk; how long a new deal takes to be
active; then the worker is started anew, so that none is cached: its memory, and how long until it has served a deal.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from statistics import median

from sqlmodel import Session, col, func, select

import wiring
from bench.events import Customer
from bench.open_lives import OpenLife, begin, fill_box, fill_store
from bench.outage import event, send, until
from bench.process import processor_seconds, resident_megabytes
from bench.renewal_day import published, until_active
from bench.town import Town, open_town
from starter.sections import Tuning
from store.erp_states import ErpStateRow
from store.snapshots import MeasuredRow

DEALS = 5
PROCESSES = ("worker", "temporal", "dispatcher")


@dataclass(frozen=True)
class Point:
    """With so many `lives` open. `begin_ms`: from start to rest, per lifecycle, many at once. `idle`: share of a
    processor at rest, by process. `active_ms`: a new deal, from its webhook to the ERP's activation, median.
    `fresh_mb`: of the worker with none cached; `startup_seconds`: from its start until it works."""

    lives: int
    begin_ms: float
    worker_mb: float
    temporal_mb: float
    idle: dict[str, float]
    temporal_disk_kb: float
    store_disk_kb: float
    active_ms: float
    fresh_mb: float
    startup_seconds: float
    first_deal_seconds: float

    @property
    def cached(self) -> int:
        return min(self.lives, Tuning().max_cached_workflows)

    @property
    def cached_kb(self) -> float:
        """Of the worker's memory, what a cached lifecycle takes."""
        return 1024 * (self.worker_mb - self.fresh_mb) / self.cached


async def growth(
    home: Path, *, sizes: Sequence[int], rest_seconds: float, say: Callable[[str], None] = print
) -> list[Point]:
    """`rest_seconds`: for how long the processor is watched at each size."""
    lives = [OpenLife(n) for n in range(sizes[-1])]
    await asyncio.to_thread(fill_box, home / "state" / "sandbox.db", lives)
    points: list[Point] = []
    async with open_town(home) as town:
        grown = _Grown(town, home / "state", rest_seconds)
        for before, size in zip((0, *sizes), sizes, strict=False):
            points.append(await grown.to(lives[before:size], size))
            say(f"{size}: {points[-1]}")
    return points


def _reckoned(session: Session) -> int:
    """Lifecycles whose figures are made of what the ERP says."""
    measured, erp = MeasuredRow, ErpStateRow
    query = select(func.count()).select_from(measured).join(erp, col(erp.contract) == col(measured.contract))
    return session.exec(query.where(col(measured.read_at) == col(erp.read_at))).one()


class _Grown:
    def __init__(self, town: Town, state: Path, rest: float) -> None:
        self._town = town
        self._state = state
        self._rest = rest
        self._deals = 0

    async def to(self, new: Sequence[OpenLife], size: int) -> Point:
        town, tenant = self._town, self._town.settings.tenant
        company, queue = wiring.read_company(town.settings), town.settings.temporal.task_queue_prefix
        await fill_store(town.database, new, tenant)
        began = time.monotonic()
        await begin(await town.client(), new, tenant, company, queue)
        await until(town, published, size + self._deals)
        begun = time.monotonic() - began
        await until(town, _reckoned, size + self._deals)
        await asyncio.sleep(5)  # the databases write what is left
        pids = self._pids()
        before = {name: processor_seconds(pids[name]) for name in PROCESSES}
        await asyncio.sleep(self._rest)
        idle = {name: (processor_seconds(pids[name]) - before[name]) / self._rest for name in PROCESSES}
        worker, temporal = resident_megabytes(pids["worker"]), resident_megabytes(pids["temporal"])
        active = median([await self._deal() for _ in range(DEALS)])
        await town.stop("worker")
        stopped = time.monotonic()
        await town.start("worker")
        startup = time.monotonic() - stopped
        fresh = resident_megabytes(self._pids()["worker"])
        first = await self._deal()
        return Point(
            lives=size,
            begin_ms=1000 * begun / len(new),
            worker_mb=worker,
            temporal_mb=temporal,
            idle=idle,
            temporal_disk_kb=_kilobytes(self._state, "temporal.db") / size,
            store_disk_kb=_kilobytes(self._state, "store.db") / size,
            active_ms=1000 * active,
            fresh_mb=fresh,
            startup_seconds=startup,
            first_deal_seconds=first,
        )

    async def _deal(self) -> float:
        """Seconds from a deal's webhook to its activation in the ERP."""
        self._deals += 1
        customer = Customer(Random(self._deals), f"006G{self._deals:06d}Z", datetime.now(UTC).date())
        record = customer.record(StageName="Negotiation", IsWon=False, IsClosed=False)
        (await self._town.box.post("/crm/opportunities", json=record)).raise_for_status()
        began = time.time()
        await send(self._town, [event(customer, 0, "deal.closed_won", {"record": customer.record()})])
        return await until_active(self._state / "sandbox.db", customer.deal, began) - began

    def _pids(self) -> dict[str, int]:
        return {each.name: each.pid for each in self._town.stack.status() if each.pid is not None}


def _kilobytes(folder: Path, name: str) -> float:
    """With what SQLite has not moved into the file yet."""
    return sum(file.stat().st_size for file in folder.glob(f"{name}*")) / 1024
