"""The sandbox's ERP: customers by look-up, everything on subscriptions by idempotency key."""

from collections.abc import Mapping
from decimal import Decimal

import httpx

from adapters.http import Json, segment
from adapters.sandbox import KEY, LOOKUP, sandbox_api
from domain.effects import EffectClass
from domain.ports import (
    Activated,
    Activation,
    Amendment,
    BillingHistory,
    BillingStart,
    BillingStarted,
    Ending,
    NewCustomer,
    NewSubscription,
    Ref,
    Renewal,
)


class SandboxErp:
    """`client`: base URL with the prefix /erp, and the bearer token."""

    effects: Mapping[str, EffectClass] = {
        "create_customer": LOOKUP,
        "create_subscription": KEY,
        "activate_order": KEY,
        "start_billing": KEY,
        "amend_subscription": KEY,
        "renew_subscription": KEY,
        "end_subscription": KEY,
        "cancel_subscription": KEY,
    }

    def __init__(self, client: httpx.AsyncClient) -> None:
        self._api = sandbox_api(client, "erp", self.effects)

    async def create_customer(self, new: NewCustomer, *, key: str) -> Ref:
        body = {"external_id": key, **new.model_dump(mode="json")}
        return self._ref("create_customer", await self._api.write("create_customer", "POST", "customers", body))

    async def find_customer(self, key: str) -> Ref | None:
        answer = await self._api.read("find_customer", "customers", {"external_id": key})
        with self._api.shape("find_customer"):
            found = [Ref(id=record["id"]) for record in answer["customers"]]
        return found[0] if found else None

    async def create_subscription(self, new: NewSubscription, *, key: str) -> Ref:
        body = new.model_dump(mode="json")
        answer = await self._api.write("create_subscription", "POST", "subscriptions", body, key=key)
        return self._ref("create_subscription", answer)

    async def activate_order(self, activation: Activation, *, key: str) -> Activated:
        body = activation.model_dump(mode="json", exclude={"subscription"})
        answer = await self._on(activation.subscription, "activate_order", "activate", body, key)
        with self._api.shape("activate_order"):
            return Activated(subscription=answer["subscription"], on=answer["on"])

    async def start_billing(self, start: BillingStart, *, key: str) -> BillingStarted:
        body = start.model_dump(mode="json", include={"starts", "accepted_on"})
        action = f"lines/{segment(start.line)}/billing"
        answer = await self._on(start.subscription, "start_billing", action, body, key)
        with self._api.shape("start_billing"):
            return BillingStarted(id=answer["id"], line=answer["line"], starts=answer["starts"])

    async def amend_subscription(self, amendment: Amendment, *, key: str) -> Ref:
        body = amendment.model_dump(mode="json", exclude={"subscription"})
        answer = await self._on(amendment.subscription, "amend_subscription", "amend", body, key)
        return self._ref("amend_subscription", answer)

    async def renew_subscription(self, renewal: Renewal, *, key: str) -> Ref:
        body = renewal.model_dump(mode="json", exclude={"subscription"})
        answer = await self._on(renewal.subscription, "renew_subscription", "renew", body, key)
        return self._ref("renew_subscription", answer)

    async def end_subscription(self, ending: Ending, *, key: str) -> Ref:
        body = ending.model_dump(mode="json", exclude={"subscription"})
        return self._ref("end_subscription", await self._on(ending.subscription, "end_subscription", "end", body, key))

    async def cancel_subscription(self, subscription: str, reason: str, *, key: str) -> Ref:
        answer = await self._on(subscription, "cancel_subscription", "cancel", {"reason": reason}, key)
        return self._ref("cancel_subscription", answer)

    async def billing_history(self, customer: str) -> BillingHistory:
        answer = await self._api.read("billing_history", f"customers/{segment(customer)}/history")
        with self._api.shape("billing_history"):
            return _history(answer)

    async def _on(self, subscription: str, operation: str, action: str, body: Json, key: str) -> Json:
        return await self._api.write(
            operation, "POST", f"subscriptions/{segment(subscription)}/{action}", body, key=key
        )

    def _ref(self, operation: str, answer: Json) -> Ref:
        with self._api.shape(operation):
            return Ref(id=answer["id"])


def _history(answer: Json) -> BillingHistory:
    return BillingHistory(
        invoices=answer["invoices"],
        paid_late=answer["paid_late"],
        overdue=answer["overdue"],
        currency=answer["currency"],
        overdue_amount=Decimal(answer["overdue_amount"]),
    )
