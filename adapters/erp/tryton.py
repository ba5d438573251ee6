"""Tryton as the ERP, through the module `tenure`: every effect by a key that it keeps for ever."""

from collections.abc import Mapping
from datetime import timedelta
from typing import TypeVar
from uuid import uuid4

import httpx
from pydantic import BaseModel

from adapters.http import Json
from adapters.records.tryton import WRITES, TrytonRecords
from adapters.tryton import ModuleMissing, TrytonLogin, TrytonRpc
from domain.effects import EffectClass, Guarantee
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
    InvoicePage,
    NewCustomer,
    NewSubscription,
    Probed,
    Problem,
    Ref,
    Renewal,
    Renewed,
    SubscriptionState,
    TermChange,
)
from domain.ports.prices import PricedState

M = TypeVar("M", bound=BaseModel)

_DEADLINE = timedelta(seconds=5)
_COMMITS_WITHIN = timedelta(seconds=60)
"""Tryton does not notice that we gave up: what met a lock waits for it for half a minute, and is then run again."""
_KEY = EffectClass(guarantee=Guarantee.KEY, deadline=_DEADLINE, commits_within=_COMMITS_WITHIN)
_LEVEL = EffectClass(guarantee=Guarantee.LEVEL, deadline=_DEADLINE, commits_within=_COMMITS_WITHIN)


class TrytonErp:
    """`client`: the server's base URL. `database`, `user`, `password`: the technical user of one of its databases.

    Once is kept by the module's table of keys, whose row is written in the effect's own transaction. `renew_as_new`: a
    renewal makes a new subscription, linked to the old one.
    """

    effects: Mapping[str, EffectClass] = {
        "create_customer": _KEY,
        "set_credit_hold": _LEVEL,
        "create_subscription": _KEY,
        "activate_order": _KEY,
        "start_billing": _KEY,
        "amend_subscription": _KEY,
        "change_term": _KEY,
        "renew_subscription": _KEY,
        "end_subscription": _KEY,
        "cancel_subscription": _KEY,
    }

    def __init__(
        self, client: httpx.AsyncClient, *, database: str, user: str, password: str, renew_as_new: bool = False
    ) -> None:
        login = TrytonLogin(database, user, password)
        self._rpc = TrytonRpc(client, "erp", login, {**self.effects, **WRITES})
        self.records = TrytonRecords(self._rpc)
        self.renews_as_new = renew_as_new

    async def create_customer(self, new: NewCustomer, *, key: str) -> Ref:
        arguments = {**new.model_dump(mode="json"), "external_id": key}
        return await self._perform("create_customer", arguments, key, Ref)

    async def find_customer(self, key: str) -> Ref | None:
        answer = await self._rpc.read("find_customer", {"external_id": key})
        with self._rpc.shape("find_customer"):
            return None if answer["id"] is None else Ref(id=answer["id"])

    async def similar_customers(self, new: NewCustomer) -> tuple[CustomerCandidate, ...]:
        answer = await self._rpc.read("similar_customers", new.model_dump(mode="json"))
        with self._rpc.shape("similar_customers"):
            return tuple(CustomerCandidate.model_validate(found) for found in answer["candidates"])

    async def set_credit_hold(self, hold: CreditHold) -> None:
        # a LEVEL is set again as often as it is told: a key of its own for each time
        await self._rpc.perform("set_credit_hold", hold.model_dump(mode="json"), key=f"credit-hold:{uuid4()}")

    async def create_subscription(self, new: NewSubscription, *, key: str) -> Ref:
        return await self._perform("create_subscription", new.model_dump(mode="json"), key, Ref)

    async def activate_order(self, activation: Activation, *, key: str) -> Activated:
        return await self._perform("activate_order", activation.model_dump(mode="json"), key, Activated)

    async def start_billing(self, start: BillingStart, *, key: str) -> BillingStarted:
        return await self._perform("start_billing", start.model_dump(mode="json"), key, BillingStarted)

    async def amend_subscription(self, amendment: Amendment, *, key: str) -> Ref:
        return await self._perform("amend_subscription", amendment.model_dump(mode="json"), key, Ref)

    async def change_term(self, change: TermChange, *, key: str) -> Ref:
        return await self._perform("change_term", change.model_dump(mode="json"), key, Ref)

    async def renew_subscription(self, renewal: Renewal, *, key: str) -> Renewed:
        arguments = renewal.model_dump(mode="json") | ({"as_new": True} if self.renews_as_new else {})
        return await self._perform("renew_subscription", arguments, key, Renewed)

    async def end_subscription(self, ending: Ending, *, key: str) -> Ref:
        return await self._perform("end_subscription", ending.model_dump(mode="json"), key, Ref)

    async def cancel_subscription(self, subscription: str, reason: str, *, key: str) -> Ref:
        arguments = {"subscription": subscription, "reason": reason}
        return await self._perform("cancel_subscription", arguments, key, Ref)

    async def billing_history(self, customer: str) -> BillingHistory:
        # of the last year by Tryton's own day, as what is overdue is
        return await self._read("billing_history", {"customer": customer}, BillingHistory)

    async def subscription_state(self, subscription: str) -> SubscriptionState:
        return await self._read("subscription_state", {"subscription": subscription}, SubscriptionState)

    async def priced_state(self, subscription: str) -> PricedState:
        """domain.ports.prices.ErpPrices."""
        return await self._read("priced_state", {"subscription": subscription}, PricedState)

    async def balance(self, customer: str) -> Balance:
        return await self._read("balance", {"customer": customer}, Balance)

    async def invoices(self, customer: str, cursor: str | None = None, limit: int = 100) -> InvoicePage:
        return await self._read("invoices", {"customer": customer, "cursor": cursor, "limit": limit}, InvoicePage)

    async def probe(self) -> Probed:
        try:
            answer = await self._rpc.read("probe", {})
        except ModuleMissing:
            mend = "trytond-admin -d DATABASE -u tenure --activate-dependencies, with trytond-tenure installed"
            return Probed(problems=(Problem(what="the module tenure is not installed in Tryton", mend=mend),))
        with self._rpc.shape("probe"):
            return Probed(clock=answer["clock"], problems=tuple(Problem(**found) for found in answer["problems"]))

    async def _perform(self, operation: str, arguments: Json, key: str, answer: type[M]) -> M:
        return self._mapped(operation, await self._rpc.perform(operation, arguments, key=key), answer)

    async def _read(self, operation: str, arguments: Json, answer: type[M]) -> M:
        return self._mapped(operation, await self._rpc.read(operation, arguments), answer)

    def _mapped(self, operation: str, found: Json, answer: type[M]) -> M:
        """What a later version of the module tells beside what was promised is left out."""
        with self._rpc.shape(operation):
            known = {name: value for name, value in found.items() if name in answer.model_fields}
            return answer.model_validate(known)
