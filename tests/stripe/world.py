"""Stripe as a kit's world: the stand-in in memory, called in-process, seen and disturbed from behind."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import date, timedelta
from email.utils import format_datetime
from typing import Any
from urllib.parse import urlencode

import httpx
import stripe
from stripe._encode import _api_encode

from adapters.billing.stripe import StripeBilling
from adapters.billing.stripe_contracts import LETTERS
from adapters.billing.stripe_values import customer
from domain.order import Address
from domain.ports import NewCustomer
from tests.kits.samples import ErpSample
from tests.kits.world import Disturbance
from tests.stripe.routes import Route
from tests.stripe.server import Instead, StandIn
from tests.stripe.shop import Record, Shop

_GARBAGE = b"<html>It works!</html>"
_BY_LETTER = {letter: operation for operation, letter in LETTERS.items()}


class StripeWorld:
    """A Stripe account with the kit's two products."""

    sample = ErpSample(keeps_books=False)

    def __init__(self, **options: str) -> None:
        self.stand_in = StandIn()
        self.shop: Shop = self.stand_in.shop
        for product in (self.sample.recurring, self.sample.one_time):
            self.shop.put(stripe.Product, product, name=product, active=True)
        self._client = httpx.AsyncClient(transport=httpx.ASGITransport(self.stand_in), base_url="https://stripe.test")
        self.port = StripeBilling(self._client, self.stand_in.secret, options)
        self.stranger = StripeBilling(self._client, "sk_test_wrong", options)
        self._authorized = {"authorization": f"Bearer {self.stand_in.secret}"}
        self._armed: dict[str, Disturbance] = {}
        self._arrived: Counter[str] = Counter()
        self._late: set[asyncio.Task[None]] = set()
        self.stand_in.disturb = self._disturb

    async def disturb(self, operation: str, how: Disturbance) -> None:
        self._armed[operation] = how

    async def heal(self) -> None:
        self._armed.clear()

    async def count(self, operation: str) -> int:
        match operation:
            case "create_customer":
                return len(self.shop.all("customer"))
            case "create_subscription":
                return len(self._contracts())
            case "start_billing":
                made = [*self.shop.all("subscription_schedule"), *self.shop.all("invoice")]
                return sum("tenure_mark" in (each["metadata"] or {}) for each in made)
            case _:
                done = " ".join(self._done(each) for each in self._contracts()).split()
                return sum(mark[0] == LETTERS[operation] for mark in done)

    async def value(self, operation: str, record: str) -> Mapping[str, object]:
        shown = self.shop.get("customer", record)
        metadata = shown["metadata"]
        if operation == "create_customer":
            return {
                "name": shown["name"],
                "email": shown["email"],
                "billing_address": _address(shown["address"]),
                "shipping_address": _address((shown["shipping"] or {}).get("address")),
                "tax_id": next((each["value"] for each in shown["tax_ids"]["data"]), None),
                "parent_account": metadata.get("tenure_parent_account"),
            }
        held = metadata.get("tenure_credit_hold") == "true"
        return {"held": held, "reason": metadata.get("tenure_credit_hold_reason", "")}

    async def calls(self, operation: str) -> int:
        return self._arrived[operation]

    async def today(self) -> date:
        return self.shop.now.date()

    async def put_customer(self, new: NewCustomer) -> str:
        """A while ago, so that the search knows it."""
        made = customer(new, "")
        del made["metadata"]
        response = await self._client.post("/v1/customers", content=_form(made), headers=self._authorized)
        shown: Record = response.raise_for_status().json()
        self.shop.age(self.shop.get("customer", shown["id"]), timedelta(days=1))
        return str(shown["id"])

    async def invoice(self, customer: str, subscription: str, *, overdue: bool = False) -> str:
        """As Stripe bills a contract's schedule; the stand-in does not bill by itself."""
        contract = self.shop.get("product", subscription)
        [schedule] = [
            each
            for each in self.shop.all("subscription_schedule")
            if each["metadata"].get("erp_subscription") == contract["id"]
        ]
        made = self.shop.bill(self.shop.get("subscription", schedule["subscription"]))
        if overdue:
            made["due_date"] = self.shop.seconds - 10 * 86_400
        return str(made["id"])

    async def pay(self, invoice: str) -> None:
        self.shop.pay(self.shop.get("invoice", invoice))

    async def close(self) -> None:
        await asyncio.gather(*self._late)
        await self._client.aclose()

    def _contracts(self) -> list[Record]:
        return [each for each in self.shop.all("product") if "tenure_contract" in each["metadata"]]

    @staticmethod
    def _done(contract: Record) -> str:
        return " ".join(each for name, each in contract["metadata"].items() if name.startswith("done_"))

    async def _disturb(self, route: Route, asked: tuple[dict[str, str], Any, str | None]) -> Instead | None:
        ids, params, key = asked
        operation = self._operation(route, params)
        self._arrived[operation] += 1
        how = self._armed.get("*") or self._armed.pop(operation, None)
        if how is None:
            return None
        return await self._answer(how, route, ids, params, key)

    async def _answer(
        self, how: Disturbance, route: Route, ids: dict[str, str], params: Any, key: str | None
    ) -> Instead | None:
        until = format_datetime(self.shop.now + timedelta(seconds=90), usegmt=True)
        match how:
            case "lose_answer":
                self.stand_in.perform(route, ids, params, key)
                raise httpx.ReadError("lost")
            case "commit_late":
                self._late.add(asyncio.create_task(self._perform_late(route, ids, params, key)))
                raise httpx.ReadTimeout("late")
            case "down":
                raise httpx.ConnectError("down")
            case "hang":
                await asyncio.sleep(60)
                return None
            case "garbage":
                return 200, {}, _GARBAGE
            case "misshapen":
                return 200, {}, b'{"other": []}'
            case "refuse":
                return 400, {}, b'{"error": {"type": "invalid_request_error", "message": "blocked: ap@hooli.example"}}'
            case "error":
                body = b'{"error": {"type": "api_error", "message": "Something went wrong"}}'
                if key is not None:
                    self.stand_in.keep(route, ids, params, key, 500, body)
                return 500, {}, body
            case "rate_limit" | "rate_limit_until":
                wait = "7" if how == "rate_limit" else until
                body = b'{"error": {"type": "invalid_request_error", "code": "rate_limit"}}'
                return 429, {"retry-after": wait}, body

    async def _perform_late(self, route: Route, ids: dict[str, str], params: Any, key: str | None) -> None:
        await asyncio.sleep(0.2)
        self.stand_in.perform(route, ids, params, key)

    def _operation(self, route: Route, params: Any) -> str:
        """Which operation of the port has its effect, or its answer, in this request."""
        match route.name:
            case "POST /v1/customers" if "metadata" in params:
                return "create_customer"
            case "POST /v1/customers/{customer}" if "tenure_key" in params["metadata"]:
                return "create_customer"
            case "POST /v1/customers/{customer}" if "tenure_credit_hold" in params["metadata"]:
                return "set_credit_hold"
            case "POST /v1/products" if "tenure_contract" in params["metadata"]:
                return "create_subscription"
            case "POST /v1/subscription_schedules" | "POST /v1/invoices":
                return "start_billing"
            case "POST /v1/products/{product}":
                marks = " ".join(each for name, each in params["metadata"].items() if name.startswith("done_"))
                return _BY_LETTER[marks.split()[-1][0]] if marks else "record"
            case "GET /v1/customers/search":
                return route.name if params["query"].startswith("metadata") else "similar_customers"
            case "GET /v1/subscription_schedules" if "expand" in params:
                return "subscription_state"
            case "GET /v1/invoices":
                return "billing_history" if "created" in params else "balance" if "status" in params else "invoices"
            case "GET /v1/customers":
                return "find_customer" if "created" in params else "probe"
            case _:
                return route.name


def _address(shown: Record | None) -> Address:
    if shown is None:
        return Address()
    return Address(
        street=shown["line1"],
        city=shown["city"],
        postal_code=shown["postal_code"],
        state=shown["state"],
        country=shown["country"],
    )


def _form(params: Record) -> str:
    return urlencode(list(_api_encode(params)))


@asynccontextmanager
async def stripe_world(**options: str) -> AsyncIterator[StripeWorld]:
    world = StripeWorld(**options)
    try:
        yield world
    finally:
        await world.close()
