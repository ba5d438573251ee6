"""What may change in the API without a new version, and what may not: the check before the description is committed.

A change breaks nobody when every request that was answered still is, and every answer can still be read by who knows
the old description. Schemas are judged as those of events are (domain/events/compatibility.py).
"""

import json
from collections.abc import Iterator
from datetime import date
from typing import Any

from domain.events.compatibility import breaks
from domain.events.schemas import AGREED

Document = dict[str, Any]
_METHODS = ("get", "post", "put", "patch", "delete")
_REFERENCE = "#/components/schemas/"


def api_breaks(old: Document, new: Document, today: date) -> list[str]:
    """One line for each break, with the operation and what to do instead; empty where nobody is broken. An operation
    may go once its sunset has come."""
    found: list[str] = []
    for path, method, was in _operations(old):
        now = new["paths"].get(path, {}).get(method)
        name = f"{method.upper()} {path}"
        if now is not None:
            found += [f"{name}: {reason}" for reason in _changed(_Described(old, was), _Described(new, now))]
        elif (was.get("x-sunset") or "9999") > today.isoformat():
            found.append(f"{name} is gone: declare it deprecated, with a sunset, and leave it until then")
    return found


class _Described:
    """An operation, and the document that its references are read in."""

    def __init__(self, document: Document, operation: Document) -> None:
        self.operation = operation
        self._defs = _local(document["components"]["schemas"])

    def schema(self, schema: Document, *, outgoing: bool) -> Document:
        return {**_local(schema), "$defs": self._defs, AGREED: {"outgoing": outgoing}}

    def parameters(self) -> dict[str, Document]:
        return {f"{each['in']} parameter {each['name']}": each for each in self.operation.get("parameters", ())}

    def body(self) -> Document | None:
        return _json(self.operation.get("requestBody", {}))

    def answers(self) -> dict[str, Document | None]:
        return {status: _json(each) for status, each in self.operation["responses"].items() if status[0] == "2"}


def _changed(old: _Described, new: _Described) -> Iterator[str]:
    yield from _parameters(old, new)
    was, now = old.body(), new.body()
    if now is not None and was is None and new.operation["requestBody"].get("required"):
        yield "it needs a body now"
    if was is not None:
        yield from _narrowed("the body", old, was, new, now, outgoing=False)
    answers = new.answers()
    for status, schema in old.answers().items():
        if status not in answers:
            yield f"it does not answer {status} any more"
        elif schema is not None:
            yield from _narrowed(f"the answer {status}", old, schema, new, answers[status], outgoing=True)


def _parameters(old: _Described, new: _Described) -> Iterator[str]:
    before, after = old.parameters(), new.parameters()
    for name, was in before.items():
        if name not in after:
            yield f"{name} is gone"
            continue
        if after[name].get("required") and not was.get("required"):
            yield f"{name} was optional and is required now"
        yield from _narrowed(name, old, was["schema"], new, after[name]["schema"], outgoing=False)
    for name in after.keys() - before.keys():
        if after[name].get("required"):
            yield f"{name} is new and required"


def _narrowed(
    what: str, old: _Described, was: Document, new: _Described, now: Document | None, *, outgoing: bool
) -> Iterator[str]:
    if now is None:
        yield f"{what} holds no JSON any more"
        return
    for reason in breaks(old.schema(was, outgoing=outgoing), new.schema(now, outgoing=outgoing)):
        yield f"{what}: {reason}"


def _operations(document: Document) -> Iterator[tuple[str, str, Document]]:
    for path, methods in document["paths"].items():
        for method in _METHODS:
            if method in methods:
                yield path, method, methods[method]


def _json(described: Document) -> Document | None:
    found: Document | None = described.get("content", {}).get("application/json", {}).get("schema")
    return found


def _local(schema: Any) -> Any:
    """The same schema with its references as a schema that stands alone has them."""
    return json.loads(json.dumps(schema).replace(_REFERENCE, "#/$defs/"))
