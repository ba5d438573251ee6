"""What lies around every endpoint once somebody was let in: the trail, and a veil over what they must not see."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from typing import Any, TypeVar

from fastapi import Request
from fastapi.responses import JSONResponse, Response

from domain.access import FieldClass, Permission, Principal, see, veiled
from starter.mistakes import Mistake, Refusal
from starter.problems import Problem
from store.audit import DONE, Asked, Audit

T = TypeVar("T")

REFUSALS, NAMED = (Refusal, Problem), (Mistake,)
"""What a command is refused by, having changed nothing, and whose words the trail may keep."""
NOBODY = Principal(subject="nobody", name="nobody")
SAFE = ("GET", "HEAD", "OPTIONS")


@dataclass
class Asking:
    """One request of somebody who may ask it. `shown`: the classes of sensitive data that its answer shows; `recorded`:
    those of which the trail knows."""

    request: Request
    principal: Principal
    permission: Permission
    audit: Audit
    shown: set[FieldClass] = field(default_factory=set)
    recorded: set[FieldClass] = field(default_factory=set)

    @property
    def way(self) -> str:
        return "api" if self.request.url.path.startswith("/api/") else "console"

    async def record(self, told: Asked) -> None:
        """Tell the trail what is shown and not in it yet."""
        if new := self.shown - self.recorded:
            await self.audit.record(told, DONE, shown=sorted(new))
            self.recorded |= new

    def told(self, arguments: Mapping[str, Any]) -> Asked:
        """As the trail has it: about what, and why, which a command's body or the header Tenure-Reason says."""
        named = [str(value) for value in self.request.path_params.values()]
        query = f"?{self.request.url.query}" if self.request.url.query else ""
        reasons = [arguments.get("reason"), *(getattr(body, "reason", None) for body in arguments.values())]
        reason = next((each for each in reasons if isinstance(each, str) and each), None)
        return Asked(
            self.principal,
            self.permission,
            self.way,
            subject=" ".join(named) or f"{self.request.url.path}{query}",
            reason=reason or self.request.headers.get("tenure-reason", ""),
        )


_asking: ContextVar[Asking] = ContextVar("asking")


def now_asking(asking: Asking) -> None:
    _asking.set(asking)


def veil(answer: T) -> T:
    """The answer as the asker may see it, for a page; what it shows is told to the trail before the page goes out. On
    the page of an error that came before anybody was let in, nothing sensitive is shown."""
    asking = _asking.get(None)
    if asking is None:
        return veiled(NOBODY, answer).answer
    found = veiled(asking.principal, answer)
    asking.shown |= found.shown
    return found.answer


async def show(answer: Any) -> Any:
    """The same as plain JSON, told to the trail at once: for an answer that goes out piece by piece."""
    asking = _asking.get()
    found = see(asking.principal, answer)
    asking.shown |= found.shown
    await asking.record(asking.told({}))
    return found.answer


@asynccontextmanager
async def part_of_command(subject: str, reason: str) -> AsyncIterator[None]:
    """Around what a command does about one of several things: it has its own two lines in the trail."""
    asking = _asking.get()
    told = replace(asking.told({"reason": reason}), subject=subject)
    async with asking.audit.command(told, refusals=REFUSALS, named=NAMED):
        yield


async def answered(handler: Callable[..., Awaitable[Any]], arguments: Mapping[str, Any]) -> Any:
    """What the endpoint answers: a command between its two lines in the trail, a read that shows something sensitive
    after its one."""
    asking = _asking.get()
    told = asking.told(arguments)
    if asking.permission.command and asking.request.method not in SAFE:
        async with asking.audit.command(told, refusals=REFUSALS, named=NAMED):
            answer = await handler(**arguments)
    else:
        answer = await handler(**arguments)
    if not isinstance(answer, Response):
        found = see(asking.principal, answer)
        asking.shown |= found.shown
        answer = _response(asking.request, found.answer, arguments)
    await asking.record(told)
    return answer


def _response(request: Request, data: Any, arguments: Mapping[str, Any]) -> Response:
    status = request.scope["route"].status_code or HTTPStatus.OK
    beside = [value for value in arguments.values() if isinstance(value, Response)]
    for given in beside:  # the endpoint has put headers, or another status, on it
        status = given.status_code or status
    response = Response(status_code=status) if data is None else JSONResponse(data, status_code=status)
    for given in beside:
        response.headers.raw.extend(each for each in given.headers.raw if each[0] != b"content-length")
    return response
