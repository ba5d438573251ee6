"""The API's description is the committed one, and can't be changed so that it breaks somebody."""

import copy
import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from experience.compatibility import api_breaks
from experience.openapi import document, text

COMMITTED = Path(__file__).parents[3] / "docs" / "api" / "openapi.json"
TODAY = date(2026, 11, 27)
PAGE = "/api/v1/lifecycles"
COMMAND = "/api/v1/cases/{case}/note"


def changed() -> dict[str, Any]:
    return copy.deepcopy(document())


def breaks(new: dict[str, Any], old: dict[str, Any] | None = None) -> list[str]:
    return api_breaks(old or document(), new, TODAY)


def test_what_is_committed_is_what_the_code_says() -> None:
    assert COMMITTED.read_text(encoding="utf-8") == text(document()), "run `make api`"


def test_the_committed_description_is_not_broken() -> None:
    assert breaks(document(), json.loads(COMMITTED.read_text(encoding="utf-8"))) == []


def test_every_operation_has_an_owner_a_permission_and_a_name_of_its_own() -> None:
    operations = [each for methods in document()["paths"].values() for each in methods.values()]
    assert document()["openapi"].startswith("3.1")
    assert all(each["x-owner"] and each["x-permission"] and each["x-since"] and each["summary"] for each in operations)
    names = [each["operationId"] for each in operations]
    assert len(set(names)) == len(names) > 40


def test_an_operation_goes_only_after_its_sunset() -> None:
    new, old = changed(), changed()
    del new["paths"][PAGE]["get"]
    assert breaks(new) == [f"GET {PAGE} is gone: declare it deprecated, with a sunset, and leave it until then"]
    old["paths"][PAGE]["get"]["x-sunset"] = "2026-11-27"
    assert breaks(new, old) == []


def test_a_field_of_an_answer_stays() -> None:
    new = changed()
    del new["components"]["schemas"]["LifecycleLine"]["properties"]["stage"]
    found = breaks(new)
    assert found
    assert all("field items[].stage" in each for each in found)


def test_an_answer_says_no_new_kind_of_thing() -> None:
    new = changed()
    new["components"]["schemas"]["Stage"]["enum"].append("asleep")
    assert any("asleep" in each and "new to readers" in each for each in breaks(new))


@pytest.mark.parametrize("needed", ["parameter", "field"])
def test_a_request_that_was_enough_stays_enough(needed: str) -> None:
    new = changed()
    operation = new["paths"][COMMAND]["post"]
    if needed == "parameter":
        operation["parameters"].append({"name": "why", "in": "query", "required": True, "schema": {"type": "string"}})
        assert breaks(new) == [f"POST {COMMAND}: query parameter why is new and required"]
    else:
        remark = new["components"]["schemas"]["Remark"]
        remark["properties"]["mood"] = {"type": "string"}
        remark["required"] = [*remark["required"], "mood"]
        assert breaks(new) == [f"POST {COMMAND}: the body: field mood is new and required"]


def test_more_breaks_nobody() -> None:
    new = changed()
    new["paths"]["/api/v1/more"] = {"get": copy.deepcopy(new["paths"][PAGE]["get"])}
    parameter = {"name": "more", "in": "query", "required": False, "schema": {"type": "string"}}
    new["paths"][PAGE]["get"]["parameters"].append(parameter)
    new["components"]["schemas"]["LifecycleLine"]["properties"]["more"] = {"type": "string"}
    assert breaks(new) == []
