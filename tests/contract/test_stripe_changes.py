"""What a contract's changes become at Stripe: ramps, lines that come and go, another end; seen in its own records."""

from collections.abc import AsyncIterator
from datetime import date, timedelta
from decimal import Decimal

import pytest

from domain.errors import InvalidInput, Rejected
from domain.ports import Activation, Amendment, SubscriptionLine, TermChange
from tests.kits.samples import SEAT
from tests.stripe.shop import Record
from tests.stripe.world import StripeWorld, stripe_world

DAY = timedelta(days=1)
EXTRA = "line/seat 2"


@pytest.fixture
async def world() -> AsyncIterator[StripeWorld]:
    async with stripe_world() as world:
        yield world


async def _active(world: StripeWorld, ends: date, *lines: SubscriptionLine) -> str:
    today = await world.today()
    customer = await world.sample.make_customer(world.port)
    order = world.sample.subscription(customer, starts=today, ends=ends)
    order = order.model_copy(update={"lines": lines or order.lines})
    made = (await world.port.create_subscription(order, key=f"subscription:{order.contract}")).id
    await world.port.activate_order(
        Activation(subscription=made, on=today, starts=today, ends=ends), key=f"activation:{made}"
    )
    return made


async def _amend(world: StripeWorld, made: str, effective: date, key: str, **changes: object) -> None:
    asked = {"subscription": made, "effective": effective, "quantities": {}, **changes}
    await world.port.amend_subscription(Amendment.model_validate(asked), key=f"amendment:{made}:{key}")


async def _move(world: StripeWorld, made: str, ends: date | None, key: str) -> None:
    change = TermChange(subscription=made, ends=ends, reason="co-term")
    await world.port.change_term(change, key=f"term-change:{made}:{key}")


def _schedules(world: StripeWorld, line: str) -> list[Record]:
    return [each for each in world.shop.all("subscription_schedule") if each["metadata"]["tenure_line"] == line]


async def test_the_steps_of_a_ramp_are_schedules_one_after_the_other(world: StripeWorld) -> None:
    today = await world.today()
    turn, ends = today + 365 * DAY, today + 730 * DAY
    made = await _active(
        world, ends, world.sample.seats(SEAT, 10, ends=turn), world.sample.seats(EXTRA, 20, starts=turn)
    )
    await world.sample.bill(world.port, made, today)
    await world.sample.bill(world.port, made, turn, EXTRA)
    world.shop.advance(366 * DAY)
    [first], [second] = _schedules(world, SEAT), _schedules(world, EXTRA)
    assert first["status"] == "completed"
    assert (second["status"], second["phases"][0]["items"][0]["quantity"]) == ("active", 20)
    state = await world.port.subscription_state(made)
    assert (state.status, state.entitled) == ("active", True)


async def test_a_removed_line_is_cancelled_and_the_contract_goes_on(world: StripeWorld) -> None:
    today = await world.today()
    made = await _active(world, today + 365 * DAY)
    await world.sample.bill(world.port, made, today)
    world.shop.advance(30 * DAY)
    now = await world.today()
    await _amend(world, made, now, "swap", removed=(SEAT,), added=(world.sample.seats(EXTRA, 5),))
    [schedule] = _schedules(world, SEAT)
    assert schedule["status"] == "canceled"
    state = await world.port.subscription_state(made)
    assert (state.status, state.entitled) == ("active", True)
    await world.sample.bill(world.port, made, now, EXTRA)
    [extra] = _schedules(world, EXTRA)
    assert extra["status"] == "active"
    # what is over at Stripe can't be gone on with
    with pytest.raises(Rejected, match="another id"):
        await _amend(world, made, now, "back", added=(world.sample.seats(SEAT, 50, starts=now),))


async def test_a_removal_to_come_is_taken_back(world: StripeWorld) -> None:
    today = await world.today()
    made = await _active(world, today + 365 * DAY)
    await world.sample.bill(world.port, made, today)
    gone = today + 60 * DAY
    await _amend(world, made, gone, "out", removed=(SEAT,))
    await _amend(world, made, gone, "in", added=(world.sample.seats(SEAT, 60),))
    world.shop.advance(61 * DAY)
    [schedule] = _schedules(world, SEAT)
    assert (schedule["status"], schedule["phases"][-1]["items"][0]["quantity"]) == ("active", 50)
    [line] = [each for each in (await world.port.subscription_state(made)).lines if each.line == SEAT]
    assert (line.quantity, line.ends) == (Decimal(50), None)


async def test_a_line_that_goes_before_it_comes_is_never_billed(world: StripeWorld) -> None:
    today = await world.today()
    made = await _active(world, today + 365 * DAY)
    await world.sample.bill(world.port, made, today + 60 * DAY)
    await _amend(world, made, today + 30 * DAY, "out", removed=(SEAT,))
    [schedule] = _schedules(world, SEAT)
    assert (schedule["status"], schedule["subscription"]) == ("canceled", None)


async def test_a_term_that_was_over_goes_on_from_its_end(world: StripeWorld) -> None:
    today = await world.today()
    ends = today + 30 * DAY
    made = await _active(world, ends)
    await world.sample.bill(world.port, made, today)
    world.shop.advance(40 * DAY)
    await _move(world, made, ends + 365 * DAY, "on")
    first, second = _schedules(world, SEAT)
    assert first["status"] == "completed"
    assert second["phases"][0]["start_date"] == first["phases"][-1]["end_date"]
    assert second["status"] == "active"


async def test_an_end_that_is_over_is_no_change_of_the_term(world: StripeWorld) -> None:
    today = await world.today()
    made = await _active(world, today + 365 * DAY)
    world.shop.advance(30 * DAY)
    with pytest.raises(Rejected, match="is over"):
        await _move(world, made, today + 10 * DAY, "back")


async def test_a_contract_has_as_many_lines_as_metadata_hold(world: StripeWorld) -> None:
    today = await world.today()
    made = await _active(world, today + 365 * DAY)
    many = tuple(world.sample.seats(f"line/{n}", 1) for n in range(28))
    await _amend(world, made, today, "many", added=many)
    with pytest.raises(InvalidInput, match="30 lines"):
        await _amend(world, made, today, "more", added=(world.sample.seats("line/28", 1),))
    unknown = world.sample.seats("line/unknown", 1).model_copy(update={"product": "NONE"})
    other = await _active(world, today + 365 * DAY)
    with pytest.raises(Rejected, match="no product"):
        await _amend(world, other, today, "unknown", added=(unknown,))
