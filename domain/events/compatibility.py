"""What may change in a contract without a new version, and what may not.

A schema stands for the documents that it accepts. A new one breaks nobody when it accepts every document that the old
one did and loses no field. That is shown keyword by keyword; one that is not known here counts as a break when it
changes.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from domain.events.schemas import AGREED, Schema, wider_decimal
from domain.events.upcast import next_version

_SAYS_NOTHING = frozenset(
    {"$schema", "$id", "$comment", "$defs", "title", "description", "default", "examples", "deprecated", AGREED}
)
_OWN_RULES = frozenset(
    {"$ref", "anyOf", "type", "enum", "const", "properties", "required", "additionalProperties", "items"}
)
# each with the spelling that leaves the bound itself out
_LOWER = {
    "minimum": "exclusiveMinimum",
    "formatMinimum": "formatExclusiveMinimum",
    "minLength": "",
    "minItems": "",
    "minProperties": "",
}
_UPPER = {
    "maximum": "exclusiveMaximum",
    "formatMaximum": "formatExclusiveMaximum",
    "maxLength": "",
    "maxItems": "",
    "maxProperties": "",
}
_BOUNDS = {*_LOWER, *_LOWER.values(), *_UPPER, *_UPPER.values()}


def breaks(old_schema: Schema, new_schema: Schema) -> list[str]:
    """What of `new_schema` would break those who send or read by `old_schema`; empty when nothing does.

    What Tenure sends itself may not be widened either: its readers know only the values that they were told of.
    """
    found = list(_narrower(_Side(old_schema), _Side(new_schema), ""))
    if _outgoing(old_schema) or _outgoing(new_schema):
        back = _narrower(_Side(new_schema), _Side(old_schema), "", reverse=True)
        found += [reason for reason in back if reason not in found]
    return list(dict.fromkeys(found))


def catalog_breaks(old: Mapping[str, Schema], new: Mapping[str, Schema]) -> list[str]:
    """What of the catalog `new` breaks those who know `old`: one line each, with type, field and what to do."""
    found = []
    for name, schema in old.items():
        if name not in new:
            found.append(f"{name}: the event is gone; keep it, marked as deprecated, and up-cast it to its successor")
            continue
        do = f"leave {name} as it is and add {next_version(name)}, with an up-cast"
        found += [f"{name}: {reason}; {do}" for reason in breaks(schema, new[name])]
    return found


def shape(schema: Schema) -> Schema:
    """A schema without its prose: what `breaks` looks at, and no more."""
    bare: Schema = _bare(schema)
    if AGREED in schema:
        bare[AGREED] = {"outgoing": _outgoing(schema)}
    return bare


class _Side:
    """A schema and the document that its references are read in."""

    def __init__(self, schema: Schema, root: Schema | None = None) -> None:
        self.root = schema if root is None else root
        while "$ref" in schema:
            beside = {key: value for key, value in schema.items() if key != "$ref"}
            schema = {**self.root["$defs"][schema["$ref"].removeprefix("#/$defs/")], **beside}
        self.schema = schema

    def at(self, schema: Any) -> "_Side":
        return _Side(schema if isinstance(schema, dict) else {}, self.root)

    def ways(self) -> list["_Side"]:
        """The alternatives of an `anyOf`. What stands beside it holds for each; a property's own rule goes before."""
        if "anyOf" not in self.schema:
            return [self]
        beside = {key: value for key, value in self.schema.items() if key != "anyOf"}
        found = []
        for way in self.schema["anyOf"]:
            merged = {**beside, **way}
            if "properties" in beside:
                merged["properties"] = {**beside["properties"], **way.get("properties", {})}
                merged["required"] = [*beside.get("required", ()), *way.get("required", ())]
            found += _Side(merged, self.root).ways()
        return found


def _narrower(old: _Side, new: _Side, path: str, reverse: bool = False) -> Iterator[str]:
    """Why some document of `old` is none of `new`. `reverse`: the two are swapped, for what Tenure sends."""
    news = new.ways()
    for way in old.ways():
        tries = [list(_one(way, other, path, reverse)) for other in news]
        # of alternatives that all refuse it, the one that comes nearest explains it best
        yield from min(tries, key=len)


def _one(old: _Side, new: _Side, path: str, reverse: bool) -> Iterator[str]:
    where = f"field {path}" if path else "the data"
    was, now = old.schema, new.schema
    yield from (f"{where}: {reason}" for reason in (*_values(was, now, reverse), *_bounds(was, now, reverse)))
    for key in sorted(now.keys() - _SAYS_NOTHING - _OWN_RULES - _BOUNDS):
        same = key in was and was[key] == now[key]
        if not same and not (key == "pattern" and wider_decimal(was.get(key), now[key])):
            yield f"{where}: {_turn(reverse, key, was.get(key), now[key])}"
    yield from _fields(old, new, path, reverse)
    for key, name in (("items", "[]"), ("additionalProperties", ".*")):
        if isinstance(now.get(key), dict):
            if was.get(key) is not False:
                yield from _narrower(old.at(was.get(key)), new.at(now[key]), f"{path}{name}", reverse)
        elif now.get(key) is False and was.get(key) is not False:
            yield f"{where}: {_turn(reverse, key, was.get(key), False)}"


def _values(was: Schema, now: Schema, reverse: bool) -> Iterator[str]:
    """Types and enumerated values."""
    allowed, given = _listed(now), _listed(was)
    if allowed is None:
        kinds, had = _kinds(now), _kinds(was)
        if kinds is not None and (had is None or not had <= kinds):
            yield _turn(reverse, "type", was.get("type"), now["type"])
    elif given is None:
        yield _turn(reverse, "enum", None, allowed)
    elif lost := [value for value in given if value not in allowed]:
        yield f"the value {', '.join(map(_short, lost))} is {'new to readers' if reverse else 'no longer allowed'}"


def _bounds(was: Schema, now: Schema, reverse: bool) -> Iterator[str]:
    for pairs, way in ((_LOWER, 1), (_UPPER, -1)):
        for key, exclusive in pairs.items():
            before, after = _bound(was, key, exclusive, way), _bound(now, key, exclusive, way)
            # of two bounds that are equal, the one that leaves itself out is the tighter
            if after is not None and (before is None or _tighter(after, before, way)):
                now_key = exclusive if after[1] else key
                was_key = now_key if before is None else exclusive if before[1] else key
                yield _turn(reverse, now_key, None if before is None else before[0], after[0], was_key)


def _bound(schema: Schema, key: str, exclusive: str, way: int) -> tuple[Any, bool] | None:
    """The tighter of a bound's two spellings, with whether it leaves the bound itself out."""
    tightest = None
    for name in (key, exclusive):
        if name in schema:
            found = (schema[name], name == exclusive)
            tightest = found if tightest is None or _tighter(found, tightest, way) else tightest
    return tightest


def _tighter(one: tuple[Any, bool], other: tuple[Any, bool], way: int) -> bool:
    if one[0] == other[0]:
        return one[1] and not other[1]
    return bool(one[0] > other[0] if way > 0 else one[0] < other[0])


def _fields(old: _Side, new: _Side, path: str, reverse: bool) -> Iterator[str]:
    was, now = old.schema.get("properties", {}), new.schema.get("properties", {})
    needed = set(old.schema.get("required", ()))
    for name in was:
        if name in now:
            yield from _narrower(old.at(was[name]), new.at(now[name]), _join(path, name), reverse)
        elif not reverse:
            yield f"field {_join(path, name)} is gone"
    for name in new.schema.get("required", ()):
        if name in needed or (reverse and name not in was):
            continue
        if reverse:
            yield f"field {_join(path, name)} was always sent, and may be missing now"
        elif name in was:
            yield f"field {_join(path, name)} was optional and is required now"
        else:
            yield f"field {_join(path, name)} is new and required"


def _listed(schema: Schema) -> list[Any] | None:
    return [schema["const"]] if "const" in schema else schema.get("enum")


def _kinds(schema: Schema) -> set[str] | None:
    """The types that a schema accepts, None for all. Where a number is accepted an integer is too."""
    if "type" not in schema:
        return None
    kinds = {schema["type"]} if isinstance(schema["type"], str) else set(schema["type"])
    return kinds | {"integer"} if "number" in kinds else kinds


def _turn(reverse: bool, key: str, was: Any, now: Any, was_key: str = "") -> str:
    before, after = (was_key or key, was), (key, now)
    if reverse:
        before, after = after, before
    its = "" if before[0] == after[0] else f"its {after[0]} "
    return f"its {before[0]} was {_short(before[1])} and {its}is {_short(after[1])} now"


def _short(value: Any) -> str:
    return "free" if value is None else json.dumps(value, ensure_ascii=False)


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _outgoing(schema: Schema) -> bool:
    return bool(schema.get(AGREED, {}).get("outgoing", False))


def _bare(value: Any, of_names: bool = False) -> Any:
    """`of_names`: the keys are names of fields, not keywords, and a field may well be called `title`."""
    if isinstance(value, list):
        return [_bare(item) for item in value]
    if not isinstance(value, dict):
        return value
    kept = {key: inner for key, inner in value.items() if of_names or key not in _SAYS_NOTHING or key == "$defs"}
    return {key: _bare(inner, not of_names and key in ("properties", "$defs")) for key, inner in kept.items()}
