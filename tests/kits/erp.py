"""The kit of the port Erp: its writes and reads. What customers, subscriptions and invoices mean: erp_meaning.py; what
a contract's changes do: erp_changes.py."""

from datetime import timedelta
from decimal import Decimal
from uuid import uuid4

import pytest

from domain.base import Frozen
from domain.errors import NotFound, Rejected, TenureError
from domain.ports import (
    Activated,
    Amendment,
    BillingStart,
    BillingStarted,
    CreditHold,
    Ending,
    Erp,
    Ref,
    Renewal,
    Renewed,
    TermChange,
)  # fmt: skip
from tests.kits.effects import Write
from tests.kits.erp_changes import ErpChanges
from tests.kits.erp_meaning import ErpMeaning
from tests.kits.reads import Read
from tests.kits.samples import SEAT, SETUP, ErpSample, year_from
from tests.kits.world import ErpWorld


class ErpContract(ErpMeaning, ErpChanges):
    writes = (
        "create_customer", "set_credit_hold", "create_subscription", "activate_order", "start_billing",
        "amend_subscription", "change_term", "renew_subscription", "end_subscription", "cancel_subscription",
    )  # fmt: skip
    reads = (
        "find_customer", "similar_customers", "billing_history", "subscription_state", "balance", "invoices", "probe",
    )  # fmt: skip

    async def read(self, world: ErpWorld, reading: str) -> Read:
        sample = world.sample
        match reading:
            case "find_customer":
                return lambda port: port.find_customer("customer:nobody")
            case "similar_customers":
                new = sample.customer()
                return lambda port: port.similar_customers(new)
            case "subscription_state":
                made = await sample.make_subscription(world.port)
                return lambda port: port.subscription_state(made)
        customer = await sample.make_customer(world.port)
        match reading:
            case "billing_history":
                return lambda port: port.billing_history(customer)
            case "balance":
                return lambda port: port.balance(customer)
            case _:
                return lambda port: port.invoices(customer)

    async def write(self, world: ErpWorld, writing: str) -> Write:
        port, sample, key = world.port, world.sample, f"{writing}:{uuid4()}"
        before = await self._ready_for(world, writing)
        if writing == "set_credit_hold":
            return self._hold(world, before)
        already = await world.count(writing)

        async def standing() -> int:
            return await world.count(writing) - already

        if writing == "create_customer":
            new = sample.customer()
            other = new.model_copy(update={"account": f"{new.account}-other", "name": "Another name AG"})
            return Write(
                send=lambda port: port.create_customer(new, key=key),
                standing=standing,
                find=lambda: port.find_customer(key),
                other=lambda port: port.create_customer(other, key=key),
            )
        contract = f"crm/{uuid4().hex[:10]}/1"
        answers: dict[str, type[Frozen]] = {
            "activate_order": Activated, "start_billing": BillingStarted, "renew_subscription": Renewed,
        }  # fmt: skip
        return Write(
            send=lambda port: send(port, sample, writing, before, key, contract=contract),
            standing=standing,
            answer=answers.get(writing, Ref),
            other=lambda port: send(port, sample, writing, before, key, 2, contract=contract),
        )

    def _hold(self, world: ErpWorld, customer: str) -> Write:
        held = CreditHold(customer=customer, held=True, reason="invoices are long overdue")
        free = CreditHold(customer=customer, held=False, reason="paid")

        async def is_held() -> int:
            shown = await world.value("set_credit_hold", customer)
            return int(shown == held.model_dump(exclude={"customer"}))

        return Write(lambda port: port.set_credit_hold(held), is_held, other=lambda port: port.set_credit_hold(free))

    async def _ready_for(self, world: ErpWorld, writing: str) -> str:
        """The id that the operation needs: a customer's, or a subscription's in the right state."""
        port, sample = world.port, world.sample
        if writing == "create_customer":
            return ""
        if writing in ("create_subscription", "set_credit_hold"):
            return await sample.make_customer(port)
        made = await sample.make_subscription(port)
        if writing not in ("activate_order", "cancel_subscription"):
            await port.activate_order(sample.activation(made), key=f"activation:{made}")
        return made

    async def test_a_confirmation_says_what_was_asked(self, world: ErpWorld) -> None:
        sample = world.sample
        made = await sample.make_subscription(world.port)
        activated = await world.port.activate_order(sample.activation(made), key=f"activation:{made}")
        assert (activated.subscription, activated.on) == (made, sample.starts)
        started = await world.port.start_billing(
            BillingStart(subscription=made, line=SETUP, starts=sample.starts, accepted_on=sample.starts),
            key=f"billing:{made}",
        )
        assert (started.line, started.starts) == (SETUP, sample.starts)

    async def test_a_line_is_not_billed_before_activation(self, world: ErpWorld) -> None:
        made, already = await world.sample.make_subscription(world.port), await world.count("start_billing")
        with pytest.raises(Rejected):
            await send(world.port, world.sample, "start_billing", made, f"billing:early:{made}")
        assert await world.count("start_billing") == already

    async def test_a_line_that_was_not_sold_is_not_billed(self, world: ErpWorld) -> None:
        made, already = await self._ready_for(world, "start_billing"), await world.count("start_billing")
        day = world.sample.starts
        start = BillingStart(subscription=made, line="line/unsold", starts=day, accepted_on=day)
        with pytest.raises((Rejected, NotFound)):
            await world.port.start_billing(start, key=f"billing:unsold:{made}")
        assert await world.count("start_billing") == already

    async def test_an_ended_subscription_does_not_renew(self, world: ErpWorld) -> None:
        made = await self._ready_for(world, "end_subscription")
        await send(world.port, world.sample, "end_subscription", made, f"ending:{made}")
        already = await world.count("renew_subscription")
        with pytest.raises(Rejected):
            await send(world.port, world.sample, "renew_subscription", made, f"renewal:{made}:2")
        assert await world.count("renew_subscription") == already

    @pytest.mark.parametrize("on_subscription", writes[3:])
    async def test_an_unknown_subscription_is_not_found(self, world: ErpWorld, on_subscription: str) -> None:
        unknown = world.sample.unknown
        with pytest.raises(NotFound):
            await send(world.port, world.sample, on_subscription, unknown, f"{on_subscription}:{uuid4()}")
        with pytest.raises(NotFound):
            await world.port.subscription_state(unknown)

    async def test_an_unknown_customer_is_not_found(self, world: ErpWorld) -> None:
        unknown = world.sample.unknown
        for read in (world.port.billing_history, world.port.balance, world.port.invoices):
            with pytest.raises(NotFound):
                await read(unknown)
        with pytest.raises(NotFound):
            await world.port.set_credit_hold(CreditHold(customer=unknown, held=True, reason="late"))
        with pytest.raises((Rejected, NotFound)):
            await send(world.port, world.sample, "create_subscription", unknown, f"subscription:{uuid4()}")

    async def test_errors_carry_no_personal_data(self, world: ErpWorld) -> None:
        await world.disturb("create_customer", "refuse")
        with pytest.raises(TenureError) as raised:
            await world.port.create_customer(world.sample.customer(), key=f"customer:{uuid4()}")
        assert "hooli.example" not in str(raised.value)
        assert "Mendelstraße" not in str(raised.value)


async def send(
    port: Erp, sample: ErpSample, writing: str, on: str, key: str, variant: int = 1, *, contract: str = "crm/006/1"
) -> object:
    """One of the writes on a subscription (or on a customer), in two variants with other arguments."""
    day = sample.starts + timedelta(days=variant - 1)
    match writing:
        case "create_subscription":
            new = sample.subscription(on, quantity=variant, contract=contract)
            return await port.create_subscription(new, key=key)
        case "activate_order":
            return await port.activate_order(sample.activation(on, day), key=key)
        case "start_billing":
            start = BillingStart(subscription=on, line=SEAT, starts=day, accepted_on=day)
            return await port.start_billing(start, key=key)
        case "amend_subscription":
            amendment = Amendment(subscription=on, effective=day, quantities={SEAT: Decimal(60)})
            return await port.amend_subscription(amendment, key=key)
        case "change_term":
            change = TermChange(subscription=on, ends=sample.ends + (day - sample.starts), reason="co-term")
            return await port.change_term(change, key=key)
        case "renew_subscription":
            renewal = Renewal(subscription=on, term=1 + variant, starts=sample.ends, ends=year_from(sample.ends))
            return await port.renew_subscription(renewal, key=key)
        case "end_subscription":
            ending = Ending(subscription=on, ends=day + timedelta(days=30), reason="not renewed")
            return await port.end_subscription(ending, key=key)
        case _:
            return await port.cancel_subscription(on, f"reason {variant}", key=key)
