"""The ERP's invoices: posting, paying and reminding send webhooks; a customer's history counts the last year."""

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from pydantic import BaseModel, Field

from sandbox.api import Answer, Api, Call, Problem, not_found, refused
from sandbox.box import Box
from sandbox.erp_customers import customer_of
from sandbox.store import Record

api = Api("erp")

MOST = 1000
_TOLD = ("subscription", "customer", "amount", "currency", "due_on", "version")


class NewInvoice(BaseModel):
    customer: str
    subscription: str
    amount: Decimal = Field(ge=0)
    currency: str | None = None
    due_on: date


class Payment(BaseModel):
    paid_on: date | None = None


@api.operation("POST", "/invoices")
def post_invoice(box: Box, call: Call) -> Answer:
    new = NewInvoice.model_validate(call.fields())
    customer = box.store.get("erp", "customers", new.customer)
    subscription = box.store.get("erp", "subscriptions", new.subscription)
    if customer is None or subscription is None:
        raise refused("no such customer or subscription")
    invoice_id = box.new_id("inv")
    invoice = {
        "id": invoice_id,
        "number": invoice_id.replace("inv_", "R-"),
        "contract": subscription["contract"],
        "issued_on": box.clock.today().isoformat(),
        **new.model_dump(mode="json"),
        "currency": new.currency or customer["currency"],
        "paid_on": None,
        "version": 0,
    }
    return Answer(201, _save(box, invoice, "posted"))


@api.operation("GET", "/invoices/{invoice}")
def read_invoice(box: Box, call: Call) -> dict[str, Any]:
    return _invoice(box, call)


@api.operation("POST", "/invoices/{invoice}/pay")
def pay_invoice(box: Box, call: Call) -> dict[str, Any]:
    payment, invoice = Payment.model_validate(call.body or {}), _invoice(box, call)
    if invoice["paid_on"] is not None:
        raise refused("the invoice is paid", 409)
    return _save(box, {**invoice, "paid_on": (payment.paid_on or box.clock.today()).isoformat()}, "paid")


@api.operation("POST", "/invoices/{invoice}/remind")
def remind_invoice(box: Box, call: Call) -> dict[str, Any]:
    """Sends the overdue webhook. The box never does so by itself."""
    invoice = _invoice(box, call)
    if not _is_overdue(invoice, box.clock.today()):
        raise refused("the invoice is not overdue", 409)
    return _save(box, invoice, "overdue")


@api.operation("GET", "/customers/{customer}/history")
def billing_history(box: Box, call: Call) -> dict[str, Any]:
    """Invoices that were due in the last 365 days or are yet to be; overdue ones of any age."""
    customer = customer_of(box, call)
    today = box.clock.today()
    since = (today - timedelta(days=365)).isoformat()
    invoices = _of(box, customer)
    recent = [invoice for invoice in invoices if invoice["due_on"] >= since]
    overdue = [invoice for invoice in invoices if _is_overdue(invoice, today)]
    return {
        "customer": customer["id"],
        "invoices": len(recent),
        "paid_late": sum(1 for invoice in recent if invoice["paid_on"] and invoice["paid_on"] > invoice["due_on"]),
        "overdue": len(overdue),
        "overdue_amount": _sum(overdue),
        "currency": customer["currency"],
    }


@api.operation("GET", "/customers/{customer}/balance")
def balance(box: Box, call: Call) -> dict[str, Any]:
    customer, today = customer_of(box, call), box.clock.today()
    unpaid = [invoice for invoice in _of(box, customer) if invoice["paid_on"] is None]
    overdue = [invoice for invoice in unpaid if _is_overdue(invoice, today)]
    return {"currency": customer["currency"], "open_amount": _sum(unpaid), "overdue_amount": _sum(overdue)}


@api.operation("GET", "/customers/{customer}/invoices")
def invoices(box: Box, call: Call) -> dict[str, Any]:
    """A page of at most `limit`, oldest first, `after` an invoice. `next` is null at the end."""
    found, limit = _of(box, customer_of(box, call)), call.query.get("limit", "100")
    if not limit.isdecimal() or not 1 <= int(limit) <= MOST:
        raise Problem(400, "malformed", f"limit must be a number from 1 to {MOST}")
    begin = 0
    if after := call.query.get("after"):
        begin = next((n for n, invoice in enumerate(found, 1) if invoice["id"] == after), -1)
    if begin < 0:
        raise Problem(400, "malformed", "after must be what an answer gave as next")
    page, rest = found[begin : begin + int(limit)], found[begin + int(limit) :]
    return {"invoices": page, "next": page[-1]["id"] if rest else None}


def _of(box: Box, customer: Record) -> list[Record]:
    return [invoice for invoice in box.store.all("erp", "invoices") if invoice["customer"] == customer["id"]]


def _sum(invoices: list[Record]) -> str:
    return str(sum((Decimal(invoice["amount"]) for invoice in invoices), Decimal(0)))


def _invoice(box: Box, call: Call) -> Record:
    invoice = box.store.get("erp", "invoices", call.params["invoice"])
    if invoice is None:
        raise not_found("invoice", call.params["invoice"])
    return invoice


def _is_overdue(invoice: Record, today: date) -> bool:
    return invoice["paid_on"] is None and invoice["due_on"] < today.isoformat()


def _save(box: Box, invoice: Record, happened: str) -> Record:
    saved = {**invoice, "version": invoice["version"] + 1}
    data = {"invoice": saved["id"], **{name: saved[name] for name in _TOLD}}
    if saved["paid_on"] is not None:
        data["paid_on"] = saved["paid_on"]
    event_id = box.event_id("erp", "invoices", saved["id"], saved["version"])
    box.emit(event_id, "erp", f"invoice.{happened}", saved["id"], data)
    return box.store.put("erp", "invoices", saved["id"], saved)
