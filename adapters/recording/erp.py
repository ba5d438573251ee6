"""The recording ERP: customers, subscriptions and their changes, each under its key."""

from collections.abc import Callable, Mapping

from adapters.recording.customers import Customers
from adapters.recording.journal import Journal
from adapters.recording.subscriptions import Subscription
from adapters.recording.system import KEY, LEVEL, Line, RecordingSystem, record_id, there
from domain.base import Frozen
from domain.effects import EffectClass
from domain.errors import Rejected
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
    Ref,
    Renewal,
    Renewed,
    SubscriptionState,
    TermChange,
)
from domain.ports.prices import PricedState


class Cancellation(Frozen):
    subscription: str
    reason: str


class RecordingErp(RecordingSystem):
    effects: Mapping[str, EffectClass] = {
        "create_customer": KEY,
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

    def __init__(self, name: str, journal: Journal, line: Line) -> None:
        super().__init__(name, journal, line)
        self.customers = Customers()
        self.subscriptions: dict[str, Subscription] = {}

    # ── customers ───────────────────────────────────────────────────────────────────────────────────────────────

    async def create_customer(self, new: NewCustomer, *, key: str) -> Ref:
        return await self._once("create_customer", key, new, lambda: self.customers.create(new, key))

    async def find_customer(self, key: str) -> Ref | None:
        return await self._read("find_customer", lambda: self.customers.find(key))

    async def similar_customers(self, new: NewCustomer) -> tuple[CustomerCandidate, ...]:
        return await self._read("similar_customers", lambda: self.customers.similar(new))

    async def set_credit_hold(self, hold: CreditHold) -> None:
        def write() -> None:
            self.customers.get(hold.customer).hold = hold

        await self._level("set_credit_hold", hold, write)

    # ── subscriptions ───────────────────────────────────────────────────────────────────────────────────────────

    async def create_subscription(self, new: NewSubscription, *, key: str) -> Ref:
        def create() -> Ref:
            self.customers.creditworthy(new.customer)
            made = Subscription(record_id("subscription", key), new, new.starts, new.ends)
            self.subscriptions[made.id] = made
            return Ref(id=made.id)

        return await self._once("create_subscription", key, new, create)

    async def activate_order(self, activation: Activation, *, key: str) -> Activated:
        def activate() -> Activated:
            found = self._subscription(activation.subscription)
            if found.status != "draft":
                raise Rejected(f"the subscription is {found.status}")
            self.customers.creditworthy(found.facts.customer)
            found.status, found.starts, found.ends = "active", activation.starts, activation.ends
            return Activated(subscription=found.id, on=activation.on)

        return await self._once("activate_order", key, activation, activate)

    async def start_billing(self, start: BillingStart, *, key: str) -> BillingStarted:
        def begin() -> BillingStarted:
            self._active(start.subscription).bill(start)
            return BillingStarted(id=record_id("billing", key), line=start.line, starts=start.starts)

        return await self._once("start_billing", key, start, begin)

    async def amend_subscription(self, amendment: Amendment, *, key: str) -> Ref:
        def amend(found: Subscription) -> None:
            found.amend(amendment)

        return await self._changed("amend_subscription", "amendment", amendment, key, amend)

    async def change_term(self, change: TermChange, *, key: str) -> Ref:
        def move(found: Subscription) -> None:
            found.move_end(change.ends)

        return await self._changed("change_term", "term-change", change, key, move)

    async def renew_subscription(self, renewal: Renewal, *, key: str) -> Renewed:
        def renew(found: Subscription) -> None:
            if renewal.ends is not None and renewal.ends <= renewal.starts:
                raise Rejected("a term must end after its start")
            found.ends = renewal.ends

        made = await self._changed("renew_subscription", "renewal", renewal, key, renew)
        return Renewed(id=made.id)

    async def end_subscription(self, ending: Ending, *, key: str) -> Ref:
        def end(found: Subscription) -> None:
            found.status, found.ends = "ended", ending.ends

        return await self._changed("end_subscription", "ending", ending, key, end)

    async def cancel_subscription(self, subscription: str, reason: str, *, key: str) -> Ref:
        """Also of a draft."""

        def cancel() -> Ref:
            found = self._subscription(subscription)
            if found.status in ("ended", "cancelled"):
                raise Rejected(f"the subscription is {found.status}")
            found.status = "cancelled"
            return Ref(id=record_id("cancellation", key))

        return await self._once(
            "cancel_subscription", key, Cancellation(subscription=subscription, reason=reason), cancel
        )

    # ── reading ─────────────────────────────────────────────────────────────────────────────────────────────────

    async def billing_history(self, customer: str) -> BillingHistory:
        return await self._read("billing_history", lambda: self.customers.history(customer, self.journal.today()))

    async def subscription_state(self, subscription: str) -> SubscriptionState:
        return await self._read(
            "subscription_state", lambda: self._subscription(subscription).state(self.journal.today())
        )

    async def priced_state(self, subscription: str) -> PricedState:
        return await self._read("priced_state", lambda: self._subscription(subscription).priced(self.journal.today()))

    async def balance(self, customer: str) -> Balance:
        return await self._read("balance", lambda: self.customers.balance(customer, self.journal.today()))

    async def invoices(self, customer: str, cursor: str | None = None, limit: int = 100) -> InvoicePage:
        return await self._read("invoices", lambda: self.customers.page(customer, cursor, limit))

    # ── inside ──────────────────────────────────────────────────────────────────────────────────────────────────

    async def _changed(
        self,
        operation: str,
        kind: str,
        told: Amendment | TermChange | Renewal | Ending,
        key: str,
        change: Callable[[Subscription], None],
    ) -> Ref:
        """A change of an active subscription, which is a record of its own."""

        def carried() -> Ref:
            change(self._active(told.subscription))
            return Ref(id=record_id(kind, key))

        return await self._once(operation, key, told, carried)

    def _subscription(self, subscription: str) -> Subscription:
        return there(self.subscriptions, subscription, "subscription")

    def _active(self, subscription: str) -> Subscription:
        found = self._subscription(subscription)
        if found.status != "active":
            raise Rejected(f"the subscription is {found.status}, not active")
        return found
