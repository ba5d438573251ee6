"""A house with its ways in: events into the inbox, and as many dispatchers as a test wants, in this process."""

from datetime import date
from typing import Any

from sqlmodel import col, select

from domain.view import LifecycleView
from starter.delivery import Deliverer
from starter.dispatcher import Dispatcher
from starter.handles import lifecycle_handle
from starter.routing import Router
from starter.sla.sweep import sweep_clocks
from starter.sweep import sweep
from starter.thawing import Thawing
from store.cases import Cases
from store.lifecycles import Lifecycles
from store.orders import SqlOrders
from store.tables import DeliveryRow
from store.views import SqlViews
from tests.house import House, Life
from tests.intake import Desk, deal
from tests.workflow.lives import eventually

CRM = "crm"


class Post:
    """What a dispatcher process holds, for one house."""

    def __init__(self, house: House, *, lease: float = 15.0) -> None:
        self.house = house
        self.desk = Desk(house.database)
        self.lifecycles = Lifecycles(house.database)
        self.cases = Cases(house.database)
        self.views = SqlViews(house.database)
        self._lease = lease

    def deliverer(self, owner: str = "one", *, kind: type[Deliverer] = Deliverer) -> Deliverer:
        house = self.house
        return kind(
            house.database, house.client, house.company, task_queue=house.task_queue, owner=owner, lease=self._lease
        )

    def dispatcher(self, owner: str = "one", *, kind: type[Deliverer] = Deliverer) -> Dispatcher:
        house = self.house
        router = Router(house.company, house.mapping, CRM, landscape=house.landscape)
        thawing = Thawing(house.database, house.client, house.landscape)
        deliverer = self.deliverer(owner, kind=kind)
        return Dispatcher(house.database, deliverer, router, house.company, poll=0.02, thawing=thawing)

    async def settle(self, dispatcher: Dispatcher | None = None) -> int:
        """Dispatch until nothing moves; returns how many rows did."""
        dispatcher, moved = dispatcher or self.dispatcher(), 0
        while now := await dispatcher.route_and_deliver() + await dispatcher.finish():
            moved += now
        return moved

    async def win(self, number: str, **changes: Any) -> Life:
        """The deal `number` of an account of its own is won; its lifecycle rests, in onboarding or with a case,
        and the store knows it."""
        await self.hear_of(number, **changes)
        await self.settle()
        life = await self.life(number)

        def rests(view: LifecycleView | None) -> Any:
            return view and (view.cases or ("onboarding" in str(view.effects) and not view.pending))

        async def told() -> bool:
            return bool(rests(await self.views.get(life.contract)))

        await life.until(rests)
        await eventually(told)  # the store hears of it a moment after the workflow knows it
        return life

    async def hear_of(self, number: str, **changes: Any) -> None:
        """The deal is in the box's CRM, as is its account's parent, and its event in the inbox."""
        data = deal(Id=number, AccountId=f"acc-{number}", **changes)
        await self.house.http.post("/crm/accounts", json={"Id": "001Dn00000PaReNtAA0", "Name": "Hooli Group"})
        (await self.house.http.post("/crm/opportunities", json=data["record"])).raise_for_status()
        await self.desk.receive("deal.closed_won", data)

    async def sweep(self) -> int:
        return await self.house.database.write(lambda session: sweep(session, self.house.company))

    async def sweep_clocks(self) -> None:
        """Look at the SLA clocks until none moves: one may start another."""
        while await self.house.database.write(lambda session: sweep_clocks(session, self.house.company, anew=False)):
            pass

    async def life(self, number: str, part: int = 1) -> Life:
        row = await self.lifecycles.get(f"{CRM}/{number}/{part}")
        assert row is not None
        handle = lifecycle_handle(self.house.client, row.workflow_id)
        return Life(self.house, row.contract, handle, SqlOrders(self.house.database))

    async def upsell(self, number: str, seats: float, *, to: str, product: str = "PLATFORM", **changes: str) -> str:
        """An upsell deal is won; returns its event's id."""
        record = deal("salesforce_upsell", Id=number, AccountId=f"acc-{to}", Amends_Deal__c=to, **changes)["record"]
        record["OpportunityLineItems"]["records"][0].update(Quantity=seats, ProductCode=product)
        return await self.desk.receive("deal.closed_won", {"record": record})

    async def milestone(self, life: Life, name: str, on: str = "2026-12-24") -> str:
        data = {"contract": life.contract, "milestone": name, "completed_on": on}
        return await self.desk.receive("milestone.completed", data)

    async def invoice(self, life: Life, kind: str, version: int, due: date, name: str = "inv_1") -> str:
        subscription = (await life.view()).effects[f"subscription:{life.contract}"]
        data = {
            "invoice": name,
            "subscription": subscription,
            "customer": "cus",
            "amount": "100.00",
            "currency": "EUR",
            "due_on": due.isoformat(),
            "version": version,
        }
        return await self.desk.receive(f"invoice.{kind}", data)

    async def deliveries(self, life: Life) -> list[DeliveryRow]:
        query = select(DeliveryRow).where(DeliveryRow.stream == life.contract).order_by(col(DeliveryRow.seq))
        return list(await self.house.database.read(lambda session: session.exec(query).all()))

    async def states(self, life: Life) -> list[str]:
        return [row.state for row in await self.deliveries(life)]
