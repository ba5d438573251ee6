"""What a contract becomes at Stripe as time passes, seen in the stand-in's own records."""

import re
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import httpx
import pytest
import stripe

from adapters.billing.stripe import StripeBilling
from domain.errors import InvalidInput, NotFound, Rejected
from domain.ports import Activation, Amendment, BillingStart, CreditHold, Ending, Renewal, SubscriptionLine
from domain.terms import ChargeType, Frequency
from tests.kits.samples import SEAT, SETUP
from tests.stripe.shop import Record
from tests.stripe.world import StripeWorld, stripe_world

DAY = timedelta(days=1)


@pytest.fixture
async def world() -> AsyncIterator[StripeWorld]:
    async with stripe_world() as world:
        yield world


async def _active(world: StripeWorld, starts: date, ends: date | None, **changes: Any) -> str:
    customer = await world.sample.make_customer(world.port)
    order = world.sample.subscription(customer, starts=starts, ends=ends, **changes)
    made = (await world.port.create_subscription(order, key=f"subscription:{order.contract}")).id
    activation = Activation(subscription=made, on=starts, starts=starts, ends=ends)
    await world.port.activate_order(activation, key=f"activation:{made}")
    return made


async def _bill(world: StripeWorld, made: str, on: date, line: str = SEAT) -> str:
    start = BillingStart(subscription=made, line=line, starts=on, accepted_on=on)
    return (await world.port.start_billing(start, key=f"billing:{made}:{line}")).id


def _day(day: date) -> int:
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp())


def _phases(schedule: Record) -> list[tuple[int, int, int]]:
    return [(each["start_date"], each["end_date"], each["items"][0]["quantity"]) for each in schedule["phases"]]


async def test_a_line_is_a_schedule_at_the_price_as_sold(world: StripeWorld) -> None:
    starts = await world.today() + 10 * DAY
    ends = starts + 365 * DAY
    made = await _active(world, starts, ends, purchase_order="PO-4711")
    assert world.shop.all("subscription_schedule") == []
    schedule = world.shop.get("subscription_schedule", await _bill(world, made, starts))
    assert (schedule["status"], schedule["end_behavior"], schedule["subscription"]) == ("not_started", "cancel", None)
    assert _phases(schedule) == [(_day(starts), _day(ends), 50)]
    price = world.shop.get("price", schedule["phases"][0]["items"][0]["price"])
    assert (price["product"], price["currency"], price["unit_amount"]) == ("SEAT", "eur", 120_000)
    assert (price["recurring"]["interval"], price["recurring"]["interval_count"]) == ("year", 1)
    [asked] = [
        params
        for method, path, params, _ in world.stand_in.requests
        if path == "/v1/subscription_schedules" and method == "POST"
    ]
    settings = asked["default_settings"]
    assert settings["collection_method"] == "send_invoice"
    assert settings["invoice_settings"] == {
        "days_until_due": "30",
        "custom_fields": [{"name": "Purchase order", "value": "PO-4711"}],
    }
    world.shop.advance(11 * DAY)
    subscription = world.shop.get("subscription", schedule["subscription"])
    contract = world.shop.get("product", made)["metadata"]["tenure_contract"]
    assert subscription["metadata"] == {
        "erp_subscription": made, "erp_customer": schedule["customer"], "tenure_contract": contract,
        "tenure_line": SEAT,
    }  # fmt: skip


async def test_a_year_with_an_amendment_a_renewal_and_an_end(world: StripeWorld) -> None:
    today = await world.today()
    starts, ends = today - 30 * DAY, today + 335 * DAY
    made = await _active(world, starts, ends)
    schedule = world.shop.get("subscription_schedule", await _bill(world, made, today - 10 * DAY))
    assert schedule["status"] == "active"

    later = today + 100 * DAY
    amendment = Amendment(subscription=made, effective=later, quantities={SEAT: Decimal(60)})
    await world.port.amend_subscription(amendment, key="amendment:1")
    assert _phases(schedule) == [(_day(today - 10 * DAY), _day(later), 50), (_day(later), _day(ends), 60)]
    assert await _seats(world, made) == 50

    world.shop.advance(101 * DAY)
    assert await _seats(world, made) == 60

    second = ends + 365 * DAY
    renewal = Renewal(subscription=made, term=2, starts=ends, ends=second)
    await world.port.renew_subscription(renewal, key="renewal:2")
    assert _phases(schedule)[1:] == [(_day(later), _day(ends), 60), (_day(ends), _day(second), 60)]
    more = Amendment(subscription=made, effective=ends, quantities={SEAT: Decimal(80)})
    await world.port.amend_subscription(more, key="amendment:2")
    assert _phases(schedule)[1:] == [(_day(later), _day(ends), 60), (_day(ends), _day(second), 80)]

    world.shop.advance(300 * DAY)
    assert await _seats(world, made) == 80
    assert schedule["status"] == "active"
    last = await world.today() + 20 * DAY
    await world.port.end_subscription(Ending(subscription=made, ends=last, reason="churn"), key="ending:1")
    assert _phases(schedule)[-1] == (_day(ends), _day(last), 80)
    world.shop.advance(21 * DAY)
    subscription = world.shop.all("subscription")[0]
    assert (schedule["status"], subscription["status"]) == ("completed", "canceled")
    state = await world.port.subscription_state(made)
    assert (state.status, state.entitled, state.ends) == ("ended", False, last)


async def _seats(world: StripeWorld, made: str) -> Decimal:
    return {line.line: line.quantity for line in (await world.port.subscription_state(made)).lines}[SEAT]


async def test_a_change_that_is_effective_now_changes_the_phase_that_runs(world: StripeWorld) -> None:
    today = await world.today()
    made = await _active(world, today - 10 * DAY, today + 355 * DAY)
    schedule = world.shop.get("subscription_schedule", await _bill(world, made, today - 10 * DAY))
    amendment = Amendment(subscription=made, effective=today - 2 * DAY, quantities={SEAT: Decimal(75)})
    await world.port.amend_subscription(amendment, key="amendment:1")
    assert _phases(schedule) == [(_day(today - 10 * DAY), _day(today + 355 * DAY), 75)]
    assert await _seats(world, made) == 75


async def test_what_is_billed_names_the_purchase_order_that_came_later(world: StripeWorld) -> None:
    today = await world.today()
    ends = today + 335 * DAY
    made = await _active(world, today - 30 * DAY, ends)

    def named() -> list[str]:
        settings = [params.get("default_settings", {}) for _, _, params, _ in world.stand_in.requests]
        fields = [each.get("invoice_settings", {}).get("custom_fields") for each in settings]
        return [field["value"] for each in fields if each for field in each]

    start = BillingStart(subscription=made, line=SEAT, starts=today, accepted_on=today, purchase_order="PO-1")
    await world.port.start_billing(start, key="billing:1")
    assert named() == ["PO-1"]
    renewal = Renewal(subscription=made, term=2, starts=ends, ends=ends + 365 * DAY, purchase_order="PO-2")
    await world.port.renew_subscription(renewal, key="renewal:2")
    assert named() == ["PO-1", "PO-2"]


async def test_a_renewal_that_comes_late_bills_from_the_new_term(world: StripeWorld) -> None:
    today = await world.today()
    starts, ends = today - 300 * DAY, today + 65 * DAY
    made = await _active(world, starts, ends)
    first = await _bill(world, made, starts)
    world.shop.advance(70 * DAY)
    assert world.shop.get("subscription_schedule", first)["status"] == "completed"
    renewal = Renewal(subscription=made, term=2, starts=ends, ends=ends + 365 * DAY)
    for _ in range(2):
        await world.port.renew_subscription(renewal, key="renewal:2")
    [_, second] = world.shop.all("subscription_schedule")
    assert (second["status"], _phases(second)) == ("active", [(_day(ends), _day(ends + 365 * DAY), 50)])
    assert (await world.port.subscription_state(made)).entitled


async def test_an_evergreen_line_runs_on_and_can_still_be_changed_and_ended(world: StripeWorld) -> None:
    today = await world.today()
    made = await _active(world, today - DAY, None)
    first = world.shop.get("subscription_schedule", await _bill(world, made, today - DAY))
    assert first["end_behavior"] == "release"
    world.shop.advance(400 * DAY)
    assert first["status"] == "released"
    [subscription] = world.shop.all("subscription")
    assert subscription["status"] == "active"
    assert (await world.port.subscription_state(made)).entitled
    now = await world.today()
    amendment = Amendment(subscription=made, effective=now, quantities={SEAT: Decimal(10)})
    await world.port.amend_subscription(amendment, key="amendment:1")
    assert subscription["items"]["data"][0]["quantity"] == 10
    assert await _seats(world, made) == 10
    await world.port.end_subscription(Ending(subscription=made, ends=now, reason="notice"), key="ending:1")
    assert subscription["status"] == "canceled"
    assert (await world.port.subscription_state(made)).entitled is False


async def test_lines_that_were_sold_for_the_same_share_a_price_and_keep_it(world: StripeWorld) -> None:
    """Another price, though of the same amount, would be prorated against the first."""
    today = await world.today()
    ends = today + 365 * DAY
    first, second = [await _active(world, today - DAY, ends) for _ in range(2)]
    schedules = [
        world.shop.get("subscription_schedule", await _bill(world, made, today - DAY)) for made in (first, second)
    ]
    renewal = Renewal(subscription=first, term=2, starts=ends, ends=ends + 365 * DAY)
    await world.port.renew_subscription(renewal, key="renewal:2")
    assert len({item["price"] for each in schedules for phase in each["phases"] for item in phase["items"]}) == 1
    [price] = world.shop.all("price")
    assert (price["lookup_key"], price["active"]) == ("tenure:SEAT:eur:120000:1year", True)
    price["active"] = False
    third = await _active(world, today - DAY, ends)
    with pytest.raises(Rejected, match="archived"):
        await _bill(world, third, today - DAY)


async def test_what_is_charged_once_is_one_invoice_with_its_item(world: StripeWorld) -> None:
    today = await world.today()
    made = await _active(world, today, today + 365 * DAY)
    invoice = world.shop.get("invoice", await _bill(world, made, today, SETUP))
    assert (invoice["status"], invoice["auto_advance"], invoice["total"]) == ("draft", True, 120_000)
    assert invoice["automatically_finalizes_at"] is None
    page = await world.port.invoices(invoice["customer"])
    assert [(each.status, each.total) for each in page.invoices] == [("draft", Decimal("1200"))]
    assert page.invoices[0].contract == world.shop.get("product", made)["metadata"]["tenure_contract"]
    coming = await _active(world, today, today + 365 * DAY)
    due = world.shop.get("invoice", await _bill(world, coming, today + 9 * DAY, SETUP))
    assert due["automatically_finalizes_at"] == _day(today + 9 * DAY)


async def test_a_cancelled_order_leaves_nothing_that_bills(world: StripeWorld) -> None:
    today = await world.today()
    made = await _active(world, today - DAY, today + 365 * DAY)
    schedule = world.shop.get("subscription_schedule", await _bill(world, made, today - DAY))
    invoice = world.shop.get("invoice", await _bill(world, made, today, SETUP))
    world.shop.finalize(invoice, 120_000, 30)
    await world.port.cancel_subscription(made, "ordered by mistake", key="cancellation:1")
    assert (schedule["status"], invoice["status"]) == ("canceled", "void")
    assert [each["status"] for each in world.shop.all("subscription")] == ["canceled"]
    with pytest.raises(Rejected, match="cancelled"):
        await world.port.cancel_subscription(made, "again", key="cancellation:2")


async def test_what_somebody_ended_at_stripe_is_told(world: StripeWorld) -> None:
    today = await world.today()
    made = await _active(world, today - DAY, today + 365 * DAY)
    schedule = world.shop.get("subscription_schedule", await _bill(world, made, today - DAY))
    schedule["status"] = "canceled"
    state = await world.port.subscription_state(made)
    assert (state.status, state.entitled) == ("ended", False)


async def test_a_refused_line_puts_the_others_back(world: StripeWorld) -> None:
    today = await world.today()
    ends = today + 364 * DAY
    metered = SubscriptionLine(
        id="usage", product="API", quantity=Decimal(1), unit_price=None, charge=ChargeType.USAGE,
        frequency=Frequency.MONTHLY,
    )  # fmt: skip
    blank = {"product": "API", "currency": "eur", "lookup_key": "API", "active": True, "type": "recurring"}
    price = world.shop.put(stripe.Price, "price_api", **blank)
    price["recurring"] = {"interval": "month", "interval_count": 1, "usage_type": "metered", "meter": "m"}
    sample = world.sample.subscription("cus")
    made = await _active(world, today - DAY, ends, lines=(*sample.lines, metered))
    seats = world.shop.get("subscription_schedule", await _bill(world, made, today - DAY))
    await _bill(world, made, today - DAY, "usage")
    price["active"] = False  # Stripe takes it in no schedule any more
    renewal = Renewal(subscription=made, term=2, starts=ends, ends=ends + 365 * DAY)
    with pytest.raises(Rejected, match="inactive"):
        await world.port.renew_subscription(renewal, key="renewal:2")
    assert _phases(seats) == [(_day(today - DAY), _day(ends), 50)]
    assert (await world.port.subscription_state(made)).ends == ends
    price["active"] = True
    await world.port.renew_subscription(renewal, key="renewal:2")
    assert [each["phases"][-1]["end_date"] for each in world.shop.all("subscription_schedule")] == [
        _day(ends + 365 * DAY)
    ] * 2


async def test_a_held_customer_gets_no_new_subscription(world: StripeWorld) -> None:
    today = await world.today()
    customer = await world.sample.make_customer(world.port)
    made = await world.port.create_subscription(world.sample.subscription(customer), key="subscription:1")
    await world.port.set_credit_hold(CreditHold(customer=customer, held=True, reason="long overdue"))
    with pytest.raises(Rejected, match="credit hold"):
        await world.port.create_subscription(world.sample.subscription(customer), key="subscription:2")
    activation = Activation(subscription=made.id, on=today, starts=today, ends=None)
    with pytest.raises(Rejected, match="credit hold"):
        await world.port.activate_order(activation, key="activation:1")
    await world.port.set_credit_hold(CreditHold(customer=customer, held=False, reason="paid"))
    await world.port.activate_order(activation, key="activation:1")


async def test_what_stripe_can_not_hold_is_said_at_once(world: StripeWorld) -> None:
    customer = await world.sample.make_customer(world.port)
    order = world.sample.subscription(customer)
    [seat, setup] = order.lines
    for lines, error, said in (
        ((seat.model_copy(update={"product": "NONE"}), setup), Rejected, "no product NONE"),
        ((seat.model_copy(update={"quantity": Decimal("1.5")}),), InvalidInput, "whole quantities"),
        (tuple(seat.model_copy(update={"id": str(n)}) for n in range(31)), InvalidInput, "at most 30 lines"),
        ((seat.model_copy(update={"id": "x" * 300}),), InvalidInput, "too long"),
    ):
        with pytest.raises(error, match=said):
            await world.port.create_subscription(order.model_copy(update={"lines": lines}), key=f"subscription:{said}")
    assert await world.count("create_subscription") == 0
    with pytest.raises(NotFound):
        await world.port.subscription_state("SEAT")  # a product, but no contract of ours


async def test_many_lines_and_many_amendments_fit(world: StripeWorld) -> None:
    today = await world.today()
    [seat, _] = world.sample.subscription("cus").lines
    lines = tuple(seat.model_copy(update={"id": f"00kDn00000LiNe{n:02d}AAA"}) for n in range(30))
    made = await _active(world, today, today + 365 * DAY, lines=lines)
    for n in range(130):
        amendment = Amendment(subscription=made, effective=today + n * DAY, quantities={lines[n % 30].id: Decimal(n)})
        await world.port.amend_subscription(amendment, key=f"amendment:{n}")
    await world.port.amend_subscription(amendment, key="amendment:129")
    metadata = world.shop.get("product", made)["metadata"]
    assert len(metadata) <= 50
    assert max(map(len, metadata.values())) <= 500


async def test_connection_options_say_how_it_bills() -> None:
    world = StripeWorld(**{"zone": "Europe/Vienna", "collection": "charge_automatically", "product:SEAT": "prod_9"})
    world.shop.put(stripe.Product, "prod_9", name="Seats", active=True)
    starts = await world.today() + 10 * DAY
    made = await _active(world, starts, starts + 365 * DAY)
    schedule = world.shop.get("subscription_schedule", await _bill(world, made, starts))
    begins = datetime.fromtimestamp(schedule["phases"][0]["start_date"], UTC)
    assert begins.hour in (22, 23)
    assert schedule["default_settings"]["collection_method"] == "charge_automatically"
    price = world.shop.get("price", schedule["phases"][0]["items"][0]["price"])
    assert price["product"] == "prod_9"
    await world.close()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"collection": "barter"}, "options.collection: 'barter' is not one of send_invoice, charge_automatically"),
        ({"zone": "Europe/Nowhere"}, "options.zone: 'Europe/Nowhere' is no time zone"),
        ({"automatic_tax": "maybe"}, "options.automatic_tax: 'maybe' is not one of true, false"),
        ({"colection": "send_invoice"}, "options.colection: no such option of Stripe"),
    ],
)
async def test_an_option_that_can_not_be_used_is_named(options: dict[str, str], said: str) -> None:
    async with httpx.AsyncClient(base_url="https://stripe.test") as client:
        with pytest.raises(ValueError, match=re.escape(said)):
            StripeBilling(client, "sk_test_1", options)
