"""The product's usage meter: seats used and seats entitled, per account."""

from datetime import date
from decimal import Decimal
from typing import Any

from pydantic import BaseModel, Field

from sandbox.api import Api, Call, not_found
from sandbox.box import Box

api = Api("usage")


class Report(BaseModel):
    active: Decimal = Field(ge=0)
    entitled: Decimal = Field(ge=0)
    as_of: date | None = None


@api.operation("PUT", "/accounts/{account}")
def report_usage(box: Box, call: Call) -> dict[str, Any]:
    report = Report.model_validate(call.fields())
    account = call.params["account"]
    before = box.store.get("usage", "reports", account) or {"version": 0}
    data = {
        "account": account,
        "active": str(report.active),
        "entitled": str(report.entitled),
        "as_of": (report.as_of or box.clock.today()).isoformat(),
    }
    record = {**data, "version": before.get("version", 0) + 1}
    event_id = box.event_id("usage", "reports", account, record["version"])
    box.emit(event_id, "usage", "usage.reported", account, data)
    return box.store.put("usage", "reports", account, record)


@api.operation("GET", "/accounts/{account}")
def adoption(box: Box, call: Call) -> dict[str, Any]:
    record = box.store.get("usage", "reports", call.params["account"])
    if record is None:
        raise not_found("usage of account", call.params["account"])
    return record
