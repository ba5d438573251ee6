"""The ERP's subscriptions, by idempotency keys. Customers are in erp_customers.py, invoices in erp_invoices.py."""

from datetime import date
from decimal import Decimal
from typing import Any

from pydantic import BaseModel, Field

from sandbox.api import Answer, Api, Call, not_found, refused
from sandbox.box import Box
from sandbox.erp_customers import creditworthy
from sandbox.store import Record

api = Api("erp")


class NewLine(BaseModel, extra="allow"):
    id: str = Field(min_length=1)
    product: str
    quantity: Decimal
    unit_price: Decimal | None = None


class NewSubscription(BaseModel, extra="allow"):
    contract: str = Field(min_length=1)
    customer: str
    currency: str
    starts: date | None = None
    ends: date | None = None
    lines: list[NewLine] = Field(min_length=1)


class Activation(BaseModel):
    on: date
    starts: date
    ends: date | None = None


class BillingStart(BaseModel):
    starts: date
    accepted_on: date


class Amendment(BaseModel):
    effective: date
    quantities: dict[str, Decimal] = Field(min_length=1)


class Renewal(BaseModel):
    term: int = Field(ge=2)
    starts: date
    ends: date


class Ending(BaseModel):
    ends: date
    reason: str


class Cancellation(BaseModel):
    reason: str


@api.operation("POST", "/subscriptions", keyed=True)
def create_subscription(box: Box, call: Call) -> Answer:
    new = NewSubscription.model_validate(call.fields())
    creditworthy(box, new.customer)
    subscription_id = box.new_id("sub")
    record = {"id": subscription_id, **new.model_dump(mode="json"), "status": "draft", "activated_on": None, "term": 1}
    for line in record["lines"]:
        line |= {"billing_starts": None, "accepted_on": None}
    return Answer(201, box.store.put("erp", "subscriptions", subscription_id, record))


@api.operation("GET", "/subscriptions/{subscription}")
def read_subscription(box: Box, call: Call) -> dict[str, Any]:
    return subscription_of(box, call)


@api.operation("GET", "/subscriptions/{subscription}/state")
def subscription_state(box: Box, call: Call) -> dict[str, Any]:
    """What the customer may use today, what is billed, and how far the revenue that acceptance triggered has come."""
    subscription, today = subscription_of(box, call), box.clock.today().isoformat()
    starts, ends = subscription["starts"], subscription["ends"]
    runs = starts is not None and starts <= today and (ends is None or today < ends)
    lines = [
        {
            "line": line["id"],
            "quantity": line["quantity"],
            "billed_from": line["billing_starts"],
            "accepted_on": line.get("accepted_on"),
            "revenue": _revenue(line, ends, today),
        }
        for line in subscription["lines"]
    ]
    said = {name: subscription[name] for name in ("id", "status", "starts", "ends")}
    return {**said, "entitled": runs and subscription["status"] in ("active", "ended"), "lines": lines}


@api.operation("POST", "/subscriptions/{subscription}/activate", keyed=True)
def activate_order(box: Box, call: Call) -> Answer:
    asked, subscription = Activation.model_validate(call.fields()), subscription_of(box, call)
    if subscription["status"] != "draft":
        raise refused(f"the subscription is {subscription['status']}", 409)
    creditworthy(box, subscription["customer"])
    dates = asked.model_dump(mode="json", include={"starts", "ends"})
    _change(box, subscription, status="active", activated_on=asked.on.isoformat(), **dates)
    return _log(box, "activations", "act", subscription, asked)


@api.operation("POST", "/subscriptions/{subscription}/lines/{line:path}/billing", keyed=True)
def start_billing(box: Box, call: Call) -> Answer:
    asked, subscription = BillingStart.model_validate(call.fields()), _active(box, call)
    line = call.params["line"]
    if line not in {known["id"] for known in subscription["lines"]}:
        raise refused("the subscription has no such line")
    started = {"billing_starts": asked.starts.isoformat(), "accepted_on": asked.accepted_on.isoformat()}
    lines = [{**known, **started} if known["id"] == line else known for known in subscription["lines"]]
    _change(box, subscription, lines=lines)
    return _log(box, "billing_starts", "bil", subscription, asked, line=line)


@api.operation("POST", "/subscriptions/{subscription}/amend", keyed=True)
def amend_subscription(box: Box, call: Call) -> Answer:
    """Quantities are targets, by line id."""
    asked, subscription = Amendment.model_validate(call.fields()), _active(box, call)
    unknown = set(asked.quantities) - {known["id"] for known in subscription["lines"]}
    if unknown:
        raise refused("the subscription has no such line")
    lines = [
        {**known, "quantity": str(asked.quantities.get(known["id"], known["quantity"]))}
        for known in subscription["lines"]
    ]
    _change(box, subscription, lines=lines)
    return _log(box, "amendments", "amd", subscription, asked)


@api.operation("POST", "/subscriptions/{subscription}/renew", keyed=True)
def renew_subscription(box: Box, call: Call) -> Answer:
    asked, subscription = Renewal.model_validate(call.fields()), _active(box, call)
    if asked.ends <= asked.starts:
        raise refused("a term must end after its start")
    _change(box, subscription, term=asked.term, ends=asked.ends.isoformat())
    return _log(box, "renewals", "ren", subscription, asked)


@api.operation("POST", "/subscriptions/{subscription}/end", keyed=True)
def end_subscription(box: Box, call: Call) -> Answer:
    asked, subscription = Ending.model_validate(call.fields()), _active(box, call)
    _change(box, subscription, status="ended", ends=asked.ends.isoformat())
    return _log(box, "endings", "end", subscription, asked)


@api.operation("POST", "/subscriptions/{subscription}/cancel", keyed=True)
def cancel_subscription(box: Box, call: Call) -> Answer:
    """Also of a draft: what was never active can be cancelled."""
    asked, subscription = Cancellation.model_validate(call.fields()), subscription_of(box, call)
    if subscription["status"] in ("ended", "cancelled"):
        raise refused(f"the subscription is {subscription['status']}", 409)
    _change(box, subscription, status="cancelled")
    return _log(box, "cancellations", "can", subscription, asked)


def subscription_of(box: Box, call: Call) -> Record:
    subscription = box.store.get("erp", "subscriptions", call.params["subscription"])
    if subscription is None:
        raise not_found("subscription", call.params["subscription"])
    return subscription


def _active(box: Box, call: Call) -> Record:
    subscription = subscription_of(box, call)
    if subscription["status"] != "active":
        raise refused(f"the subscription is {subscription['status']}, not active")
    return subscription


def _revenue(line: Record, ends: str | None, today: str) -> str:
    accepted = line.get("accepted_on")
    if accepted is None:
        return "none"
    if today < accepted:
        return "scheduled"
    delivered = line.get("charge") == "one_time" or (ends is not None and ends <= today)
    return "complete" if delivered else "running"


def _change(box: Box, subscription: Record, **changes: Any) -> None:
    box.store.put("erp", "subscriptions", subscription["id"], {**subscription, **changes})


def _log(box: Box, kind: str, prefix: str, subscription: Record, asked: BaseModel, **more: str) -> Answer:
    """Each thing that was done is a record of its own, so that doing it twice shows."""
    record_id = box.new_id(prefix)
    record = {
        "id": record_id,
        "subscription": subscription["id"],
        "contract": subscription["contract"],
        **more,
        **asked.model_dump(mode="json"),
    }
    return Answer(201, box.store.put("erp", kind, record_id, record))
