"""Orders arrive faster than the ERP's limit lets them in: counted at its door, while two workers do the work."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from random import Random

from sqlmodel import Session, col, func, select

from bench.events import Customer
from bench.outage import event, send, settled, unfinished, until
from bench.town import Town, open_town
from store.limits import give_limit
from store.tables import CaseRow, EffectRow


@dataclass(frozen=True)
class Rush:
    """`most`: calls in any one second at the ERP's door. `refused`: those that the ERP itself, which has that limit,
    turned away. `cases`: how many were ever opened; `done`: orders that were activated."""

    orders: int
    per_second: int
    calls: int
    seconds: float
    most: int
    refused: int
    cases: int
    done: int

    @property
    def kept(self) -> bool:
        return self.most <= self.per_second and not self.refused


async def rush(home: Path, *, orders: int, per_second: int, say: Callable[[str], None] = print) -> Rush:
    """The limit is given to running processes, as a person gives it."""
    customers = [Customer(Random(number), f"006R{number:04d}", datetime.now(UTC).date()) for number in range(orders)]
    async with open_town(home, workers=2) as town:
        await town.database.write(lambda session: give_limit(session, "erp", {"per_second": per_second, "burst": 1}))
        await asyncio.sleep(3)  # until every process has seen it
        limit = {"system": "erp", "per_second": per_second}
        (await town.box.post("/admin/limits", json=limit)).raise_for_status()
        for customer in customers:
            record = customer.record(StageName="Negotiation", IsWon=False, IsClosed=False)
            (await town.box.post("/crm/opportunities", json=record)).raise_for_status()
        began = time.monotonic()
        await send(town, [event(each, 0, "deal.closed_won", {"record": each.record()}) for each in customers])
        await until(town, partial(settled, of="deal.closed_won"), orders)
        say(f"{orders} orders are in after {time.monotonic() - began:.0f} s")
        await until(town, unfinished, 0)
        seconds = time.monotonic() - began
        return await _report(town, orders, per_second, seconds)


async def _report(town: Town, orders: int, per_second: int, seconds: float) -> Rush:
    asked = (await town.box.get("/admin/calls", params={"system": "erp"})).json()
    arrived = sorted(datetime.fromisoformat(call["received_at"]).timestamp() for call in asked)
    first, most = 0, 0
    for last, at in enumerate(arrived):
        while arrived[first] <= at - 1:
            first += 1
        most = max(most, last - first + 1)
    return Rush(
        orders=orders,
        per_second=per_second,
        calls=len(arrived),
        seconds=seconds,
        most=most,
        refused=sum(call["status"] == 429 for call in asked),
        cases=await town.database.read(_cases),
        done=await town.database.read(_activated),
    )


def _cases(session: Session) -> int:
    return session.exec(select(func.count()).select_from(CaseRow)).one()


def _activated(session: Session) -> int:
    activated = col(EffectRow.operation) == "erp.activate_order", col(EffectRow.state) == "DONE"
    return session.exec(select(func.count()).select_from(EffectRow).where(*activated)).one()
