"""The ERP's subscriptions from the order to the first bill, by idempotency keys. Later changes: erp_changes.py."""

from datetime import date
from decimal import Decimal
from typing import Any

from pydantic import BaseModel, Field

from sandbox.api import Answer, Api, Call, not_found, refused
from sandbox.box import Box
from sandbox.erp_books import books_open
from sandbox.erp_customers import creditworthy
from sandbox.store import Record

api = Api("erp")


class NewLine(BaseModel, extra="allow"):
    id: str = Field(min_length=1)
    product: str
    quantity: Decimal
    unit_price: Decimal | None = None
    starts: date | None = None
    ends: date | None = None


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
    purchase_order: str | None = None


@api.operation("POST", "/subscriptions", keyed=True)
def create_subscription(box: Box, call: Call) -> Answer:
    new = NewSubscription.model_validate(call.fields())
    creditworthy(box, new.customer)
    subscription_id = box.new_id("sub")
    record = {"id": subscription_id, **new.model_dump(mode="json"), "status": "draft", "activated_on": None, "term": 1}
    record["lines"] = [sold(line) for line in new.lines]
    return Answer(201, box.store.put("erp", "subscriptions", subscription_id, record))


@api.operation("GET", "/subscriptions/{subscription}")
def read_subscription(box: Box, call: Call) -> dict[str, Any]:
    return subscription_of(box, call)


@api.operation("GET", "/subscriptions/{subscription}/state")
def subscription_state(box: Box, call: Call) -> dict[str, Any]:
    """What the customer may use today, what is billed and at what price, and how far the revenue that acceptance
    triggered has come. `amount` is net, for one billing period of the line; of usage it says nothing."""
    subscription, today = subscription_of(box, call), box.clock.today().isoformat()
    starts, ends = subscription["starts"], subscription["ends"]
    runs = starts is not None and starts <= today and (ends is None or today < ends)
    lines = [
        {
            "line": line["id"],
            "quantity": line["quantity"],
            "billed_from": line["billing_starts"],
            "accepted_on": line.get("accepted_on"),
            "starts": line.get("starts"),
            "ends": line.get("ends"),
            "revenue": _revenue(line, line.get("ends") or ends, today),
            "charge": line.get("charge", "recurring"),
            "frequency": line.get("frequency", "annual"),
            "amount": _amount(line),
            "quantity_since": line.get("quantity_since"),
        }
        for line in subscription["lines"]
    ]
    said = {name: subscription[name] for name in ("id", "status", "starts", "ends", "currency")}
    return {**said, "entitled": runs and subscription["status"] in ("active", "ended"), "lines": lines}


@api.operation("POST", "/subscriptions/{subscription}/activate", keyed=True)
def activate_order(box: Box, call: Call) -> Answer:
    asked, subscription = Activation.model_validate(call.fields()), subscription_of(box, call)
    if subscription["status"] != "draft":
        raise refused(f"the subscription is {subscription['status']}", 409)
    creditworthy(box, subscription["customer"])
    dates = asked.model_dump(mode="json", include={"starts", "ends"})
    change(box, subscription, status="active", activated_on=asked.on.isoformat(), **dates)
    return log(box, "activations", "act", subscription, asked)


@api.operation("POST", "/subscriptions/{subscription}/lines/{line:path}/billing", keyed=True)
def start_billing(box: Box, call: Call) -> Answer:
    asked, subscription = BillingStart.model_validate(call.fields()), active(box, call)
    line = call.params["line"]
    [found] = [known for known in subscription["lines"] if known["id"] == line] or [None]
    if found is None:
        raise refused("the subscription has no such line")
    starts, ends = found.get("starts"), found.get("ends") or subscription["ends"]
    if (starts and asked.starts < date.fromisoformat(starts)) or (ends and asked.starts >= date.fromisoformat(ends)):
        raise refused(f"the line runs from {starts or subscription['starts']} until {ends or 'it is ended'}")
    books_open(box, asked.starts, asked.accepted_on)
    started = {"billing_starts": asked.starts.isoformat(), "accepted_on": asked.accepted_on.isoformat()}
    lines = [{**known, **started} if known["id"] == line else known for known in subscription["lines"]]
    change(box, subscription, lines=lines, **named(asked.purchase_order))
    return log(box, "billing_starts", "bil", subscription, asked, line=line)


def named(purchase_order: str | None) -> Record:
    """The customer's purchase order that what is billed from now on names, where another one is told."""
    return {"purchase_order": purchase_order} if purchase_order else {}


def sold(line: NewLine) -> Record:
    """A line as it is kept: nothing of it is billed."""
    return {**line.model_dump(mode="json"), "billing_starts": None, "accepted_on": None}


def subscription_of(box: Box, call: Call) -> Record:
    subscription = box.store.get("erp", "subscriptions", call.params["subscription"])
    if subscription is None:
        raise not_found("subscription", call.params["subscription"])
    return subscription


def active(box: Box, call: Call) -> Record:
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


def _amount(line: Record) -> str | None:
    if line.get("unit_price") is None or line.get("charge") == "usage":
        return None
    return str((Decimal(line["quantity"]) * Decimal(line["unit_price"])).quantize(Decimal("0.01")))


def change(box: Box, subscription: Record, **changes: Any) -> None:
    """Told to others when status or end are other than before."""
    after = {**subscription, **changes}
    if (after["status"], after["ends"]) != (subscription["status"], subscription["ends"]):
        after["version"] = subscription.get("version", 0) + 1
        event_id = box.event_id("erp", "subscriptions", after["id"], after["version"])
        box.emit(event_id, "erp", "subscription.changed", after["id"], _told(after))
    box.store.put("erp", "subscriptions", after["id"], after)


def _told(subscription: Record) -> Record:
    said = {name: subscription[name] for name in ("contract", "status", "ends", "version")}
    return {"subscription": subscription["id"], "entitled": subscription["status"] in ("active", "ended"), **said}


def log(box: Box, kind: str, prefix: str, subscription: Record, asked: BaseModel, **more: str) -> Answer:
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
