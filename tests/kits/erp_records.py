"""The kit of what an Erp lists and sets right (domain/ports/records.py): all of it, in pages, in our words."""

from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

from domain.ports import Amendment, BillingStart, CreditHold, Ending
from domain.ports.records import Correction, CustomerRecord, RecordKind, SubscriptionRecord
from tests.kits.reads import Read, ReadContract
from tests.kits.samples import SEAT, SETUP
from tests.kits.world import ErpWorld


class ErpRecordsContract(ReadContract):
    reads = ("records",)

    async def read(self, world: ErpWorld, reading: str) -> Read:
        return lambda port: port.records.records("customers")

    async def test_a_customer_is_listed_in_our_words(self, world: ErpWorld) -> None:
        port, parent = _port(world), world.sample.customer()
        await port.create_customer(parent, key=f"customer:{parent.account}")
        new = world.sample.customer(parent_account=parent.account)
        made = await port.create_customer(new, key=f"customer:{new.account}")
        assert await customer(port, made.id) == CustomerRecord(
            id=made.id,
            key=f"customer:{new.account}",
            account=new.account,
            selling_entity=new.selling_entity,
            parent_account=parent.account,
        )
        await port.set_credit_hold(CreditHold(customer=made.id, held=True, reason="long overdue"))
        assert (await customer(port, made.id)).held
        [about] = (await port.records.records("customers", about=new.account)).records
        assert about.id == made.id
        assert (await port.records.records("customers", about=f"001-{uuid4()}")).records == ()

    async def test_a_subscription_is_listed_as_it_was_sold_changed_and_ended(self, world: ErpWorld) -> None:
        port, sample = _port(world), world.sample
        new = sample.subscription(await sample.make_customer(port), starts=None, ends=None)
        made = (await port.create_subscription(new, key=f"subscription:{new.contract}")).id
        draft = await subscription(port, made)
        assert (draft.contract, draft.customer, draft.currency) == (new.contract, new.customer, new.currency)
        assert (draft.status, draft.starts, draft.ends) == ("draft", None, None)

        await port.activate_order(sample.activation(made), key=f"activation:{made}")
        start = BillingStart(subscription=made, line=SEAT, starts=sample.starts, accepted_on=sample.starts)
        await port.start_billing(start, key=f"billing:{made}")
        active = await subscription(port, made)
        assert (active.status, active.starts, active.ends) == ("active", sample.starts, sample.ends)
        assert active.term in (1, None)
        lines = {line.id: line for line in active.lines}
        assert (lines[SEAT].product, lines[SEAT].quantity) == (sample.recurring, Decimal(50))
        assert (lines[SEAT].unit_price, lines[SEAT].billed_from) == (Decimal("1200.00"), sample.starts)
        assert (lines[SETUP].billed_from, lines[SETUP].ends) == (None, None)

        later = sample.starts + timedelta(days=60)
        amendment = Amendment(subscription=made, effective=later, quantities={SEAT: Decimal(60)})
        await port.amend_subscription(amendment, key=f"amendment:{made}")
        lines = {line.id: line for line in (await subscription(port, made)).lines}
        assert lines[SEAT].quantity == 60, "what was agreed last, from whatever day on"
        ending = Ending(subscription=made, ends=sample.ends, reason="not renewed")
        await port.end_subscription(ending, key=f"ending:{made}")
        assert (await subscription(port, made)).status == "ended"
        [about] = (await port.records.records("subscriptions", about=new.contract)).records
        assert about == await subscription(port, made)

    async def test_pages_hold_everything_once_in_an_order_that_stays(self, world: ErpWorld) -> None:
        """Also what is made while they are read: it comes last."""
        port, sample = _port(world), world.sample
        customer = await sample.make_customer(port)
        made = []
        for _ in range(MANY):
            new = sample.subscription(customer)
            made.append((await port.create_subscription(new, key=f"subscription:{new.contract}")).id)
        first = await port.records.records("subscriptions")
        assert first.cursor is not None, "one page held more than a page holds"
        new = sample.subscription(customer)
        last = (await port.create_subscription(new, key=f"subscription:{new.contract}")).id
        seen = [each.id for each in first.records] + await ids(port, "subscriptions", first.cursor)
        assert len(seen) == len(set(seen))
        assert [each for each in seen if each in (*made, last)] == [*made, last]
        assert await ids(port, "subscriptions") == seen

    async def test_a_field_is_set_right_as_often_as_one_likes(self, world: ErpWorld) -> None:
        port, sample = _port(world), world.sample
        new, parent = sample.customer(), sample.customer()
        made = (await port.create_customer(new, key=f"customer:{new.account}")).id
        await port.create_customer(parent, key=f"customer:{parent.account}")
        other = f"001-{uuid4().hex[:8]}"
        for account, above in ((other, parent.account), (new.account, None)):
            fields = {"account": account, "parent_account": above}
            for _ in range(2):
                await port.records.correct(Correction(kind="customers", id=made, fields=fields))
            found = await customer(port, made)
            assert (found.account, found.parent_account) == (account, above)

    async def test_a_line_and_a_contract_are_set_right(self, world: ErpWorld) -> None:
        port, sample = _port(world), world.sample
        made = await sample.make_subscription(port)
        before = await subscription(port, made)
        await port.activate_order(sample.activation(made), key=f"activation:{made}")
        start = BillingStart(subscription=made, line=SEAT, starts=sample.starts, accepted_on=sample.starts)
        await port.start_billing(start, key=f"billing:{made}")
        lines = {SEAT: {"unit_price": "1100.00", "billed_from": None, "accepted_on": None}}
        fields = {"contract": f"{before.contract}-other", "term": 2}
        for _ in range(2):
            await port.records.correct(Correction(kind="subscriptions", id=made, fields=fields, lines=lines))
        found = await subscription(port, made)
        assert (found.contract, found.term) == (f"{before.contract}-other", 2)
        seats = next(line for line in found.lines if line.id == SEAT)
        assert (seats.unit_price, seats.billed_from) == (Decimal(1100), None)
        state = await port.subscription_state(made)
        assert next(line for line in state.lines if line.line == SEAT).billed_from is None

    async def test_what_is_put_away_lives_no_more(self, world: ErpWorld) -> None:
        port = _port(world)
        made = await world.sample.make_subscription(port)
        for _ in range(2):
            await port.records.retire("subscriptions", made)
        shown = [each for each in await everything(port, "subscriptions") if each.id == made]
        assert all(each.status == "cancelled" for each in shown)


MANY = 105
"""More than a page holds."""


def _port(world: ErpWorld) -> Any:
    """With the records that not every Erp has."""
    return world.port


async def everything(port: Any, kind: RecordKind, cursor: str | None = None) -> list[Any]:
    found: list[Any] = []
    while True:
        page = await port.records.records(kind, cursor)
        found += page.records
        if (cursor := page.cursor) is None:
            return found


async def ids(port: Any, kind: RecordKind, cursor: str | None = None) -> list[str]:
    return [each.id for each in await everything(port, kind, cursor)]


async def customer(port: Any, id: str) -> CustomerRecord:
    found: CustomerRecord = next(each for each in await everything(port, "customers") if each.id == id)
    return found


async def subscription(port: Any, id: str) -> SubscriptionRecord:
    found: SubscriptionRecord = next(each for each in await everything(port, "subscriptions") if each.id == id)
    return found
