"""The paths that the adapter uses, each with Stripe's parameters for it, what it answers with, and what it does."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any

import stripe
import stripe.params as p

from tests.stripe.shop import Record, Refused, Shop, cents
from tests.stripe.typed import blank

Handler = Callable[..., Any]


@dataclass(frozen=True)
class Route:
    """`answers`: the library's class of the resource, or of each one in a list."""

    method: str
    pattern: str
    params: type
    answers: Any
    handler: Handler

    @property
    def resource(self) -> str:
        return self.pattern.split("/")[2]

    @property
    def name(self) -> str:
        return f"{self.method} {self.pattern}"


ROUTES: list[Route] = []


def route(method: str, pattern: str, params: type, answers: Any) -> Callable[[Handler], Handler]:
    def add(handler: Handler) -> Handler:
        ROUTES.append(Route(method, pattern, params, answers, handler))
        return handler

    return add


def _flag(params: Record, name: str, default: bool) -> bool:
    return bool(params[name] == "true") if name in params else default


# ── customers ──


@route("GET", "/v1/customers/search", p.CustomerSearchParams, stripe.Customer)
def search_customers(shop: Shop, params: Record) -> Record:
    """`metadata["a"]:"b"`, and `name~"x" OR email~"y"`: substrings of at least three characters, whatever the case."""
    terms = [
        re.fullmatch(r'(name|email|metadata\["(\w+)"\])([~:])"(.*)"', each) for each in params["query"].split(" OR ")
    ]
    if not all(terms):
        raise Refused("We were unable to parse your search query.")
    found = [
        _expanded(customer, params)
        for customer in shop.searchable("customer")
        if any(term and _fits(customer, term) for term in terms)
    ]
    limit = int(params.get("limit", 10))
    return {"object": "search_result", "data": found[:limit], "has_more": len(found) > limit, "url": "/v1/customers"}


def _fits(customer: Record, term: re.Match[str]) -> bool:
    text = re.sub(r"\\(.)", r"\1", term[4])
    if term[2]:
        return bool(customer["metadata"].get(term[2]) == text)
    if len(text) < 3:
        raise Refused("a substring needs at least three characters")
    return text.casefold() in (customer[term[1]] or "").casefold()


def _expanded(customer: Record, params: Record) -> Record:
    """Tax ids are in an answer only where they were asked for."""
    asked = {each.removeprefix("data.") for each in params.get("expand", [])}
    return {name: each for name, each in customer.items() if name != "tax_ids" or "tax_ids" in asked}


@route("GET", "/v1/customers", p.CustomerListParams, stripe.Customer)
def list_customers(shop: Shop, params: Record) -> Record:
    since = int(params.get("created", {}).get("gte", 0))
    found = [_expanded(each, params) for each in shop.all("customer") if each["created"] >= since]
    return shop.page(found, params, "/v1/customers")


@route("POST", "/v1/customers", p.CustomerCreateParams, stripe.Customer)
def create_customer(shop: Shop, params: Record) -> Record:
    customer_id = shop.new_id("cus")
    made = shop.put(stripe.Customer, customer_id, name=params.get("name"), email=params.get("email"))
    made["metadata"] = shop.merge({}, params.get("metadata"))
    for name in ("address", "shipping"):
        if params.get(name):
            given, kind = params[name], getattr(stripe.Customer, name.capitalize())
            made[name] = blank(kind) | {key: each for key, each in given.items() if key != "address"}
            if name == "shipping":
                made[name]["address"] = blank(stripe.Customer.Shipping.Address) | given["address"]
    ids = [
        {**blank(stripe.TaxId), "id": shop.new_id("txi"), "object": "tax_id", "customer": customer_id, **each}
        for each in params.get("tax_id_data", [])
    ]
    made["tax_ids"] = {"object": "list", "data": ids, "has_more": False, "url": f"/v1/customers/{customer_id}/tax_ids"}
    return _expanded(made, params)


@route("GET", "/v1/customers/{customer}", p.CustomerRetrieveParams, stripe.Customer)
def read_customer(shop: Shop, params: Record, customer: str) -> Record:
    return _expanded(shop.get("customer", customer), params)


@route("POST", "/v1/customers/{customer}", p.CustomerUpdateParams, stripe.Customer)
def update_customer(shop: Shop, params: Record, customer: str) -> Record:
    known = shop.get("customer", customer)
    known["metadata"] = shop.merge(known["metadata"], params.get("metadata"))
    shop.touched(known)
    return _expanded(known, params)


# ── products, prices ──


@route("GET", "/v1/products", p.ProductListParams, stripe.Product)
def list_products(shop: Shop, params: Record) -> Record:
    wanted = params.get("ids")
    found = [each for each in shop.all("product") if wanted is None or each["id"] in wanted]
    return shop.page(found, params, "/v1/products")


@route("POST", "/v1/products", p.ProductCreateParams, stripe.Product)
def create_product(shop: Shop, params: Record) -> Record:
    product_id = params.get("id") or shop.new_id("prod")
    if product_id in shop.records.get("product", {}):
        raise Refused("Product already exists.", code="resource_already_exists")
    metadata = shop.merge({}, params.get("metadata"))
    active = _flag(params, "active", True)
    return shop.put(stripe.Product, product_id, name=params["name"], active=active, metadata=metadata)


@route("GET", "/v1/products/{product}", p.ProductRetrieveParams, stripe.Product)
def read_product(shop: Shop, params: Record, product: str) -> Record:
    return shop.get("product", product)


@route("POST", "/v1/products/{product}", p.ProductUpdateParams, stripe.Product)
def update_product(shop: Shop, params: Record, product: str) -> Record:
    known = shop.get("product", product)
    known["metadata"] = shop.merge(known["metadata"], params.get("metadata"))
    return known


@route("GET", "/v1/prices", p.PriceListParams, stripe.Price)
def list_prices(shop: Shop, params: Record) -> Record:
    keys = params.get("lookup_keys")
    found = [each for each in shop.all("price") if keys is None or each["lookup_key"] in keys]
    if "active" in params:
        found = [each for each in found if each["active"] is (params["active"] == "true")]
    return shop.page(found, params, "/v1/prices")


@route("GET", "/v1/prices/{price}", p.PriceRetrieveParams, stripe.Price)
def read_price(shop: Shop, params: Record, price: str) -> Record:
    return shop.get("price", price)


@route("POST", "/v1/prices", p.PriceCreateParams, stripe.Price)
def create_price(shop: Shop, params: Record) -> Record:
    key = params.get("lookup_key")
    if key is not None and any(each["lookup_key"] == key for each in shop.all("price")):
        raise Refused(f"A price already uses that lookup key: {key}")
    if key is not None and len(key) > 200:
        raise Refused("Invalid string: a lookup key must be at most 200 characters")
    price = shop.price({"price_data": params})
    price |= {"active": True, "lookup_key": key}
    return price


@route("POST", "/v1/prices/{price}", p.PriceUpdateParams, stripe.Price)
def update_price(shop: Shop, params: Record, price: str) -> Record:
    return shop.get("price", price)


# ── subscription schedules ──


@route("GET", "/v1/subscription_schedules", p.SubscriptionScheduleListParams, stripe.SubscriptionSchedule)
def list_schedules(shop: Shop, params: Record) -> Record:
    found = shop.all("subscription_schedule")
    if "customer" in params:
        shop.get("customer", params["customer"], param=True)
        found = [each for each in found if each["customer"] == params["customer"]]
    if "data.subscription" in params.get("expand", []):
        held = shop.records.get("subscription", {})
        found = [{**each, "subscription": held.get(each["subscription"])} for each in found]
    return shop.page(found, params, "/v1/subscription_schedules")


@route("POST", "/v1/subscription_schedules", p.SubscriptionScheduleCreateParams, stripe.SubscriptionSchedule)
def create_schedule(shop: Shop, params: Record) -> Record:
    if "from_subscription" in params:
        return _from_subscription(shop, params)
    shop.get("customer", params["customer"], param=True)
    start = shop.seconds if params["start_date"] == "now" else int(params["start_date"])
    phases = shop.phases(params["phases"], start)
    if phases[-1]["end_date"] <= shop.seconds:
        raise Refused("The subscription schedule would be over already")
    made = shop.put(
        stripe.SubscriptionSchedule,
        shop.new_id("sub_sched"),
        customer=params["customer"],
        metadata=shop.merge({}, params.get("metadata")),
        end_behavior=params.get("end_behavior", "release"),
        status="not_started",
        phases=phases,
    )
    given = params.get("default_settings", {})
    made["default_settings"]["collection_method"] = given.get("collection_method", "charge_automatically")
    days = given.get("invoice_settings", {}).get("days_until_due")
    if made["default_settings"]["collection_method"] == "send_invoice" and days is None:
        raise Refused("days_until_due is needed where collection_method is send_invoice")
    made["default_settings"]["invoice_settings"]["days_until_due"] = None if days is None else int(days)
    shop.run(made)
    return made


def _from_subscription(shop: Shop, params: Record) -> Record:
    subscription = shop.get("subscription", params["from_subscription"], param=True)
    if subscription["schedule"] is not None:
        raise Refused("The subscription already has a schedule")
    item, start = subscription["items"]["data"][0], shop.seconds
    phase = {"items": [{"price": item["price"]["id"], "quantity": item["quantity"]}], "metadata": {}}
    month = str(int((shop.now + timedelta(days=30)).timestamp()))
    made = shop.put(
        stripe.SubscriptionSchedule,
        shop.new_id("sub_sched"),
        customer=subscription["customer"],
        status="active",
        end_behavior="release",
        subscription=subscription["id"],
        phases=shop.phases([{**phase, "end_date": month}], start),
        current_phase={"start_date": start, "end_date": int(month)},
    )
    subscription["schedule"] = made["id"]
    return made


_SCHEDULE = "/v1/subscription_schedules/{schedule}"


@route("GET", _SCHEDULE, p.SubscriptionScheduleRetrieveParams, stripe.SubscriptionSchedule)
def read_schedule(shop: Shop, params: Record, schedule: str) -> Record:
    return shop.get("subscription_schedule", schedule)


@route("POST", _SCHEDULE, p.SubscriptionScheduleUpdateParams, stripe.SubscriptionSchedule)
def update_schedule(shop: Shop, params: Record, schedule: str) -> Record:
    known = shop.get("subscription_schedule", schedule)
    if known["status"] not in ("not_started", "active"):
        raise Refused(f"You cannot update a subscription schedule that is in the `{known['status']}` status.")
    if "phases" in params:
        first, running = params["phases"][0], known["current_phase"]
        if "start_date" not in first:
            raise Refused("The first phase needs its start_date")
        if running is not None and int(first["start_date"]) != running["start_date"]:
            raise Refused("You can not modify the start date of the current phase.")
        phases = shop.phases(params["phases"], int(first["start_date"]))
        if running is not None and phases[0]["end_date"] <= shop.seconds:
            raise Refused("The current phase must not be over")
        known["phases"] = [each for each in known["phases"] if each["end_date"] <= int(first["start_date"])] + phases
    known["metadata"] = shop.merge(known["metadata"], params.get("metadata"))
    known["end_behavior"] = params.get("end_behavior", known["end_behavior"])
    shop.run(known)
    return known


@route("POST", f"{_SCHEDULE}/cancel", p.SubscriptionScheduleCancelParams, stripe.SubscriptionSchedule)
def cancel_schedule(shop: Shop, params: Record, schedule: str) -> Record:
    known = shop.get("subscription_schedule", schedule)
    if known["status"] not in ("not_started", "active"):
        raise Refused(f"You cannot cancel a subscription schedule that is in the `{known['status']}` status.")
    if known["subscription"] is not None:
        subscription = shop.get("subscription", known["subscription"])
        subscription |= {"status": "canceled", "ended_at": shop.seconds, "canceled_at": shop.seconds, "schedule": None}
    known |= {"status": "canceled", "canceled_at": shop.seconds, "current_phase": None}
    return known


@route("GET", "/v1/subscriptions/{subscription}", p.SubscriptionRetrieveParams, stripe.Subscription)
def read_subscription(shop: Shop, params: Record, subscription: str) -> Record:
    return shop.get("subscription", subscription)


# ── invoices ──


@route("GET", "/v1/invoices", p.InvoiceListParams, stripe.Invoice)
def list_invoices(shop: Shop, params: Record) -> Record:
    found = shop.all("invoice")
    if "customer" in params:
        shop.get("customer", params["customer"], param=True)
        found = [each for each in found if each["customer"] == params["customer"]]
    if "status" in params:
        found = [each for each in found if each["status"] == params["status"]]
    since = int(params.get("created", {}).get("gte", 0))
    return shop.page([each for each in found if each["created"] >= since], params, "/v1/invoices")


@route("POST", "/v1/invoices", p.InvoiceCreateParams, stripe.Invoice)
def create_invoice(shop: Shop, params: Record) -> Record:
    shop.get("customer", params["customer"], param=True)
    days = params.get("days_until_due")
    collection = params.get("collection_method", "charge_automatically")
    if (collection == "send_invoice") != (days is not None):
        raise Refused("days_until_due and send_invoice belong together")
    return shop.put(
        stripe.Invoice,
        shop.new_id("in"),
        customer=params["customer"],
        currency=params["currency"],
        auto_advance=_flag(params, "auto_advance", False),
        collection_method=collection,
        due_date=None if days is None else shop.seconds + int(days) * 86_400,
        metadata=shop.merge({}, params.get("metadata")),
        status="draft",
    )


_INVOICE = "/v1/invoices/{invoice}"


@route("GET", _INVOICE, p.InvoiceRetrieveParams, stripe.Invoice)
def read_invoice(shop: Shop, params: Record, invoice: str) -> Record:
    return shop.get("invoice", invoice)


@route("POST", _INVOICE, p.InvoiceUpdateParams, stripe.Invoice)
def update_invoice(shop: Shop, params: Record, invoice: str) -> Record:
    known = _draft(shop, invoice)
    known["auto_advance"] = _flag(params, "auto_advance", known["auto_advance"])
    if "automatically_finalizes_at" in params:
        known["automatically_finalizes_at"] = int(params["automatically_finalizes_at"])
    return known


@route("DELETE", _INVOICE, p.InvoiceDeleteParams, None)
def delete_invoice(shop: Shop, params: Record, invoice: str) -> Record:
    _draft(shop, invoice)
    del shop.records["invoice"][invoice]
    return {"id": invoice, "object": "invoice", "deleted": True}


@route("POST", f"{_INVOICE}/void", p.InvoiceVoidInvoiceParams, stripe.Invoice)
def void_invoice(shop: Shop, params: Record, invoice: str) -> Record:
    known = shop.get("invoice", invoice)
    if known["status"] not in ("open", "uncollectible"):
        raise Refused(f"You can only void open invoices; this one is {known['status']}")
    known["status"], known["status_transitions"]["voided_at"] = "void", shop.seconds
    return known


@route("POST", "/v1/invoiceitems", p.InvoiceItemCreateParams, stripe.InvoiceItem)
def create_invoice_item(shop: Shop, params: Record) -> Record:
    invoice = _draft(shop, params["invoice"], param=True)
    price = shop.price(params.get("pricing", params))
    if price["recurring"] is not None:
        raise Refused("The price must be one-time")
    quantity = Decimal(str(params.get("quantity_decimal") or params.get("quantity", 1)))
    amount = cents(Decimal(price["unit_amount_decimal"]) * quantity)
    said = {"customer": params["customer"], "invoice": invoice["id"], "amount": amount, "currency": price["currency"]}
    item = shop.put(stripe.InvoiceItem, shop.new_id("ii"), quantity_decimal=str(quantity), **said)
    line = {**blank(stripe.InvoiceLineItem), "id": shop.new_id("il"), "object": "line_item", "amount": amount}
    invoice["lines"]["data"].append({**line, "currency": price["currency"], "invoice": invoice["id"]})
    invoice |= {"total": amount, "subtotal": amount, "amount_due": amount, "amount_remaining": amount}
    return item


def _draft(shop: Shop, invoice: str, *, param: bool = False) -> Record:
    known = shop.get("invoice", invoice, param=param)
    if known["status"] != "draft":
        raise Refused("This invoice is no longer a draft")
    return known
