"""What the gateway's OpenAPI document says of its routes: every status that they can answer with, and no other."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from pydantic import BaseModel

from starter.problems import MEDIA_TYPE


class TakenEvent(BaseModel):
    """One event that is durable now. `status`: accepted, duplicate, dead_letter, hint or ignored."""

    status: str
    id: str


class TakenEvents(BaseModel):
    """What became of each event of a request that held none or several, in their order."""

    status: str
    events: list[TakenEvent]


class ProblemDocument(BaseModel):
    """A problem document (RFC 9457)."""

    type: str
    title: str
    status: int
    detail: str


Responses = dict[int | str, dict[str, Any]]


def problems(described: Mapping[HTTPStatus, str]) -> Responses:
    """Responses that are problem documents."""
    schema = {"$ref": "#/components/schemas/ProblemDocument"}
    return {
        int(status): {"description": text, "content": {MEDIA_TYPE: {"schema": schema}}}
        for status, text in described.items()
    }


WEBHOOK_PROBLEMS = problems(
    {
        HTTPStatus.BAD_REQUEST: "It can't be read: no JSON in UTF-8, no CloudEvent, or cut off; nothing was stored",
        HTTPStatus.UNAUTHORIZED: "The signature is missing, wrong, or outside of the tolerance",
        HTTPStatus.NOT_FOUND: "There is no such source",
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "The body is too large, or holds too many events",
        HTTPStatus.SERVICE_UNAVAILABLE: "It could not be stored: send it again",
    }
)

NOT_READY = problems({HTTPStatus.SERVICE_UNAVAILABLE: "The store can't be written"})

METRICS: Responses = {200: {"description": "Counters for Prometheus", "content": {"text/plain": {}}}}

# Whatever is authentic is taken, as a dead letter if need be: any JSON.
_ANY: dict[str, Any] = {"schema": {}}

WEBHOOK = {
    "parameters": [
        {
            "name": "source",
            "in": "path",
            "required": True,
            "description": "A configured source; how it signs is its own",
            "schema": {"type": "string"},
        }
    ],
    "requestBody": {
        "required": True,
        "description": "What the source sends: one event, or several; CloudEvents structured, binary or batched",
        "content": {
            "application/json": _ANY,
            "application/cloudevents+json": _ANY,
            "application/cloudevents-batch+json": _ANY,
        },
    },
}


def with_problem_schema(document: dict[str, Any]) -> dict[str, Any]:
    """The document with the schema that its problem responses refer to."""
    schema = ProblemDocument.model_json_schema()
    document.setdefault("components", {}).setdefault("schemas", {})["ProblemDocument"] = schema
    return document
