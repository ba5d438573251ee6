"""`tenure simulate`: the whole life of a contract that nobody has signed yet, or long ago, from its signature on."""

from dataclasses import dataclass
from datetime import date
from typing import Any

from temporalio.client import Client

from domain import calendar, keys
from domain.company import Company
from domain.order import Order
from domain.policies.validation import parse_order, verdict
from domain.routes import Landscape
from domain.state import LifecycleState
from starter.beginning import begin
from starter.mistakes import Mistake
from starter.simulation.deciding import morning
from starter.simulation.life import Future, Life
from starter.simulation.outside import OpenHouse
from starter.simulation.plan import with_plan
from starter.simulation.script import Script, UnusableScript, foreign_systems

LONGEST_YEARS = 30


@dataclass(frozen=True)
class Signed:
    """A valid order, and the day and zone of its signature. `crm` is the CRM connection's name."""

    document: dict[str, Any]
    order: Order
    on: date
    zone: str
    crm: str

    @property
    def contract(self) -> str:
        return keys.contract_id(self.crm, self.order.deal_id)


def signed(document: dict[str, Any], company: Company, landscape: Landscape, crm: str) -> Signed:
    """Raises Mistake with every reason for which the order can't be activated, one line each."""
    judged = verdict(document, company, 1, parent_known=None, landscape=landscape)
    if judged.sheet is None:
        lines = "\n".join(f"{reason.path}: {reason.message}" for reason in judged.reasons)
        raise Mistake(f"the order can't be activated as it is:\n{lines}")
    return Signed(document, parse_order(document)[0], judged.sheet.signed_on, judged.sheet.terms.zone, crm)


def check_days(script: Script, first: date, until: date) -> None:
    """Raises UnusableScript for what lies outside of the simulated time."""
    lines = [
        f"entry {each.number}: {each.on} is before {first}, where the simulation begins"
        if each.on < first
        else f"entry {each.number}: {each.on} is after {until}, where the simulation ends; give more --years"
        for each in script.entries
        if not first <= each.on <= until
    ]
    if lines:
        raise UnusableScript("\n".join(lines))


async def simulate(
    client: Client,
    open_house: OpenHouse,
    company: Company,
    landscape: Landscape,
    begun: Signed,
    script: Script,
    years: int,
    *,
    name: str = "simulation",
) -> Future:
    """Live from the morning of the signature, whatever day it is now, for so many years. Raises Mistake.

    `name`: what it is called on the server, where several are lived at once.
    """
    until = calendar.add_months(begun.on, 12 * years)
    check_days(script, begun.on, until)
    async with open_house(client, company, landscape, task_queue=name) as house:
        if foreign := list(foreign_systems(script, house.world.names)):
            raise UnusableScript("\n".join(foreign))
        parts = await house.database.write(
            lambda session: begin(session, company.tenant, begun.crm, begun.document, "simulation")
        )
        contract = next(iter(parts))
        account = begun.order.account
        house.world.knows(account.id or "", begun.order.deal_id, account.parent_id)
        state = LifecycleState(
            tenant=company.tenant,
            contract=contract,
            account=account.id or "",
            deal=begun.order.deal_id,
            selling_entity=begun.order.selling_entity or "",
        )
        begins = morning(calendar.start_of_day(begun.on, begun.zone))
        life = Life(client, house, company, state, begins, begun.zone)
        return await life.live(with_plan(script, company, begun.on), until)
