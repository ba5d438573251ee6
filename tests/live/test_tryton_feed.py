"""What happens to invoices in the live Tryton is told: in order, also when transactions commit out of order."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

import httpx
import psycopg
import pytest

from adapters.feeds.tryton import TrytonFeed
from domain.errors import CursorExpired
from domain.events import read_event
from domain.events.envelope import Event
from domain.events.invoices import InvoiceDueDateChanged, InvoicePaid, InvoicePartlyPaid, InvoicePosted
from domain.feeds import ChangePage
from tests.kits.feed import fill, ids, read_to_end
from tests.live.tryton import Tryton
from tests.live.worlds.tryton import TrytonWorld, tryton_world


@dataclass
class Told:
    """A feed, and the system that it tells of."""

    world: TrytonWorld
    port: TrytonFeed
    tryton: Tryton

    async def billed(self, **changes: Any) -> tuple[str, str]:
        """A subscription whose seats are billed: customer and subscription."""
        world, today = self.world, await self.world.today()
        customer = await world.sample.make_customer(world.port, **changes)
        made = await self.active(customer, today, changes.get("selling_entity", "ACME-DE"))
        await world.sample.bill(world.port, made, today)
        return customer, made

    async def active(self, customer: str, today: date, entity: str) -> str:
        world = self.world
        ends = today + timedelta(days=365)
        new = world.sample.subscription(
            customer, starts=today, ends=ends, selling_entity=entity, currency="USD" if entity == "ACME-US" else "EUR"
        )
        made = (await world.port.create_subscription(new, key=f"subscription:{uuid4()}")).id
        activation = world.sample.activation(made).model_copy(update={"on": today, "starts": today, "ends": ends})
        await world.port.activate_order(activation, key=f"activation:{made}")
        return made

    async def draft(self, subscription: str) -> str:
        """Bill what is due of a subscription: the draft invoice's id."""
        until = (await self.world.today()).isoformat()
        answer = await self.world.perform("bill", {"subscription": subscription, "until": until}, f"bill:{uuid4()}")
        [invoice] = answer["invoices"]
        return str(invoice)

    async def post(self, invoice: str, key: str | None = None) -> dict[str, Any]:
        on = (await self.world.today()).isoformat()
        return await self.world.perform("post_invoice", {"invoice": invoice, "on": on}, key or f"post:{uuid4()}")

    async def pay(self, invoice: str, amount: Decimal) -> None:
        on = (await self.world.today()).isoformat()
        payment = {"invoice": invoice, "amount": str(amount), "on": on}
        await self.world.perform("register_payment", payment, f"payment:{uuid4()}")

    async def settle(self) -> None:
        """Wait until every row is final: the server's own work may have been under way, too."""
        for _ in range(500):
            [(open_,)] = self.tryton.sql(
                "SELECT count(*) FROM tenure_event WHERE xid >= pg_snapshot_xmin(pg_current_snapshot())::text::bigint"
            )
            if not open_:
                return
            await asyncio.sleep(0.02)
        raise AssertionError("a transaction stays open")


@pytest.fixture
async def told(tryton: Tryton) -> AsyncIterator[Told]:
    async with (
        tryton_world(tryton) as world,
        httpx.AsyncClient(base_url=tryton.url, timeout=30, trust_env=False) as client,
    ):
        port = TrytonFeed(client, database=tryton.database, user=tryton.user, password=tryton.password)
        yield Told(world, port, tryton)


def of(pages: Sequence[ChangePage], invoice: str) -> list[Event]:
    events = [read_event(event) for page in pages for event in page.events]
    return [event for event in events if getattr(event.data, "invoice", None) == invoice]


async def test_an_invoice_s_life_is_told(told: Told) -> None:
    customer, subscription = await told.billed()
    start = await told.port.head()
    invoice = await told.draft(subscription)
    posted = await told.post(invoice)
    total = Decimal(posted["total"])
    late = await told.world.today() - timedelta(days=20)
    await told.world.let_be_due(invoice, late)
    await told.pay(invoice, Decimal(100))
    await told.pay(invoice, total - 100)
    await told.settle()

    events = of(await read_to_end(told.port, start, limit=2), invoice)
    kinds = [type(event.data) for event in events]
    assert kinds == [InvoicePosted, InvoiceDueDateChanged, InvoicePartlyPaid, InvoicePaid]
    versions = [event.data.version for event in events]  # type: ignore[attr-defined]  # these four have one
    assert versions == sorted(set(versions)), "each change is newer than the one before"
    first, moved, part, paid = (event.data for event in events)
    assert isinstance(first, InvoicePosted)
    assert (first.customer, first.subscription, first.currency) == (customer, subscription, "EUR")
    assert first.amount == total > 0
    assert first.due_on == date.fromisoformat(posted["due_on"])
    assert isinstance(moved, InvoiceDueDateChanged)
    assert moved.due_on == late, "it is overdue from the day after"
    assert isinstance(part, InvoicePartlyPaid)
    assert part.paid == 100
    assert isinstance(paid, InvoicePaid)
    assert paid.paid_on == await told.world.today()
    assert all(event.source == f"/tryton/{told.tryton.database}" for event in events)


async def test_an_overdue_invoice_shows_as_such_when_it_is_asked_for(told: Told) -> None:
    customer, subscription = await told.billed()
    invoice = await told.draft(subscription)
    await told.post(invoice)
    await told.world.let_be_due(invoice, await told.world.today() - timedelta(days=1))
    balance, history = await told.world.port.balance(customer), await told.world.port.billing_history(customer)
    assert balance.overdue_amount == balance.open_amount > 0
    assert (history.invoices, history.overdue) == (1, 1)


async def test_what_commits_late_under_a_lower_number_is_not_skipped(told: Told) -> None:
    """Tryton's own transactions: the first waits for the books of one entity while the second posts in the other."""
    _, here = await told.billed()
    _, there = await told.billed(selling_entity="ACME-US", currency="USD", tax_id=None)
    slow, quick = await told.draft(here), await told.draft(there)
    await told.settle()
    start = await told.port.head()
    key = f"post:{uuid4()}"
    async with await psycopg.AsyncConnection.connect(told.tryton.cluster.url(told.tryton.database)) as books:
        await books.execute(
            "SELECT s.id FROM ir_sequence_strict s JOIN company_company c ON c.id = s.company"
            " WHERE c.tenure_code = 'ACME-DE' FOR UPDATE OF s"
        )
        posting = asyncio.create_task(told.post(slow, key))
        try:
            await waiting(told)
            await told.post(quick)
            held = await read_to_end(told.port, start)
            assert ids(*held) == [], "what is not final yet is held up"
            assert not posting.done()
        finally:
            await books.rollback()
        await posting
    await told.settle()
    pages = await read_to_end(told.port, held[-1].cursor)
    order = told.tryton.sql(
        "SELECT name FROM tenure_event WHERE kind = 'invoice.posted' AND (name LIKE %s OR name LIKE %s) ORDER BY id",
        f"invoice/{slow}/%",
        f"invoice/{quick}/%",
    )
    by_row = [name for (name,) in order]
    assert [name.split("/")[1] for name in by_row] == [quick, slow], "the rows were written the other way round"
    assert ids(*pages) == by_row[::-1], "in the order of their transactions, and none is missing"


async def waiting(told: Told) -> None:
    """Until a transaction of Tryton waits for a row that we hold."""
    for _ in range(500):
        [(count,)] = told.tryton.sql(
            "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = %s",
            told.tryton.database,
        )
        if count:
            return
        await asyncio.sleep(0.02)
    raise AssertionError("nobody waits for the books")


async def test_what_was_forgotten_unread_expires_the_cursor_and_a_back_fill_tells_it(told: Told) -> None:
    _, subscription = await told.billed()
    start = await told.port.head()
    invoice = await told.draft(subscription)
    await told.post(invoice)
    await told.settle()
    pages = await read_to_end(told.port, start)
    [posted] = of(pages, invoice)
    told.tryton.sql("UPDATE tenure_event SET at = at - interval '61 days' WHERE xid > 0 RETURNING id")
    await told.world.forget()
    with pytest.raises(CursorExpired):
        await told.port.changes(start, 100)
    [nothing] = await read_to_end(told.port, pages[-1].cursor)
    assert (ids(nothing), nothing.more) == ([], False), "who had read it all goes on"
    assert posted.id in ids(*await fill(told.port, limit=1))


async def test_head_and_back_fill_leave_no_hole(told: Told) -> None:
    _, subscription = await told.billed()
    before = await told.draft(subscription)
    await told.post(before)
    head = await told.port.head()
    first = await told.port.back_fill(None, "", 1)
    await told.world.pay(before)
    await told.settle()
    pages = [first]
    while pages[-1].more:
        pages.append(await told.port.back_fill(None, pages[-1].cursor, 100))
    seen = of([*pages, *await read_to_end(told.port, head)], before)
    assert {type(event.data) for event in seen} == {InvoicePosted, InvoicePaid}


@pytest.mark.parametrize("cursor", ["", "x", "1:2:3", "another.7", "9" * 40, "0:-1", "999999999999:1"])
async def test_a_cursor_of_somebody_else_is_expired(told: Told, cursor: str) -> None:
    with pytest.raises(CursorExpired):
        await told.port.changes(cursor, 100)
