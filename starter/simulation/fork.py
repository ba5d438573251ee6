"""`tenure what-if`: a running lifecycle's state lives on twice, with and without what is asked. The running one is only
read, and what it has outside is only said to be there."""

import asyncio
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from sqlmodel import Session
from temporalio.client import Client

from domain import calendar
from domain.company import Company
from domain.routes import Landscape
from domain.state import LifecycleState
from starter.mistakes import Mistake
from starter.office import Office
from starter.simulation.life import Future, Life
from starter.simulation.outside import OpenHouse
from starter.simulation.plan import open_tasks, with_plan
from starter.simulation.script import Script, UnusableScript, foreign_systems
from starter.simulation.whole import check_days
from store.lifecycles import add_lifecycle
from store.orders import SqlOrders, add_order
from store.tables import LifecycleRow


@dataclass(frozen=True)
class Running:
    """A lifecycle as it stood at a business instant, with its order's documents by revision, oldest first."""

    row: LifecycleRow
    state: LifecycleState
    as_of: datetime
    orders: Sequence[dict[str, Any]] = field(repr=False)

    @property
    def today(self) -> date:
        return calendar.civil_date(self.as_of, self.state.zone)

    def until(self, years: int) -> date:
        """The day on which so many years of its future are over."""
        return calendar.add_months(self.today, 12 * years)


async def read_running(office: Office, name: str) -> Running:
    """By queries and reads alone: nothing enters the lifecycle's history, or the store. Raises Mistake."""
    row = await office.find(name)
    if row.closed:
        raise Mistake(f"the lifecycle of {row.contract} is closed: it has no future")
    state, view = await office.state(row), await office.view(row)
    if view.as_of is None:
        raise Mistake(f"{row.contract} does not say at which time it stands")
    revisions = await SqlOrders(office.database).revisions(row.contract)
    return Running(row, state, view.as_of, [each.document for each in revisions])


async def what_if(
    client: Client,
    open_house: OpenHouse,
    company: Company,
    landscape: Landscape,
    running: Running,
    asked: Script,
    years: int,
    *,
    name: str = "future",
) -> tuple[Future, Future]:
    """The future without and the one with what is asked, for so many years. How renewals are decided, and whether
    milestones are reached, is the same in both. Raises Mistake."""
    begins, until = running.today, running.until(years)
    check_days(asked, begins, until)

    async def future(script: Script, which: str) -> Future:
        async with open_house(client, company, landscape, task_queue=f"{name}-{which}") as house:
            if foreign := list(foreign_systems(script, house.world.names)):
                raise UnusableScript("\n".join(foreign))
            await house.database.write(lambda session: _copy(session, running))
            house.world.holds(running.state, open_tasks(company, running.state))
            life = Life(client, house, company, running.state, running.as_of, running.state.zone)
            return await life.live(script, until)

    planned = with_plan(asked, company, begins, state=running.state)
    unasked = planned.model_copy(update={"entries": ()})
    as_it_is = with_plan(unasked, company, begins, state=running.state)
    return await _both(future(as_it_is, "without"), future(planned, "with"))


async def _both(*futures: Coroutine[Any, Any, Future]) -> tuple[Future, Future]:
    """Side by side; where one fails the other is stopped."""
    tasks = [asyncio.ensure_future(each) for each in futures]
    try:
        without, instead = await asyncio.gather(*tasks)
        return without, instead
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _copy(session: Session, running: Running) -> None:
    """What a lifecycle's activities read of the store."""
    row = running.row
    names = ("contract", "tenant", "account", "deal", "selling_entity", "workflow_id")
    add_lifecycle(session, LifecycleRow(**{name: getattr(row, name) for name in names}))
    for document in running.orders:
        add_order(session, row.contract, document, "simulation")
