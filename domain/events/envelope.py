"""CloudEvents 1.0 around our contracts: how a received event is read, in structured and in binary mode."""

import json
import re
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Literal
from urllib.parse import unquote_to_bytes

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from domain.base import Frozen
from domain.events.base import CATALOG, EventData
from domain.events.upcast import UPCASTS, Upcast, next_version

_RFC3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)", re.ASCII)
_JSON_TYPE = re.compile(
    r"\s*(application|text)/json\s*(;.*)?|\s*[\w.!#$&^-]+/[\w.!#$&^-]+\+json\s*(;.*)?", re.ASCII | re.I
)
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_NOT_URI = re.compile(r"[ <>\"{}|\\^`]")
_ATTRIBUTE = re.compile(r"ce-([a-z0-9]+)", re.ASCII)
_NOT_ATTRIBUTES = frozenset({"data", "datacontenttype"})


class UnusableEvent(ValueError):
    """An authentic event that can't be used: unknown type or broken contract. Its reason goes to the dead letter."""


class Event(Frozen):
    """One received event, read. `data` is an instance of the contract that `type` names.

    An event of an old version is read as the newest one: then `type` is not what was sent. `deprecation` says in one
    line what its sender should send instead; None when the type that it sent is current.
    """

    id: str
    source: str
    type: str
    time: datetime | None = None
    data: EventData
    deprecation: str | None = None


def _rfc3339(value: Any) -> Any:
    # pydantic alone would also take a number, a bare date, and a time without an offset
    if value is not None and not (isinstance(value, str) and _RFC3339.fullmatch(value)):
        raise ValueError("it is no RFC 3339 time with an offset, such as 2026-08-25T09:30:00Z")
    return value


def _json_type(value: Any) -> Any:
    if isinstance(value, str) and not _JSON_TYPE.fullmatch(value):
        raise ValueError(f"{value!r} is not JSON; our contracts are")
    return value


def _printable(value: str) -> str:
    if _CONTROL.search(value):
        raise ValueError("it has control characters, which no CloudEvents attribute may have")
    return value


def _reference(value: str) -> str:
    if _NOT_URI.search(value):
        raise ValueError('it is no URI reference: a space or one of <>"{}|\\^` is in it')
    return value


_Attribute = Annotated[str, Field(min_length=1), AfterValidator(_printable)]


class _CloudEvent(BaseModel):
    """The CloudEvents 1.0 attributes that we read; extensions are allowed and ignored."""

    model_config = ConfigDict(extra="ignore")
    specversion: Literal["1.0"]
    id: _Attribute
    source: Annotated[_Attribute, AfterValidator(_reference)]
    type: _Attribute
    subject: _Attribute | None = None
    time: Annotated[datetime | None, BeforeValidator(_rfc3339)] = None
    datacontenttype: Annotated[_Attribute | None, BeforeValidator(_json_type)] = None
    data: dict[str, Any]


def read_event(
    body: Any,
    catalog: Mapping[str, type[EventData]] = CATALOG,
    upcasts: Mapping[str, Upcast] = UPCASTS,
) -> Event:
    """Read a CloudEvent in structured mode. Raises UnusableEvent with every reason in one line.

    An old version keeps its own contract and is up-cast, step by step, until there is no newer one.
    """
    try:
        envelope = _CloudEvent.model_validate(body)
        data = _contract(envelope.type, catalog).model_validate(envelope.data)
        newest, fields = envelope.type, envelope.data
        while newest in upcasts:
            newest, fields = next_version(newest), upcasts[newest](fields)
            data = _contract(newest, catalog).model_validate(fields)
    except ValidationError as error:
        problems = "; ".join(f"{'.'.join(map(str, e['loc'])) or 'body'}: {e['msg']}" for e in error.errors())
        raise UnusableEvent(f"not a valid event: {problems}") from None
    return Event(
        id=envelope.id,
        source=envelope.source,
        type=newest,
        time=envelope.time,
        data=data,
        deprecation=catalog[envelope.type].contract_.deprecation(),
    )


def from_binary(headers: Mapping[str, str], body: bytes | str) -> dict[str, Any]:
    """The structured form of a CloudEvent in binary mode: attributes in `ce-` headers, JSON data as the body.

    Only what makes it no binary event at all is refused here, with UnusableEvent; `read_event` holds the result to the
    rest. A `ce-` header whose name can't be an attribute's is none.
    """
    event: dict[str, Any] = {}
    for name, value in headers.items():
        found = _ATTRIBUTE.fullmatch(name.lower())
        if found is None or found[1] in _NOT_ATTRIBUTES:
            continue
        if found[1] in event:
            raise UnusableEvent(f"not a binary event: the header {name.lower()} is given twice")
        event[found[1]] = _decoded(name.lower(), value)
    if "specversion" not in event:
        raise UnusableEvent("not a binary event: it has no header ce-specversion")
    content_type = next((value for name, value in headers.items() if name.lower() == "content-type"), None)
    if content_type is not None:
        if content_type.strip().lower().startswith("application/cloudevents"):
            raise UnusableEvent("not a binary event: its content type says that it is structured")
        if not _JSON_TYPE.fullmatch(content_type):
            raise UnusableEvent(f"not a valid event: datacontenttype: {content_type!r} is not JSON; our contracts are")
        event["datacontenttype"] = content_type
    if body:
        event["data"] = _json(body)
    return event


def _contract(name: str, catalog: Mapping[str, type[EventData]]) -> type[EventData]:
    contract = catalog.get(name)
    if contract is None:
        raise UnusableEvent(f"unknown event type {name!r}; `tenure events` shows those that are known")
    return contract


def _decoded(name: str, value: str) -> str:
    """A header's value as the HTTP binding says: quotes taken off first, then one round of percent-decoding."""
    value = value.strip(" \t")
    if len(value) >= 2 and value[0] == value[-1] == '"':
        value = re.sub(r"\\(.)", r"\1", value[1:-1])
    try:
        # header values come in as latin-1; a sender that did not encode its UTF-8 is still read
        return unquote_to_bytes(value.encode("latin-1")).decode("utf-8")
    except UnicodeError:
        raise UnusableEvent(f"not a binary event: the header {name} is not UTF-8, percent-encoded") from None


def _json(body: bytes | str) -> Any:
    try:
        text = body.decode("utf-8") if isinstance(body, bytes) else body
        return json.loads(text, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        raise UnusableEvent("not a binary event: its body is not JSON in UTF-8") from None


def _no_constant(constant: str) -> None:
    """Python reads NaN and Infinity; JSON doesn't have them."""
    raise ValueError(constant)
