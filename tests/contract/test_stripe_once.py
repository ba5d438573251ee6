"""Whatever request of an operation is lost, before Stripe or after it, and however late it is sent again: one effect.

Beyond the kit, which loses the request that bears the effect; after a day, when Stripe has forgotten our keys, too.
"""

import json
from collections import Counter
from collections.abc import Awaitable, Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any, Literal

import httpx
import pytest

from domain.errors import InvalidInput, NotFound, OutcomeUnknown, Rejected, SourceUnavailable
from domain.ports import Activation, Amendment, BillingStart, Ending, Renewal
from tests.kits.samples import SEAT, SETUP, year_from
from tests.stripe.routes import Route
from tests.stripe.server import Instead
from tests.stripe.world import StripeWorld, stripe_world

Fate = Literal["never arrived", "answer lost"]
WRITES = (
    "create_customer", "adopt_customer", "create_subscription", "activate_order", "start_billing", "start_billing_once",
    "amend_subscription", "renew_subscription", "end_subscription", "cancel_subscription",
)  # fmt: skip
MOST_REQUESTS = 12
Send = Callable[[StripeWorld], Awaitable[object]]


class _Lossy:
    """Loses the n-th request, and knows whether there was one."""

    def __init__(self, world: StripeWorld, n: int, fate: Fate) -> None:
        self._world, self._left, self._fate = world, n, fate
        self.lost = False

    async def __call__(self, route: Route, asked: tuple[dict[str, str], Any, str | None]) -> Instead | None:
        self._left -= 1
        if self._left != 0:
            return None
        self.lost = True
        if self._fate == "answer lost":
            self._world.stand_in.perform(route, *asked)
        raise httpx.ReadError("lost")


async def _prepared(world: StripeWorld, writing: str) -> Send:
    """The operation, with all that it needs at Stripe."""
    port, sample, today = world.port, world.sample, await world.today()
    if writing in ("create_customer", "adopt_customer"):
        new = sample.customer()
        if writing == "adopt_customer":
            await world.put_customer(new)
        return lambda world: world.port.create_customer(new, key="customer:1")
    customer = await sample.make_customer(port)
    begun = today - timedelta(days=20)
    if writing == "create_subscription":
        order = sample.subscription(customer)
        return lambda world: world.port.create_subscription(order, key="subscription:1")
    if writing == "activate_order":
        new_subscription = sample.subscription(customer, starts=begun, ends=year_from(begun))
        made = (await port.create_subscription(new_subscription, key="subscription:1")).id
        activation = Activation(subscription=made, on=begun, starts=begun, ends=year_from(begun))
        return lambda world: world.port.activate_order(activation, key="activation:1")
    made = await sample.make_active(port, begun, year_from(begun), customer)
    line = SETUP if writing == "start_billing_once" else SEAT
    start = BillingStart(subscription=made, line=line, starts=begun, accepted_on=begun)
    if writing.startswith("start_billing"):
        return lambda world: world.port.start_billing(start, key="billing:1")
    await port.start_billing(start, key="billing:1")
    if writing == "cancel_subscription":
        await port.start_billing(start.model_copy(update={"line": SETUP}), key="billing:2")
        return lambda world: world.port.cancel_subscription(made, "by mistake", key="cancellation:1")
    if writing == "end_subscription":
        ending = Ending(subscription=made, ends=today + timedelta(days=30), reason="not renewed")
        return lambda world: world.port.end_subscription(ending, key="ending:1")
    if writing == "renew_subscription":
        ends = year_from(begun)
        renewal = Renewal(subscription=made, term=2, starts=ends, ends=year_from(ends))
        return lambda world: world.port.renew_subscription(renewal, key="renewal:1")
    amendment = Amendment(subscription=made, effective=today, quantities={SEAT: Decimal(60)})
    return lambda world: world.port.amend_subscription(amendment, key="amendment:1")


def _held(world: StripeWorld) -> dict[str, Any]:
    """What Stripe has afterwards, but for the ids of records and moments."""
    shop = world.shop
    return {
        "records": Counter(kind for kind, of_kind in shop.records.items() if kind != "price" for _ in of_kind),
        "contracts": [
            {name: value for name, value in each["metadata"].items() if not name.startswith(("line_", "customer"))}
            for each in shop.all("product")
            if "tenure_contract" in each["metadata"]
        ],
        "schedules": [
            (each["status"], [(phase["items"][0]["quantity"], phase["end_date"]) for phase in each["phases"]])
            for each in shop.all("subscription_schedule")
        ],
        "invoices": [(each["status"], each["total"], each["auto_advance"]) for each in shop.all("invoice")],
        "customers": [each["metadata"].get("tenure_key") for each in shop.all("customer")],
    }


@pytest.mark.parametrize("late", [timedelta(0), timedelta(hours=25)], ids=["at once", "after a day"])
@pytest.mark.parametrize("fate", ["never arrived", "answer lost"])
@pytest.mark.parametrize("writing", WRITES)
async def test_lost_anywhere_and_sent_again_is_one_effect(writing: str, fate: Fate, late: timedelta) -> None:
    for n in range(1, MOST_REQUESTS):
        async with stripe_world() as world:
            send = await _prepared(world, writing)
            lossy = _Lossy(world, n, fate)
            world.stand_in.disturb = lossy
            if not await _is_lost(send, world):
                assert not lossy.lost
                assert n > 1
                return
            world.shop.advance(late)
            answer = await send(world)
            assert await send(world) == answer
            once = await _undisturbed(writing, late)
            assert _held(world)["records"] == once["records"], f"request {n}"
            assert [len(each) for each in _held(world).values()] == [len(each) for each in once.values()]
            assert _shape(_held(world)) == _shape(once), f"request {n}"
    pytest.fail(f"{writing} takes more than {MOST_REQUESTS} requests")


async def _is_lost(send: Send, world: StripeWorld) -> bool:
    try:
        await send(world)
    except (OutcomeUnknown, SourceUnavailable):
        return True
    return False


async def _undisturbed(writing: str, late: timedelta) -> dict[str, Any]:
    async with stripe_world() as world:
        send = await _prepared(world, writing)
        world.shop.advance(late)
        await send(world)
        return _held(world)


def _shape(held: dict[str, Any]) -> dict[str, Any]:
    """Contract ids and keys are new with every world."""
    return {
        "schedules": [(status, [quantity for quantity, _ in phases]) for status, phases in held["schedules"]],
        "invoices": held["invoices"],
        "statuses": [each["status"] for each in held["contracts"]],
        "done": [[name for name in each if name.startswith("done_")] for each in held["contracts"]],
        "marks": [len(each.get("done_0", "").split()) for each in held["contracts"]],
    }


async def test_other_arguments_under_a_key_are_refused_after_a_day_too() -> None:
    async with stripe_world() as world:
        customer = await world.sample.make_customer(world.port)
        order = world.sample.subscription(customer)
        made = await world.port.create_subscription(order, key="subscription:1")
        world.shop.advance(timedelta(hours=25))
        assert await world.port.create_subscription(order, key="subscription:1") == made
        other = order.model_copy(update={"purchase_order": "PO-2"})
        with pytest.raises(Rejected, match="other arguments"):
            await world.port.create_subscription(other, key="subscription:1")
        assert await world.count("create_subscription") == 1


async def test_a_failure_that_stripe_repeats_stays_in_doubt_until_it_forgets() -> None:
    """Stripe stores an answer of 500 for the key's day."""
    async with stripe_world() as world:
        order = world.sample.subscription(await world.sample.make_customer(world.port))
        await world.disturb("create_subscription", "error")
        for _ in range(2):
            with pytest.raises(OutcomeUnknown):
                await world.port.create_subscription(order, key="subscription:1")
        world.shop.advance(timedelta(hours=25))
        await world.port.create_subscription(order, key="subscription:1")
        assert await world.count("create_subscription") == 1


async def test_a_refusal_does_not_outlive_its_cause() -> None:
    """Stripe stores refusals for the key's day as well."""
    async with stripe_world() as world:
        today = await world.today()
        made = await world.sample.make_active(world.port, today, year_from(today))
        start = BillingStart(subscription=made, line=SEAT, starts=today, accepted_on=today)
        gone = world.shop.records["product"].pop("SEAT")
        for _ in range(3):
            with pytest.raises(NotFound):
                await world.port.start_billing(start, key="billing:1")
        world.shop.records["product"]["SEAT"] = gone
        started = await world.port.start_billing(start, key="billing:1")
        assert await world.port.start_billing(start, key="billing:1") == started
        assert await world.count("start_billing") == 1


async def test_a_corrected_order_is_not_taken_for_the_one_that_was_refused() -> None:
    async with stripe_world() as world:
        new = world.sample.customer(tax_id=None)
        params: Any = {"type": "invalid_request_error", "code": "tax_id_invalid"}
        refused: Instead = (400, {}, json.dumps({"error": params}).encode())

        async def refuse(route: Route, asked: tuple[dict[str, str], Any, str | None]) -> Instead | None:
            ids, given, key = asked
            if route.name != "POST /v1/customers" or given["name"] != new.name:
                return None
            assert key is not None
            world.stand_in.keep(route, ids, given, key, 400, refused[2])
            return refused

        world.stand_in.disturb = refuse
        with pytest.raises(InvalidInput):
            await world.port.create_customer(new, key="customer:1")
        corrected = new.model_copy(update={"name": "Hooli, corrected"})
        made = await world.port.create_customer(corrected, key="customer:1")
        assert await world.port.create_customer(corrected, key="customer:1") == made
        assert await world.count("create_customer") == 1


async def test_a_late_copy_of_an_older_change_undoes_no_newer_one() -> None:
    async with stripe_world() as world:
        today = await world.today()
        made = await world.sample.make_active(world.port, today - timedelta(days=5), year_from(today))
        first = Amendment(subscription=made, effective=today, quantities={SEAT: Decimal(60)})
        kept: list[tuple[Route, tuple[dict[str, str], Any, str | None]]] = []

        async def keep(route: Route, asked: tuple[dict[str, str], Any, str | None]) -> Instead | None:
            kept.append((route, asked))
            return None

        world.stand_in.disturb = keep
        await world.port.amend_subscription(first, key="amendment:1")
        second = first.model_copy(update={"quantities": {SEAT: Decimal(70)}})
        copies = [(route, asked) for route, asked in kept if route.method == "POST"]
        await world.port.amend_subscription(second, key="amendment:2")
        for route, asked in copies:
            world.stand_in.perform(route, *asked)
        assert copies
        [seat] = [line for line in (await world.port.subscription_state(made)).lines if line.line == SEAT]
        assert seat.quantity == 70
