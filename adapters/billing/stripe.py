"""Stripe Billing as the system that keeps customers, subscriptions and billing. The mapping: docs/stripe.md."""

from collections.abc import Callable, Mapping
from datetime import date, timedelta
from decimal import Decimal
from hashlib import sha256
from typing import Any, Literal, cast
from zoneinfo import ZoneInfoNotFoundError

import httpx

from adapters.billing.stripe_calls import Operation, StripeCalls, part_of
from adapters.billing.stripe_contracts import Billed, Contract, Line, fingerprint, mark_of, same_key
from adapters.billing.stripe_customers import StripeCustomers
from adapters.billing.stripe_lines import StripeLines
from adapters.billing.stripe_probe import probe
from adapters.billing.stripe_schedules import Billing
from adapters.billing.stripe_values import CONTRACT, Days, whole
from adapters.http import Json
from domain.effects import EffectClass, Guarantee
from domain.errors import AlreadyExists, NotFound, Rejected
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
from domain.ports.prices import PricedLine, PricedState
from domain.terms import ChargeType

DEADLINE = timedelta(seconds=5)
KEY_LIFE = timedelta(hours=24)

_YES_NO = ("true", "false")

_KEY = EffectClass(guarantee=Guarantee.KEY, deadline=DEADLINE)


class StripeBilling:
    """Contracts that are billed by Stripe. `client`: limits, and a base URL where it is not Stripe's own; `api_key`: a
    secret or restricted key.

    `options`: `zone` in which days begin (UTC), `collection` (send_invoice, charge_automatically), `automatic_tax`
    (true, false), `account` (a connected account's id), `product:<code>` (the Stripe product of ours; the code itself
    without it). Raises ValueError, naming the option, for what can't be used.

    A contract is an inactive product, whose id we choose, with its lines and what was done to it as metadata; a line
    whose billing has started is a subscription schedule of its own, or an invoice where it is charged once. What was
    done is therefore known for ever: by the record, by the list of a customer's schedules and invoices, and for a day
    by Stripe's idempotency. Operations on one contract must not run side by side: a lifecycle's lane sees to that.
    """

    effects: Mapping[str, EffectClass] = {
        # Its id is Stripe's: after a day only the search finds it, which is not read-after-write, but then old enough.
        "create_customer": EffectClass(guarantee=Guarantee.KEY, deadline=DEADLINE, key_life=KEY_LIFE),
        "set_credit_hold": EffectClass(guarantee=Guarantee.LEVEL, deadline=DEADLINE),
        "create_subscription": _KEY,
        "activate_order": _KEY,
        "start_billing": _KEY,
        "amend_subscription": _KEY,
        "change_term": _KEY,
        "renew_subscription": _KEY,
        "end_subscription": _KEY,
        "cancel_subscription": _KEY,
    }

    def __init__(self, client: httpx.AsyncClient, api_key: str, options: Mapping[str, str] | None = None) -> None:
        billing, account, products = _read(options or {})
        self._calls = StripeCalls(client, api_key, self.effects, read_deadline=DEADLINE, account=account)
        self._v1 = self._calls.v1
        self._days = billing.days
        self._customers = StripeCustomers(self._calls, self._days)
        self._lines = StripeLines(self._calls, self._customers, billing, products)

    # ── customers ──

    async def create_customer(self, new: NewCustomer, *, key: str) -> Ref:
        return await self._customers.create(new, key)

    async def find_customer(self, key: str) -> Ref | None:
        return await self._customers.find(key)

    async def similar_customers(self, new: NewCustomer) -> tuple[CustomerCandidate, ...]:
        return await self._customers.similar(new)

    async def set_credit_hold(self, hold: CreditHold) -> None:
        """Metadata, which this adapter heeds: a held customer gets no new subscription and none is activated.
        Collection goes on, since what is owed is why it is held: pausing it would let the debtor off."""
        await self._customers.set_credit_hold(hold)

    async def billing_history(self, customer: str) -> BillingHistory:
        return await self._customers.history(customer)

    async def balance(self, customer: str) -> Balance:
        return await self._customers.balance(customer)

    async def invoices(self, customer: str, cursor: str | None = None, limit: int = 100) -> InvoicePage:
        return await self._customers.invoices(customer, cursor, limit)

    async def probe(self) -> Probed:
        return await probe(self._calls)

    # ── subscriptions ──

    async def create_subscription(self, new: NewSubscription, *, key: str) -> Ref:
        record = f"tenure_{sha256(key.encode()).hexdigest()[:24]}"
        contract = Contract.sold(record, new)
        for line in new.lines:
            if line.charge is not ChargeType.USAGE:
                whole(line.quantity, line.id)
        async with self._calls.operation("create_subscription") as op:
            await self._customers.creditworthy(op, new.customer)
            await self._lines.known_products(op, contract)
            metadata = {name: value for name, value in contract.metadata().items() if value}
            params: Any = {"id": record, "name": f"Contract {new.contract}", "active": False, "metadata": metadata}
            try:
                made = await op.once(key, lambda keyed: self._v1.products.create_async(params, keyed))
                return Ref(id=made["id"])
            except AlreadyExists:
                if (await self._contract(op, record)).arguments != fingerprint(new):
                    raise Rejected("this key is done with other arguments; a new intention needs a new key") from None
                return Ref(id=record)

    async def activate_order(self, activation: Activation, *, key: str) -> Activated:
        mark = mark_of("activate_order", key, activation)
        async with self._calls.operation("activate_order") as op:
            contract = await self._contract(op, activation.subscription)
            if not contract.did(mark):
                contract.require("draft")
                await self._customers.creditworthy(op, contract.customer)
                term = {"starts": activation.starts, "ends": activation.ends, "term_starts": activation.starts}
                await self._record(op, contract, contract.model_copy(update={"status": "active", **term}), key, mark)
            return Activated(subscription=contract.id, on=activation.on)

    async def start_billing(self, start: BillingStart, *, key: str) -> BillingStarted:
        mark = mark_of("start_billing", key, start)
        async with self._calls.operation("start_billing") as op:
            contract = await self._contract(op, start.subscription)
            line = contract.line(start.line)
            if line.billed is not None:
                if not same_key(line.billed.mark, mark):
                    raise Rejected(f"line {line.id} is billed from {line.billed.starts} already")
                return BillingStarted(id=line.billed.by, line=line.id, starts=line.billed.starts)
            contract.require("active")
            last = contract.of(line).ends
            if (last is not None and last <= start.starts) or (line.starts is not None and start.starts < line.starts):
                raise Rejected(
                    f"line {line.id} runs from {line.starts or contract.starts} until {last or 'it is ended'}"
                )
            named = contract.naming(start.purchase_order)
            by = await self._lines.bill(op, named, start, key=key, mark=mark)
            billed = Billed(starts=start.starts, accepted_on=start.accepted_on, by=by, mark=mark)
            changed = named.with_line(line.model_copy(update={"billed": billed}))
            await self._record(op, contract, changed, key)
            return BillingStarted(id=by, line=line.id, starts=start.starts)

    async def amend_subscription(self, amendment: Amendment, *, key: str) -> Ref:
        def amended(contract: Contract, today: date) -> Contract:
            contract.require("active")
            for line_id, quantity in amendment.quantities.items():
                line = contract.line(line_id)
                if line.billed is not None and not line.recurs:
                    raise Rejected(f"line {line_id} is charged once, and has been")
                if line.charge is not ChargeType.USAGE:
                    whole(quantity, line_id)
                contract = contract.with_line(line.amended(amendment.effective, quantity, today))
            for line_id in amendment.removed:
                contract = contract.removed(line_id, amendment.effective)
            for new in amendment.added:
                if new.charge is not ChargeType.USAGE:
                    whole(new.quantity, new.id)
                contract = contract.added(new, amendment.effective, today)
            return contract

        return await self._change("amend_subscription", amendment.subscription, key, amendment, amended)

    async def change_term(self, change: TermChange, *, key: str) -> Ref:
        def moved(contract: Contract, today: date) -> Contract:
            contract.require("active")
            if change.ends is not None:
                _may_end(contract, change.ends, today)
            # where the former end is over, its schedules are: what goes on is billed by new ones from that day
            over = contract.ends is not None and contract.ends <= today
            return contract.model_copy(update={"ends": change.ends, **({"term_starts": contract.ends} if over else {})})

        return await self._change("change_term", change.subscription, key, change, moved)

    async def renew_subscription(self, renewal: Renewal, *, key: str) -> Renewed:
        def renewed(contract: Contract, today: date) -> Contract:
            contract.require("active")
            if renewal.ends is not None and renewal.ends <= renewal.starts:
                raise Rejected("a term must end after its start")
            contract = contract.naming(renewal.purchase_order)
            return contract.model_copy(update={"term_starts": renewal.starts, "ends": renewal.ends})

        made = await self._change("renew_subscription", renewal.subscription, key, renewal, renewed)
        return Renewed(id=made.id)

    async def end_subscription(self, ending: Ending, *, key: str) -> Ref:
        def ended(contract: Contract, today: date) -> Contract:
            contract.require("active")
            return contract.model_copy(update={"status": "ended", "ends": ending.ends, "reason": ending.reason})

        return await self._change("end_subscription", ending.subscription, key, ending, ended)

    async def cancel_subscription(self, subscription: str, reason: str, *, key: str) -> Ref:
        def cancelled(contract: Contract, today: date) -> Contract:
            contract.require("draft", "active")
            return contract.model_copy(update={"status": "cancelled", "reason": reason})

        return await self._change("cancel_subscription", subscription, key, f"{subscription}\n{reason}", cancelled)

    async def subscription_state(self, subscription: str) -> SubscriptionState:
        """What is billed is read from Stripe's own schedules and subscriptions, not from our record of it."""
        async with self._calls.operation("subscription_state") as op:
            contract = await self._contract(op, subscription)
            schedules = await self._lines.schedules(op, contract.customer, expand=["data.subscription"])
            today, ends = self._days.today(op.at), contract.ends
            lines = [_line_state(line, schedules, contract.of(line).ends, today) for line in contract.lines]
            runs = contract.starts is not None and contract.starts <= today and (ends is None or today < ends)
            # Somebody may have ended every line of it at Stripe.
            live = [line.billed for line in contract.lines if line.billed and (not line.ends or today < line.ends)]
            billing = [schedules[billed.by] for billed in live if billed.scheduled]
            gone = bool(billing) and all(each["status"] == "canceled" for each in billing)
            status = "ended" if contract.status == "active" and gone else contract.status
            return SubscriptionState(
                id=contract.id,
                status=status,
                entitled=runs and status in ("active", "ended") and not gone,
                starts=contract.starts,
                ends=ends,
                lines=tuple(lines),
            )

    async def priced_state(self, subscription: str) -> PricedState:
        """domain.ports.prices.ErpPrices. A line without a price of its own has the product's, which is not told."""
        state = await self.subscription_state(subscription)
        async with self._calls.operation("priced_state") as op:
            contract, today = await self._contract(op, subscription), self._days.today(op.at)
        lines = tuple(_priced(contract.line(line.line), line, today) for line in state.lines)
        return PricedState(**dict(state) | {"lines": lines}, currency=contract.currency)

    # ── what they share ──

    async def _change(
        self,
        operation: str,
        subscription: str,
        key: str,
        arguments: Any,
        change: Callable[[Contract, date], Contract],
    ) -> Ref:
        """Schedules first, then the record, which says that it was done."""
        mark = mark_of(operation, key, arguments)
        async with self._calls.operation(operation) as op:
            contract = await self._contract(op, subscription)
            if not contract.did(mark):
                changed = change(contract, self._days.today(op.at))
                if len(changed.lines) > len(contract.lines):
                    await self._lines.known_products(op, changed)
                changed = await self._lines.projected(op, contract, changed, key)
                await self._record(op, contract, changed, key, mark)
            return Ref(id=f"{contract.id}:{mark}")

    async def _contract(self, op: Operation, subscription: str) -> Contract:
        answer = await op.read(self._v1.products.retrieve_async(subscription))
        if answer["object"] == "product" and CONTRACT not in answer["metadata"]:
            raise NotFound(f"{op.name}: {subscription} is no subscription")
        return Contract.read(subscription, answer["metadata"])

    async def _record(
        self, op: Operation, before: Contract, after: Contract, key: str, mark: str | None = None
    ) -> None:
        changes: Any = {"metadata": (after.marked(mark) if mark else after).changes(before)}
        update = self._v1.products.update_async
        answer = await op.once(key, lambda keyed: update(before.id, changes, keyed), part_of("record", changes))
        Contract.read(before.id, answer["metadata"])  # what can't be read back was not kept


def _read(options: Mapping[str, str]) -> tuple[Billing, str | None, dict[str, str]]:
    """How it bills, the account, and products by code. Raises ValueError, naming the option that can't be used."""
    products = {name.removeprefix("product:"): each for name, each in options.items() if name.startswith("product:")}
    known = {"zone": "UTC", "collection": "send_invoice", "automatic_tax": "false", "account": ""}
    given = known | {name: each for name, each in options.items() if not name.startswith("product:")}
    for name in given.keys() - known.keys():
        raise ValueError(f"options.{name}: no such option of Stripe")
    try:
        days = Days(given["zone"])
    except (ZoneInfoNotFoundError, ValueError):
        raise ValueError(f"options.zone: {given['zone']!r} is no time zone") from None
    for name, allowed in (("collection", ("send_invoice", "charge_automatically")), ("automatic_tax", _YES_NO)):
        if given[name] not in allowed:
            raise ValueError(f"options.{name}: {given[name]!r} is not one of {', '.join(allowed)}")
    collection = cast(Literal["send_invoice", "charge_automatically"], given["collection"])
    return Billing(days, collection, given["automatic_tax"] == "true"), given["account"] or None, products


def _may_end(contract: Contract, ends: date, today: date) -> None:
    """Whether its end can be moved there. For a day that is over, Stripe can only cancel, which nothing takes back."""
    if ends <= today:
        raise Rejected(f"{ends} is over: that is no change of the term, but the subscription's end")
    begun = [line.billed.starts for line in contract.lines if line.billed]
    if begun and ends <= max(begun):
        raise Rejected(f"a line is billed from {max(begun)} on, which would be after the end")


def _line_state(line: Line, schedules: Mapping[str, Json], ends: date | None, today: date) -> LineState:
    state = LineState(
        line=line.id,
        quantity=line.quantity(today),
        billed_from=None,
        accepted_on=None,
        revenue="none",
        starts=line.starts,
        ends=line.ends,
    )
    if line.billed is None:
        return state
    billed, delivered = line.billed, not line.recurs or (ends is not None and ends <= today)
    return state.model_copy(
        update={
            "quantity": _quantity(line, schedules[billed.by], today) if billed.scheduled else state.quantity,
            "billed_from": billed.starts,
            "accepted_on": billed.accepted_on,
            "revenue": "scheduled" if today < billed.accepted_on else "complete" if delivered else "running",
        }
    )


def _priced(line: Line, state: LineState, today: date) -> PricedLine:
    usage = line.charge is ChargeType.USAGE or line.unit_price is None
    coming = [quantity for since, quantity in line.quantities if since > today]
    return PricedLine(
        **dict(state),
        charge=line.charge,
        frequency=line.frequency,
        amount=None if usage or line.unit_price is None else line.unit_price * state.quantity,
        target=coming[-1] if coming else None,
    )


def _quantity(line: Line, schedule: Json, today: date) -> Decimal:
    """Of Stripe's own subscription; of the phase with which it is to begin, or after which a schedule let it go. Ours
    where usage is counted instead."""
    subscription, phases = schedule["subscription"], schedule["phases"]
    phase = phases[0] if schedule["status"] == "not_started" else phases[-1]
    items = subscription["items"]["data"] if subscription else phase["items"]
    quantity = items[0].get("quantity")
    return line.quantity(today) if quantity is None else Decimal(quantity)
