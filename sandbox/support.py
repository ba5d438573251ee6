"""The help desk: cases of an account, severity 1 (worst) to 4."""

from typing import Any

from pydantic import BaseModel, Field

from sandbox.api import Answer, Api, Call, not_found
from sandbox.box import Box

api = Api("support")


class NewCase(BaseModel):
    account: str = Field(min_length=1)
    severity: int = Field(ge=1, le=4)
    subject: str = ""


@api.operation("POST", "/cases")
def open_case(box: Box, call: Call) -> Answer:
    new = NewCase.model_validate(call.fields())
    case_id = box.new_id("case")
    case = {"id": case_id, **new.model_dump(), "status": "open", "version": 1}
    _tell(box, "support_case.opened", case)
    return Answer(201, box.store.put("support", "cases", case_id, case))


@api.operation("GET", "/cases")
def open_cases(box: Box, call: Call) -> dict[str, Any]:
    wanted = {name: call.query[name] for name in ("account", "status") if name in call.query}
    cases = box.store.all("support", "cases")
    return {"cases": [case for case in cases if all(case[name] == value for name, value in wanted.items())]}


@api.operation("POST", "/cases/{case}/close")
def close_case(box: Box, call: Call) -> dict[str, Any]:
    """Closing a closed case changes nothing."""
    case = box.store.get("support", "cases", call.params["case"])
    if case is None:
        raise not_found("case", call.params["case"])
    if case["status"] == "closed":
        return case
    closed = {**case, "status": "closed", "version": case["version"] + 1}
    _tell(box, "support_case.closed", closed)
    return box.store.put("support", "cases", case["id"], closed)


def _tell(box: Box, event: str, case: dict[str, Any]) -> None:
    data = {"case": case["id"], **{name: case[name] for name in ("account", "severity", "version")}}
    event_id = box.event_id("support", "cases", case["id"], case["version"])
    box.emit(event_id, "support", event, case["id"], data)
