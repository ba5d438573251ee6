"""What every endpoint declares of itself. A route without a declaration can't be served."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from email.utils import format_datetime
from functools import wraps
from inspect import iscoroutinefunction
from typing import Any, TypeVar, cast

from fastapi import FastAPI, Request
from fastapi.routing import RouteContext, iter_route_contexts
from starlette.routing import Mount

from domain.access import Permission
from experience.answering import answered

F = TypeVar("F", bound=Callable[..., Any])

PUBLIC = "public"
"""The permission of what anybody may ask, such as whether the process is up."""


@dataclass(frozen=True)
class Endpoint:
    """`owner`: the team that answers for it. `permission`: what one must hold to ask, as `lifecycle.read`. `since`: the
    version of the API that brought it. `deprecated`: the day since which there is something better (`successor`, a
    path), `sunset` the day on which it goes."""

    owner: str
    permission: str
    since: str
    deprecated: date | None = None
    sunset: date | None = None
    successor: str | None = None

    def headers(self) -> dict[str, str]:
        """What its answers tell of its end (RFC 9745, RFC 8594)."""
        told = {}
        if self.deprecated is not None:
            told["Deprecation"] = f"@{int(_midnight(self.deprecated).timestamp())}"
        if self.sunset is not None:
            told["Sunset"] = format_datetime(_midnight(self.sunset), usegmt=True)
        if self.successor is not None:
            told["Link"] = f'<{self.successor}>; rel="successor-version"'
        return told


def endpoint(
    *,
    owner: str,
    permission: str,
    since: str,
    deprecated: date | None = None,
    sunset: date | None = None,
    successor: str | None = None,
) -> Callable[[F], F]:
    """Declare a handler. It stands below the router's decorator, so that the router sees the declared one.

    Whoever may not ask never reaches it (experience/access.py); what it answers is masked, and told to the trail
    (experience/answering.py).
    """
    if sunset is not None and (deprecated is None or sunset < deprecated):
        raise ValueError("what goes was deprecated before")
    declared = Endpoint(owner, permission, since, deprecated, sunset, successor)

    if permission != PUBLIC:
        Permission(permission)  # ValueError for one that there is not

    def mark(handler: F) -> F:
        if permission == PUBLIC:
            handler.__endpoint__ = declared  # type: ignore[attr-defined]  # read by `declared`
            return handler
        if not iscoroutinefunction(handler):
            raise TypeError(f"{handler.__name__} has to be async: what lies around it waits for the store")

        @wraps(handler)
        async def guarded(**arguments: Any) -> Any:
            return await answered(handler, arguments)

        guarded.__endpoint__ = declared  # type: ignore[attr-defined]  # read by `declared`
        return cast(F, guarded)

    return mark


def declared(handler: object) -> Endpoint | None:
    found: Endpoint | None = getattr(handler, "__endpoint__", None)
    return found


def undeclared(app: FastAPI) -> list[str]:
    """The paths of routes that declare nothing."""
    return [route.path or "" for route in routes(app) if declared(route.endpoint) is None]


def routes(app: FastAPI) -> Iterator[RouteContext]:
    """Each route with its full path and its handler; folders of files have none."""
    return (route for route in iter_route_contexts(app.routes) if not isinstance(route.original_route, Mount))


def asked(request: Request) -> Endpoint:
    """The declaration of the endpoint that a request was routed to."""
    found = declared(request.scope.get("endpoint"))
    if found is None:
        raise LookupError(f"{request.scope.get('path')} declares no endpoint")
    return found


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)
