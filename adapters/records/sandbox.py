"""The lists of the sandbox's ERP, CRM and CS, each under `records/`, to and from our words."""

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from adapters.crm.salesforce import outcome_of
from adapters.http import Json, JsonApi, segment
from adapters.sandbox import LEVEL
from domain.effects import EffectClass
from domain.ports.records import (
    AccountRecord,
    CompanyRecord,
    Correction,
    CustomerRecord,
    DealLine,
    LineRecord,
    OpportunityRecord,
    PlanRecord,
    Record,
    RecordKind,
    RecordPage,
    SubscriptionRecord,
)

KINDS: Mapping[str, tuple[RecordKind, ...]] = {
    "erp": ("customers", "subscriptions"),
    "crm": ("accounts", "opportunities"),
    "cs": ("companies", "plans", "playbooks"),
}
MENDS: Mapping[str, EffectClass] = {"correct": LEVEL, "retire": LEVEL}


class SandboxRecords:
    """domain.ports.records.RecordReader and RecordMender of one of the sandbox's systems."""

    mends = MENDS

    def __init__(self, api: JsonApi, system: str) -> None:
        self.kinds = KINDS[system]
        self._api = api

    async def records(self, kind: RecordKind, cursor: str | None = None, *, about: str | None = None) -> RecordPage:
        """The cursor is the last record's number."""
        asked = {**({"after": cursor} if cursor else {}), **({"about": about} if about else {})}
        answer = await self._api.read("records", f"records/{kind}", asked)
        with self._api.shape("records"):
            read = _READ[kind]
            return RecordPage(records=tuple(read(each) for each in answer["records"]), cursor=answer["next"])

    async def correct(self, correction: Correction) -> None:
        path = f"records/{correction.kind}/{segment(correction.id)}"
        await self._api.write("correct", "PATCH", path, _fields(correction))

    async def retire(self, kind: RecordKind, id: str) -> None:
        await self._api.write("retire", "POST", f"records/{kind}/{segment(id)}/archive", {})


def _customer(record: Json) -> CustomerRecord:
    return CustomerRecord(
        id=record["id"],
        key=record["external_id"],
        account=record["account"],
        selling_entity=record["selling_entity"],
        parent_account=record.get("parent_account"),
        held=bool((record.get("credit_hold") or {}).get("held")),
    )


def _subscription(record: Json) -> SubscriptionRecord:
    said = {name: record.get(name) for name in ("contract", "customer", "currency", "starts", "ends", "term")}
    lines = tuple(
        LineRecord(
            id=line["id"],
            product=line["product"],
            quantity=Decimal(line["quantity"]),
            unit_price=None if line.get("unit_price") is None else Decimal(line["unit_price"]),
            billed_from=line["billing_starts"],
            ends=line.get("ends"),
        )
        for line in record["lines"]
    )
    return SubscriptionRecord(id=record["id"], status=record["status"], lines=lines, **said)


def _account(record: Json) -> AccountRecord:
    return AccountRecord(id=record["Id"], parent=record.get("ParentId"))


def _opportunity(record: Json) -> OpportunityRecord:
    items = (record.get("OpportunityLineItems") or {}).get("records", [])
    return OpportunityRecord(
        id=record["Id"],
        account=record["AccountId"],
        outcome=outcome_of(record),
        close_by=record.get("CloseDate"),
        currency=record.get("CurrencyIsoCode"),
        lines=tuple(_deal_line(item) for item in items if item.get("ProductCode")),
        **{ours: record.get(theirs) for ours, theirs in _OPPORTUNITY.items()},
    )


def _deal_line(item: Json) -> DealLine:
    price = item.get("UnitPrice")
    return DealLine(
        product=item["ProductCode"],
        quantity=Decimal(str(item["Quantity"])),
        unit_price=None if price is None else Decimal(str(price)),
    )


def _company(record: Json) -> CompanyRecord:
    health = record.get("health") or {}
    return CompanyRecord(
        id=record["id"],
        account=record["external_id"],
        parent_account=record.get("parent_external_id"),
        risk=health.get("risk"),
        renewal_priority=health.get("renewal_priority"),
        stage=health.get("lifecycle_stage"),
    )


def _plan(record: Json) -> PlanRecord:
    said = {name: record.get(name) for name in ("contract", "company")}
    return PlanRecord(
        id=record["id"], key=record.get("external_id"), on=record.get("starts") or record.get("due"), **said
    )


_READ: Mapping[str, Callable[[Json], Record]] = {
    "customers": _customer,
    "subscriptions": _subscription,
    "accounts": _account,
    "opportunities": _opportunity,
    "companies": _company,
    "plans": _plan,
    "playbooks": _plan,
}

_OPPORTUNITY = {
    "key": "Tenure_External_Id__c",
    "contract": "Tenure_Contract__c",
    "status": "Tenure_Status__c",
    "erp_customer": "ERP_Customer__c",
    "erp_subscription": "ERP_Subscription__c",
    "renewal_date": "Tenure_Renewal_Date__c",
}
_NAMES: Mapping[str, Mapping[str, str]] = {
    "customers": {"key": "external_id"},
    "subscriptions": {},
    "accounts": {"id": "Id", "parent": "ParentId"},
    "opportunities": {
        **_OPPORTUNITY, "account": "AccountId", "close_by": "CloseDate", "currency": "CurrencyIsoCode",
    },
    "companies": {"account": "external_id", "parent_account": "parent_external_id"},
    "plans": {"key": "external_id", "on": "starts"},
    "playbooks": {"key": "external_id", "on": "due"},
}  # fmt: skip
_HEALTH = {"risk": "risk", "renewal_priority": "renewal_priority", "stage": "lifecycle_stage"}
_STAGES = {
    "won": {"StageName": "Closed Won", "IsClosed": True, "IsWon": True},
    "lost": {"StageName": "Closed Lost", "IsClosed": True, "IsWon": False},
    "open": {"StageName": "Prospecting", "IsClosed": False, "IsWon": False},
}
_LINE = {"billed_from": "billing_starts"}
_ITEM = {"quantity": "Quantity", "unit_price": "UnitPrice"}


def _fields(correction: Correction) -> Json:
    names, body = _NAMES[correction.kind], dict[str, Any]()
    for name, value in correction.fields.items():
        if correction.kind == "companies" and name in _HEALTH:
            body.setdefault("health", {})[_HEALTH[name]] = value
        elif correction.kind == "customers" and name == "held":
            body["credit_hold"] = {"held": value, "reason": "reconciled"}
        elif correction.kind == "opportunities" and name == "outcome":
            body |= _STAGES[str(value)]
        else:
            body[names.get(name, name)] = value
    if correction.lines:
        named, names = ("items", _ITEM) if correction.kind == "opportunities" else ("lines", _LINE)
        body[named] = {
            line: {names.get(name, name): value for name, value in fields.items()}
            for line, fields in correction.lines.items()
        }
    return body
