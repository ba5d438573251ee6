"""How every answer of the API goes out: with an ETag, and with what its endpoint tells of its own end."""

import hashlib
from collections.abc import Callable, Coroutine
from http import HTTPStatus
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.routing import APIRoute

from experience.endpoints import declared


class CapabilityRoute(APIRoute):
    """A route whose answers can be asked for conditionally (If-None-Match)."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle, declaration = super().get_route_handler(), declared(self.endpoint)
        ends = declaration.headers() if declaration else {}

        async def answer(request: Request) -> Response:
            response = await handle(request)
            response.headers.update(ends)
            if request.method != "GET" or response.status_code != HTTPStatus.OK or not hasattr(response, "body"):
                return response
            tag = f'"{hashlib.sha256(response.body).hexdigest()[:32]}"'
            headers = {"ETag": tag, "Cache-Control": "private, no-cache", **ends}
            if tag in _tags(request.headers.get("if-none-match", "")):
                return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
            response.headers.update(headers)
            return response

        return answer


def capability(name: str) -> APIRouter:
    """A router for the endpoints of one capability."""
    return APIRouter(route_class=CapabilityRoute, tags=[name], generate_unique_id_function=lambda route: route.name)


def _tags(header: str) -> list[str]:
    return [tag.strip().removeprefix("W/") for tag in header.split(",")]
