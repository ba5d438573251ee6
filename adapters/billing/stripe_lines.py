"""What bills a line at Stripe: a subscription schedule, or an invoice where it is charged once."""

import asyncio
from collections.abc import Awaitable, Mapping
from datetime import date
from typing import Any, cast

from adapters.billing.stripe_calls import Operation, StripeCalls, part_of
from adapters.billing.stripe_contracts import Contract, Line, same_key
from adapters.billing.stripe_customers import StripeCustomers
from adapters.billing.stripe_schedules import MARK, Billing, is_over, of_line
from adapters.billing.stripe_values import KEY, metadata_of
from adapters.http import Json
from domain.errors import NotFound, Rejected, TenureError
from domain.ports import BillingStart
from domain.terms import ChargeType


class StripeLines:
    """The part of StripeBilling that is about what a contract's lines became. `products`: Stripe's by our codes."""

    def __init__(
        self, calls: StripeCalls, customers: StripeCustomers, billing: Billing, products: Mapping[str, str]
    ) -> None:
        self._v1 = calls.v1
        self._customers = customers
        self._billing = billing
        self._products = products

    async def known_products(self, op: Operation, contract: Contract) -> None:
        """Raises Rejected where Stripe lacks a product that was sold at a price."""
        wanted = {self._product(line) for line in contract.lines if line.unit_price is not None}
        if not wanted:
            return
        listed = await op.read(self._v1.products.list_async({"ids": sorted(wanted), "limit": 100}))
        if unknown := wanted - {each["id"] for each in listed["data"]}:
            raise Rejected(f"Stripe has no product {', '.join(sorted(unknown))}")

    async def schedules(self, op: Operation, customer: str, **more: Any) -> dict[str, Json]:
        """All schedules of a customer, by id."""

        def page(after: Json) -> Awaitable[Any]:
            params: Any = {"customer": customer, "limit": 100, **more, **after}
            return self._v1.subscription_schedules.list_async(params)

        return {each["id"]: each for each in await self._customers.pages(op, page)}

    async def bill(self, op: Operation, contract: Contract, start: BillingStart, *, key: str, mark: str) -> str:
        """The id of what bills the line from now on; an invoice, too, where its whole term is over already."""
        line = contract.line(start.line)
        contract = contract.of(line)
        times = self._billing.intervals(contract, line, start.starts, op.at) if line.recurs else 1
        if times:
            return await self.invoice(op, contract, line, start, times, key=key, mark=mark)
        return await self.schedule(op, contract, line, start.starts, key=key, mark=mark)

    async def schedule(
        self, op: Operation, contract: Contract, line: Line, starts: date, *, key: str, mark: str
    ) -> str:
        """A schedule for the line, made now or by an earlier call with this key."""
        for known in (await self.schedules(op, contract.customer)).values():
            if metadata_of(known).get(KEY) == key:
                same_key(metadata_of(known)[MARK], mark)
                return str(known["id"])
        item = {"price": await self._price(op, contract, line)}
        params: Any = self._billing.created(contract, line, item, starts, key=key, mark=mark)
        made = await op.once(key, lambda keyed: self._v1.subscription_schedules.create_async(params, keyed))
        return str(made["id"])

    async def invoice(
        self, op: Operation, contract: Contract, line: Line, start: BillingStart, times: int, *, key: str, mark: str
    ) -> str:
        """An invoice for a line that is charged once. It goes out only when its one item is on it."""
        invoice = await self._customers.invoice_with(op, contract.customer, key)
        if invoice is None:
            params: Any = self._billing.invoice(contract, line, key=key, mark=mark)
            invoice = await op.once(key, lambda keyed: self._v1.invoices.create_async(params, keyed))
        else:
            same_key(metadata_of(invoice)[MARK], mark)
        if invoice["status"] != "draft":
            return str(invoice["id"])
        if not invoice["lines"]["data"]:
            item: Any = await self._item(op, contract, line, start, times)
            item |= {"customer": contract.customer, "invoice": invoice["id"], "metadata": of_line(contract, line)}
            await op.once(key, lambda keyed: self._v1.invoice_items.create_async(item, keyed), "item")
        invoice_id, going = str(invoice["id"]), self._billing.going_out(start.starts, op.at)
        update = self._v1.invoices.update_async
        await op.once(key, lambda keyed: update(invoice_id, going, keyed), part_of("send", going))
        return invoice_id

    async def projected(self, op: Operation, before: Contract, after: Contract, key: str) -> Contract:
        """Every billed line as the contract says now: set whole, so that doing it again does no harm.

        Answers with the contract, some of whose schedules may be others. A refusal of one line puts the rest back.
        """
        billed = [line for line in after.lines if line.billed is not None]
        if not billed:
            return after
        schedules = await self.schedules(op, after.customer)
        tasks = [self._project(op, after, line, schedules, key) for line in billed]
        outcomes = await asyncio.gather(*tasks, return_exceptions=True)
        failures = [each for each in outcomes if isinstance(each, BaseException)]
        for failure in failures:
            if not isinstance(failure, TenureError) or failure.sent or failure.retried:
                raise failure
        lines = [each for each in outcomes if isinstance(each, Line)]
        if failures:
            for line in lines:
                await self._project(op, before, before.line(line.id), schedules, f"{key}#back")
            raise failures[0]
        for line in lines:
            after = after.with_line(line)
        return after

    async def _project(
        self, op: Operation, contract: Contract, line: Line, schedules: Mapping[str, Json], key: str
    ) -> Line:
        billed, contract = line.billing(), contract.of(line)
        unbegun = contract.ends is not None and contract.ends <= billed.starts
        over = contract.status == "cancelled" or unbegun or self._billing.ends_now(contract, op.at)
        if not billed.scheduled:
            if contract.status == "cancelled":
                await self._uninvoice(op, billed.by, key)
            return line if over or not line.recurs else await self._anew(op, contract, line, key)
        schedule = schedules[billed.by]
        if schedule["status"] == "released":
            schedule = await self._recaptured(op, schedule, key)
        if over:
            if not is_over(schedule):
                stop: Any = {"invoice_now": False, "prorate": True}
                cancel, part = self._v1.subscription_schedules.cancel_async, part_of(f"stop:{line.id}", schedule["id"])
                await op.once(key, lambda keyed: cancel(schedule["id"], stop, keyed), part)
            return line.billed_by(schedule["id"])
        if is_over(schedule):  # its term ended before the renewal came
            return await self._anew(op, contract, line, key)
        params: Any = self._billing.updated(contract, line, schedule, op.at)
        if params is not None:
            update, part = self._v1.subscription_schedules.update_async, part_of(f"line:{line.id}", params)
            await op.once(key, lambda keyed: update(schedule["id"], params, keyed), part)
        return line.billed_by(schedule["id"])

    async def _anew(self, op: Operation, contract: Contract, line: Line, key: str) -> Line:
        billed = line.billing()
        starts = max(contract.term_starts or billed.starts, billed.starts)
        return line.billed_by(await self.schedule(op, contract, line, starts, key=f"{key}#{line.id}", mark=billed.mark))

    async def _recaptured(self, op: Operation, schedule: Json, key: str) -> Json:
        """An evergreen line's schedule has let go of its subscription, which gets one again."""
        released = schedule["released_subscription"]
        subscription = await op.read(self._v1.subscriptions.retrieve_async(released))
        if subscription["status"] == "canceled":
            return {**schedule, "status": "canceled"}
        if subscription["schedule"] is not None:
            return await op.read(self._v1.subscription_schedules.retrieve_async(subscription["schedule"]))
        create, params = self._v1.subscription_schedules.create_async, {"from_subscription": released}
        return await op.once(key, lambda keyed: create(cast(Any, params), keyed), f"again:{schedule['id']}")

    async def _uninvoice(self, op: Operation, invoice: str, key: str) -> None:
        """What is paid stays: giving money back is for a person to decide."""
        try:
            status = (await op.read(self._v1.invoices.retrieve_async(invoice)))["status"]
        except NotFound:
            return  # it was a draft, and is deleted
        if status == "draft":
            await op.write(self._v1.invoices.delete_async(invoice))
        elif status in ("open", "uncollectible"):
            void = self._v1.invoices.void_invoice_async
            await op.once(key, lambda keyed: void(invoice, {}, keyed), f"void:{invoice}")

    async def _item(self, op: Operation, contract: Contract, line: Line, start: BillingStart, times: int) -> Json:
        """What an invoice charges for the line."""
        if line.unit_price is not None:
            product = self._product(line)
            return self._billing.once(contract, line, times, start.starts, line.unit_price, product)
        quantity = format((line.quantity(start.starts) * times).normalize(), "f")
        return {"pricing": {"price": await self._catalogued(op, line)}, "quantity_decimal": quantity}

    async def _price(self, op: Operation, contract: Contract, line: Line) -> str:
        """The id of the price at which a line is billed again and again: the one it was sold for, which is made where
        there is none yet, or Stripe's own: for usage, which needs a meter, and where none was agreed."""
        if line.unit_price is None or line.charge is ChargeType.USAGE:
            return await self._catalogued(op, line)
        params: Any = self._billing.price(contract, line, line.unit_price, self._product(line))
        key = params["lookup_key"]
        known = await self._with_lookup_key(op, key)
        if known is None:
            try:
                create = self._v1.prices.create_async
                known = await op.once(f"price:{key}", lambda keyed: create(params, keyed), effect=False)
            except Rejected:  # another contract's line may have made it just now
                known = await self._with_lookup_key(op, key)
                if known is None:
                    raise
        if not known["active"]:
            raise Rejected(f"line {line.id}: the price {known['id']} is archived at Stripe")
        return str(known["id"])

    async def _catalogued(self, op: Operation, line: Line) -> str:
        found = await self._with_lookup_key(op, line.product)
        if found is None or not found["active"]:
            raise Rejected(f"line {line.id}: Stripe has no active price with the lookup key {line.product}")
        return str(found["id"])

    async def _with_lookup_key(self, op: Operation, key: str) -> Json | None:
        prices = await op.read(self._v1.prices.list_async({"lookup_keys": [key]}))
        return prices["data"][0] if prices["data"] else None

    def _product(self, line: Line) -> str:
        return self._products.get(line.product, line.product)
