"""Everything that a system of the box holds, page by page; fields set by hand, and records put away."""

from typing import Any

from sandbox.api import Api, Call, Problem, not_found
from sandbox.box import Box
from sandbox.store import Record

KINDS = {
    "erp": ("customers", "subscriptions"),
    "crm": ("accounts", "opportunities"),
    "cs": ("companies", "plans", "playbooks"),
}
SYSTEMS = tuple(KINDS)
MOST = 100

_OF = {
    "customers": ("account",),
    "subscriptions": ("contract",),
    "accounts": ("Id",),
    "opportunities": ("Id", "Tenure_Contract__c"),
    "companies": ("external_id",),
    "plans": ("contract",),
    "playbooks": ("contract",),
}
"""What a record is about, for which it can be asked."""


def records_api(system: str) -> Api:
    api = Api(system)

    @api.operation("GET", "/records/{kind}")
    def list_records(box: Box, call: Call) -> dict[str, Any]:
        """At most 100, in the order in which they were made, after the number in `after`."""
        kind = _kind(system, call)
        after = call.query.get("after", "0")
        if not after.isdecimal():
            raise Problem(400, "malformed", "after must be what an answer gave as next")
        found = box.store.page(system, kind, int(after), MOST + 1, _OF[kind], call.query.get("about"))
        living = [_whole(box, kind, record) for _, record in found[:MOST] if not record.get("archived")]
        return {"records": living, "next": str(found[MOST - 1][0]) if len(found) > MOST else None}

    @api.operation("PATCH", "/records/{kind}/{record}")
    def correct_record(box: Box, call: Call) -> dict[str, Any]:
        """Sets the fields that are given; under `lines`, by the line's id. Nobody is told."""
        kind, given = _kind(system, call), call.fields()
        record = _record(box, system, kind, call)
        if health := given.pop("health", None):
            before = box.store.get("cs", "health", record["id"]) or {"company": record["id"], "reasons": []}
            box.store.put("cs", "health", record["id"], {**before, **health, "set_at": box.clock.now().isoformat()})
        lines = given.pop("lines", {})
        if lines:
            known = {line["id"] for line in record.get("lines", [])}
            if missing := sorted(lines.keys() - known):
                raise Problem(422, "business_rule", f"there is no line {', '.join(missing)}")
            given["lines"] = [{**line, **lines.get(line["id"], {})} for line in record["lines"]]
        if items := given.pop("items", {}):
            given["OpportunityLineItems"] = _corrected(record, items)
        changed = {**record, **given}
        box.store.put(system, kind, record.get("id") or record["Id"], changed, _external_id(changed))
        return changed

    @api.operation("POST", "/records/{kind}/{record}/archive")
    def archive_record(box: Box, call: Call) -> dict[str, Any]:
        """Out of use, and out of every list; a subscription is cancelled with it."""
        kind = _kind(system, call)
        record = _record(box, system, kind, call)
        over = {"status": "cancelled"} if kind == "subscriptions" and record["status"] != "ended" else {}
        archived = {**record, **over, "archived": True}
        return box.store.put(system, kind, record.get("id") or record["Id"], archived)

    return api


def _corrected(record: Record, items: Record) -> Record:
    """A deal's line items, with what is given by the product's code; numbers are numbers there."""
    sold = record.get("OpportunityLineItems") or {"records": []}

    def item(each: Record) -> Record:
        given = items.get(str(each.get("ProductCode")), {})
        return {**each, **{name: float(value) for name, value in given.items()}}

    return {**sold, "records": [item(each) for each in sold["records"]]}


def _external_id(record: Record) -> str | None:
    return record.get("external_id") or record.get("Tenure_External_Id__c")


def _kind(system: str, call: Call) -> str:
    kind = call.params["kind"]
    if kind not in KINDS[system]:
        raise not_found("kind of record", kind)
    return kind


def _record(box: Box, system: str, kind: str, call: Call) -> Record:
    found = box.store.get(system, kind, call.params["record"])
    if found is None:
        raise not_found(kind, call.params["record"])
    return found


def _whole(box: Box, kind: str, record: Record) -> Record:
    return {**record, "health": box.store.get("cs", "health", record["id"])} if kind == "companies" else record
