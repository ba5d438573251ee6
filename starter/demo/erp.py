"""What the demo's people do in the ERP, and what the ERP itself holds in the end: in the sandbox's, or in Tryton."""

import asyncio
import uuid
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, LiteralString, Protocol

from starter.demo.box import Box, Customer
from starter.erp.client import TrytonClient
from starter.erp.specs import Ground
from starter.local_erp import DATABASE, PASSWORD, TRYTON, USER
from starter.sections import Secret
from starter.settings import Settings

Proof = dict[str, tuple[int, int]]


@dataclass(frozen=True)
class Late:
    """An overdue invoice; `told` for people."""

    id: str
    told: str


class ErpSide(Protocol):
    """The ERP, seen by those who work in it."""

    name: str
    url: str

    async def bill_late(self, contract: str) -> Late:
        """An invoice is posted whose due date has passed."""
        ...

    async def pay(self, invoice: str) -> None: ...

    async def seats(self, contract: str, product: str) -> str | None:
        """How many the ERP bills from now on."""
        ...

    async def renewed_until(self, contract: str) -> date | None:
        """The end of the second term; None as long as there is only one."""
        ...

    async def holdings(self, customer: Customer, contract: str) -> Proof:
        """What there must be, and what there is."""
        ...


def erp_side(settings: Settings, box: Box) -> ErpSide:
    """The ERP that new orders of this stack go to."""
    return TrytonSide(settings) if settings.erp.system == TRYTON else SandboxSide(box, settings)


class SandboxSide:
    """The company in a box."""

    name = "ERP"

    def __init__(self, box: Box, settings: Settings) -> None:
        self._box = box
        self.url = f"{settings.sandbox_url}/admin/state"

    async def bill_late(self, contract: str) -> Late:
        [subscription] = await self._of("subscriptions", contract)
        past = (datetime.now(UTC) - timedelta(days=2)).date().isoformat()
        fields = {"customer": subscription["customer"], "subscription": subscription["id"], "amount": "60000"}
        invoice = await self._box.do("POST", "/erp/invoices", {**fields, "due_on": past})
        return Late(str(invoice["id"]), f"invoice {invoice['id']} over 60000, due {past}")

    async def pay(self, invoice: str) -> None:
        await self._box.do("POST", f"/erp/invoices/{invoice}/pay", {})

    async def seats(self, contract: str, product: str) -> str | None:
        [subscription] = await self._of("subscriptions", contract)
        return next((line["quantity"] for line in subscription["lines"] if line["product"] == product), None)

    async def renewed_until(self, contract: str) -> date | None:
        renewals = await self._of("renewals", contract)
        return date.fromisoformat(renewals[0]["ends"]) if renewals else None

    async def holdings(self, customer: Customer, contract: str) -> Proof:
        of_account = await self._box.records("erp", "customers", lambda one: one.get("account") == customer.account)
        proof = {"customers (ERP)": (1, len(of_account))}
        for kind in ("subscriptions", "activations", "amendments", "renewals"):
            proof[f"{kind} (ERP)"] = (1, len(await self._of(kind, contract)))
        starts = await self._of("billing_starts", contract)
        for subscription in (await self._of("subscriptions", contract))[:1]:
            for line in subscription["lines"]:
                found = sum(start["line"] == line["id"] for start in starts)
                proof[f"billing starts of {line['product']} (ERP)"] = (1, found)
        return proof

    async def _of(self, kind: str, contract: str) -> list[dict[str, Any]]:
        return await self._box.records("erp", kind, lambda record: record.get("contract") == contract)


class TrytonSide:
    """Tryton: its people act through its API, and the truth is read from its own tables."""

    name = "Tryton"

    def __init__(self, settings: Settings) -> None:
        ground = Ground(settings)
        self.url = ground.serving.url
        self._cluster = ground.cluster
        password = settings.read_secret(Secret(generated=PASSWORD), f"connections.{TRYTON}.password")
        self._client = TrytonClient(self.url, DATABASE, USER, password)

    async def bill_late(self, contract: str) -> Late:
        """What is due of the subscription is billed, and posted under a date so old that Net 30 has passed."""
        today = datetime.now(UTC).date()
        [(subscription,)] = self._sql("SELECT id FROM sale_subscription WHERE tenure_contract = %s", contract)
        billed = await self._do("bill", {"subscription": str(subscription), "until": today.isoformat()})
        [invoice] = billed["invoices"]
        on = (today - timedelta(days=45)).isoformat()
        posted = await self._do("post_invoice", {"invoice": invoice, "on": on})
        amount = f"{posted['total']} {posted['currency']}"
        return Late(invoice, f"Tryton posted invoice {posted['number']} over {amount}, due {posted['due_on']}")

    async def pay(self, invoice: str) -> None:
        [(amount,)] = self._sql(OPEN_AMOUNT, int(invoice))
        on = datetime.now(UTC).date().isoformat()
        await self._do("register_payment", {"invoice": invoice, "amount": str(amount), "on": on})

    async def seats(self, contract: str, product: str) -> str | None:
        found = self._sql(QUANTITY, contract, product)
        return found[0][0] if found else None

    async def renewed_until(self, contract: str) -> date | None:
        found = self._sql(SECOND_TERM, contract)
        return found[0][0] if found else None

    async def holdings(self, customer: Customer, contract: str) -> Proof:
        proof = {"customers (Tryton)": (1, int(self._sql(CUSTOMERS, customer.account)[0][0]))}
        for what, statement in OF_CONTRACT.items():
            proof[f"{what} (Tryton)"] = (1, int(self._sql(statement, contract)[0][0] or 0))
        for product, found in self._sql(BILLING_STARTS, contract):
            proof[f"billing starts of {product} (Tryton)"] = (1, found)
        return proof

    async def _do(self, operation: str, arguments: dict[str, Any]) -> dict[str, Any]:
        """By hand, so to say: under a key that no lifecycle has."""
        return await asyncio.to_thread(self._client.perform, operation, arguments, key=f"demo:{uuid.uuid4()}")

    def _sql(self, statement: LiteralString, *values: Any) -> list[tuple[Any, ...]]:
        return self._cluster.execute(statement, *values, database=DATABASE)


CUSTOMERS = "SELECT count(DISTINCT party) FROM tenure_reference WHERE account = %s"
SECOND_TERM = "SELECT tenure_ends FROM sale_subscription WHERE tenure_contract = %s AND tenure_term = 2"
OPEN_AMOUNT = """
    SELECT sum(line.debit - line.credit) FROM account_move_line line JOIN account_invoice invoice USING (move)
    WHERE invoice.id = %s AND line.account = invoice.account AND line.reconciliation IS NULL
"""
QUANTITY = """
    SELECT trim_scale(coalesce(changed.quantity, line.quantity)::numeric)::text
    FROM sale_subscription_line line
    JOIN sale_subscription subscription ON subscription.id = line.subscription
    JOIN sale_subscription_service service ON service.id = line.service
    JOIN product_product product ON product.id = service.product
    LEFT JOIN LATERAL (
        SELECT quantity FROM tenure_subscription_quantity WHERE tenure_subscription_quantity.line = line.id
        ORDER BY effective DESC, id DESC LIMIT 1
    ) changed ON true
    WHERE subscription.tenure_contract = %s AND product.code = %s
"""
BILLING_STARTS = """
    SELECT product.code, count(line.tenure_billed_from)
    FROM sale_subscription_line line
    JOIN sale_subscription subscription ON subscription.id = line.subscription
    JOIN sale_subscription_service service ON service.id = line.service
    JOIN product_product product ON product.id = service.product
    WHERE subscription.tenure_contract = %s GROUP BY 1 ORDER BY 1
"""
OF_CONTRACT: dict[str, LiteralString] = {
    "subscriptions": "SELECT count(*) FROM sale_subscription WHERE tenure_contract = %s",
    "activations": "SELECT count(tenure_activated_on) FROM sale_subscription WHERE tenure_contract = %s",
    "amendments": """
        SELECT count(*) FROM tenure_subscription_quantity changed
        JOIN sale_subscription_line line ON line.id = changed.line
        JOIN sale_subscription subscription ON subscription.id = line.subscription
        WHERE subscription.tenure_contract = %s AND changed.effective > '0001-01-01'
    """,
    "renewals": "SELECT sum(tenure_term - 1) FROM sale_subscription WHERE tenure_contract = %s",
    "paid invoices": """
        SELECT count(DISTINCT invoice.id) FROM account_invoice invoice
        JOIN account_invoice_line item ON item.invoice = invoice.id
        JOIN sale_subscription_line line ON item.origin = 'sale.subscription.line,' || line.id
        JOIN sale_subscription subscription ON subscription.id = line.subscription
        WHERE subscription.tenure_contract = %s AND invoice.state = 'paid'
    """,
}
