"""The sandbox's ERP: customers by look-up, everything on subscriptions by idempotency key."""

from collections.abc import Mapping
from decimal import Decimal

import httpx
from pydantic import BaseModel

from adapters.erp.sandbox_listing import existing
from adapters.http import Json, segment
from adapters.records.sandbox import MENDS, SandboxRecords
from adapters.sandbox import KEY, LEVEL, LOOKUP, probe_sandbox, sandbox_api
from domain.effects import EffectClass
from domain.errors import ContractBroken
from domain.likeness import company_domain
from domain.ports import (
    Activated,
    Activation,
    Amendment,
    Balance,
    BillingHistory,
    BillingStart,
    BillingStarted,
    CreditHold,
    CustomerCandidate,
    Ending,
    Invoice,
    InvoicePage,
    LineState,
    NewCustomer,
    NewSubscription,
    Probed,
    Ref,
    Renewal,
    Renewed,
    SubscriptionState,
    TermChange,
)
from domain.ports.existing import ExistingPage
from domain.ports.prices import PricedLine, PricedState


class SandboxErp:
    """`client`: base URL with the prefix /erp, and the bearer token."""

    effects: Mapping[str, EffectClass] = {
        "create_customer": LOOKUP,
        "set_credit_hold": LEVEL,
        "create_subscription": KEY,
        "activate_order": KEY,
        "start_billing": KEY,
        "amend_subscription": KEY,
        "change_term": KEY,
        "renew_subscription": KEY,
        "end_subscription": KEY,
        "cancel_subscription": KEY,
    }

    def __init__(self, client: httpx.AsyncClient) -> None:
        self._api = sandbox_api(client, "erp", {**self.effects, **MENDS})
        self.records = SandboxRecords(self._api, "erp")

    async def probe(self) -> Probed:
        return await probe_sandbox(self._api, "erp", ("external_id",))

    async def create_customer(self, new: NewCustomer, *, key: str) -> Ref:
        body = {"external_id": key, **new.model_dump(mode="json")}
        return self._ref("create_customer", await self._api.write("create_customer", "POST", "customers", body))

    async def find_customer(self, key: str) -> Ref | None:
        answer = await self._api.read("find_customer", "customers", {"external_id": key})
        with self._api.shape("find_customer"):
            found = [Ref(id=record["id"]) for record in answer["customers"]]
        return found[0] if found else None

    async def similar_customers(self, new: NewCustomer) -> tuple[CustomerCandidate, ...]:
        asked: Json = {
            "selling_entity": new.selling_entity,
            "name": new.name,
            "domain": company_domain(new.email),
            "tax_id": new.tax_id,
        }
        answer = await self._api.read("similar_customers", "customers/similar", body=asked)
        with self._api.shape("similar_customers"):
            return tuple(CustomerCandidate(**record) for record in answer["customers"])

    async def set_credit_hold(self, hold: CreditHold) -> None:
        path, body = f"customers/{segment(hold.customer)}/credit-hold", {"held": hold.held, "reason": hold.reason}
        answer = await self._api.write("set_credit_hold", "PUT", path, body)
        if answer.get("held") is not hold.held:
            raise ContractBroken("erp.set_credit_hold: the answer is not what was set")

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
        body = start.model_dump(mode="json", include={"starts", "accepted_on", "purchase_order"})
        action = f"lines/{segment(start.line)}/billing"
        answer = await self._on(start.subscription, "start_billing", action, body, key)
        with self._api.shape("start_billing"):
            return BillingStarted(id=answer["id"], line=answer["line"], starts=answer["starts"])

    async def amend_subscription(self, amendment: Amendment, *, key: str) -> Ref:
        body = amendment.model_dump(mode="json", exclude={"subscription"})
        answer = await self._on(amendment.subscription, "amend_subscription", "amend", body, key)
        return self._ref("amend_subscription", answer)

    async def change_term(self, change: TermChange, *, key: str) -> Ref:
        body = change.model_dump(mode="json", exclude={"subscription"})
        return self._ref("change_term", await self._on(change.subscription, "change_term", "term", body, key))

    async def renew_subscription(self, renewal: Renewal, *, key: str) -> Renewed:
        body = renewal.model_dump(mode="json", exclude={"subscription"})
        answer = await self._on(renewal.subscription, "renew_subscription", "renew", body, key)
        return Renewed(id=self._ref("renew_subscription", answer).id)

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

    async def subscription_state(self, subscription: str) -> SubscriptionState:
        answer = await self._api.read("subscription_state", f"subscriptions/{segment(subscription)}/state")
        with self._api.shape("subscription_state"):
            lines = tuple(LineState(**_known(line, LineState)) for line in answer["lines"])
            return SubscriptionState(**{**_known(answer, SubscriptionState), "lines": lines})

    async def priced_state(self, subscription: str) -> PricedState:
        """domain.ports.prices.ErpPrices."""
        answer = await self._api.read("priced_state", f"subscriptions/{segment(subscription)}/state")
        with self._api.shape("priced_state"):
            lines = tuple(PricedLine(**line) for line in answer["lines"])
            return PricedState(**{**answer, "lines": lines})

    async def balance(self, customer: str) -> Balance:
        answer = await self._api.read("balance", f"customers/{segment(customer)}/balance")
        with self._api.shape("balance"):
            return Balance(**answer)

    async def invoices(self, customer: str, cursor: str | None = None, limit: int = 100) -> InvoicePage:
        """The cursor is the last invoice's id."""
        asked = {"limit": str(limit), **({"after": cursor} if cursor else {})}
        answer = await self._api.read("invoices", f"customers/{segment(customer)}/invoices", asked)
        with self._api.shape("invoices"):
            return InvoicePage(invoices=tuple(_invoice(each) for each in answer["invoices"]), cursor=answer["next"])

    async def subscriptions(self, cursor: str | None = None) -> ExistingPage:
        """domain.ports.existing.ErpReader; the cursor is the last subscription's id."""
        answer = await self._api.read("subscriptions", "subscriptions", {"after": cursor} if cursor else {})
        with self._api.shape("subscriptions"):
            found = tuple(existing(each) for each in answer["subscriptions"])
            return ExistingPage(subscriptions=found, cursor=answer["next"])

    async def _on(self, subscription: str, operation: str, action: str, body: Json, key: str) -> Json:
        return await self._api.write(
            operation, "POST", f"subscriptions/{segment(subscription)}/{action}", body, key=key
        )

    def _ref(self, operation: str, answer: Json) -> Ref:
        with self._api.shape(operation):
            return Ref(id=answer["id"])


def _known(answer: Json, model: type[BaseModel]) -> Json:
    return {name: value for name, value in answer.items() if name in model.model_fields}


def _history(answer: Json) -> BillingHistory:
    return BillingHistory(
        invoices=answer["invoices"],
        paid_late=answer["paid_late"],
        overdue=answer["overdue"],
        currency=answer["currency"],
        overdue_amount=Decimal(answer["overdue_amount"]),
    )


def _invoice(record: Json) -> Invoice:
    paid = record["paid_on"] is not None
    return Invoice(
        id=record["id"],
        number=record["number"],
        status="paid" if paid else "posted",
        currency=record["currency"],
        total=Decimal(record["amount"]),
        open_amount=Decimal(0) if paid else Decimal(record["amount"]),
        issued_on=record["issued_on"],
        due_on=record["due_on"],
        contract=record["contract"],
    )
