"""What the Erp's kit asks of a contract's changes: lines with days of their own, lines that come and go, another end,
and the days that closed books refuse; part of ErpContract."""

from datetime import date, timedelta
from decimal import Decimal

import pytest

from domain.errors import NotFound, OutcomeUnknown, PeriodClosed, Rejected
from domain.ports import Activation, Amendment, BillingStart, Ending, LineState, SubscriptionState, TermChange
from tests.kits.effects import EffectContract
from tests.kits.samples import SEAT, SETUP, year_from
from tests.kits.world import ErpWorld

EXTRA = "line/seat 2"


class ErpChanges(EffectContract):
    # ── lines with days of their own ────────────────────────────────────────────────────────────────────────────

    async def test_a_line_keeps_its_own_days(self, world: ErpWorld) -> None:
        port, sample, today = world.port, world.sample, await world.today()
        ends = today + timedelta(days=200)
        ramp = (sample.seats(SEAT, 10, ends=ends), sample.seats(EXTRA, 20, starts=ends))
        new = sample.subscription(await sample.make_customer(port), starts=today, ends=year_from(today), lines=ramp)
        made = (await port.create_subscription(new, key=f"subscription:{new.contract}")).id
        await port.activate_order(
            Activation(subscription=made, on=today, starts=today, ends=year_from(today)), key=f"activation:{made}"
        )
        assert await days_of(world, made) == {SEAT: (None, ends), EXTRA: (ends, None)}
        await world.sample.bill(port, made, today)
        await world.sample.bill(port, made, ends, EXTRA)
        state = await port.subscription_state(made)
        assert {line.line: line.billed_from for line in state.lines} == {SEAT: today, EXTRA: ends}
        assert state.ends == year_from(today)

    async def test_a_line_is_not_billed_outside_of_its_days(self, world: ErpWorld) -> None:
        made, today = await self._active(world)
        until = today + timedelta(days=90)
        ramp = world.sample.seats(EXTRA, 5, starts=today + timedelta(days=30), ends=until)
        amendment = Amendment(subscription=made, effective=today, quantities={}, added=(ramp,))
        await world.port.amend_subscription(amendment, key=f"amendment:{made}:ramp")
        for day in (today, until):
            start = BillingStart(subscription=made, line=EXTRA, starts=day, accepted_on=day)
            with pytest.raises(Rejected):
                await world.port.start_billing(start, key=f"billing-start:{made}:{day}")
        assert (await line_of(world, made, EXTRA)).billed_from is None

    # ── lines that come and go ──────────────────────────────────────────────────────────────────────────────────

    async def test_an_added_line_waits_for_its_billing_start(self, world: ErpWorld) -> None:
        made, today = await self._active(world)
        amendment = self._swap(world, made, today)
        await world.port.amend_subscription(amendment, key=f"amendment:{made}:swap")
        state = await world.port.subscription_state(made)
        assert {line.line: line.quantity for line in state.lines} == {
            SEAT: Decimal(50), SETUP: Decimal(1), EXTRA: Decimal(7),
        }  # fmt: skip
        assert await days_of(world, made) == {SEAT: (None, today), SETUP: (None, None), EXTRA: (today, None)}
        assert (await line_of(world, made, EXTRA)).billed_from is None
        await world.sample.bill(world.port, made, today, EXTRA)
        assert (await line_of(world, made, EXTRA)).billed_from == today

    async def test_lines_come_and_go_once(self, world: ErpWorld) -> None:
        """Sent twice, and once more after its answer was lost."""
        made, today = await self._active(world)
        amendment, key = self._swap(world, made, today), f"amendment:{made}:swap"
        await world.disturb("amend_subscription", "lose_answer")
        with pytest.raises(OutcomeUnknown):
            await world.port.amend_subscription(amendment, key=key)
        first = await world.port.amend_subscription(amendment, key=key)
        assert await world.port.amend_subscription(amendment, key=key) == first
        other = amendment.model_copy(update={"removed": ()})
        with pytest.raises(Rejected):
            await world.port.amend_subscription(other, key=key)
        assert sorted(await days_of(world, made)) == sorted([SEAT, SETUP, EXTRA])

    async def test_a_removal_is_taken_back_from_the_same_day(self, world: ErpWorld) -> None:
        made, today = await self._active(world)
        await world.sample.bill(world.port, made, today - timedelta(days=5))
        gone = today + timedelta(days=20)
        removed = Amendment(subscription=made, effective=gone, quantities={}, removed=(SEAT,))
        await world.port.amend_subscription(removed, key=f"amendment:{made}:out")
        assert (await line_of(world, made, SEAT)).ends == gone
        again = Amendment(subscription=made, effective=gone, quantities={}, added=(world.sample.seats(SEAT, 7),))
        await world.port.amend_subscription(again, key=f"amendment:{made}:in")
        line = await line_of(world, made, SEAT)
        assert (line.ends, line.billed_from, line.quantity) == (None, today - timedelta(days=5), Decimal(50))

    async def test_a_line_is_neither_added_nor_removed_twice(self, world: ErpWorld) -> None:
        made, today = await self._active(world)
        there = Amendment(
            subscription=made, effective=today, quantities={}, added=(world.sample.seats(SEAT, 5, starts=today),)
        )
        with pytest.raises(Rejected):
            await world.port.amend_subscription(there, key=f"amendment:{made}:there")
        await world.port.amend_subscription(self._swap(world, made, today), key=f"amendment:{made}:swap")
        for unknown in (SEAT, "line/unsold"):
            gone = Amendment(subscription=made, effective=today, quantities={}, removed=(unknown,))
            with pytest.raises((Rejected, NotFound)):
                await world.port.amend_subscription(gone, key=f"amendment:{made}:{unknown}")
        assert await days_of(world, made) == {SEAT: (None, today), SETUP: (None, None), EXTRA: (today, None)}

    def _swap(self, world: ErpWorld, subscription: str, on: date) -> Amendment:
        added = (world.sample.seats(EXTRA, 7),)
        return Amendment(subscription=subscription, effective=on, quantities={}, added=added, removed=(SEAT,))

    # ── another end ─────────────────────────────────────────────────────────────────────────────────────────────

    async def test_a_term_is_made_longer_shorter_and_without_end(self, world: ErpWorld) -> None:
        made, today = await self._active(world)
        for n, ends in enumerate((year_from(year_from(today)), today + timedelta(days=100), None, year_from(today))):
            change = TermChange(subscription=made, ends=ends, reason="co-term")
            await world.port.change_term(change, key=f"term-change:{made}:{n}")
            state = await world.port.subscription_state(made)
            assert (state.ends, state.status, state.entitled) == (ends, "active", True)

    async def test_a_billed_term_is_moved_too(self, world: ErpWorld) -> None:
        made, today = await self._active(world)
        await world.sample.bill(world.port, made, today - timedelta(days=5))
        for n, ends in enumerate((year_from(year_from(today)), None, year_from(today))):
            change = TermChange(subscription=made, ends=ends, reason="extended")
            await world.port.change_term(change, key=f"term-change:{made}:{n}")
            assert (await world.port.subscription_state(made)).ends == ends
        assert (await line_of(world, made, SEAT)).billed_from == today - timedelta(days=5)

    async def test_no_term_ends_before_its_billing_begins(self, world: ErpWorld) -> None:
        made, today = await self._active(world)
        await world.sample.bill(world.port, made, today + timedelta(days=60))
        for n, ends in enumerate((today + timedelta(days=60), today + timedelta(days=10))):
            change = TermChange(subscription=made, ends=ends, reason="shortened")
            with pytest.raises(Rejected):
                await world.port.change_term(change, key=f"term-change:{made}:{n}")
        assert (await world.port.subscription_state(made)).ends == year_from(today)

    async def test_an_ended_subscription_has_no_term_to_change(self, world: ErpWorld) -> None:
        made, today = await self._active(world)
        ending = Ending(subscription=made, ends=today + timedelta(days=9), reason="not renewed")
        await world.port.end_subscription(ending, key=f"ending:{made}")
        change = TermChange(subscription=made, ends=year_from(today), reason="extended")
        with pytest.raises(Rejected):
            await world.port.change_term(change, key=f"term-change:{made}")

    # ── closed books ────────────────────────────────────────────────────────────────────────────────────────────

    async def test_closed_books_refuse_and_say_when_they_open(self, world: ErpWorld) -> None:
        if not world.sample.keeps_books:
            pytest.skip("declared: there are no accounting periods here")
        today = await world.today()
        made = await world.sample.make_active(world.port, today - timedelta(days=90), year_from(today))
        closed, opens = await world.close_books()
        start = BillingStart(subscription=made, line=SEAT, starts=closed, accepted_on=closed)
        with pytest.raises(PeriodClosed) as refused:
            await world.port.start_billing(start, key=f"billing-start:{made}")
        assert refused.value.opens_on == opens
        amendment = Amendment(subscription=made, effective=closed, quantities={SEAT: Decimal(60)})
        with pytest.raises(PeriodClosed):
            await world.port.amend_subscription(amendment, key=f"amendment:{made}")
        with pytest.raises(PeriodClosed):
            await world.port.end_subscription(
                Ending(subscription=made, ends=closed, reason="churn"), key=f"ending:{made}"
            )
        line = await line_of(world, made, SEAT)
        assert (line.quantity, line.billed_from) == (Decimal(50), None)
        redated = start.model_copy(update={"starts": opens, "accepted_on": opens})
        assert (await world.port.start_billing(redated, key=f"billing-start:{made}")).starts == opens

    # ── what they share ─────────────────────────────────────────────────────────────────────────────────────────

    async def _active(self, world: ErpWorld) -> tuple[str, date]:
        """A subscription that began ten days ago and runs for a year from today, and today."""
        today = await world.today()
        return await world.sample.make_active(world.port, today - timedelta(days=10), year_from(today)), today


async def line_of(world: ErpWorld, subscription: str, line: str) -> LineState:
    state: SubscriptionState = await world.port.subscription_state(subscription)
    [found] = [each for each in state.lines if each.line == line]
    return found


async def days_of(world: ErpWorld, subscription: str) -> dict[str, tuple[date | None, date | None]]:
    state = await world.port.subscription_state(subscription)
    return {line.line: (line.starts, line.ends) for line in state.lines}
