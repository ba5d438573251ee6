"""A house with its ways in: events into the inbox, and as many dispatchers as a test wants, in this process."""

from typing import Any

from sqlmodel import Session, col, select

from domain.view import LifecycleView
from starter.delivery import Deliverer
from starter.dispatcher import Dispatcher
from starter.routing import Router
from store.cases import Cases
from store.lifecycles import Lifecycles
from store.streams import Streams
from store.tables import CaseRow, DeliveryRow
from tests.house import House, Life
from tests.intake import Desk, deal
from workflows.lifecycle import CustomerLifecycle

CRM = "crm"


class Post:
    """What a dispatcher process holds, for one house."""

    def __init__(self, house: House, *, lease: float = 15.0) -> None:
        self.house = house
        self.desk = Desk(house.database)
        self.lifecycles = Lifecycles(house.database)
        self.cases = Cases(house.database)
        self._lease = lease

    def deliverer(self, owner: str = "one", *, kind: type[Deliverer] = Deliverer) -> Deliverer:
        house = self.house
        return kind(
            house.database, house.client, house.company, task_queue=house.task_queue, owner=owner, lease=self._lease
        )

    def dispatcher(self, owner: str = "one", *, kind: type[Deliverer] = Deliverer) -> Dispatcher:
        house = self.house
        router = Router(house.company, house.mapping, CRM)
        return Dispatcher(house.database, self.deliverer(owner, kind=kind), router, house.company, poll=0.02)

    async def settle(self, dispatcher: Dispatcher | None = None) -> int:
        """Dispatch until nothing moves; returns how many rows did."""
        dispatcher, moved = dispatcher or self.dispatcher(), 0
        while now := await dispatcher.route_and_deliver():
            moved += now
        return moved

    async def win(self, number: str, **changes: Any) -> Life:
        """The deal `number` of an account of its own is won; its lifecycle is at rest in onboarding."""
        record = {**deal(Id=number, AccountId=f"acc-{number}", **changes)["record"]}
        await self.house.known_to_crm(record)
        await self.desk.receive("deal.closed_won", {"record": record})
        await self.settle()
        life = await self.life(number)
        await life.until(lambda view: "onboarding" in str(view.effects) and not view.pending)
        return life

    async def life(self, number: str) -> Life:
        row = await self.lifecycles.get(f"{CRM}/{number}/1")
        assert row is not None
        handle = self.house.client.get_workflow_handle_for(CustomerLifecycle.run, row.workflow_id)
        return Life(self.house, row.contract, handle, self.house.orders)

    async def deliveries(self, life: Life) -> list[DeliveryRow]:
        query = select(DeliveryRow).where(DeliveryRow.stream == life.contract).order_by(col(DeliveryRow.seq))
        return list(await self.house.database.read(lambda session: session.exec(query).all()))

    async def states(self, life: Life) -> list[str]:
        return [row.state for row in await self.deliveries(life)]
