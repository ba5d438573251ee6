"""Temporal is stopped: events are accepted all the same, and delivered when it is back, as fast as without the stop."""

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

from sqlmodel import Session, col, func, select

from bench.events import Customer, Happening
from bench.load import Line, signed
from bench.town import Town, open_town
from store.tables import DeliveryRow, EffectRow, InboxRow

SENDERS = 16
PATIENCE = 600.0


@dataclass(frozen=True)
class Outage:
    """Events per second, from the first that is sent (or from Temporal's return) until the last is delivered."""

    events: int
    accepted_while_stopped: int
    accepted_per_second: float
    without_a_stop: float
    after_the_stop: float

    @property
    def ratio(self) -> float:
        return self.after_the_stop / self.without_a_stop


async def outage(home: Path, *, events: int, contracts: int, say: Callable[[str], None] = print) -> Outage:
    """The same number of events twice, each of which wakes its lifecycle: with Temporal up, and with it stopped."""
    customers = [Customer(Random(number), f"006O{number:04d}", datetime.now(UTC).date()) for number in range(contracts)]
    # the server is stopped, not killed: nothing that it had taken has to be delivered again
    async with open_town(home, redelivers=False) as town:
        for customer in customers:
            record = customer.record(StageName="Negotiation", IsWon=False, IsClosed=False)
            (await town.box.post("/crm/opportunities", json=record)).raise_for_status()
        won = [event(each, 0, "deal.closed_won", {"record": each.record()}) for each in customers]
        await send(town, won)
        await until(town, partial(settled, of="deal.closed_won"), contracts)
        await until(town, unfinished, 0)

        began = time.monotonic()
        await send(town, _milestones(customers, events, "before"))
        await until(town, partial(settled, of="milestone.completed"), events)
        without = events / (time.monotonic() - began)
        say(f"without a stop: {without:.0f} events/s")

        await town.stop("temporal")
        began = time.monotonic()
        await send(town, _milestones(customers, events, "meanwhile"))
        accepting = events / (time.monotonic() - began)
        accepted = await town.database.read(_accepted) - events
        await town.start("temporal")
        began = time.monotonic()
        await until(town, partial(settled, of="milestone.completed"), 2 * events)
        after = events / (time.monotonic() - began)
        say(f"after the stop: {after:.0f} events/s")
        return Outage(events, accepted, accepting, without, after)


def _milestones(customers: Sequence[Customer], events: int, when: str) -> list[Happening]:
    made = []
    for number in range(events):
        customer = customers[number % len(customers)]
        data = {"deal": customer.deal, "milestone": f"{when} {number}", "completed_on": customer.today.isoformat()}
        made.append(event(customer, f"{when}:{number}", "milestone.completed", data))
    return made


def event(customer: Customer, number: object, type: str, data: dict[str, Any]) -> Happening:
    return Happening(f"{customer.deal}:{number}", "cs" if "milestone" in type else "crm", type, data)


async def send(town: Town, happenings: Sequence[Happening]) -> None:
    waiting = iter(happenings)

    async def work() -> None:
        line = Line(town.gateways[0])
        for each in waiting:
            await line.deliver(signed(town.secret, f"/webhooks/{each.source}", each.id, each.body({})))
        line.close()

    await asyncio.gather(*(work() for _ in range(SENDERS)))


async def until(town: Town, count: Callable[[Session], int], wanted: int) -> None:
    give_up, seen = time.monotonic() + PATIENCE, -1
    while time.monotonic() < give_up:
        seen = await town.database.read(count)
        if seen == wanted:
            return
        await asyncio.sleep(0.1)
    raise TimeoutError(f"wanted {wanted}, found {seen} after {PATIENCE:.0f} s")


def settled(session: Session, of: str) -> int:
    """Deliveries of events of a type that their lifecycle has taken."""
    ids = select(InboxRow.id).where(InboxRow.type == f"tenure.{of}.v1")
    taken = select(func.count()).select_from(DeliveryRow).where(DeliveryRow.state == "delivered")
    return session.exec(taken.where(col(DeliveryRow.inbox_id).in_(ids))).one()


def _accepted(session: Session) -> int:
    milestones = select(func.count()).select_from(InboxRow).where(InboxRow.type == "tenure.milestone.completed.v1")
    return session.exec(milestones).one()


def unfinished(session: Session) -> int:
    """Effects that are begun and not done, and customers that nothing was begun for yet."""
    effects = session.exec(select(func.count()).select_from(EffectRow).where(EffectRow.state != "DONE")).one()
    plans = select(func.count()).select_from(EffectRow).where(EffectRow.operation == "cs.launch_onboarding")
    lives = select(func.count()).select_from(DeliveryRow).where(DeliveryRow.kind == "start")
    return effects + session.exec(lives).one() - session.exec(plans).one()
