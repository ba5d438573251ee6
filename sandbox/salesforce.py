"""The box's CRM as Salesforce's REST API shows it, read only: tokens, describe, the few queries that a reader asks."""

import re
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from sandbox.api import Answer, Api, Call, Manner, Problem, not_found
from sandbox.box import Box
from sandbox.crm import changed_since, whole
from sandbox.oauth import admits, grant
from sandbox.store import Record

_SESSION = timedelta(hours=2)
_PAGE = 200
_LINES = "OpportunityLineItems"
_STANDARD: dict[str, tuple[str, ...]] = {
    "Opportunity": ("Id", "AccountId", "Name", "StageName", "IsClosed", "IsWon", "Type", "CloseDate", "SystemModstamp"),
    "Account": ("Id", "Name", "ParentId"),
    "OpportunityLineItem": ("Id", "Product2Id", "ProductCode", "Quantity", "UnitPrice", "TotalPrice", "ServiceDate"),
}
_QUERY = re.compile(
    r"SELECT (?P<fields>[\w., ]+?)(?:, \(SELECT (?P<lines>[\w., ]+) FROM OpportunityLineItems\))? FROM Opportunity"
    r" WHERE (?:Id = '(?P<id>(?:[^'\\]|\\.)*)'|SystemModstamp >= (?P<since>[\d.:TZ-]+) ORDER BY SystemModstamp, Id)"
)
_CODES = {
    401: "INVALID_SESSION_ID",
    404: "NOT_FOUND",
    429: "REQUEST_LIMIT_EXCEEDED",
    500: "UNKNOWN_EXCEPTION",
    503: "SERVER_UNAVAILABLE",
}


def _words(problem: Problem) -> Answer:
    if problem.code in ("invalid_client", "invalid_grant", "unsupported_grant_type"):
        return Answer(400, {"error": problem.code, "error_description": problem.message})
    code = problem.code if problem.code.isupper() else _CODES.get(problem.status, "INVALID_INPUT")
    # Too many calls are a 403 here.
    status = 403 if problem.status == 429 else problem.status
    return Answer(status, [{"message": problem.message, "errorCode": code}], problem.headers)


api = Api("salesforce", Manner(partial(admits, "salesforce"), _words))


@api.operation("POST", "/services/oauth2/token", open=True)
def token(box: Box, call: Call) -> dict[str, Any]:
    issued = str(int(box.clock.now().timestamp() * 1000))
    return {"access_token": grant(box, call, _SESSION), "token_type": "Bearer", "issued_at": issued}


@api.operation("GET", "/services/data/{version}/sobjects/{object}/describe")
def describe(box: Box, call: Call) -> dict[str, Any]:
    kind = call.params["object"]
    if kind not in _STANDARD:
        raise not_found("object", kind)
    fields: list[Record] = [{"name": name, "relationshipName": None, "referenceTo": []} for name in _known(box, kind)]
    for field in fields:
        if kind == "Opportunity" and field["name"] == "AccountId":
            field |= {"relationshipName": "Account", "referenceTo": ["Account"]}
    return {"name": kind, "fields": fields}


@api.operation("GET", "/services/data/{version}/query")
def query(box: Box, call: Call) -> dict[str, Any]:
    asked = _QUERY.fullmatch(call.query.get("q", ""))
    if asked is None:
        raise Problem(400, "MALFORMED_QUERY", "unexpected token")
    fields, lines = _split(asked["fields"]), _split(asked["lines"])
    _must_know(box, "Opportunity", [name for name in fields if "." not in name])
    _must_know(box, "Account", [name.removeprefix("Account.") for name in fields if "." in name])
    _must_know(box, "OpportunityLineItem", lines)
    records = [_selected(box, call, record, fields, lines) for record in _found(box, asked)]
    return _page(box, call, records)


@api.operation("GET", "/services/data/{version}/query/{locator}")
def next_page(box: Box, call: Call) -> dict[str, Any]:
    locator, _, start = call.params["locator"].rpartition("-")
    kept = box.store.get("salesforce", "locators", locator)
    if kept is None:
        raise Problem(400, "INVALID_QUERY_LOCATOR", "invalid query locator")
    return _from(call, locator, kept["records"], int(start))


def _found(box: Box, asked: re.Match[str]) -> list[Record]:
    if asked["since"] is not None:
        return changed_since(box, datetime.fromisoformat(asked["since"]).astimezone(UTC))
    record = box.store.get("crm", "opportunities", re.sub(r"\\(.)", r"\1", asked["id"]))
    return [] if record is None or record.get("Archived__c") else [record]


def _selected(box: Box, call: Call, record: Record, fields: list[str], lines: list[str]) -> Record:
    shown = whole(box, record)
    answer: Record = {
        "attributes": record["attributes"],
        **{name: shown.get(name) for name in fields if "." not in name},
    }
    of_account = [name.removeprefix("Account.") for name in fields if "." in name]
    if of_account:
        account = {**shown["Account"], "Id": record["AccountId"]}
        answer["Account"] = {"attributes": {"type": "Account"}, **{name: account.get(name) for name in of_account}}
    if lines:
        items = [
            {"attributes": item.get("attributes"), **{name: item.get(name) for name in lines}}
            for item in _lines(record)
        ]
        answer[_LINES] = _page(box, call, items) if items else None
    return answer


def _page(box: Box, call: Call, records: list[Record]) -> dict[str, Any]:
    if len(records) <= _PAGE:
        return {"totalSize": len(records), "done": True, "records": records}
    locator = box.new_id("01g")
    box.store.put("salesforce", "locators", locator, {"records": records})
    return _from(call, locator, records, 0)


def _from(call: Call, locator: str, records: list[Record], start: int) -> dict[str, Any]:
    end = start + _PAGE
    page = {"totalSize": len(records), "done": end >= len(records), "records": records[start:end]}
    further = f"/services/data/{call.params['version']}/query/{locator}-{end}"
    return page if page["done"] else {**page, "nextRecordsUrl": further}


def _known(box: Box, kind: str) -> list[str]:
    """The standard fields, and the custom ones that any record has."""
    match kind:
        case "Opportunity":
            records: Iterable[Record] = box.store.all("crm", "opportunities")
        case "Account":
            records = box.store.all("crm", "accounts")
        case _:
            records = (line for deal in box.store.all("crm", "opportunities") for line in _lines(deal))
    names = {name for record in records for name in record} - {"attributes", "Account", _LINES}
    return sorted(names | set(_STANDARD[kind]))


def _must_know(box: Box, kind: str, names: list[str]) -> None:
    known = _known(box, kind)
    for name in names:
        if name not in known:
            raise Problem(400, "INVALID_FIELD", f"No such column '{name}' on entity '{kind}'")


def _lines(record: Record) -> list[Record]:
    return list((record.get(_LINES) or {}).get("records", []))


def _split(names: str | None) -> list[str]:
    return [name.strip() for name in names.split(",")] if names else []
