"""The reference year, measured: what one contract takes of Temporal, of the store and of processors, year by year.

The world is the tests' own (tests/reference.py): production's workers over the sandbox's systems. Workers, dispatcher
and sandbox share this process, so its processor time is more than a worker's own.
"""

import asyncio
import os
import shutil
import sys
import time
from collections import Counter
from dataclasses import asdict, dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import event, func
from sqlmodel import Session, select
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.testing import WorkflowEnvironment

from bench.process import processor_seconds, resident_megabytes
from starter.costing import TRAVEL, actions_of
from starter.stack_specs import TEMPORAL_TIME_TRAVEL, TEMPORAL_TUNING
from store.contract_calls import ContractCallsRow
from tests.dispatch import Post
from tests.house import House, open_house
from tests.reference import Reference
from workflows.desk import SEARCH_ATTRIBUTES

CACHED = 40
INVOICES = 20
PRAGMAS = ("page_count", "page_size")
TOLD = 6.0  # seconds until the calls of the last moments are in the store


@dataclass
class Year:
    """Of one contract. `writes`: transactions that committed; `store_bytes`: what the store has grown by."""

    actions: float = 0
    events: float = 0
    bytes: float = 0
    cpu_seconds: float = 0
    server_cpu_seconds: float = 0
    writes: float = 0
    store_bytes: float = 0
    calls: dict[str, float] = field(default_factory=dict)


@dataclass
class Measured:
    """`cached_kilobytes`: of one more lifecycle that is open and was not let go, whoever holds them (the sandbox's
    records are in it). `writes_an_event`: transactions for an event that wakes nobody, of many that come together."""

    first_year: Year
    further_year: Year
    cached_kilobytes: float
    writes_an_event: float

    def inputs(self, machine: str) -> dict[str, Any]:
        """As `python -m bench scale` takes it."""
        return {"measured": {"machine": machine, **asdict(self)}}


async def reference_years(home: Path, contracts: int) -> Measured:
    """`contracts` of them, one after the other, each through its first year and a further one."""
    binary = Path(sys.executable).with_name("temporal")
    async with (
        await WorkflowEnvironment.start_local(
            data_converter=pydantic_data_converter,
            dev_server_existing_path=str(binary if binary.exists() else shutil.which("temporal")),
            dev_server_database_filename=str(home / "temporal.db"),
            dev_server_extra_args=[*TEMPORAL_TUNING, *TEMPORAL_TIME_TRAVEL],
            dev_server_log_level="error",
            search_attributes=SEARCH_ATTRIBUTES,
        ) as server,
        open_house(server.client, home) as house,
    ):
        meter = Meter(house, _child())
        lives = [Reference(Post(house), f"006-cost-{number}") for number in range(contracts)]
        for life in lives:
            await life.first_year()
        await asyncio.sleep(TOLD)
        first = await meter.year(lives)
        for life in lives:
            await life.further_year()
        await asyncio.sleep(TOLD)
        further = await meter.year(lives)
        an_event = await _an_event(lives[0], meter)
        return Measured(first, further, await _cached(house, CACHED), an_event)


async def _an_event(life: Reference, meter: "Meter") -> float:
    before, due = meter.writes, date.today() + timedelta(days=3650)  # noqa: DTZ011 (any day far ahead)
    for number in range(INVOICES):
        await life.post.invoice(life.life, "posted", 1, due, name=f"inv-{number}")
    await life.post.settle()
    return (meter.writes - before) / INVOICES


async def _cached(house: House, lives: int) -> float:
    before = resident_megabytes(os.getpid())
    more = [Reference(Post(house), f"006-more-{number}") for number in range(lives)]
    for life in more:
        await life.begin()
    return (resident_megabytes(os.getpid()) - before) * 1024 / lives


class Meter:
    """Reads what has been spent since it was last asked."""

    def __init__(self, house: House, server: int) -> None:
        self._house, self._server = house, server
        self.writes = 0
        event.listen(house.database.engine, "commit", self._count)
        self._before: Counter[str] = Counter()
        self._before.update(self._spent())

    def _pages(self, session: Session) -> float:
        pages, size = (session.connection().exec_driver_sql(f"PRAGMA {name}").scalar_one() for name in PRAGMAS)
        return float(pages * size)

    def _count(self, _: object) -> None:
        self.writes += 1

    def _spent(self) -> dict[str, float]:
        return {
            "cpu_seconds": time.process_time(),
            "server_cpu_seconds": processor_seconds(self._server),
            "writes": self.writes,
            "store_bytes": self._house.database.read_sync(self._pages),
        }

    async def year(self, lives: list[Reference]) -> Year:
        now = Counter[str]()
        now.update(self._spent())
        for life in lives:
            history = await life.life.handle.fetch_history()
            spent = actions_of(history)
            events = [each for each in history.events if each.event_type not in TRAVEL]
            now["actions"] += spent.total() - spent["options"]
            now["events"] += len(events)
            now["bytes"] += sum(each.ByteSize() for each in events)
        for connection, calls in (await self._calls()).items():
            now[f"calls {connection}"] += calls
        spent_each = {name: (now[name] - self._before[name]) / len(lives) for name in now}
        self._before = now
        calls_each = {name.split()[1]: each for name, each in spent_each.items() if name.startswith("calls ")}
        return Year(**{name: each for name, each in spent_each.items() if " " not in name}, calls=calls_each)

    async def _calls(self) -> dict[str, int]:
        query = select(ContractCallsRow.connection, func.sum(ContractCallsRow.calls))
        rows = await self._house.database.read(
            lambda session: session.exec(query.group_by(ContractCallsRow.connection)).all()
        )
        return {connection: int(calls) for connection, calls in rows}


def _child() -> int:
    """The embedded server: the one process that this one has started."""
    for thread in Path("/proc/self/task").iterdir():  # whichever thread has started it
        for child in (thread / "children").read_text(encoding="ascii").split():
            if b"start-dev" in Path("/proc", child, "cmdline").read_bytes():
                return int(child)
    raise RuntimeError("the embedded server is not a process of this one")
