"""A stand-in for Stripe over ASGI. Every request is held to the library's types, every answer too.

It keeps what the adapter's promises rest on: idempotency keys for 24 hours with the answer and the parameters (and not
of what failed validation), ids that a client chooses, metadata that merge, lists that are consistent at once and a
search that is not, schedules that start, go through their phases and end as time passes. What Stripe documents in prose
only (these, and the wording of errors) is from its documentation; it was never held against the real thing.
"""

import json
import re
from collections.abc import Awaitable, Callable, MutableMapping
from datetime import datetime, timedelta
from email.utils import format_datetime
from typing import Any
from urllib.parse import unquote

from tests.stripe.routes import ROUTES, Route
from tests.stripe.shop import Refused, Shop
from tests.stripe.typed import nested, wrong_fields, wrong_parameters

KEY_LIFE = timedelta(hours=24)
Message = MutableMapping[str, Any]
Instead = tuple[int, dict[str, str], bytes]
Disturb = Callable[[Route, tuple[dict[str, str], Any, str | None]], Awaitable[Instead | None]]


class StandIn:
    """`secret`: the key that is accepted; `lacks`: what a restricted key may not do ("POST customers").

    `disturb` may answer in the place of Stripe, or raise, for a request that is as it should be.
    """

    def __init__(self) -> None:
        self.secret = "sk_test_1"
        self.lacks: set[str] = set()
        self.shop = Shop()
        self.requests: list[tuple[str, str, Any, str | None]] = []
        self.disturb: Disturb | None = None
        self._answers: dict[str, tuple[datetime, str, tuple[int, bytes]]] = {}
        self._running: set[str] = set()

    async def __call__(
        self, scope: Message, receive: Callable[[], Awaitable[Message]], send: Callable[[Message], Awaitable[None]]
    ) -> None:
        assert scope["type"] == "http"
        body, more = b"", True
        while more:
            message = await receive()
            body, more = body + message.get("body", b""), message.get("more_body", False)
        headers = {name.decode().lower(): value.decode() for name, value in scope["headers"]}
        path, query = scope["raw_path"].decode().split("?")[0], scope["query_string"].decode()
        status, extra, answer = await self._answer(scope["method"], path, headers, body.decode() or query)
        sent = {"content-type": "application/json", "date": format_datetime(self.shop.now, usegmt=True), **extra}
        raw = [(name.encode(), value.encode()) for name, value in sent.items()]
        await send({"type": "http.response.start", "status": status, "headers": raw})
        await send({"type": "http.response.body", "body": answer})

    async def _answer(self, method: str, path: str, headers: dict[str, str], encoded: str) -> Instead:
        if headers.get("authorization") != f"Bearer {self.secret}":
            return _error(401, "invalid_request_error", message="Invalid API Key provided")
        route, ids = _route(method, path)
        if route is None:
            return _error(404, "invalid_request_error", message=f"Unrecognized request URL ({method}: {path})")
        if f"{method} {route.resource}" in self.lacks:
            return _error(403, "invalid_request_error", message="The provided key does not have the permissions")
        params, key = nested(encoded), headers.get("idempotency-key") if method == "POST" else None
        self.requests.append((method, path, params, key))
        for name, code, what in wrong_parameters(params, route.params):
            return _error(400, "invalid_request_error", code=code, param=name, message=f"{name}: {what}")
        if key is not None and len(key) > 255:
            return _error(400, "invalid_request_error", message="The idempotency key is too long")
        if self.disturb is not None and (instead := await self._disturbed(route, ids, params, key)) is not None:
            return instead
        return self.perform(route, ids, params, key)

    async def _disturbed(self, route: Route, ids: dict[str, str], params: Any, key: str | None) -> Instead | None:
        """While it hangs, its key is taken."""
        if key is not None and key in self._running:
            return _error(409, "idempotency_error", code="idempotency_key_in_use", message="in use")
        self._running |= {key} if key else set()
        try:
            assert self.disturb is not None
            return await self.disturb(route, (ids, params, key))
        finally:
            self._running -= {key} if key else set()

    def perform(self, route: Route, ids: dict[str, str], params: Any, key: str | None) -> Instead:
        """What Stripe does and answers; the same for a key that it knows."""
        self._answers = {k: known for k, known in self._answers.items() if self.shop.now - known[0] < KEY_LIFE}
        asked = json.dumps([route.pattern, ids, params], sort_keys=True)
        if key is not None and key in self._answers:
            _, before, (status, body) = self._answers[key]
            if before != asked:
                return _error(
                    400, "idempotency_error", message=f"Keys can only be used with the same parameters: {key}"
                )
            return status, {"idempotent-replayed": "true"}, body
        try:
            answer = route.handler(self.shop, params, **ids)
        except Refused as refused:
            status, extra, body = _error(refused.status, refused.type, code=refused.code, message=str(refused))
        else:
            each = answer["data"] if answer["object"] in ("list", "search_result") else [answer]
            problems = [wrong for one in each if route.answers for wrong in wrong_fields(one, route.answers)]
            assert not problems, f"the stand-in answers what is no {route.answers}: {problems[:5]}"
            status, extra, body = 200, {}, json.dumps(answer).encode()
        if key is not None:
            self._answers[key] = (self.shop.now, asked, (status, body))
        return status, extra, body

    def keep(self, route: Route, ids: dict[str, str], params: Any, key: str, status: int, body: bytes) -> None:
        """An answer that Stripe repeats for a key, such as a failure of its own."""
        asked = json.dumps([route.pattern, ids, params], sort_keys=True)
        self._answers[key] = (self.shop.now, asked, (status, body))


def _route(method: str, path: str) -> tuple[Route | None, dict[str, str]]:
    for route in ROUTES:
        found = re.fullmatch(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", route.pattern), path)
        if found and route.method == method:
            return route, {name: unquote(value) for name, value in found.groupdict().items()}
    return None, {}


def _error(status: int, type_: str, **said: str | None) -> Instead:
    error = {"type": type_, **{name: value for name, value in said.items() if value is not None}}
    return status, {"request-id": "req_standin"}, json.dumps({"error": error}).encode()
