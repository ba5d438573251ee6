"""The box's CRM as HubSpot's API shows it, read only: deals, companies and line items, whose values are text."""

from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from pydantic import BaseModel, Field

from sandbox.api import Answer, Api, Call, Manner, Problem, not_found
from sandbox.box import Box
from sandbox.crm import LOST, WON, changed_since
from sandbox.oauth import admits, grant
from sandbox.store import Record

_SESSION = timedelta(minutes=30)
_ASSOCIATED = 100
_DEEPEST = 10_000

_DEAL = {
    "dealname": "Name",
    "amount": "Amount",
    "deal_currency_code": "CurrencyIsoCode",
    "selling_entity": "Selling_Entity__c",
    "time_zone": "Time_Zone__c",
    "contract_start": "Contract_Start__c",
    "contract_start_date": "Contract_Start_Date__c",
    "contract_months": "Contract_Months__c",
    "renewal_months": "Renewal_Months__c",
    "auto_renew": "Auto_Renew__c",
    "notice_days": "Notice_Days__c",
    "payment_terms_days": "Payment_Terms_Days__c",
    "purchase_order": "Purchase_Order__c",
    "amends_deal": "Amends_Deal__c",
    "renews_deal": "Renews_Deal__c",
}
_COMPANY = {
    "name": "Name",
    "hs_parent_company_id": "ParentId",
    "vat_id": "VAT_Id__c",
    "billing_email": "Billing_Email__c",
    "address": "BillingStreet",
    "city": "BillingCity",
    "zip": "BillingPostalCode",
    "state": "BillingStateCode",
    "country": "BillingCountryCode",
}
_LINE = {
    "hs_sku": "ProductCode",
    "hs_product_id": "Product2Id",
    "quantity": "Quantity",
    "price": "UnitPrice",
    "billing_start": "Billing_Start__c",
}
_TYPES = {"New Business": "newbusiness", "Upsell": "existingbusiness", "Renewal": "renewal"}
_FREQUENCIES = {"Monthly": "monthly", "Quarterly": "quarterly", "Annual": "annually"}
_STAGES = {WON: "9567448", LOST: "9567449"}
"""As in many an account: a won deal's stage is a number, which only the pipeline explains."""
_OPEN = "appointmentscheduled"
_CATEGORIES = {401: "EXPIRED_AUTHENTICATION", 404: "OBJECT_NOT_FOUND", 429: "RATE_LIMITS", 400: "VALIDATION_ERROR"}


def _words(problem: Problem) -> Answer:
    if problem.code in ("invalid_client", "invalid_grant", "unsupported_grant_type"):
        return Answer(400, {"status": "BAD_REFRESH_TOKEN", "message": "missing or invalid refresh token"})
    category = _CATEGORIES.get(problem.status, "INTERNAL_ERROR")
    body = {"status": "error", "message": problem.message, "category": category}
    return Answer(problem.status, body, problem.headers)


api = Api("hubspot", Manner(partial(admits, "hubspot"), _words))


class _Filter(BaseModel):
    propertyName: str
    operator: str
    value: int


class _Filters(BaseModel):
    filters: list[_Filter] = Field(min_length=1, max_length=1)


class Search(BaseModel):
    """Only what was modified at an instant or later, oldest first."""

    filterGroups: list[_Filters] = Field(min_length=1, max_length=1)
    limit: int = Field(10, ge=1, le=200)
    after: int = Field(0, ge=0)
    properties: list[str] = []


class _Id(BaseModel):
    id: str


class Batch(BaseModel):
    inputs: list[_Id] = Field(max_length=100)
    properties: list[str] = []


@api.operation("POST", "/oauth/v1/token", open=True)
def token(box: Box, call: Call) -> dict[str, Any]:
    access = grant(box, call, _SESSION)
    return {"access_token": access, "refresh_token": box.token, "expires_in": 1800, "token_type": "bearer"}


@api.operation("GET", "/crm/v3/objects/deals/{deal}")
def read_deal(box: Box, call: Call) -> dict[str, Any]:
    """Of a merged deal: the one that it was merged into."""
    record = _deal(box, call)
    lines = [{"id": line["Id"], "type": "deal_to_line_item"} for line in _lines(record)]
    kinds = ("deal_to_company", "deal_to_company_unlabeled")
    companies = [{"id": record["AccountId"], "type": kind} for kind in kinds]
    page = _associations(call, lines, 0, _ASSOCIATED)
    associations = {"companies": {"results": companies}, **({"line items": page} if lines else {})}
    return {**_object(record, _of_deal(record), _asked(call)), "associations": associations}


@api.operation("GET", "/crm/v3/objects/deals/{deal}/associations/line_items")
def associated_lines(box: Box, call: Call) -> dict[str, Any]:
    lines = [{"id": line["Id"], "type": "deal_to_line_item"} for line in _lines(_deal(box, call))]
    return _associations(call, lines, int(call.query.get("after", "0")), _ASSOCIATED)


@api.operation("POST", "/crm/v3/objects/line_items/batch/read")
def read_lines(box: Box, call: Call) -> Answer:
    """What is not found is left out, with 207 instead of 200."""
    batch = Batch.model_validate(call.fields("inputs"))
    lines = {line["Id"]: line for deal in box.store.all("crm", "opportunities") for line in _lines(deal)}
    # In an order of its own, as the vendor warns.
    found = [lines[each.id] for each in reversed(batch.inputs) if each.id in lines]
    results = [{"id": line["Id"], "properties": _chosen(_of_line(line), batch.properties)} for line in found]
    return Answer(200 if len(found) == len(batch.inputs) else 207, {"status": "COMPLETE", "results": results})


@api.operation("GET", "/crm/v3/objects/companies/{company}")
def read_company(box: Box, call: Call) -> dict[str, Any]:
    account = box.store.get("crm", "accounts", call.params["company"])
    if account is None:
        raise not_found("company", call.params["company"])
    properties = {name: _text(account.get(theirs)) for name, theirs in _COMPANY.items()}
    return {"id": account["Id"], "properties": _chosen(properties, _asked(call)), "archived": False}


@api.operation("GET", "/crm/v3/pipelines/deals")
def pipelines(box: Box, call: Call) -> dict[str, Any]:
    chances = {_OPEN: ("false", "0.2"), _STAGES[WON]: ("true", "1.0"), _STAGES[LOST]: ("true", "0.0")}
    stages = [
        {"id": stage, "metadata": {"isClosed": closed, "probability": chance}, "archived": False}
        for stage, (closed, chance) in chances.items()
    ]
    return {"results": [{"id": "default", "label": "Sales pipeline", "stages": stages, "archived": False}]}


@api.operation("POST", "/crm/v3/objects/deals/search")
def search(box: Box, call: Call) -> dict[str, Any]:
    asked = Search.model_validate(call.fields("filterGroups"))
    wanted = asked.filterGroups[0].filters[0]
    if (wanted.propertyName, wanted.operator) != ("hs_lastmodifieddate", "GTE"):
        raise Problem(400, "malformed", "only hs_lastmodifieddate GTE is searched here")
    if asked.after + asked.limit > _DEEPEST:
        raise Problem(400, "malformed", "paging beyond 10000 results is not supported")
    found = changed_since(box, datetime.fromtimestamp(wanted.value / 1000, UTC))
    end = asked.after + asked.limit
    page = [_object(record, _of_deal(record), asked.properties) for record in found[asked.after : end]]
    answer: dict[str, Any] = {"total": len(found), "results": page}
    return {**answer, "paging": {"next": {"after": str(end)}}} if end < len(found) else answer


def _deal(box: Box, call: Call) -> Record:
    record = box.store.get("crm", "opportunities", call.params["deal"])
    while record is not None and record.get("Merged_Into__c"):
        record = box.store.get("crm", "opportunities", record["Merged_Into__c"])
    if record is None or record.get("Archived__c"):
        raise not_found("deal", call.params["deal"])
    return record


def _associations(call: Call, lines: list[Record], start: int, size: int) -> dict[str, Any]:
    end = start + size
    page: dict[str, Any] = {"results": lines[start:end]}
    return {**page, "paging": {"next": {"after": str(end)}}} if end < len(lines) else page


def _object(record: Record, properties: dict[str, str | None], asked: list[str]) -> dict[str, Any]:
    stamp = _stamp(record)
    always = {"hs_object_id": record["Id"], "hs_lastmodifieddate": stamp}
    return {
        "id": record["Id"],
        "properties": {**_chosen(properties, asked), **always},
        "updatedAt": stamp,
        "archived": False,
    }


def _of_deal(record: Record) -> dict[str, str | None]:
    """`hs_is_closed` and `hs_is_closed_won` are empty: they are reckoned later than anybody reads the deal."""
    return {
        **{name: _text(record.get(theirs)) for name, theirs in _DEAL.items()},
        "pipeline": "default",
        "dealstage": _STAGES.get(record["StageName"], _OPEN),
        "dealtype": _TYPES.get(record["Type"], str(record["Type"]).lower()),
        "closedate": f"{record['CloseDate']}T12:00:00Z",
        "hs_is_closed": None,
        "hs_is_closed_won": None,
    }


def _of_line(line: Record) -> dict[str, str | None]:
    return {
        **{name: _text(line.get(theirs)) for name, theirs in _LINE.items()},
        "name": _text(line.get("ProductCode")),
        "recurringbillingfrequency": _FREQUENCIES.get(line.get("Billing_Frequency__c") or ""),
    }


def _chosen(properties: dict[str, str | None], asked: list[str]) -> dict[str, str | None]:
    """What nobody has a property for is left out without a word."""
    return {name: properties[name] for name in asked if name in properties}


def _asked(call: Call) -> list[str]:
    return call.query.get("properties", "").split(",")


def _lines(record: Record) -> list[Record]:
    return list((record.get("OpportunityLineItems") or {}).get("records", []))


def _stamp(record: Record) -> str:
    return str(record["SystemModstamp"]).removesuffix("+0000") + "Z"


def _text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:.10g}"
