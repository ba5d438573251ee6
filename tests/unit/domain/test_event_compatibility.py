"""What may change in an event without a new version. Each kind of break is seeded, and has to be found by its name."""

import copy
import json
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from pydantic import BaseModel, Field, create_model

from domain.events import CATALOG, EventData
from domain.events.base import Contract
from domain.events.compatibility import breaks, catalog_breaks, shape
from domain.events.documents import documents, refusals
from domain.events.schemas import schema_of, schemas

FOLDER = Path(__file__).parents[3] / "docs" / "events"
NAME = "tenure.thing.changed.v1"
DO = f"leave {NAME} as it is and add tenure.thing.changed.v2, with an up-cast"


class Part(BaseModel):
    number: int


class BiggerPart(BaseModel):
    number: int
    weight: Decimal


FIELDS: dict[str, Any] = {
    "id": (str, Field(min_length=1, max_length=9)),
    "level": (Literal["low", "medium", "high"], ...),
    "amount": (Decimal, Field(gt=0)),
    "count": (int, Field(ge=0, lt=100)),
    "weight": (float, 1.0),
    "on": (date, Field(lt=date(2200, 1, 1))),
    "note": (str | None, None),
    "names": (list[str], []),
    "by_name": (dict[str, int], {}),
    "part": (Part | None, None),
    "title": (str, ""),
}


def catalog(fields: dict[str, Any], outgoing: bool = False, **facts: Any) -> dict[str, type[EventData]]:
    model = create_model("ThingChanged", __base__=EventData, __doc__="A thing has changed.", **fields)
    model.type = NAME
    model.contract_ = Contract(
        type=NAME, owner="sales", truth="crm", subject="contract", wakes=None, outgoing=outgoing, **facts
    )
    return {NAME: model}


def change(**fields: Any) -> dict[str, Any]:
    """FIELDS with some of them changed; None takes one out."""
    return {name: field for name, field in {**FIELDS, **fields}.items() if field is not None}


NARROWER: dict[str, tuple[dict[str, Any], str]] = {
    "field removed": ({"note": None}, "field note is gone"),
    "nested field removed": ({"part": (BaseModel | None, None)}, "field part.number is gone"),
    "type narrowed": ({"note": (str, "")}, 'field note: its type was "null" and is "string" now'),
    "type changed": ({"count": (str, ...)}, 'field count: its type was "integer" and is "string" now'),
    "number to integer": ({"weight": (int, 1)}, 'field weight: its type was "number" and is "integer" now'),
    "format added": ({"id": (date, ...)}, 'field id: its format was free and is "date" now'),
    "enum value removed": (
        {"level": (Literal["low", "high"], ...)},
        'field level: the value "medium" is no longer allowed',
    ),
    "enum added": ({"title": (Literal["", "Dr"], "")}, 'field title: its enum was free and is ["", "Dr"] now'),
    "lower bound tightened": (
        {"count": (int, Field(ge=1, lt=100))},
        "field count: its minimum was 0 and is 1 now",
    ),
    "upper bound tightened": (
        {"count": (int, Field(ge=0, lt=99))},
        "field count: its exclusiveMaximum was 100 and is 99 now",
    ),
    "bound left out": (
        {"count": (int, Field(gt=0, lt=100))},
        "field count: its minimum was 0 and its exclusiveMinimum is 0 now",
    ),
    "date bound tightened": (
        {"on": (date, Field(lt=date(2100, 1, 1)))},
        'field on: its formatExclusiveMaximum was "2200-01-01" and is "2100-01-01" now',
    ),
    "longer at least": ({"id": (str, Field(min_length=2, max_length=9))}, "field id: its minLength was 1 and is 2 now"),
    "shorter at most": ({"id": (str, Field(min_length=1, max_length=8))}, "field id: its maxLength was 9 and is 8 now"),
    "pattern added": ({"title": (str, Field("", pattern="^A"))}, 'field title: its pattern was free and is "^A" now'),
    "fewer items": ({"names": (list[str], Field([], max_length=3))}, "field names: its maxItems was free and is 3 now"),
    "items narrowed": (
        {"names": (list[int], [])},
        'field names[]: its type was "string" and is "integer" now',
    ),
    "values narrowed": (
        {"by_name": (dict[str, Literal[1, 2]], {})},
        "field by_name.*: its enum was free and is [1, 2] now",
    ),
    "new required field": ({"size": (int, ...)}, "field size is new and required"),
    "new required field inside": (
        {"part": (BiggerPart | None, None)},
        "field part.weight is new and required",
    ),
    "optional made required": ({"title": (str, ...)}, "field title was optional and is required now"),
}
WIDER: dict[str, dict[str, Any]] = {
    "nothing": {},
    "new optional field": {"size": (int | None, None)},
    "required made optional": {"id": (str, Field("x", min_length=1, max_length=9))},
    "enum value added": {"level": (Literal["low", "medium", "high", "extreme"], ...)},
    "any string": {"level": (str, ...)},
    "lower bound widened": {"count": (int, Field(ge=-5, lt=100))},
    "upper bound widened": {"count": (int, Field(ge=0, le=100))},
    "bound gone": {"on": (date, ...), "amount": (Decimal, ...)},
    "length widened": {"id": (str, Field(max_length=10))},
    "null allowed": {"title": (str | None, None)},
    "integer to number": {"count": (float, Field(ge=0, lt=100))},
    "described otherwise": {"title": (str, Field("", description="how to address it"))},
    "nested field added": {"part": (create_model("Part", __base__=Part, colour=(str, "")) | None, None)},
}


@pytest.mark.parametrize("seeded", NARROWER)
def test_what_breaks_somebody_is_found_by_type_and_field(seeded: str) -> None:
    fields, reason = NARROWER[seeded]
    lines = refusals(documents(catalog(FIELDS)), catalog(change(**fields)))
    assert lines == [f"{NAME}: {reason}; {DO}"]


@pytest.mark.parametrize("seeded", WIDER)
def test_what_breaks_nobody_passes(seeded: str) -> None:
    assert refusals(documents(catalog(FIELDS)), catalog(change(**WIDER[seeded]))) == []


def test_an_event_that_is_gone_is_found() -> None:
    (line,) = refusals(documents(catalog(FIELDS)), {})
    assert line.startswith(f"{NAME}: the event is gone; keep it")


def test_every_field_of_every_committed_event_is_held() -> None:
    kept = {path.name: path.read_text(encoding="utf-8") for path in FOLDER.iterdir()}
    for name, schema in schemas().items():
        for field in schema["properties"]:
            without = copy.deepcopy(json.loads(kept[f"{name}.json"]))
            del without["properties"][field]
            assert f"field {field} is gone" in breaks(schema, without), name
    assert {line.split(":")[0] for line in refusals(kept, {})} == set(CATALOG)


def test_neither_the_lock_nor_the_schemas_can_be_dodged_alone() -> None:
    files, narrower = documents(catalog(FIELDS)), catalog(change(note=None))
    for left in ("lock.json", f"{NAME}.json"):
        assert refusals({left: files[left]}, narrower) == [f"{NAME}: field note is gone; {DO}"]
    for broken in ("{", "[]"):
        with pytest.raises(ValueError, match=r"lock\.json"):
            refusals({**files, "lock.json": broken}, narrower)


def test_a_reader_of_what_tenure_sends_is_not_told_unknown_values() -> None:
    old = schema_of(catalog(FIELDS, outgoing=True)[NAME])
    for seeded, reason in (
        ("enum value added", 'field level: the value "extreme" is new to readers'),
        ("required made optional", "field id was always sent, and may be missing now"),
        ("null allowed", 'field title: its type was "string" and is "null" now'),
        ("upper bound widened", "field count: its exclusiveMaximum was 100 and its maximum is 100 now"),
    ):
        new = schema_of(catalog(change(**WIDER[seeded]), outgoing=True)[NAME])
        assert reason in breaks(old, new), seeded
    for seeded in ("nothing", "new optional field", "nested field added", "described otherwise"):
        new = schema_of(catalog(change(**WIDER[seeded]), outgoing=True)[NAME])
        assert breaks(old, new) == [], seeded
    # nor does a change of direction hide it
    assert breaks(old, schema_of(catalog(change(**WIDER["enum value added"]))[NAME]))


DECIMALS: dict[str, Any] = {
    "more than zero": Field(gt=0),
    "no less than zero": Field(ge=0),
    "any": Field(),
    "of six digits": Field(ge=0, lt=10**6),
    "of twelve digits": Field(ge=0, lt=10**12),
}
WIDENED = {
    ("more than zero", "no less than zero"),
    ("more than zero", "any"),
    ("no less than zero", "any"),
    ("of six digits", "of twelve digits"),
    ("of six digits", "no less than zero"),
    ("of six digits", "any"),
    ("of twelve digits", "no less than zero"),
    ("of twelve digits", "any"),
}


@pytest.mark.parametrize("old", DECIMALS)
@pytest.mark.parametrize("new", DECIMALS)
def test_bounds_of_decimals_count_as_text_too(old: str, new: str) -> None:
    before, after = (schema_of(catalog({"amount": (Decimal, DECIMALS[one])})[NAME]) for one in (old, new))
    assert (breaks(before, after) == []) is (old == new or (old, new) in WIDENED)


def test_one_alternative_less_is_found() -> None:
    old = schemas()["tenure.milestone.completed.v1"]
    new = copy.deepcopy(old)
    new["anyOf"].pop()
    assert breaks(old, new)
    assert breaks(new, old) == []


def test_a_contract_that_takes_no_other_fields_any_more_is_found() -> None:
    old = schema_of(catalog(FIELDS)[NAME])
    new = {**old, "additionalProperties": False}
    assert breaks(old, new) == ["the data: its additionalProperties was free and is false now"]
    assert breaks(new, old) == []


def test_a_keyword_that_is_not_known_counts() -> None:
    old = schema_of(catalog(FIELDS)[NAME])
    new = copy.deepcopy(old)
    new["properties"]["count"]["multipleOf"] = 2
    assert breaks(old, new) == ["field count: its multipleOf was free and is 2 now"]
    assert breaks(new, old) == []


def test_a_shape_is_all_that_is_looked_at() -> None:
    for name, schema in schemas().items():
        assert catalog_breaks({name: shape(schema)}, {name: schema}) == []
        assert catalog_breaks({name: schema}, {name: shape(schema)}) == []
        assert set(shape(schema)["properties"]) == set(schema["properties"])
    assert "title" in shape(schemas()["tenure.lifecycle.case_opened.v1"])["properties"]


POOL: tuple[Any, ...] = (None, -2, -1, 0, 1, 2, 0.5, "", "a", "ab", "abc", [], ["a"], [1], {})
numbers = st.fixed_dictionaries(
    {"type": st.sampled_from(["integer", "number", ["integer", "null"]])},
    optional={key: st.integers(-2, 2) for key in ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum")},
)
strings = st.fixed_dictionaries(
    {"type": st.just("string")},
    optional={
        "minLength": st.integers(0, 2),
        "maxLength": st.integers(0, 2),
        "enum": st.sets(st.sampled_from(["", "a", "ab"]), min_size=1).map(sorted),
    },
)
simple = st.one_of(numbers, strings, st.sampled_from([{}, {"type": "null"}, {"const": 1}, {"const": "a"}]))
lists = st.fixed_dictionaries({"type": st.just("array"), "items": simple}, optional={"maxItems": st.integers(0, 1)})
values = simple | lists
fields = st.one_of(values, st.lists(values, min_size=1, max_size=3).map(lambda ways: {"anyOf": ways}))
objects = st.fixed_dictionaries(
    {
        "type": st.just("object"),
        "properties": st.fixed_dictionaries({"a": fields}),
        "required": st.sampled_from([[], ["a"]]),
    },
    optional={
        "additionalProperties": st.booleans() | simple,
        "anyOf": st.lists(st.sampled_from([{"required": ["a"]}, {"required": ["b"]}, {}]), min_size=1, max_size=2),
    },
)
DOCUMENTS = [{}, *({"a": value} for value in POOL), *({"a": value, "b": other} for value in POOL for other in POOL)]


@settings(max_examples=200)
@given(objects, objects)
def test_what_passes_takes_every_document_that_was_taken(old: dict[str, Any], new: dict[str, Any]) -> None:
    before, after = Draft202012Validator(old), Draft202012Validator(new)
    refused = [document for document in DOCUMENTS if before.is_valid(document) and not after.is_valid(document)]
    assert not refused or breaks(old, new), refused
    assert breaks(old, old) == []
