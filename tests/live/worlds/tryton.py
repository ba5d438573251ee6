"""The live Tryton as a kit's world: disturbed by a proxy, seen by SQL in its own tables."""

import base64
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any, LiteralString
from uuid import uuid4
from zoneinfo import ZoneInfo

import httpx

from adapters.erp.tryton import TrytonErp
from adapters.tryton import TrytonLogin, TrytonRpc
from domain.effects import EffectClass, Guarantee
from domain.order import Address
from domain.ports import NewCustomer
from tests.kits.samples import ErpSample
from tests.kits.world import Disturbance
from tests.live.tryton import Tryton
from tests.live.worlds.proxy import Proxy

KEY = EffectClass(guarantee=Guarantee.KEY, deadline=timedelta(seconds=30))
SAMPLE = ErpSample(
    selling_entity="ACME-DE", other_entity="ACME-US", recurring="PLATFORM", one_time="ONBOARDING", unknown="999999-1"
)
ZONE = ZoneInfo("Europe/Berlin")

# how many effects of an operation stand, in Tryton's tables and not in the ledger of keys
COUNTS: Mapping[str, LiteralString] = {
    "create_customer": "SELECT count(*) FROM party_party",
    "create_subscription": "SELECT count(*) FROM sale_subscription",
    "activate_order": "SELECT count(*) FROM sale_subscription WHERE tenure_activated_on IS NOT NULL",
    "start_billing": "SELECT count(*) FROM sale_subscription_line WHERE tenure_billed_from IS NOT NULL",
    "amend_subscription": "SELECT count(*) FROM tenure_subscription_quantity WHERE effective > '1900-01-01'",
    "change_term": "SELECT count(*) FROM sale_subscription WHERE tenure_reason = 'co-term'",
    "renew_subscription": "SELECT count(*) FROM sale_subscription WHERE tenure_term > 1",
    "end_subscription": "SELECT count(*) FROM sale_subscription WHERE tenure_ended",
    "cancel_subscription": "SELECT count(*) FROM sale_subscription WHERE state = 'cancelled'",
}


class TrytonWorld:
    """`port` speaks through `proxy`; `perform` and `admin` go straight to the server."""

    def __init__(self, tryton: Tryton) -> None:
        self.tryton, self.sample, self.proxy = tryton, SAMPLE, Proxy()
        client = self.client = httpx.AsyncClient(transport=self.proxy, base_url=tryton.url, timeout=30)
        self._straight = httpx.AsyncClient(base_url=tryton.url, timeout=60, trust_env=False)
        database = tryton.database
        self.port = TrytonErp(client, database=database, user=tryton.user, password=tryton.password)
        # a name of its own: Tryton answers later and later to a name whose password was wrong
        self.stranger = TrytonErp(client, database=database, user=f"nobody-{uuid4()}", password="wrong")
        operations = ("create_customer", "bill", "post_invoice", "register_payment", "credit_invoice")
        login = TrytonLogin(database, tryton.user, tryton.password)
        self._own = TrytonRpc(self._straight, "erp", login, dict.fromkeys(operations, KEY))
        self._session: str | None = None
        self._closed: int | None = None

    async def disturb(self, operation: str, how: Disturbance) -> None:
        self.proxy.disturb(operation, how)

    async def use_a_key(self) -> None:
        """One that was used for something else, once in a database: what is sent with it is refused."""
        used = self.proxy.used_key
        if not self.tryton.sql("SELECT 1 FROM tenure_request WHERE key = %s", used):
            await self.perform("create_customer", self.sample.customer().model_dump(mode="json"), used)

    async def heal(self) -> None:
        self.proxy.heal()

    async def count(self, operation: str) -> int:
        [(count,)] = self.tryton.sql(COUNTS[operation])
        return int(count)

    async def calls(self, operation: str) -> int:
        return self.proxy.calls[operation]

    async def value(self, operation: str, record: str) -> Mapping[str, object]:
        party, company = (int(part) for part in record.split("-"))
        if operation == "set_credit_hold":
            [(held, reason)] = self.tryton.sql(
                "SELECT held, reason FROM tenure_credit_hold WHERE party = %s AND company = %s", party, company
            ) or [(None, None)]
            return {"held": held, "reason": reason}
        return self._customer(party, company)

    def _customer(self, party: int, company: int) -> Mapping[str, object]:
        [(name, parent)] = self.tryton.sql(
            "SELECT p.name, r.account FROM party_party p"
            " LEFT JOIN tenure_reference r ON r.party = p.tenure_parent AND r.company = %s WHERE p.id = %s",
            company,
            party,
        )
        [(email,)] = self.tryton.sql(
            "SELECT value FROM party_contact_mechanism WHERE party = %s AND type = 'email'", party
        ) or [(None,)]
        [(code,)] = self.tryton.sql("SELECT code FROM party_identifier WHERE party = %s", party) or [(None,)]
        return {
            "name": name,
            "parent_account": parent,
            "email": email,
            "tax_id": code,
            "billing_address": self._address(party, "invoice"),
            "shipping_address": self._address(party, "delivery"),
        }

    def _address(self, party: int, use: str) -> Address:
        [(street, city, postal_code, country)] = self.tryton.sql(
            "SELECT coalesce(a.street_unstructured, a.street_name), a.city, a.postal_code, c.code FROM party_address a"
            " JOIN country_country c ON c.id = a.country WHERE a.party = %s"
            " AND CASE WHEN %s = 'invoice' THEN a.invoice ELSE a.delivery END",
            party,
            use,
        )
        return Address(street=street, city=city, postal_code=postal_code, country=country)

    async def today(self) -> date:
        return datetime.now(ZONE).date()

    async def put_customer(self, new: NewCustomer) -> str:
        [country] = self.tryton.sql("SELECT id FROM country_country WHERE code = %s", new.billing_address.country)
        address = {"street": new.billing_address.street, "city": new.billing_address.city, "country": country[0]}
        values: dict[str, Any] = {"name": new.name, "addresses": [["create", [address]]]}
        if new.tax_id is not None:
            values["identifiers"] = [["create", [{"type": "eu_vat", "code": new.tax_id}]]]
        if new.email is not None:
            values["contact_mechanisms"] = [["create", [{"type": "email", "value": new.email}]]]
        [party] = await self.admin("model.party.party.create", [values], {})
        [(company,)] = self.tryton.sql("SELECT id FROM company_company WHERE tenure_code = %s", new.selling_entity)
        return f"{party}-{company}"

    async def close_books(self) -> tuple[date, date]:
        """Accounting closes last month."""
        opens = (await self.today()).replace(day=1)
        [(self._closed,)] = self.tryton.sql(
            "SELECT p.id FROM account_period p JOIN account_fiscalyear f ON f.id = p.fiscalyear"
            " JOIN company_company c ON c.id = f.company"
            " WHERE c.tenure_code = %s AND p.type = 'standard' AND p.end_date = %s",
            self.sample.selling_entity,
            opens - timedelta(days=1),
        )
        await self.admin("model.account.period.close", [self._closed], {})
        return opens - timedelta(days=1), opens

    async def invoice(self, customer: str, subscription: str, *, overdue: bool = False) -> str:
        """A posted invoice of one line, made by hand: the subscription's own are one for each period."""
        party, company = (int(part) for part in customer.split("-"))
        [(address,)] = self.tryton.sql("SELECT id FROM party_address WHERE party = %s ORDER BY id LIMIT 1", party)
        [(journal,)] = self.tryton.sql("SELECT id FROM account_journal WHERE type = 'revenue' ORDER BY id LIMIT 1")
        [(term,)] = self.tryton.sql("SELECT id FROM account_invoice_payment_term WHERE name = 'Net 30'")
        [(currency,)] = self.tryton.sql("SELECT currency FROM company_company WHERE id = %s", company)
        receivable, revenue = (self._account(company, kind) for kind in ("receivable", "revenue"))
        line = {
            "type": "line", "company": company, "currency": currency, "account": revenue, "quantity": 1.0,
            "unit_price": _decimal(Decimal("119.00")), "description": "by hand",
        }  # fmt: skip
        values = {
            "type": "out", "company": company, "party": party, "invoice_address": address, "currency": currency,
            "account": receivable, "journal": journal, "payment_term": term, "invoice_date": _day(await self.today()),
            "lines": [["create", [line]]],
        }  # fmt: skip
        context = {"company": company}
        [made] = await self.admin("model.account.invoice.create", [values], context)
        await self.admin("model.account.invoice.post", [made], context)
        if overdue:
            await self.let_be_due(str(made), await self.today() - timedelta(days=20))
        return str(made)

    async def let_be_due(self, invoice: str, day: date) -> None:
        """Accounting moves the last day to pay of a posted invoice."""
        found = self.tryton.sql(
            "SELECT l.id, i.company FROM account_move_line l JOIN account_invoice i ON i.move = l.move"
            " WHERE i.id = %s AND l.account = i.account",
            int(invoice),
        )
        lines, context = [line for line, _ in found], {"company": found[0][1]}
        await self.admin("model.account.move.line.write", lines, {"maturity_date": _day(day)}, context)

    async def forget(self) -> None:
        """The scheduler's nightly run: what is old is forgotten."""
        [(cron,)] = self.tryton.sql("SELECT id FROM ir_cron WHERE method = 'tenure.outbox|prune'")
        await self.admin("model.ir.cron.run_once", [cron], {})

    async def pay(self, invoice: str) -> None:
        [(total,)] = self.tryton.sql("SELECT total_amount_cache FROM account_invoice WHERE id = %s", int(invoice))
        payment = {"invoice": invoice, "amount": str(total), "on": (await self.today()).isoformat()}
        await self.perform("register_payment", payment, f"payment:{invoice}:{uuid4()}")

    async def perform(self, operation: str, arguments: dict[str, Any], key: str) -> dict[str, Any]:
        """An operation of the module, as Tenure's user, past the proxy."""
        return await self._own.perform(operation, arguments, key=key)

    async def admin(self, method: str, *params: Any) -> Any:
        """What somebody in accounting does in Tryton's own client."""
        if self._session is None:
            login = await self._call("common.db.login", self.tryton.admin, {"password": self.tryton.admin_password})
            given = f"{self.tryton.admin}:{login[0]}:{login[1]}"
            self._session = f"Session {base64.b64encode(given.encode()).decode()}"
        return await self._call(method, *params)

    async def _call(self, method: str, *params: Any) -> Any:
        headers = {} if self._session is None else {"authorization": self._session}
        body = {"id": 1, "method": method, "params": params}
        answer = await self._straight.post(f"/{self.tryton.database}/rpc/", json=body, headers=headers)
        told = answer.raise_for_status().json()
        assert "error" not in told, told["error"]
        return told["result"]

    def _account(self, company: int, kind: LiteralString) -> int:
        found = self.tryton.sql(
            "SELECT a.id FROM account_account a JOIN account_account_type t ON t.id = a.type WHERE a.company = %s"
            " AND CASE WHEN %s = 'receivable' THEN t.receivable ELSE t.revenue END"
            " AND NOT coalesce(a.closed, false) ORDER BY a.id",
            company,
            kind,
        )
        return int(found[0][0])

    async def close(self) -> None:
        if self._closed is not None:  # the database is not this test's alone
            await self.admin("model.account.period.reopen", [self._closed], {})
        await self.client.aclose()
        await self._straight.aclose()


@asynccontextmanager
async def tryton_world(tryton: Tryton) -> AsyncIterator[TrytonWorld]:
    world = TrytonWorld(tryton)
    try:
        await world.use_a_key()
        yield world
    finally:
        await world.close()


def _day(day: date) -> dict[str, object]:
    return {"__class__": "date", "year": day.year, "month": day.month, "day": day.day}


def _decimal(amount: Decimal) -> dict[str, str]:
    return {"__class__": "Decimal", "decimal": str(amount)}
