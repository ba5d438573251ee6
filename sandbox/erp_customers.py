"""The ERP's customers: look-up by an external id that is not unique, adoption by tax id, likeness, credit hold."""

import re
from typing import Any

from pydantic import BaseModel, Field

from sandbox.api import Answer, Api, Call, not_found, refused
from sandbox.box import Box
from sandbox.store import Record

api = Api("erp")

LEGAL_FORMS = frozenset({
    "ab", "ag", "as", "bv", "co", "corp", "corporation", "gmbh", "inc", "incorporated", "kg", "limited", "llc", "ltd",
    "nv", "og", "oy", "plc", "sa", "sarl", "sas", "se", "spa", "srl", "ug",
})  # fmt: skip


class NewCustomer(BaseModel, extra="allow"):
    external_id: str | None = None
    account: str = Field(min_length=1)
    selling_entity: str = Field(min_length=1)
    name: str = Field(min_length=1)
    currency: str = Field(pattern="^[A-Z]{3}$")
    tax_id: str | None = None
    email: str | None = None


class Likeness(BaseModel):
    """`domain`: of e-mail addresses; null when it says nothing."""

    selling_entity: str
    name: str
    domain: str | None = None
    tax_id: str | None = None


class CreditHold(BaseModel):
    held: bool
    reason: str


@api.operation("POST", "/customers")
def create_customer(box: Box, call: Call) -> Answer:
    """The external id is searchable but not unique: a second POST makes a second customer.

    The one customer of the selling entity that has this tax id, and no external id yet, gets this one instead.
    """
    new = NewCustomer.model_validate(call.fields())
    known = _unclaimed(box, new.selling_entity, new.tax_id) if new.external_id else []
    if len(known) > 1:
        raise refused("several customers have this tax id", 409)
    if known:
        claimed = {**known[0], "external_id": new.external_id, "account": new.account}
        return Answer(200, box.store.put("erp", "customers", claimed["id"], claimed, new.external_id))
    customer_id = box.new_id("cus")
    record = {"id": customer_id, **new.model_dump(mode="json")}
    return Answer(201, box.store.put("erp", "customers", customer_id, record, new.external_id))


@api.operation("GET", "/customers")
def find_customer(box: Box, call: Call) -> dict[str, Any]:
    return {"customers": box.store.find("erp", "customers", call.query.get("external_id", ""))}


@api.operation("POST", "/customers/similar", reads=True)
def similar_customers(box: Box, call: Call) -> dict[str, Any]:
    """Customers of a selling entity that nobody has given an external id, alike by e-mail domain or by name."""
    asked = Likeness.model_validate(call.fields())
    if len(_unclaimed(box, asked.selling_entity, asked.tax_id)) == 1:
        return {"customers": []}  # it is known which one is meant
    name, found = plain(asked.name), []
    for customer in _of_nobody(box, asked.selling_entity):
        domain = (customer.get("email") or "").rpartition("@")[2].lower()
        if asked.domain and domain == asked.domain.lower():
            found.append({"id": customer["id"], "name": customer["name"], "alike": "domain"})
        elif name and plain(customer["name"]) == name:
            found.append({"id": customer["id"], "name": customer["name"], "alike": "name"})
    return {"customers": found}


@api.operation("PUT", "/customers/{customer}/credit-hold")
def set_credit_hold(box: Box, call: Call) -> dict[str, Any]:
    """A held customer gets no new subscription, and none is activated for it."""
    hold, customer = CreditHold.model_validate(call.fields()), customer_of(box, call)
    box.store.put("erp", "customers", customer["id"], {**customer, "credit_hold": hold.model_dump()})
    return {"customer": customer["id"], **hold.model_dump()}


def customer_of(box: Box, call: Call) -> Record:
    customer = box.store.get("erp", "customers", call.params["customer"])
    if customer is None:
        raise not_found("customer", call.params["customer"])
    return customer


def creditworthy(box: Box, customer_id: str) -> Record:
    """The customer, or a refusal: there is none, or it is on hold."""
    customer = box.store.get("erp", "customers", customer_id)
    if customer is None:
        raise refused("no such customer")
    if (customer.get("credit_hold") or {}).get("held"):
        raise refused("the customer is on credit hold")
    return customer


def plain(name: str) -> str:
    """A company's name without case, punctuation and legal form."""
    words = re.sub(r"[^\w\s]", "", name.casefold()).split()
    return " ".join(word for word in words if word not in LEGAL_FORMS)


def _unclaimed(box: Box, selling_entity: str, tax_id: str | None) -> list[Record]:
    """The customers with a tax id that have no external id."""
    wanted = _bare(tax_id)
    return [each for each in _of_nobody(box, selling_entity) if wanted and _bare(each.get("tax_id")) == wanted]


def _of_nobody(box: Box, selling_entity: str) -> list[Record]:
    customers = box.store.all("erp", "customers")
    return [each for each in customers if each["selling_entity"] == selling_entity and not each.get("external_id")]


def _bare(tax_id: str | None) -> str:
    return re.sub(r"[\W_]", "", tax_id or "").upper()
