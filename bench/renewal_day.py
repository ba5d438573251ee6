"""Renewal day: the windows of many contracts open at one instant, and the ERP takes five calls a second.

Counted is at the ERP's door: how many calls in any one second, how long the queue takes, who comes first, and how long
deals that are won in the middle of it wait.
"""

import asyncio
import sqlite3
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import NamedTuple

from sqlmodel import Session, func, select

import wiring
from bench.events import Customer
from bench.open_lives import OpenLife, begin, fill_box, fill_store
from bench.outage import event, send
from bench.reconciling import most_in_a_second
from bench.town import Town, open_town
from domain import calendar
from store.limits import give_limit
from store.tables import CaseRow, LifecycleViewRow

PER_SECOND = 5
NEW_DEALS = 3
PATIENCE = 3600.0
SECONDS_EACH = 0.1  # for each lifecycle to begin, before its window opens


class Call(NamedTuple):
    """At the ERP's door. `text`: what may name a contract."""

    at: float
    operation: str
    status: int
    text: str


@dataclass(frozen=True)
class RenewalDay:
    """`most`: calls in any one second. `calls` and `seconds`: from the instant until the last look at the ERP, new
    deals included. `high_by`: of all looks, which share was done when the last customer at risk was looked at.
    `waits`: seconds from a won deal to its activation in the ERP. `early`: lifecycles not begun by then."""

    lives: int
    most: int
    refused: int
    calls: int
    seconds: float
    high_by: float
    waits: Sequence[float]
    cases: int
    early: int

    @property
    def allowed_seconds(self) -> float:
        """What the limit alone takes for so many calls."""
        return self.calls / PER_SECOND

    @property
    def over(self) -> float:
        return self.seconds / self.allowed_seconds - 1


async def renewal_day(home: Path, *, lives: int, say: Callable[[str], None] = print) -> RenewalDay:
    """Every tenth of them is a customer at risk. The limit is given right before the instant."""
    ready = max(20.0, lives * SECONDS_EACH)
    instant = datetime.now(UTC) + timedelta(seconds=30 + ready)
    windows = [OpenLife(n, ahead=_opens() - instant) for n in range(lives)]
    box = home / "state" / "sandbox.db"
    await asyncio.to_thread(fill_box, box, windows)
    async with open_town(home) as town:
        tenant, company = town.settings.tenant, wiring.read_company(town.settings)
        await fill_store(town.database, windows, tenant)
        queue = town.settings.temporal.task_queue_prefix
        await begin(await town.client(), windows, tenant, company, queue)
        say(f"{lives} lifecycles are begun, {(instant - datetime.now(UTC)).total_seconds():.0f} s before the instant")
        await asyncio.sleep(max(0.0, (instant - datetime.now(UTC)).total_seconds() - 5))
        at_rest = await town.database.read(published)
        await town.database.write(lambda session: give_limit(session, "erp", {"per_second": PER_SECOND, "burst": 1}))
        await asyncio.sleep(3)  # until every process has seen it
        limit = {"system": "erp", "per_second": PER_SECOND}
        (await town.box.post("/admin/limits", json=limit)).raise_for_status()
        waits = asyncio.create_task(_new_deals(town, box, instant, 2 * lives / PER_SECOND))
        calls = await _until_read(box, instant, lives, say)
        return _seen(windows, instant, calls, await waits, await town.database.read(_cases), lives - at_rest)


def _opens() -> datetime:
    """The instant at which their windows open, in business time."""
    return calendar.start_of_day(OpenLife(0).ends - timedelta(days=90), "Europe/Berlin")


async def _new_deals(town: Town, box: Path, instant: datetime, expected: float) -> list[float]:
    """Deals won at a quarter, a half and three quarters of the way: how long until each is active in the ERP."""
    waits = []
    for number in range(NEW_DEALS):
        at = instant.timestamp() + expected * (number + 1) / (NEW_DEALS + 1)
        await asyncio.sleep(max(0.0, at - time.time()))
        customer = Customer(Random(number), f"006D{number:06d}Z", datetime.now(UTC).date())
        record = customer.record(StageName="Negotiation", IsWon=False, IsClosed=False)
        (await town.box.post("/crm/opportunities", json=record)).raise_for_status()
        began = time.time()
        await send(town, [event(customer, 0, "deal.closed_won", {"record": customer.record()})])
        active = await until_active(box, customer.deal, began)
        waits.append(active - began)
    return waits


async def until_active(box: Path, deal: str, since: float) -> float:
    """When the ERP was asked to activate a deal's order, after `since`."""
    for _ in range(int(PATIENCE / 0.25)):
        for call in await asyncio.to_thread(_calls, box, since):
            if call.operation == "activate_order" and deal in call.text:
                return call.at
        await asyncio.sleep(0.25)
    raise TimeoutError(f"{deal} was not activated")


async def _until_read(box: Path, instant: datetime, lives: int, say: Callable[[str], None]) -> Sequence[Call]:
    """Every call at the door from the instant until the last of them was looked at."""
    told = 0
    for _ in range(int(PATIENCE)):
        calls = await asyncio.to_thread(_calls, box, instant.timestamp())
        looks = [call for call in calls if call.operation == "billing_history" and call.status == 200]
        if len(looks) >= lives:
            return calls
        if len(looks) >= told + lives // 10:
            told = len(looks)
            say(f"{told} of {lives} looked at")
        await asyncio.sleep(1)
    raise TimeoutError(f"{len(looks)} of {lives} were looked at within {PATIENCE:.0f} s")


def _seen(
    lives: Sequence[OpenLife], instant: datetime, calls: Sequence[Call], waits: Sequence[float], cases: int, early: int
) -> RenewalDay:
    looks = [call for call in calls if call.operation == "billing_history" and call.status == 200]
    high = {life.id("cus") for life in lives if life.high}
    places = [place for place, call in enumerate(looks, 1) if high & set(call.text.split("/"))]
    return RenewalDay(
        lives=len(lives),
        most=most_in_a_second([call.at for call in calls]),
        refused=sum(call.status == 429 for call in calls),
        calls=len(calls),
        seconds=calls[-1].at - instant.timestamp(),
        high_by=max(places) / len(looks),
        waits=waits,
        cases=cases,
        early=early,
    )


def _calls(file: Path, since: float) -> list[Call]:
    query = (
        "SELECT received_at, operation, coalesce(status, 0), path || coalesce(key, '') || coalesce(body, '') FROM calls"
        " WHERE system = 'erp' AND received_at >= ? ORDER BY received_at"
    )
    moment = datetime.fromtimestamp(since, UTC).isoformat()
    with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True, timeout=30)) as box:
        return [Call(datetime.fromisoformat(at).timestamp(), *rest) for at, *rest in box.execute(query, (moment,))]


def published(session: Session) -> int:
    """Lifecycles whose first look at themselves is over: the view that they were given has another sequence."""
    return session.exec(select(func.count()).select_from(LifecycleViewRow).where(LifecycleViewRow.sequence > 1)).one()


def _cases(session: Session) -> int:
    return session.exec(select(func.count()).select_from(CaseRow).where(CaseRow.kind == "failed_step")).one()
