"""The figures over a store and an ERP of a test's own: contracts that stand where the test says, in both."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

import httpx
from sqlmodel import Session, col, select

from adapters.erp.sandbox import SandboxErp
from domain import keys
from domain.books import ViewRow
from domain.company import Company, load_company
from domain.policies.validation import parse_order, sheet
from domain.ports import Activation, BillingStart, NewCustomer, NewSubscription, SubscriptionLine
from domain.view import LifecycleView, LineView, Stage
from sandbox.app import create_app
from starter.erp_reading import ErpReading
from starter.measuring import measure
from store.cases import Cases
from store.database import Database
from store.erp_states import ErpCustomerRow, ErpStateRow
from store.leaks import LeakRow
from store.orders import add_order
from store.tables import CaseRow, EffectRow, LifecycleRow, OutgoingRow, utc_now
from store.views import publish_view
from tests.house import EXAMPLES

BEGIN = date(2027, 1, 4)
RUN = datetime(2027, 1, 4, 8, tzinfo=UTC)
GO_LIVE = {"on_milestone": "go-live"}


def order(deal: str, lines: list[dict[str, Any]], **changes: Any) -> dict[str, Any]:
    """A valid order document of a German customer, for a year from its signature."""
    address = {"street": "Weg 1", "city": "Berlin", "postal_code": "10117", "country": "DE"}
    return {
        "deal_id": deal,
        "signed_on": BEGIN.isoformat(),
        "selling_entity": "ACME-DE",
        "currency": "EUR",
        "account": {"id": f"ACC-{deal}", "name": f"{deal} GmbH"},
        "sold_to": {"name": f"{deal} GmbH", "tax_id": "DE123456788", "address": address},
        "terms": {"zone": "Europe/Berlin", "start": "on_signature"},
        "lines": lines,
        **changes,
    }


def platform(**changes: Any) -> dict[str, Any]:
    """A line of 10 seats at 365 a year each: 10 a day together."""
    line = {"id": "1", "product": "PLATFORM", "quantity": "10", "unit_price": "365", "billing_start": "on_activation"}
    return line | changes


@dataclass
class Books:
    """`day` is the business day of every contract and of the ERP."""

    database: Database
    company: Company
    erp: SandboxErp
    admin: httpx.AsyncClient
    day: date = BEGIN
    views: dict[str, LifecycleView] = field(default_factory=dict)
    sequences: dict[str, int] = field(default_factory=dict)

    async def win(self, deal: str, lines: list[dict[str, Any]], *, billed: dict[str, date], **changes: Any) -> str:
        """A contract that was activated on the day: its subscription in the ERP, and its view in the store. `billed`:
        the first billed day by line."""
        document, contract = order(deal, lines, **changes), keys.contract_id("crm", deal)
        parsed = parse_order(document)[0]
        known = sheet(parsed, self.company)
        made = await self._make(contract, document, billed)
        view = LifecycleView(
            contract=contract,
            stage=Stage.SERVING,
            account=known.account,
            deal=deal,
            selling_entity=known.selling_entity,
            connections={"erp": "erp"},
            zone=known.terms.zone,
            term=1,
            term_starts=self.day,
            term_ends=date(self.day.year + 1, self.day.month, self.day.day),
            lines=[
                LineView(id=line.id, product=line.product, quantity=str(line.quantity), billing_rule="")
                for line in known.lines
            ],
            effects={
                keys.customer(known.account, known.selling_entity): made["customer"],
                keys.subscription(contract): made["subscription"],
                keys.activation(contract): made["subscription"],
                keys.onboarding(contract): "onb_1",
            },
        )

        def begin(session: Session) -> None:
            life = LifecycleRow(
                tenant="acme",
                contract=contract,
                workflow_id=keys.lifecycle_id("acme", contract),
                account=known.account,
                deal=deal,
                selling_entity=known.selling_entity,
                started=True,
                clock_shift=self._shift(),
            )
            session.add(life)
            add_order(session, contract, document, "test")
            activated = {"subscription": made["subscription"], "on": self.day.isoformat()}
            session.add(_done(contract, keys.activation(contract), activated))
            session.add(_done(contract, keys.onboarding(contract), {"id": "onb_1"}))

        await self.database.write(begin)
        await self.show(view)
        return contract

    async def _make(self, contract: str, document: dict[str, Any], billed: dict[str, date]) -> dict[str, str]:
        parsed = parse_order(document)[0]
        account, entity, currency = parsed.account.id or "", parsed.selling_entity or "", parsed.currency or ""
        address = parsed.sold_to.address
        customer = await self.erp.create_customer(
            NewCustomer(
                account=account,
                selling_entity=entity,
                name=parsed.account.name or "",
                currency=currency,
                billing_address=address,
                shipping_address=address,
            ),
            key=keys.customer(account, entity),
        )
        ends = date(self.day.year + 1, self.day.month, self.day.day)
        subscription = await self.erp.create_subscription(
            NewSubscription(
                contract=contract,
                customer=customer.id,
                selling_entity=entity,
                currency=currency,
                starts=self.day,
                ends=ends,
                payment_terms_days=30,
                purchase_order=None,
                lines=tuple(
                    SubscriptionLine(
                        id=line.id,
                        product=line.product or "",
                        quantity=line.quantity or Decimal(0),
                        unit_price=line.unit_price,
                        charge=line.charge,
                        frequency=line.frequency,
                    )
                    for line in parsed.lines
                ),
            ),
            key=keys.subscription(contract),
        )
        activation = Activation(subscription=subscription.id, on=self.day, starts=self.day, ends=ends)
        await self.erp.activate_order(activation, key=keys.activation(contract))
        for line, starts in billed.items():
            await self.bill(subscription.id, line, starts)
        return {"customer": customer.id, "subscription": subscription.id}

    async def bill(self, subscription: str, line: str, starts: date) -> None:
        start = BillingStart(subscription=subscription, line=line, starts=starts, accepted_on=starts)
        await self.erp.start_billing(start, key=f"billing:{subscription}:{line}")

    def subscription(self, contract: str) -> str:
        return self.views[contract].effects[keys.subscription(contract)]

    async def invoice(self, contract: str, amount: str, due_on: date) -> None:
        """The ERP issues an invoice today."""
        view = self.views[contract]
        customer = view.effects[keys.customer(view.account, view.selling_entity)]
        body = {"customer": customer, "subscription": self.subscription(contract), "amount": amount}
        answer = await self.admin.post("/erp/invoices", json=body | {"due_on": due_on.isoformat()})
        answer.raise_for_status()

    async def show(self, view: LifecycleView) -> None:
        """The lifecycle publishes this view."""
        self.views[view.contract] = view
        number = self.sequences[view.contract] = self.sequences.get(view.contract, 0) + 1
        row = ViewRow(contract=view.contract, run_started=RUN, sequence=number, view=view.model_dump(mode="json"))
        await self.database.write(lambda session: publish_view(session, row))

    async def change(self, contract: str, **changes: Any) -> None:
        await self.show(self.views[contract].model_copy(update=changes))

    async def on(self, day: date) -> None:
        """It is another day, for every contract and in the ERP."""
        self.day = day
        noon = datetime.combine(day, time(11), UTC)
        (await self.admin.post("/admin/clock", json={"now": noon.isoformat()})).raise_for_status()

        def move(session: Session) -> None:
            for life in session.exec(select(LifecycleRow)):
                life.clock_shift = self._shift()

        await self.database.write(move)

    def _shift(self) -> float:
        return (datetime.combine(self.day, time(11), UTC) - utc_now()).total_seconds()

    async def sweep(self, erps: dict[str, Any] | None = None) -> None:
        """Read everything in the ERP, and measure everything."""
        await self.database.write(long_ago)
        reading = ErpReading(self.database, erps or {"erp": self.erp}, every=timedelta(hours=1))
        while await reading.read():
            pass
        while await measure(self.database, self.company):
            pass

    async def cases(self) -> list[CaseRow]:
        return list(await Cases(self.database).list(state=None))

    async def said(self) -> list[dict[str, Any]]:
        """What was told to subscribers about leakage, in its order."""
        query = select(OutgoingRow).where(col(OutgoingRow.type).contains("leakage")).order_by(col(OutgoingRow.id))
        return [row.body for row in await self.database.read(lambda session: session.exec(query).all())]

    async def leaks(self) -> list[LeakRow]:
        query = select(LeakRow).order_by(LeakRow.id)
        return list(await self.database.read(lambda session: session.exec(query).all()))


def long_ago(session: Session) -> None:
    """What was read is due again."""
    for row in (*session.exec(select(ErpStateRow)), *session.exec(select(ErpCustomerRow))):
        row.tried_at -= timedelta(days=1)


def _done(contract: str, key: str, result: dict[str, Any]) -> EffectRow:
    now = utc_now().timestamp()
    return EffectRow(
        key=key, contract=contract, operation="erp.x", state="DONE", fence=1, arguments="", generation=1,
        asked_arguments="", asked_generation=1, lease_until=0, result=result, created_at=now, updated_at=now,
    )  # fmt: skip


@asynccontextmanager
async def open_books(database: Database) -> AsyncIterator[Books]:
    company = load_company((EXAMPLES / "company.toml").read_text())
    app = create_app(":memory:")
    headers = {"Authorization": "Bearer sandbox"}
    async with (
        httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://box", headers=headers) as admin,
        httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://box/erp/", headers=headers) as erp,
    ):
        books = Books(database, company, SandboxErp(erp), admin)
        await books.on(BEGIN)
        yield books
    await app.state.box.close()
