"""The API's description (OpenAPI 3.1): made from the code, committed as docs/api/openapi.json."""

import json
from functools import cache
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from experience.api import API, router
from experience.endpoints import PUBLIC, Endpoint, declared, routes
from starter.openapi import problems, with_problem_schema

VERSION = "1.0"
Document = dict[str, Any]

_ABOUT = """What Tenure knows of accounts, contracts, renewals, cases and money, and what may be done about it.

Reads come from Tenure's store and wake no workflow. `freshness` says as of when each source of an answer is known.
Lists are read page by page: pass `next` as `cursor`. A GET answers with an ETag, and with If-None-Match 304 while
nothing has changed. A field that somebody may not see is null, and named in `masked`. Every error is a problem document
(RFC 9457). A command takes an `Idempotency-Key`: it acts once, however often it is sent with the same key."""

_SECURITY = {
    "token": {"type": "http", "scheme": "bearer", "description": "A token of a machine: `tenure tokens`"},
    "session": {"type": "apiKey", "in": "cookie", "name": "tenure_session", "description": "Somebody at a browser"},
}
_OF_ALL = {
    HTTPStatus.UNAUTHORIZED: "Nobody knows who asks",
    HTTPStatus.FORBIDDEN: "Who asks may not",
    HTTPStatus.UNPROCESSABLE_ENTITY: "What is asked can't be: it says why",
    HTTPStatus.SERVICE_UNAVAILABLE: "The store does not answer: ask again",
}
_NAMED = {HTTPStatus.NOT_FOUND: "There is nothing of that name"}
_COMMAND = {
    HTTPStatus.CONFLICT: "It is refused: it says why, and nothing was changed",
    HTTPStatus.GATEWAY_TIMEOUT: "The lifecycle has not answered: ask again with the same key",
}


@cache
def document() -> Document:
    """The description of every capability."""
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None)
    app.include_router(router, prefix=API)
    made = get_openapi(
        title="Tenure", version=VERSION, description=_ABOUT, routes=app.routes, separate_input_output_schemas=True
    )
    for route in routes(app):
        if (endpoint := declared(route.endpoint)) is not None:
            for method in route.methods or ():
                operation = made["paths"].get(route.path_format, {}).get(method.lower())
                if operation is not None:
                    _describe(operation, endpoint, method)
    for unused in ("HTTPValidationError", "ValidationError"):
        made["components"]["schemas"].pop(unused, None)
    made["components"]["securitySchemes"] = _SECURITY
    return with_problem_schema(made)


def text(made: Document) -> str:
    """As the committed file has it."""
    return json.dumps(made, indent=1, ensure_ascii=False, sort_keys=True) + "\n"


def _describe(operation: Document, endpoint: Endpoint, method: str) -> None:
    named = any(each["in"] == "path" for each in operation.get("parameters", ()))
    told = {**_OF_ALL, **(_NAMED if named else {}), **(_COMMAND if method != "GET" else {})}
    operation["responses"] = {
        **operation["responses"],
        **{str(status): response for status, response in problems(told).items()},
    }
    if method == "GET":
        operation["responses"]["304"] = {"description": "Nothing has changed since the ETag"}
    operation["x-owner"], operation["x-since"] = endpoint.owner, endpoint.since
    operation["x-permission"] = endpoint.permission
    operation["security"] = [] if endpoint.permission == PUBLIC else [{name: []} for name in _SECURITY]
    if endpoint.deprecated is not None:
        operation["deprecated"] = True
        operation["x-deprecated"] = endpoint.deprecated.isoformat()
        operation["x-sunset"] = endpoint.sunset.isoformat() if endpoint.sunset else None
