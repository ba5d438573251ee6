"""What the Erp's kit asks of customers, subscriptions, money and paging; part of ErpContract."""

from datetime import timedelta
from decimal import Decimal
from typing import cast
from uuid import uuid4

import pytest

from domain.errors import OutcomeUnknown
from domain.ports import Amendment, Ending, Invoice, NewCustomer
from domain.ports.prices import ErpPrices
from domain.terms import ChargeType, Frequency
from tests.kits.effects import EffectContract
from tests.kits.samples import SEAT, SETUP, year_from
from tests.kits.world import ErpWorld


class ErpMeaning(EffectContract):
    # ── customers ───────────────────────────────────────────────────────────────────────────────────────────────

    async def test_a_customer_is_kept_as_it_was_told(self, world: ErpWorld) -> None:
        new = world.sample.customer()
        made = await world.port.create_customer(new, key=_key(new))
        shown = await world.value("create_customer", made.id)
        assert {name: shown[name] for name in world.sample.keeps} == _kept(world, new)

    async def test_a_subsidiary_hangs_under_its_parent(self, world: ErpWorld) -> None:
        if "parent_account" not in world.sample.keeps:
            pytest.skip("declared: this ERP keeps no hierarchy")
        parent = world.sample.customer()
        await world.port.create_customer(parent, key=_key(parent))
        child = world.sample.customer(parent_account=parent.account)
        made = await world.port.create_customer(child, key=_key(child))
        assert (await world.value("create_customer", made.id))["parent_account"] == parent.account

    async def test_a_parent_that_is_no_customer_is_no_obstacle(self, world: ErpWorld) -> None:
        new = world.sample.customer(parent_account=f"001-{uuid4()}")
        made = await world.port.create_customer(new, key=_key(new))
        assert await world.port.find_customer(_key(new)) == made

    async def test_who_is_known_by_tax_id_is_not_made_again(self, world: ErpWorld) -> None:
        new = world.sample.customer()
        there = await world.put_customer(new.model_copy(update={"name": "Hooli, as accounting calls it"}))
        already = await world.count("create_customer")
        assert await world.port.find_customer(_key(new)) is None
        assert (await world.port.create_customer(new, key=_key(new))).id == there
        found = await world.port.find_customer(_key(new))
        assert found is not None
        assert found.id == there
        assert await world.count("create_customer") == already

    async def test_adopted_with_the_answer_lost_is_adopted_once(self, world: ErpWorld) -> None:
        new = world.sample.customer()
        there = await world.put_customer(new)
        already = await world.count("create_customer")
        await world.disturb("create_customer", "lose_answer")
        with pytest.raises(OutcomeUnknown):
            await world.port.create_customer(new, key=_key(new))
        found = await world.port.find_customer(_key(new))
        assert found is not None
        assert found.id == there
        assert await world.count("create_customer") == already

    async def test_a_tax_id_takes_no_customer_away_from_its_account(self, world: ErpWorld) -> None:
        first = world.sample.customer()
        made = await world.port.create_customer(first, key=_key(first))
        second = world.sample.customer(tax_id=first.tax_id)
        await world.port.create_customer(second, key=_key(second))
        assert await world.port.find_customer(_key(first)) == made

    async def test_each_selling_entity_has_its_own_customer(self, world: ErpWorld) -> None:
        if world.sample.other_entity is None:
            pytest.skip("declared: there is one selling entity")
        new = world.sample.customer()
        here = await world.port.create_customer(new, key=_key(new))
        there = new.model_copy(update={"selling_entity": world.sample.other_entity})
        await world.port.create_customer(there, key=_key(there))
        assert await world.port.find_customer(_key(new)) == here
        assert await world.port.find_customer(_key(there)) is not None

    async def test_the_like_are_proposed_by_domain_and_by_name(self, world: ErpWorld) -> None:
        new = world.sample.customer()
        there = await world.put_customer(_stranger(world, email=f"finance@{_domain(new)}"))
        [by_domain] = await world.port.similar_customers(new)
        assert (by_domain.id, by_domain.alike) == (there, "domain")
        assert by_domain.name
        named = await world.put_customer(_stranger(world, name=new.name.upper().replace(" GMBH", ", GMBH")))
        proposed = await world.port.similar_customers(new)
        assert {(each.id, each.alike) for each in proposed} == {(there, "domain"), (named, "name")}

    async def test_a_proposal_changes_nothing(self, world: ErpWorld) -> None:
        new = world.sample.customer()
        await world.put_customer(_stranger(world, name=new.name))
        already = await world.count("create_customer")
        assert await world.port.similar_customers(new) == await world.port.similar_customers(new)
        assert await world.count("create_customer") == already
        assert await world.port.find_customer(_key(new)) is None

    async def test_a_public_mail_domain_makes_nobody_alike(self, world: ErpWorld) -> None:
        new = world.sample.customer(email="hooli@gmail.com")
        await world.put_customer(_stranger(world, email="another@gmail.com"))
        assert await world.port.similar_customers(new) == ()

    async def test_who_is_known_is_not_proposed(self, world: ErpWorld) -> None:
        """Neither the customer of another account, nor one that the tax id names."""
        known = world.sample.customer()
        await world.port.create_customer(known, key=_key(known))
        alike = world.sample.customer(name=known.name, email=known.email)
        assert await world.port.similar_customers(alike) == ()
        taxed = world.sample.customer()
        await world.put_customer(taxed)
        assert await world.port.similar_customers(taxed) == ()

    # ── subscriptions ───────────────────────────────────────────────────────────────────────────────────────────

    async def test_a_draft_is_not_entitled(self, world: ErpWorld) -> None:
        state = await world.port.subscription_state(await world.sample.make_subscription(world.port))
        assert (state.status, state.entitled) == ("draft", False)
        lines = {line.line: (line.quantity, line.billed_from, line.accepted_on, line.revenue) for line in state.lines}
        assert lines == {SEAT: (Decimal(50), None, None, "none"), SETUP: (Decimal(1), None, None, "none")}

    async def test_an_active_subscription_is_entitled_within_its_term(self, world: ErpWorld) -> None:
        today = await world.today()
        made = await world.sample.make_active(world.port, today, year_from(today))
        state = await world.port.subscription_state(made)
        assert (state.id, state.status, state.entitled) == (made, "active", True)
        assert (state.starts, state.ends) == (today, year_from(today))
        later = today + timedelta(days=40)
        coming = await world.sample.make_active(world.port, later, year_from(later))
        assert (await world.port.subscription_state(coming)).entitled is False

    async def test_acceptance_triggers_the_revenue_schedule(self, world: ErpWorld) -> None:
        today = await world.today()
        begun, over = today - timedelta(days=10), today - timedelta(days=400)
        for starts, ends, accepted, revenue in (
            (today, year_from(today), today + timedelta(days=30), "scheduled"),
            (begun, year_from(begun), begun, "running"),
            (over, over + timedelta(days=365), over, "complete"),
        ):
            made = await world.sample.make_active(world.port, starts, ends)
            await world.sample.bill(world.port, made, accepted)
            lines = {line.line: line for line in (await world.port.subscription_state(made)).lines}
            assert (lines[SEAT].billed_from, lines[SEAT].accepted_on) == (accepted, accepted), revenue
            assert (lines[SEAT].revenue, lines[SETUP].revenue) == (revenue, "none")

    async def test_the_amounts_are_the_erps_own_for_a_billing_period(self, world: ErpWorld) -> None:
        today = await world.today()
        made = await world.sample.make_active(world.port, today, year_from(today))
        state = await cast(ErpPrices, world.port).priced_state(made)
        assert (state.id, state.status, state.currency) == (made, "active", world.sample.currency)
        lines = {line.line: (line.amount, line.charge, line.frequency) for line in state.lines}
        seats, setup = lines[SEAT], lines[SETUP]
        assert seats == (Decimal("60000.00"), ChargeType.RECURRING, Frequency.ANNUAL), "50 at 1200"
        assert setup == (Decimal("1200.00"), ChargeType.ONE_TIME, Frequency.ONCE)

    async def test_an_amendment_sets_the_target(self, world: ErpWorld) -> None:
        today = await world.today()
        made = await world.sample.make_active(world.port, today - timedelta(days=10), year_from(today))
        amendment = Amendment(subscription=made, effective=today, quantities={SEAT: Decimal(75)})
        await world.port.amend_subscription(amendment, key=f"amendment:{made}")
        state = await world.port.subscription_state(made)
        assert {line.line: line.quantity for line in state.lines} == {SEAT: Decimal(75), SETUP: Decimal(1)}

    async def test_what_has_ended_is_not_entitled(self, world: ErpWorld) -> None:
        today = await world.today()
        ended = await world.sample.make_active(world.port, today - timedelta(days=60), year_from(today))
        ending = Ending(subscription=ended, ends=today, reason="not renewed")
        await world.port.end_subscription(ending, key=f"ending:{ended}")
        state = await world.port.subscription_state(ended)
        assert (state.status, state.entitled, state.ends) == ("ended", False, today)
        cancelled = await world.sample.make_subscription(world.port)
        await world.port.cancel_subscription(cancelled, "ordered by mistake", key=f"cancellation:{cancelled}")
        state = await world.port.subscription_state(cancelled)
        assert (state.status, state.entitled) == ("cancelled", False)

    # ── money ───────────────────────────────────────────────────────────────────────────────────────────────────

    async def test_a_new_customer_owes_nothing(self, world: ErpWorld) -> None:
        customer = await world.sample.make_customer(world.port)
        history, balance = await world.port.billing_history(customer), await world.port.balance(customer)
        assert (history.invoices, history.paid_late, history.overdue) == (0, 0, 0)
        assert (history.overdue_amount, balance.open_amount, balance.overdue_amount) == (Decimal(0),) * 3
        assert history.currency == balance.currency == world.sample.currency
        page = await world.port.invoices(customer)
        assert (page.invoices, page.cursor) == ((), None)

    async def test_invoices_balance_and_history_agree(self, world: ErpWorld) -> None:
        customer, subscription = await self._billed(world)
        due = await world.invoice(customer, subscription)
        late = await world.invoice(customer, subscription, overdue=True)
        paid = await world.invoice(customer, subscription)
        await world.pay(paid)
        invoices = {each.id: each for each in (await world.port.invoices(customer)).invoices}
        assert {name: each.status for name, each in invoices.items()} == {due: "posted", late: "posted", paid: "paid"}
        assert all(each.total > 0 and each.currency == world.sample.currency for each in invoices.values())
        assert all(each.number and each.issued_on and each.due_on for each in invoices.values())
        assert invoices[paid].open_amount == 0
        assert invoices[due].open_amount == invoices[due].total
        balance, history = await world.port.balance(customer), await world.port.billing_history(customer)
        assert balance.open_amount == invoices[due].open_amount + invoices[late].open_amount
        assert balance.overdue_amount == invoices[late].open_amount
        assert (history.invoices, history.overdue) == (3, 1)
        assert history.overdue_amount == invoices[late].open_amount

    async def test_invoices_are_paged_to_the_end(self, world: ErpWorld) -> None:
        customer, subscription = await self._billed(world)
        made = [await world.invoice(customer, subscription) for _ in range(5)]
        found: list[Invoice] = []
        cursor: str | None = None
        sizes: list[int] = []
        while not sizes or cursor is not None:
            page = await world.port.invoices(customer, cursor, limit=2)
            found += page.invoices
            cursor = page.cursor
            sizes.append(len(page.invoices))
        assert [each.id for each in found] == made
        assert sizes == [2, 2, 1]
        assert (await world.port.invoices(customer, limit=5)).cursor is None, "a page that is just full is the last"

    async def _billed(self, world: ErpWorld) -> tuple[str, str]:
        """A customer with an active subscription whose seats are billed."""
        today = await world.today()
        customer = await world.sample.make_customer(world.port)
        made = await world.sample.make_active(world.port, today - timedelta(days=5), year_from(today), customer)
        await world.sample.bill(world.port, made, today - timedelta(days=5))
        return customer, made


def _key(new: NewCustomer) -> str:
    return f"customer:{new.account}:{new.selling_entity}"


def _domain(new: NewCustomer) -> str:
    return (new.email or "").rpartition("@")[2]


def _stranger(world: ErpWorld, **changes: str) -> NewCustomer:
    """A customer that somebody made by hand, without a tax id."""
    return world.sample.customer(tax_id=None, **changes)


def _kept(world: ErpWorld, new: NewCustomer) -> dict[str, object]:
    return {name: value for name, value in new if name in world.sample.keeps}
