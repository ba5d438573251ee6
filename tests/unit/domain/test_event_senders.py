"""Who sends what a schema allows is never refused: documents drawn from each event's schema are read by its model."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from domain.events import CATALOG, read_event
from domain.events.schemas import schemas

SCHEMAS = schemas()
AHEAD = "(?=.*[1-9])"
Drawn = st.SearchStrategy[Any]
text = st.characters(exclude_categories=["Cs"])
anything = st.dictionaries(st.text(text, max_size=5), st.none() | st.integers() | st.text(text, max_size=5), max_size=2)


def drawn(schema: dict[str, Any]) -> Drawn:
    """Documents that a schema accepts, as far as our schemas go; whatever it has besides is an error here."""
    if "anyOf" in schema and schema.get("type") != "object":
        return st.one_of([drawn(way) for way in schema["anyOf"]])
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    if "pattern" in schema:
        # what looks ahead is hard to draw, and easily seen
        return st.from_regex(schema["pattern"].replace(AHEAD, ""), fullmatch=True).filter(
            lambda drawn: AHEAD not in schema["pattern"] or any(digit in drawn for digit in "123456789")
        )
    kind = schema["type"]
    if kind == "null":
        return st.none()
    if kind == "boolean":
        return st.booleans()
    if kind in ("integer", "number"):
        return number(schema)
    if kind == "string":
        match schema.get("format"):
            case "date":
                return day(schema)
            case "date-time":
                return st.datetimes(timezones=st.just(UTC)).map(datetime.isoformat)
        return st.text(text, min_size=schema.get("minLength", 0))
    if kind == "array":
        return st.lists(drawn(schema["items"]), max_size=3)
    assert kind == "object", schema
    return fields(schema)


def number(schema: dict[str, Any]) -> Drawn:
    least, most = schema.get("minimum"), schema.get("exclusiveMaximum", 10**12)
    if least is None:
        least = schema.get("exclusiveMinimum", -(10**12) - 1) + 1
    whole = st.integers(int(least), int(most) - 1)
    return whole if schema["type"] == "integer" else whole | st.floats(float(least), float(most) - 1)


def day(schema: dict[str, Any]) -> Drawn:
    before = date.fromisoformat(schema.get("formatExclusiveMaximum", "9999-12-31"))
    return st.dates(max_value=before - timedelta(days=1)).map(date.isoformat)


def fields(schema: dict[str, Any]) -> Drawn:
    if "properties" not in schema:
        more = schema.get("additionalProperties", True)
        return anything if more is True else st.dictionaries(st.text(text, max_size=5), drawn(more), max_size=3)
    ways = []
    for way in schema.get("anyOf", [{}]):
        properties = {**schema["properties"], **way.get("properties", {})}
        needed = {*schema.get("required", ()), *way.get("required", ())}
        ways.append(
            st.fixed_dictionaries(
                {name: drawn(properties[name]) for name in properties if name in needed},
                optional={name: drawn(properties[name]) for name in properties if name not in needed},
            )
        )
    return st.one_of(ways)


@pytest.mark.parametrize("name", sorted(CATALOG))
def test_what_a_schema_allows_is_read(name: str) -> None:
    @settings(max_examples=15)
    @given(drawn(SCHEMAS[name]))
    def sent(data: dict[str, Any]) -> None:
        Draft202012Validator(SCHEMAS[name]).validate(data)
        event = {"specversion": "1.0", "id": "1", "source": "/s", "type": name, "data": data}
        assert read_event(event).type == name

    sent()


@pytest.mark.parametrize("name", sorted(CATALOG))
def test_what_a_schema_requires_the_model_requires(name: str) -> None:
    model = CATALOG[name].model_fields
    assert {field for field, info in model.items() if info.is_required()} == set(SCHEMAS[name].get("required", ()))
