"""A contract whose business time moves, so that its SLA clocks can be watched."""

from datetime import date, datetime, timedelta
from typing import Any

from sqlmodel import Session, select

from domain import keys
from domain.books import ViewRow
from domain.calendar import civil_date
from domain.company import Company, load_company
from domain.mapping import canonical, load_mapping
from domain.view import LifecycleView, Stage
from starter.beginning import add_contract
from starter.sla.sweep import sweep_clocks
from starter.sweep import sweep_one
from store.cases import Cases
from store.clocks import SlaClockRow, clock_of
from store.database import Database
from store.outgoing import told_by
from store.tables import CaseRow, LifecycleRow, utc_now
from store.views import SqlViews
from tests.house import EXAMPLES
from tests.intake import payload

CONTRACT = "crm/sla/1"


def a_company(**rules: Any) -> Company:
    company = load_company((EXAMPLES / "company.toml").read_text())
    return Company.model_validate(company.model_dump() | rules)


class Watched:
    """One contract of a store. Its time stands still between two `later`."""

    def __init__(self, database: Database, company: Company, contract: str = CONTRACT) -> None:
        self.database = database
        self.company = company
        self.contract = contract
        self._shift = timedelta(0)
        self._sequence = 0
        self._run = utc_now()
        self.view = LifecycleView(
            contract=self.contract, stage=Stage.ORDER_ACTIVATION, account="acme", deal="sla", zone="America/New_York"
        )

    @property
    def now(self) -> datetime:
        return utc_now() + self._shift

    @property
    def today(self) -> date:
        return civil_date(self.now, self.view.zone)

    async def won(self, **lines: Any) -> None:
        """The deal is won and its order is there. `lines`: what is other on its first line."""
        mapping = load_mapping((EXAMPLES / "mappings" / "salesforce.toml").read_text())
        document = canonical(payload("salesforce_new_us"), mapping)
        document["deal_id"] = self.contract.split("/")[1]
        document["lines"] = [{**document["lines"][0], "id": "1", "ends": None, "starts": None, **lines}]
        await self.database.write(lambda session: add_contract(session, "acme", self.contract, document, "test"))

    async def show(self, **changes: Any) -> None:
        """The lifecycle publishes a view."""
        self._sequence += 1
        self.view = LifecycleView.model_validate(self.view.model_dump() | changes | {"as_of": self.now})
        row = ViewRow(
            contract=self.contract,
            run_started=self._run,
            sequence=self._sequence,
            view=self.view.model_dump(mode="json"),
        )
        await SqlViews(self.database).publish(row)

    async def activated(self, **changes: Any) -> None:
        """The order is active and onboarding launched."""
        effects = {keys.activation(self.contract): "S-1", keys.onboarding(self.contract): "P-1"}
        lines = [{"id": "1", "product": "PLATFORM", "quantity": "1", "billing_rule": "on activation"}]
        known = {"stage": Stage.ONBOARDING, "term": 1, "effects": effects, "lines": lines}
        await self.show(**{**known, "term_starts": self.now.date(), **changes})

    async def later(self, **time: float) -> None:
        """Move the contract's clock, and sweep."""
        self._shift += timedelta(**time)
        shift = self._shift.total_seconds()

        def move(session: Session) -> None:
            session.get_one(LifecycleRow, self.contract).clock_shift = shift

        await self.database.write(move)
        await self.sweep()

    async def until(self, instant: datetime) -> None:
        await self.later(seconds=(instant - self.now).total_seconds())

    async def sweep(self) -> None:
        await self.database.write(lambda session: sweep_one(session, self.contract, self.company))
        await self.database.write(lambda session: sweep_clocks(session, self.company))

    async def states(self) -> dict[str, str]:
        """Each clock's state, by its kind and what it is about."""
        rows = await self.database.read(lambda session: session.exec(select(SlaClockRow)).all())
        clocks = [clock_of(row) for row in rows]
        return {f"{each.kind} {each.about}".strip(): each.state.value for each in clocks}

    async def clock(self, kind: str, about: str = "") -> SlaClockRow:
        query = select(SlaClockRow).where(SlaClockRow.kind == kind, SlaClockRow.about == about)
        return await self.database.read(lambda session: session.exec(query).one())

    async def told(self) -> list[str]:
        """What subscribers are told of clocks, in order: the turn and the clock."""
        bodies = await self.database.read(lambda session: told_by(session, self.contract))
        assert [body["sequence"] for body in bodies] == sorted(body["sequence"] for body in bodies)
        turns = [body for body in bodies if "sla_" in body["type"]]
        return [f"{body['type'].split('.')[2]} {body['data']['clock']}" for body in turns]

    async def cases(self, state: str = "open") -> list[str]:
        found = await Cases(self.database).list(state=state)
        return [case.title for case in found if case.kind == "sla"]

    async def open(self, case: CaseRow) -> None:
        await Cases(self.database).open(case)
