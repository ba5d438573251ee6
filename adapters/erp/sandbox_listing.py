"""What the sandbox's ERP holds already, as canonical orders: for an import."""

from typing import Any

from adapters.http import Json
from domain.ports.existing import ExistingSubscription


def existing(record: Json) -> ExistingSubscription:
    """A line that is billed has its first day as its rule; one that is not has none, so that somebody must say it."""
    customer, active = record["customer_record"], record["activated_on"] or record["starts"]
    address = {name: value for name, value in customer["billing_address"].items() if value is not None}
    party = {name: customer.get(name) for name in ("name", "email", "tax_id") if customer.get(name)}
    order: dict[str, Any] = {
        "deal_id": record["contract"].split("/")[1] if record["contract"].count("/") > 1 else record["contract"],
        "signed_on": record["starts"],
        "selling_entity": record["selling_entity"],
        "currency": record["currency"],
        "account": {"id": customer["account"], "name": customer["name"]},
        "sold_to": {**party, "address": address},
        "terms": {"start": "on_date", "starts_on": record["starts"], "evergreen": record["ends"] is None},
        "lines": [_line(line) for line in record["lines"]],
    }
    facts: dict[str, Any] = {
        "customer": customer["id"],
        "subscription": record["id"],
        "activated_on": active,
        "billing": {line["id"]: line["billing_starts"] for line in record["lines"] if line["billing_starts"]},
        **({"ends_on": record["ends"]} if record["status"] == "ended" else {}),
    }
    return ExistingSubscription(id=record["id"], order=order, existing=facts)


def _line(line: Json) -> dict[str, Any]:
    started = {"billing_start": {"on_date": line["billing_starts"]}} if line["billing_starts"] else {}
    known = {name: line[name] for name in ("id", "product", "quantity", "unit_price", "charge", "frequency")}
    return {**known, **started}
