"""The CRM, in Salesforce's shape: accounts and opportunities. Winning or losing an opportunity sends a webhook."""

from datetime import UTC, datetime, timedelta
from typing import Any

from sandbox.api import Answer, Api, Call, Problem, not_found, refused
from sandbox.box import Box
from sandbox.store import Record

api = Api("crm")

WON, LOST = "Closed Won", "Closed Lost"
EXTERNAL_ID = "Tenure_External_Id__c"
_PAGE = 200
_STAMP = "%Y-%m-%dT%H:%M:%S.%f"


@api.operation("POST", "/accounts")
def create_account(box: Box, call: Call) -> Answer:
    given = call.fields("Name")
    account_id = given.get("Id") or _new_id(box, "001")
    if box.store.get("crm", "accounts", account_id) is not None:
        raise refused("an account with this Id exists", 409)
    return Answer(201, _put_account(box, account_id, given))


@api.operation("GET", "/accounts/{account}")
def account_exists(box: Box, call: Call) -> dict[str, Any]:
    account = box.store.get("crm", "accounts", call.params["account"])
    if account is None:
        raise not_found("account", call.params["account"])
    return account


@api.operation("POST", "/opportunities")
def create_renewal_opportunity(box: Box, call: Call) -> Answer:
    """Any opportunity. An embedded Account is created, or changed, with it. No external id is unique here."""
    given = call.fields("AccountId", "Name", "StageName", "CloseDate")
    embedded = given.pop("Account", None)
    if embedded:
        _put_account(box, given["AccountId"], embedded)
    elif box.store.get("crm", "accounts", given["AccountId"]) is None:
        raise refused("no such account")
    opportunity_id = given.get("Id") or _new_id(box, "006")
    if box.store.get("crm", "opportunities", opportunity_id) is not None:
        raise refused("an opportunity with this Id exists", 409)
    defaults = {"Type": "New Business", "Amount": None, EXTERNAL_ID: None, "OpportunityLineItems": None}
    return Answer(201, _save(box, {}, {**defaults, **given, "Id": opportunity_id}))


@api.operation("GET", "/opportunities")
def find_renewal_opportunity(box: Box, call: Call) -> dict[str, Any]:
    """All opportunities, those of an `external_id`, or a page of those `changed_since`, as a query's answer."""
    if "changed_since" in call.query:
        return _changed(box, call)
    wanted = call.query.get("external_id")
    stored = box.store.all("crm", "opportunities") if wanted is None else box.store.find("crm", "opportunities", wanted)
    records = [whole(box, record) for record in stored]
    return {"totalSize": len(records), "done": True, "records": records}


@api.operation("GET", "/opportunities/{opportunity}")
def read_opportunity(box: Box, call: Call) -> dict[str, Any]:
    return whole(box, _opportunity(box, call))


@api.operation("PATCH", "/opportunities/{opportunity}")
def update_opportunity(box: Box, call: Call) -> dict[str, Any]:
    """Sets the fields that are given, and no others."""
    changes = call.fields()
    before = _opportunity(box, call)
    embedded = changes.pop("Account", None)
    if embedded:
        _put_account(box, before["AccountId"], embedded)
    return _save(box, before, {**before, **changes, "Id": before["Id"]})


def _opportunity(box: Box, call: Call) -> Record:
    record = box.store.get("crm", "opportunities", call.params["opportunity"])
    if record is None:
        raise not_found("opportunity", call.params["opportunity"])
    return record


def changed_since(box: Box, since: datetime) -> list[Record]:
    """Oldest first."""
    stored = box.store.all("crm", "opportunities")
    recent = [record for record in stored if stamped(record) >= since]
    return sorted(recent, key=lambda record: (record["SystemModstamp"], record["Id"]))


def stamped(record: Record) -> datetime:
    return datetime.fromisoformat(record["SystemModstamp"])


def whole(box: Box, record: Record) -> Record:
    """The record with its account embedded, as the query of a parent's fields returns it."""
    account = box.store.get("crm", "accounts", record["AccountId"]) or {}
    return {**record, "Account": {name: value for name, value in account.items() if name != "Id"}}


def _changed(box: Box, call: Call) -> dict[str, Any]:
    try:
        since = datetime.fromisoformat(call.query["changed_since"]).astimezone(UTC)
    except ValueError:
        raise Problem(400, "malformed", "changed_since is no instant") from None
    found = changed_since(box, since)
    after = [r for r in found if f"{r['SystemModstamp']} {r['Id']}" > call.query.get("after", "")]
    page = [{name: record[name] for name in ("Id", "SystemModstamp")} for record in after[:_PAGE]]
    answer: dict[str, Any] = {"totalSize": len(found), "done": len(page) == len(after), "records": page}
    return answer if answer["done"] else {**answer, "next": f"{page[-1]['SystemModstamp']} {page[-1]['Id']}"}


def _save(box: Box, before: Record, after: Record) -> Record:
    stage = after["StageName"]
    record = {
        "attributes": {"type": "Opportunity", "url": f"/crm/opportunities/{after['Id']}"},
        **after,
        "IsClosed": stage in (WON, LOST),
        "IsWon": stage == WON,
        "SystemModstamp": _next_stamp(box, before.get("SystemModstamp")),
    }
    moved = stage != before.get("StageName")
    record["LastStageChangeDate"] = record["SystemModstamp"] if moved else before.get("LastStageChangeDate")
    box.store.put("crm", "opportunities", record["Id"], record, record.get(EXTERNAL_ID))
    told = whole(box, record)
    if stage in (WON, LOST) and moved:
        event_id = box.event_id("crm", "opportunities", record["Id"], record["LastStageChangeDate"])
        box.emit(event_id, "crm", "deal.closed_won" if stage == WON else "deal.lost", record["Id"], {"record": told})
    return told


def _next_stamp(box: Box, before: str | None) -> str:
    """The business time in milliseconds, always later than before: the stamp is the record's version."""
    now = box.clock.now().replace(tzinfo=None)
    if before is not None:
        last = datetime.strptime(before.removesuffix("+0000"), _STAMP)  # noqa: DTZ007
        now = max(now, last + timedelta(milliseconds=1))
    return now.isoformat(timespec="milliseconds") + "+0000"


def _put_account(box: Box, account_id: str, given: Record) -> Record:
    before = box.store.get("crm", "accounts", account_id) or {"ParentId": None}
    account = {"attributes": {"type": "Account"}, **before, **given, "Id": account_id}
    return box.store.put("crm", "accounts", account_id, account)


def _new_id(box: Box, prefix: str) -> str:
    return f"{prefix}SB{box.store.next_number(prefix):013d}"
