"""An event's contract beside a payload: each field, its type, whether it is needed, what it means."""

from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any

from pydantic import BaseModel

from domain.events import CATALOG
from domain.events.schemas import schema_of

DEEPEST = 3


class Property(BaseModel):
    path: str
    type: str
    needed: bool
    says: str


@cache
def properties(type: str) -> Sequence[Property]:
    """The fields of an event of ours, by their paths in the payload; none for a type that is not ours."""
    data = CATALOG.get(type)
    if data is None:
        return ()
    schema = schema_of(data)
    return tuple(_properties(schema, schema.get("$defs", {}), "data"))


def _properties(schema: dict[str, Any], known: dict[str, Any], path: str, depth: int = 1) -> Iterator[Property]:
    needed = schema.get("required", ())
    for name, written in schema.get("properties", {}).items():
        found = _resolved(written, known)
        place = f"{path}.{name}"
        yield Property(path=place, type=_type(found), needed=name in needed, says=found.get("description", ""))
        if depth < DEEPEST and "properties" in found:
            yield from _properties(found, known, place, depth + 1)


def _resolved(written: dict[str, Any], known: dict[str, Any]) -> dict[str, Any]:
    """What a `$ref`, or the one choice besides null, stands for."""
    choices = [each for each in written.get("anyOf", ()) if each.get("type") != "null"]
    if len(choices) == 1:
        return {**_resolved(choices[0], known), **{name: value for name, value in written.items() if name != "anyOf"}}
    if reference := written.get("$ref"):
        found = known.get(reference.rpartition("/")[2], {})
        return {**found, **{name: value for name, value in written.items() if name != "$ref"}}
    return written


def _type(schema: dict[str, Any]) -> str:
    if "const" in schema:
        return repr(schema["const"])
    if "enum" in schema:
        return " | ".join(str(each) for each in schema["enum"])
    if "anyOf" in schema:
        return " | ".join(dict.fromkeys(_type(each) for each in schema["anyOf"]))
    return str(schema.get("format") or schema.get("type") or "any")
