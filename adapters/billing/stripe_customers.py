"""Stripe's customers and what they owe: look-up, adoption by tax id, likeness, credit hold, invoices, balance."""

from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from datetime import timedelta
from decimal import Decimal
from hashlib import sha256
from typing import Any

from adapters.billing.stripe_calls import Operation, StripeCalls, part_of
from adapters.billing.stripe_values import (
    ACCOUNT,
    CURRENCY,
    ENTITY,
    HELD,
    HOLD_REASON,
    KEY,
    LONGEST_VALUE,
    Days,
    bare,
    claim,
    customer,
    due_on,
    invoice,
    major,
    metadata_of,
    overdue,
    paid_on,
    plain,
    quoted,
)
from adapters.http import Json
from domain.errors import AlreadyExists, ContractBroken, NotFound, Rejected
from domain.likeness import company_domain
from domain.ports import (
    Balance,
    BillingHistory,
    CreditHold,
    CustomerCandidate,
    InvoicePage,
    NewCustomer,
    Ref,
)

YEAR = timedelta(days=365)
SEARCH_LAG = timedelta(hours=1)
"""Stripe: a minute as a rule, up to an hour in an outage."""
PAGE = 100
Page = Callable[[Json], Awaitable[Any]]


class StripeCustomers:
    """The part of StripeBilling that is about customers."""

    def __init__(self, calls: StripeCalls, days: Days) -> None:
        self._calls = calls
        self._v1 = calls.v1
        self._days = days

    async def create(self, new: NewCustomer, key: str) -> Ref:
        async with self._calls.operation("create_customer") as op:
            known = await self._known(op, key)
            if known is None:
                known = await self._unclaimed(op, new, key)
            if known is None:
                params: Any = customer(new, key)
                known = await op.once(key, lambda keyed: self._v1.customers.create_async(params, keyed))
            elif KEY not in metadata_of(known):
                known = await self._adopted(op, known["id"], new, key)
            elif not _stands_for(known, new, key):
                raise Rejected("this key is done with other arguments; a new intention needs a new key")
            return Ref(id=known["id"])

    async def find(self, key: str) -> Ref | None:
        async with self._calls.operation("find_customer") as op:
            known = await self._known(op, key)
            return Ref(id=known["id"]) if known else None

    async def similar(self, new: NewCustomer) -> tuple[CustomerCandidate, ...]:
        async with self._calls.operation("similar_customers") as op:
            alike = await self._alike(op, new)
            if len([each for each in alike if _has_tax_id(each, new)]) == 1:
                return ()  # it is known which one is meant
            return tuple(_candidates(alike, new))

    async def set_credit_hold(self, hold: CreditHold) -> None:
        async with self._calls.operation("set_credit_hold") as op:
            held = (
                {HELD: "true", HOLD_REASON: hold.reason[:LONGEST_VALUE]} if hold.held else {HELD: "", HOLD_REASON: ""}
            )
            answer = await op.write(self._v1.customers.update_async(hold.customer, {"metadata": held}))
            if _held(answer) is not hold.held:
                raise ContractBroken(f"{op.name}: the answer is not what was set")

    async def creditworthy(self, op: Operation, customer_id: str) -> Json:
        """The customer. Raises NotFound, and Rejected while it is on credit hold."""
        found = await self.read(op, customer_id)
        if _held(found):
            raise Rejected("the customer is on credit hold")
        return found

    async def read(self, op: Operation, customer_id: str) -> Json:
        answer = await op.read(self._v1.customers.retrieve_async(customer_id))
        if answer.get("deleted"):
            raise NotFound(f"{op.name}: the customer is deleted")
        return answer

    async def history(self, customer_id: str) -> BillingHistory:
        """Invoices of the last year, and overdue ones of any age."""
        async with self._calls.operation("billing_history") as op:
            currency = _currency(await self.read(op, customer_id))
            since = int((op.at - YEAR).timestamp())
            recent = await self._invoices(op, customer_id, created={"gte": since})
            open_ = await self._invoices(op, customer_id, status="open")
            late = overdue(open_, self._days.today(op.at), self._days)
            counted = {each["id"]: each for each in [*recent, *late] if each["status"] not in ("draft", "void")}
            return BillingHistory(
                invoices=len(counted),
                paid_late=sum(_paid_late(each, self._days) for each in counted.values()),
                overdue=len(late),
                currency=currency,
                overdue_amount=_open(late, currency),
            )

    async def balance(self, customer_id: str) -> Balance:
        async with self._calls.operation("balance") as op:
            currency = _currency(await self.read(op, customer_id))
            open_ = await self._invoices(op, customer_id, status="open")
            late = overdue(open_, self._days.today(op.at), self._days)
            return Balance(currency=currency, open_amount=_open(open_, currency), overdue_amount=_open(late, currency))

    async def invoices(self, customer_id: str, cursor: str | None, limit: int) -> InvoicePage:
        """The cursor is the last invoice's id. Stripe lists the newest first: only the first page goes through all."""
        most = min(limit, PAGE)
        async with self._calls.operation("invoices") as op:
            await self.read(op, customer_id)
            if cursor is None:
                every = await self._invoices(op, customer_id)
                oldest, more = every[::-1][:most], len(every) > most
            else:
                params: Any = {"customer": customer_id, "ending_before": cursor, "limit": most}
                answer = await op.read(self._v1.invoices.list_async(params))
                oldest, more = answer["data"][::-1], answer["has_more"]
            page = tuple(invoice(each, self._days) for each in oldest)
            return InvoicePage(invoices=page, cursor=page[-1].id if more else None)

    async def invoice_with(self, op: Operation, customer_id: str, key: str) -> Json | None:
        """The invoice that was made under a key of ours."""
        every = await self._invoices(op, customer_id)
        return next((each for each in every if metadata_of(each).get(KEY) == key), None)

    async def pages(self, op: Operation, page: Page) -> list[Json]:
        """Everything that a list has. `page` asks for what comes after some parameters."""
        found: list[Json] = []
        after: Json = {}
        while True:
            answer = await op.read(page(after))
            found += answer["data"]
            if not answer["has_more"]:
                return found
            after = {"starting_after": found[-1]["id"]}

    async def _invoices(self, op: Operation, customer_id: str, **filters: Any) -> list[Json]:
        def page(after: Json) -> Awaitable[Any]:
            params: Any = {"customer": customer_id, "limit": PAGE, **filters, **after}
            return self._v1.invoices.list_async(params)

        return await self.pages(op, page)

    async def _known(self, op: Operation, key: str) -> Json | None:
        """The customer of a key: among the latest, by the link of one that was adopted, else by Stripe's search, which
        knows only what is a while old."""
        since = int((op.at - SEARCH_LAG).timestamp())

        def page(after: Json) -> Awaitable[Any]:
            params: Any = {"created": {"gte": since}, "limit": PAGE, **after}
            return self._v1.customers.list_async(params)

        for each in await self.pages(op, page):
            if metadata_of(each).get(KEY) == key:
                return each
        try:
            link = await op.read(self._v1.products.retrieve_async(_link(key)))
            return await self.read(op, link["metadata"]["customer"])
        except NotFound:
            found = await self._search(op, f"metadata[{quoted(KEY)}]:{quoted(key)}")
            return found[0] if found else None

    async def _unclaimed(self, op: Operation, new: NewCustomer, key: str) -> Json | None:
        """The customer of nobody's that has this tax id. That it is the one is noted first: our key on it could not be
        looked up at once."""
        known = [each for each in await self._alike(op, new) if _has_tax_id(each, new)] if bare(new.tax_id) else []
        if len(known) > 1:
            raise Rejected("several customers have this tax id")
        if not known:
            return None
        link: Any = {
            "id": _link(key),
            "name": f"Customer of account {new.account}",
            "active": False,
            "metadata": {"customer": known[0]["id"], **claim(new, key)},
        }
        with suppress(AlreadyExists):
            await op.once(key, lambda keyed: self._v1.products.create_async(link, keyed), "link")
        return known[0]

    async def _adopted(self, op: Operation, customer_id: str, new: NewCustomer, key: str) -> Json:
        params: Any = {"metadata": claim(new, key)}
        update = self._v1.customers.update_async
        return await op.once(
            key, lambda keyed: update(customer_id, params, keyed), part_of("adopt", [customer_id, params])
        )

    async def _alike(self, op: Operation, new: NewCustomer) -> list[Json]:
        """Customers of nobody's, alike by e-mail domain or name: Stripe has no search by tax id."""
        terms = [f"name~{quoted(name)}" for name in [plain(new.name)] if len(name) >= 3]
        terms += [f"email~{quoted('@' + domain)}" for domain in [company_domain(new.email)] if domain]
        if not terms:
            return []
        found = await self._search(op, " OR ".join(terms), expand=["data.tax_ids"])
        return [each for each in found if not metadata_of(each).get(KEY)]

    async def _search(self, op: Operation, query: str, **more: Any) -> list[Json]:
        params: Any = {"query": query, "limit": PAGE, **more}
        found: list[Json] = (await op.read(self._v1.customers.search_async(params)))["data"]
        return found


def _link(key: str) -> str:
    return f"tenure_customer_{sha256(key.encode()).hexdigest()[:24]}"


def _held(record: Json) -> bool:
    return bool(metadata_of(record).get(HELD))


def _stands_for(record: Json, new: NewCustomer, key: str) -> bool:
    """Name and address are only how the first order described it."""
    metadata = metadata_of(record)
    return (metadata[KEY], metadata[ACCOUNT], metadata[ENTITY]) == (key, new.account, new.selling_entity)


def _currency(record: Json) -> str:
    """The one that it was made with; Stripe's own is that of its first invoice."""
    currency = metadata_of(record).get(CURRENCY) or record["currency"]
    if not currency:
        raise Rejected("the customer has no currency yet")
    return str(currency).upper()


def _open(records: list[Json], currency: str) -> Decimal:
    owed = [each["amount_remaining"] for each in records if each["currency"].upper() == currency]
    return major(sum(owed), currency)


def _paid_late(record: Json, days: Days) -> bool:
    paid, due = paid_on(record, days), due_on(record, days)
    return record["status"] == "paid" and paid is not None and due is not None and paid > due


def _has_tax_id(record: Json, new: NewCustomer) -> bool:
    wanted = bare(new.tax_id)
    return bool(wanted) and any(bare(each["value"]) == wanted for each in record["tax_ids"]["data"])


def _candidates(alike: list[Json], new: NewCustomer) -> Iterator[CustomerCandidate]:
    domain = company_domain(new.email)
    for each in alike:
        name = each["name"] or ""
        if domain and (each["email"] or "").lower().endswith(f"@{domain}"):
            yield CustomerCandidate(id=each["id"], name=name, alike="domain")
        elif plain(name) == plain(new.name):
            yield CustomerCandidate(id=each["id"], name=name, alike="name")
