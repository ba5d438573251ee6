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
    record = {
        "account": account,
        "active": str(report.active),
        "entitled": str(report.entitled),
        "as_of": (report.as_of or box.clock.today()).isoformat(),
    }
    box.emit("usage", "usage.reported", account, record)
    return box.store.put("usage", "reports", account, record)


@api.operation("GET", "/accounts/{account}")
def adoption(box: Box, call: Call) -> dict[str, Any]:
    record = box.store.get("usage", "reports", call.params["account"])
    if record is None:
        raise not_found("usage of account", call.params["account"])
    return record
