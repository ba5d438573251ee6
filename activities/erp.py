"""Activities on the ERP: customer, subscription, activation, billing, change, renewal and end."""

from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal

from temporalio import activity

from activities.boundary import temporal_failures
from activities.customers import known_or_nobody_alike, must_exist
from activities.effects import Effects
from activities.performing import operation, perform_once, step_of
from domain.base import Frozen
from domain.books import OrderBook
from domain.company import PeriodsPolicy
from domain.errors import InvalidInput, PeriodClosed
from domain.intentions import CustomerOf
from domain.order import Order, OrderLine
from domain.policies.readiness import ErpReading
from domain.policies.validation import parse_order
from domain.ports import (
    Activated,
    Activation,
    Amendment,
    BillingStart,
    BillingStarted,
    CreditHold,
    Ending,
    Erp,
    NewCustomer,
    NewSubscription,
    Ref,
    Renewal,
    Renewed,
    SubscriptionLine,
    TermChange,
)
from domain.readings import Read
from domain.steps import (
    ActivateOrder,
    AmendSubscription,
    CancelSubscription,
    ChangeTerm,
    CreateCustomer,
    CreateSubscription,
    EndSubscription,
    Perform,
    Performed,
    RenewSubscription,
    SetCreditHold,
    StartBilling,
)


class CancellationOf(Frozen):
    subscription: str
    reason: str


class ErpActivities:
    """Runs on the task queue of one connection to an ERP, which is named `connection`. `periods`: what the company does
    about what a closed period refuses."""

    def __init__(
        self,
        erp: Erp,
        effects: Effects,
        orders: OrderBook,
        periods: PeriodsPolicy | None = None,
        *,
        connection: str = "erp",
    ) -> None:
        self._periods = periods or PeriodsPolicy()
        self._connection = connection
        self._erp = erp
        self._effects = effects
        self._orders = orders

    @activity.defn(name="erp.create_customer")
    async def create_customer(self, request: Perform) -> Performed:
        """The customer of an account with a selling entity: one, however many contracts it has. Where others look like
        it, a person says whether it is one of them."""
        with temporal_failures():
            step = step_of(request, CreateCustomer)
            new = customer_of(await self._order(request.contract, step.revision))
            new = new.model_copy(update={"account": step.account or new.account})
            if step.done_as is not None:
                await must_exist("customer", step.done_as, self._erp.balance)
            made = await perform_once(
                self._effects,
                self._connection,
                request,
                self._erp.effects["create_customer"],
                CustomerOf(account=new.account, selling_entity=new.selling_entity),
                Ref,
                lambda: self._erp.create_customer(new, key=step.key),
                lambda: self._erp.find_customer(step.key),
                None if step.anew else lambda: known_or_nobody_alike(self._erp, new, step.key),
                None if step.done_as is None else Ref(id=step.done_as),
            )
            return Performed(id=made.id)

    @activity.defn(name="erp.create_subscription")
    async def create_subscription(self, request: Perform) -> Performed:
        with temporal_failures():
            step = step_of(request, CreateSubscription)
            new = subscription_of(await self._order(request.contract, step.revision), request.contract, step)
            if step.done_as is not None:
                await must_exist("subscription", step.done_as, self._erp.subscription_state)
            made = await perform_once(
                self._effects,
                self._connection,
                request,
                self._erp.effects["create_subscription"],
                new,
                Ref,
                lambda: self._erp.create_subscription(new, key=step.key),
                taken=None if step.done_as is None else Ref(id=step.done_as),
            )
            return Performed(id=made.id)

    @activity.defn(name="erp.activate_order")
    async def activate_order(self, request: Perform) -> Performed:
        with temporal_failures():
            step = step_of(request, ActivateOrder)
            activation = Activation(subscription=step.subscription, on=step.on, starts=step.starts, ends=step.ends)
            made = await perform_once(
                self._effects,
                self._connection,
                request,
                self._erp.effects["activate_order"],
                activation,
                Activated,
                lambda: self._erp.activate_order(activation, key=step.key),
            )
            return Performed(id=made.subscription, on=made.on)

    @activity.defn(name="erp.start_billing")
    async def start_billing(self, request: Perform) -> Performed:
        """Billing commencement of one line, with the acceptance date that triggers revenue."""
        with temporal_failures(), self._closed_periods():
            step = step_of(request, StartBilling)
            start = BillingStart(
                subscription=step.subscription,
                line=step.line,
                starts=step.starts,
                accepted_on=step.accepted_on,
                purchase_order=step.purchase_order,
            )
            made = await perform_once(
                self._effects,
                self._connection,
                request,
                self._erp.effects["start_billing"],
                start,
                BillingStarted,
                lambda: self._erp.start_billing(start, key=step.key),
            )
            return Performed(id=made.id, on=made.starts)

    @activity.defn(name="erp.amend_subscription")
    async def amend_subscription(self, request: Perform) -> Performed:
        with temporal_failures(), self._closed_periods():
            step = step_of(request, AmendSubscription)
            amendment = Amendment(
                subscription=step.subscription,
                effective=step.effective,
                quantities=step.quantities,
                added=await self._added(request.contract, step),
                removed=step.removed,
            )
            made = await perform_once(
                self._effects,
                self._connection,
                request,
                self._erp.effects["amend_subscription"],
                amendment,
                Ref,
                lambda: self._erp.amend_subscription(amendment, key=step.key),
            )
            return Performed(id=made.id)

    @activity.defn(name="erp.change_term")
    async def change_term(self, request: Perform) -> Performed:
        with temporal_failures():
            step = step_of(request, ChangeTerm)
            change = TermChange(subscription=step.subscription, ends=step.ends, reason=step.reason)
            made = await perform_once(
                self._effects,
                self._connection,
                request,
                self._erp.effects["change_term"],
                change,
                Ref,
                lambda: self._erp.change_term(change, key=step.key),
            )
            return Performed(id=made.id)

    @activity.defn(name="erp.set_credit_hold")
    async def set_credit_hold(self, request: Perform) -> Performed:
        """Hold a customer, or let it go. LEVEL."""
        with temporal_failures():
            step = step_of(request, SetCreditHold)
            hold = CreditHold(customer=step.customer, held=step.held, reason=step.reason)
            await self._effects.level(
                operation(self._connection, step),
                self._erp.effects["set_credit_hold"],
                lambda: self._erp.set_credit_hold(hold),
            )
            return Performed(id=step.customer)

    @activity.defn(name="erp.renew_subscription")
    async def renew_subscription(self, request: Perform) -> Performed:
        with temporal_failures():
            step = step_of(request, RenewSubscription)
            renewal = Renewal(
                subscription=step.subscription,
                term=step.term,
                starts=step.starts,
                ends=step.ends,
                purchase_order=step.purchase_order,
            )
            made = await perform_once(
                self._effects,
                self._connection,
                request,
                self._erp.effects["renew_subscription"],
                renewal,
                Renewed,
                lambda: self._erp.renew_subscription(renewal, key=step.key),
            )
            return Performed(id=made.id, subscription=made.subscription)

    @activity.defn(name="erp.end_subscription")
    async def end_subscription(self, request: Perform) -> Performed:
        with temporal_failures():
            step = step_of(request, EndSubscription)
            ending = Ending(subscription=step.subscription, ends=step.ends, reason=step.reason)
            made = await perform_once(
                self._effects,
                self._connection,
                request,
                self._erp.effects["end_subscription"],
                ending,
                Ref,
                lambda: self._erp.end_subscription(ending, key=step.key),
            )
            return Performed(id=made.id)

    @activity.defn(name="erp.cancel_subscription")
    async def cancel_subscription(self, request: Perform) -> Performed:
        """Compensation: undo a subscription that never became active."""
        with temporal_failures():
            step = step_of(request, CancelSubscription)
            made = await perform_once(
                self._effects,
                self._connection,
                request,
                self._erp.effects["cancel_subscription"],
                CancellationOf(subscription=step.subscription, reason=step.reason),
                Ref,
                lambda: self._erp.cancel_subscription(step.subscription, step.reason, key=step.key),
            )
            return Performed(id=made.id)

    @activity.defn(name="erp.read_history")
    async def read_history(self, request: Read) -> ErpReading:
        """A customer's invoices, counted, and the state of its subscription, for the readiness view."""
        with temporal_failures():
            history = await self._erp.billing_history(request.subject)
            asked = request.subscription
            state = await self._erp.subscription_state(asked) if asked is not None else None
            return ErpReading(**dict(history), subscription=state)

    async def _added(self, contract: str, step: AmendSubscription) -> tuple[SubscriptionLine, ...]:
        """The lines that an amendment adds, as they stand in the order's revision that it names."""
        if not step.added:
            return ()
        order = await self._order(contract, step.revision or 1)
        sold = {line.id: line for line in order.lines}
        if missing := [line for line in step.added if line not in sold]:
            raise InvalidInput(f"revision {step.revision} of the order has no line {', '.join(missing)}")
        lines = [subscription_line(sold[line]) for line in step.added]
        # an amendment that was dated anew adds nothing before its day
        return tuple(
            line.model_copy(update={"starts": max(line.starts, step.effective)}) if line.starts else line
            for line in lines
        )

    @contextmanager
    def _closed_periods(self) -> Iterator[None]:
        """The policy's decision goes with the refusal, so that history records it."""
        try:
            yield
        except PeriodClosed as closed:
            closed.redate = self._periods.closed == "redate"
            raise

    async def _order(self, contract: str, revision: int) -> Order:
        return parse_order(await self._orders.read(contract, revision))[0]


def customer_of(order: Order) -> NewCustomer:
    """Bill-to pays, ship-to is taxed; both fall back to sold-to."""
    billed, account = order.billed, order.account
    name = billed.name or account.name
    if account.id is None or order.selling_entity is None or order.currency is None or name is None:
        raise InvalidInput("the order has lost what its validation found; fix the order")
    return NewCustomer(
        account=account.id,
        selling_entity=order.selling_entity,
        name=name,
        currency=order.currency,
        billing_address=billed.address,
        shipping_address=order.shipped.address,
        email=billed.email,
        tax_id=billed.tax_id or order.shipped.tax_id or order.sold_to.tax_id,
        parent_account=account.parent_id,
    )


def subscription_of(order: Order, contract: str, step: CreateSubscription) -> NewSubscription:
    if order.selling_entity is None or order.currency is None:
        raise InvalidInput("the order has lost what its validation found; fix the order")
    lines, by_now = order.lines, step.quantities
    if by_now:
        lines = tuple(line.model_copy(update={"quantity": by_now[line.id]}) for line in lines if line.id in by_now)
    return NewSubscription(
        contract=step.leg or contract,
        customer=step.customer,
        selling_entity=order.selling_entity,
        currency=order.currency,
        starts=step.starts,
        ends=step.ends,
        payment_terms_days=order.terms.payment_terms_days,
        purchase_order=order.purchase_order.number if order.purchase_order else None,
        lines=tuple(subscription_line(line) for line in lines),
    )


def subscription_line(line: OrderLine) -> SubscriptionLine:
    return SubscriptionLine(
        id=line.id,
        product=line.product or "",
        quantity=line.quantity or Decimal(0),
        unit_price=line.unit_price,
        charge=line.charge,
        frequency=line.frequency,
        starts=line.starts,
        ends=line.ends,
    )
