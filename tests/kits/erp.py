"""The kit of the port Erp."""

from datetime import date
from decimal import Decimal
from uuid import uuid4

import pytest

from domain.errors import NotFound, Rejected, TenureError
from domain.order import Address
from domain.ports import (
    Activation,
    Amendment,
    BillingStart,
    Ending,
    Erp,
    NewCustomer,
    NewSubscription,
    Renewal,
    SubscriptionLine,
)
from domain.terms import ChargeType, Frequency
from tests.kits.effects import EffectContract, Write
from tests.kits.reads import Read
from tests.kits.world import ErpWorld

STARTS, ENDS = date(2026, 12, 1), date(2027, 12, 1)
SEAT, SETUP = "line/seat 1", "line/setup"


class ErpContract(EffectContract):
    writes = (
        "create_customer", "create_subscription", "activate_order", "start_billing", "amend_subscription",
        "renew_subscription", "end_subscription", "cancel_subscription",
    )  # fmt: skip
    reads = ("find_customer", "billing_history")

    async def read(self, world: ErpWorld, reading: str) -> Read:
        if reading == "find_customer":
            return lambda port: port.find_customer("customer:nobody")
        customer = await make_customer(world.port)
        return lambda port: port.billing_history(customer)

    async def write(self, world: ErpWorld, writing: str) -> Write:
        port, key = world.port, f"{writing}:{uuid4()}"
        before = await self._ready_for(port, writing)
        already = await world.count(writing)

        async def standing() -> int:
            return await world.count(writing) - already

        if writing == "create_customer":
            new = customer()
            return Write(
                send=lambda port: port.create_customer(new, key=key),
                standing=standing,
                find=lambda: port.find_customer(key),
            )
        return Write(
            send=lambda port: self._send(port, writing, before, key, 1),
            standing=standing,
            other=lambda port: self._send(port, writing, before, key, 2),
        )

    async def _ready_for(self, port: Erp, writing: str) -> str:
        """The id that the operation needs: a customer's, or a subscription's in the right state."""
        if writing == "create_customer":
            return ""
        if writing == "create_subscription":
            return await make_customer(port)
        made = await make_subscription(port)
        if writing not in ("activate_order", "cancel_subscription"):
            await port.activate_order(activation(made, STARTS), key=f"activation:{made}")
        return made

    async def _send(self, port: Erp, writing: str, on: str, key: str, variant: int) -> object:
        day = date(2026, 12, variant)
        match writing:
            case "create_subscription":
                return await port.create_subscription(subscription(on, quantity=variant), key=key)
            case "activate_order":
                return await port.activate_order(activation(on, day), key=key)
            case "start_billing":
                start = BillingStart(subscription=on, line=SEAT, starts=day, accepted_on=day)
                return await port.start_billing(start, key=key)
            case "amend_subscription":
                amendment = Amendment(subscription=on, effective=day, quantities={SEAT: Decimal(60)})
                return await port.amend_subscription(amendment, key=key)
            case "renew_subscription":
                renewal = Renewal(subscription=on, term=1 + variant, starts=ENDS, ends=date(2028, 12, 1))
                return await port.renew_subscription(renewal, key=key)
            case "end_subscription":
                return await port.end_subscription(Ending(subscription=on, ends=day, reason="not renewed"), key=key)
            case _:
                return await port.cancel_subscription(on, f"reason {variant}", key=key)

    async def test_a_confirmation_says_what_was_asked(self, world: ErpWorld) -> None:
        made = await make_subscription(world.port)
        activated = await world.port.activate_order(activation(made, STARTS), key="activation:1")
        assert (activated.subscription, activated.on) == (made, STARTS)
        started = await world.port.start_billing(
            BillingStart(subscription=made, line=SETUP, starts=STARTS, accepted_on=STARTS), key="billing:1"
        )
        assert (started.line, started.starts) == (SETUP, STARTS)

    async def test_a_line_is_not_billed_before_activation(self, world: ErpWorld) -> None:
        made = await make_subscription(world.port)
        with pytest.raises(Rejected):
            await self._send(world.port, "start_billing", made, "billing:early", 1)
        assert await world.count("start_billing") == 0

    async def test_a_line_that_was_not_sold_is_not_billed(self, world: ErpWorld) -> None:
        made = await self._ready_for(world.port, "start_billing")
        start = BillingStart(subscription=made, line="line/unsold", starts=STARTS, accepted_on=STARTS)
        with pytest.raises((Rejected, NotFound)):
            await world.port.start_billing(start, key="billing:unsold")
        assert await world.count("start_billing") == 0

    async def test_an_ended_subscription_does_not_renew(self, world: ErpWorld) -> None:
        made = await self._ready_for(world.port, "end_subscription")
        await self._send(world.port, "end_subscription", made, "ending:1", 1)
        with pytest.raises(Rejected):
            await self._send(world.port, "renew_subscription", made, "renewal:1", 1)
        assert await world.count("renew_subscription") == 0

    @pytest.mark.parametrize("on_subscription", writes[2:])
    async def test_an_unknown_subscription_is_not_found(self, world: ErpWorld, on_subscription: str) -> None:
        with pytest.raises(NotFound):
            await self._send(world.port, on_subscription, "no-such", f"{on_subscription}:no-such", 1)

    async def test_an_unknown_customer_has_no_history(self, world: ErpWorld) -> None:
        with pytest.raises(NotFound):
            await world.port.billing_history("no-such")

    async def test_a_new_customer_has_an_empty_history(self, world: ErpWorld) -> None:
        history = await world.port.billing_history(await make_customer(world.port))
        assert (history.invoices, history.paid_late, history.overdue, history.currency) == (0, 0, 0, "EUR")
        assert history.overdue_amount == 0

    async def test_errors_carry_no_personal_data(self, world: ErpWorld) -> None:
        await world.disturb("create_customer", "refuse")
        with pytest.raises(TenureError) as raised:
            await world.port.create_customer(customer(), key="customer:private")
        assert "hooli.example" not in str(raised.value)
        assert "Mendelstraße" not in str(raised.value)


def customer() -> NewCustomer:
    address = Address(street="Mendelstraße 1", city="Wien", postal_code="1010", country="AT")
    return NewCustomer(
        account=f"001-{uuid4()}", selling_entity="acme-at", name="Hooli GmbH", currency="EUR",
        billing_address=address, shipping_address=address, email="ap@hooli.example", tax_id="ATU13585627",
    )  # fmt: skip


def subscription(customer_id: str, *, quantity: int = 50) -> NewSubscription:
    def line(line_id: str, charge: ChargeType, frequency: Frequency) -> SubscriptionLine:
        return SubscriptionLine(
            id=line_id, product=line_id, quantity=Decimal(quantity), unit_price=Decimal("1200.00"),
            charge=charge, frequency=frequency,
        )  # fmt: skip

    return NewSubscription(
        contract="crm/006/1", customer=customer_id, selling_entity="acme-at", currency="EUR", starts=STARTS, ends=ENDS,
        payment_terms_days=30, purchase_order=None,
        lines=(line(SEAT, ChargeType.RECURRING, Frequency.ANNUAL), line(SETUP, ChargeType.ONE_TIME, Frequency.ONCE)),
    )  # fmt: skip


def activation(subscription_id: str, on: date) -> Activation:
    return Activation(subscription=subscription_id, on=on, starts=STARTS, ends=ENDS)


async def make_customer(port: Erp) -> str:
    return (await port.create_customer(customer(), key=f"customer:{uuid4()}")).id


async def make_subscription(port: Erp) -> str:
    made = await port.create_subscription(subscription(await make_customer(port)), key=f"subscription:{uuid4()}")
    return made.id
