"""The contracts for those who don't read Python: a JSON Schema (2020-12) per event, and one AsyncAPI 3.0 document."""

import re
from collections.abc import Mapping
from typing import Any

from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from domain.events.base import CATALOG, Contract, EventData

Schema = dict[str, Any]
Catalog = Mapping[str, type[EventData]]

DIALECT = "https://json-schema.org/draft/2020-12/schema"
AGREED = "x-tenure"
_COMPONENTS = "#/components/schemas/"
_DECIMAL = re.compile(
    r"\^(?P<some>\(\?=\.\*\[1-9\]\))?(?P<sign>-\?)?\[0-9\](\+|\{1,(?P<digits>\d+)\})\(\\\.\[0-9\]\+\)\?\$"
)
_CLOUD_EVENT: Schema = {
    "type": "object",
    "title": "CloudEvent",
    "description": "The attributes of CloudEvents 1.0 in structured mode; extensions are allowed, and ignored.",
    "required": ["specversion", "id", "source", "type", "data"],
    "properties": {
        "specversion": {"const": "1.0", "description": "version of CloudEvents"},
        "id": {"type": "string", "minLength": 1, "description": "unique within its source; sent again, it is the same"},
        "source": {
            "type": "string",
            "minLength": 1,
            "format": "uri-reference",
            "description": "the system that sends, such as /sandbox/erp",
        },
        "type": {"type": "string", "minLength": 1, "description": "name of the contract that `data` keeps"},
        "subject": {"type": "string", "minLength": 1, "description": "id of the record that the event is about"},
        "time": {"type": "string", "format": "date-time", "description": "when it happened: RFC 3339, with an offset"},
        "datacontenttype": {"type": "string", "description": "application/json when not given; always JSON"},
        "data": {"type": "object"},
    },
}
_SIGNATURE: Schema = {
    "type": "object",
    "title": "StandardWebhooks",
    "description": "The headers of Standard Webhooks: HMAC-SHA256 over `{webhook-id}.{webhook-timestamp}.{body}`.",
    "required": ["webhook-id", "webhook-timestamp", "webhook-signature"],
    "properties": {
        "webhook-id": {"type": "string", "description": "id of the message; sent again, it is the same"},
        "webhook-timestamp": {"type": "string", "pattern": "^[0-9]+$", "description": "when it was sent: Unix seconds"},
        "webhook-signature": {"type": "string", "description": "`v1,` and base64, once per valid secret, by spaces"},
    },
}
_INCOMING = (
    "What outside systems tell Tenure, in any order and any number of times: the inbox keeps (source, id) once, and "
    "versions decide what is newer. Also taken in binary mode, where the attributes are percent-encoded `ce-` headers "
    "and the body is `data`. 202 means that the event is durable; what can't be used waits for a person."
)
_OUTGOING = (
    "What Tenure tells its subscribers, each at its own address: at least once, in order per contract. Any 2xx answer "
    "takes it; anything else is tried again for a day."
)


class _Writer(GenerateJsonSchema):
    """pydantic's, without a title that only repeats a field's name, and with the shapes that it leaves out."""

    schema_dialect = DIALECT

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False

    def decimal_schema(self, schema: core_schema.DecimalSchema) -> JsonSchemaValue:
        written = super().decimal_schema(schema)
        for way in written.get("anyOf", ()):
            if way["type"] == "string":
                way["pattern"] = _decimal_pattern(schema)
        return written

    def date_schema(self, schema: core_schema.DateSchema) -> JsonSchemaValue:
        # JSON Schema has no bounds for dates; these are the keywords of ajv-formats
        written = super().date_schema(schema)
        if "ge" in schema:
            written["formatMinimum"] = schema["ge"].isoformat()
        if "gt" in schema:
            written["formatExclusiveMinimum"] = schema["gt"].isoformat()
        if "le" in schema:
            written["formatMaximum"] = schema["le"].isoformat()
        if "lt" in schema:
            written["formatExclusiveMaximum"] = schema["lt"].isoformat()
        return written


def schema_of(data: type[EventData], ref_template: str = "#/$defs/{model}") -> Schema:
    """The JSON Schema of an event's data. `title` is the model's name, `description` the event's meaning."""
    written = data.model_json_schema(schema_generator=_Writer, ref_template=ref_template)
    contract = data.contract_
    head: Schema = {
        "$schema": DIALECT,
        "$id": f"urn:tenure:event:{contract.type}",
        "title": data.__name__,
        "description": meaning(data),
    }
    if contract.deprecated is not None:
        head["deprecated"] = True
    head[AGREED] = _agreed(contract)
    return head | {key: value for key, value in written.items() if key not in head}


def meaning(data: type[EventData]) -> str:
    """An event's meaning in one line: its model's docstring."""
    return " ".join((data.__doc__ or "").split())


def schemas(catalog: Catalog = CATALOG) -> dict[str, Schema]:
    """Every event's JSON Schema, by type."""
    return {name: schema_of(data) for name, data in sorted(catalog.items())}


def asyncapi(catalog: Catalog = CATALOG) -> dict[str, Any]:
    """One AsyncAPI 3.0 document over all events: what Tenure receives, and what it sends."""
    components: dict[str, Schema] = {"CloudEvent": _CLOUD_EVENT, "StandardWebhooks": _SIGNATURE}
    messages: dict[str, Any] = {}
    names: dict[bool, list[str]] = {False: [], True: []}
    for name, data in sorted(catalog.items()):
        # every `$ref` of a schema is read from the document's root: its own definitions have to move there
        schema = schema_of(data, f"{_COMPONENTS}{name}.{{model}}")
        for inner, definition in schema.pop("$defs", {}).items():
            components[f"{name}.{inner}"] = definition
        del schema["$schema"], schema["$id"]
        components[name] = schema
        messages[name] = _message(data)
        names[data.contract_.outgoing].append(name)
    version = max((data.contract_.since for data in catalog.values()), key=_number, default="0.1")
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Tenure events",
            "version": version,
            "description": "CloudEvents 1.0 over HTTP, signed by Standard Webhooks. Readers ignore fields that they "
            "don't know; what would break a reader is a new version of the type.",
            "license": {"name": "Apache-2.0", "url": "https://www.apache.org/licenses/LICENSE-2.0"},
        },
        "defaultContentType": "application/cloudevents+json",
        "channels": {
            "incoming": _channel("/webhooks/{source}", _INCOMING, names[False])
            | {"parameters": {"source": {"description": "name of the sender in Tenure's settings"}}},
            # a subscriber's address is known when it subscribes
            "outgoing": _channel(None, _OUTGOING, names[True]),
        },
        "operations": {
            "receive": _operation("receive", "incoming", "Take what outside systems tell.", names[False]),
            "send": _operation("send", "outgoing", "Publish the turns of a lifecycle.", names[True]),
        },
        "components": {"schemas": components, "messages": messages},
    }


def _decimal_pattern(schema: core_schema.DecimalSchema) -> str:
    """Decimals as text, within bounds that a pattern can say: no less than zero, more than zero, below 10 to the n."""
    floor, top = schema.get("gt", schema.get("ge")), schema.get("lt")
    some = "(?=.*[1-9])" if schema.get("gt") == 0 else ""
    sign = "" if floor == 0 else "-?"
    whole = f"{{1,{len(str(top)) - 1}}}" if top is not None and str(top).strip("0") == "1" else "+"
    return rf"^{some}{sign}[0-9]{whole}(\.[0-9]+)?$"


def wider_decimal(old: Any, new: Any) -> bool:
    """Whether two patterns are those of decimals as text, and the new one takes all that the old one does."""
    before, after = (_DECIMAL.fullmatch(pattern) if isinstance(pattern, str) else None for pattern in (old, new))
    if before is None or after is None:
        return False
    return (
        (not after["some"] or bool(before["some"]))
        and (bool(after["sign"]) or not before["sign"])
        and (
            after["digits"] is None or (before["digits"] is not None and int(before["digits"]) <= int(after["digits"]))
        )
    )


def _message(data: type[EventData]) -> dict[str, Any]:
    name = data.type
    envelope = {
        "type": "object",
        "properties": {"type": {"const": name}, "data": {"$ref": f"{_COMPONENTS}{name}"}},
    }
    return {
        "name": name,
        "title": data.__name__,
        "summary": meaning(data),
        "contentType": "application/cloudevents+json",
        "headers": {"$ref": f"{_COMPONENTS}StandardWebhooks"},
        "payload": {"allOf": [{"$ref": f"{_COMPONENTS}CloudEvent"}, envelope]},
        AGREED: _agreed(data.contract_),
    }


def _channel(address: str | None, description: str, names: list[str]) -> dict[str, Any]:
    messages = {name: {"$ref": f"#/components/messages/{name}"} for name in names}
    return {"address": address, "description": description, "messages": messages}


def _operation(action: str, channel: str, summary: str, names: list[str]) -> dict[str, Any]:
    return {
        "action": action,
        "channel": {"$ref": f"#/channels/{channel}"},
        "summary": summary,
        "messages": [{"$ref": f"#/channels/{channel}/messages/{name}"} for name in names],
        "bindings": {"http": {"method": "POST", "bindingVersion": "0.3.0"}},
    }


def _agreed(contract: Contract) -> dict[str, Any]:
    return contract.model_dump(mode="json", exclude={"type"})


def _number(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))
