"""A subscriber as others write one: an HTTP server on a free port that verifies each message and keeps it."""

import asyncio
import socket
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

import uvicorn
from fastapi import FastAPI, Request
from fastapi.responses import Response
from standardwebhooks import Webhook, WebhookVerificationError

SECRET, NEXT_SECRET = (f"whsec_{letter * 32}" for letter in "AB")


class Got(NamedTuple):
    """One message. `by`: the secrets that verify it."""

    headers: dict[str, str]
    event: dict[str, Any]
    by: tuple[str, ...]


class Subscriber:
    """`answer` decides on each message; a status of 2xx takes it. `most` counts what was under way at once."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.got: list[Got] = []
        self.taken: list[Got] = []
        self.under_way: Counter[str] = Counter()
        self.most: Counter[str] = Counter()
        self.answer: Callable[[Got], Awaitable[Response | int]] = self.take

    async def take(self, _: Got) -> Response | int:
        return 204

    async def receive(self, request: Request) -> Response:
        body, headers = await request.body(), dict(request.headers)
        event = await request.json()
        got = Got(headers, event, tuple(key for key in (SECRET, NEXT_SECRET) if _verifies(key, body, headers)))
        contract = str(event["subject"])
        self.got.append(got)
        for each in (contract, "all"):
            self.under_way[each] += 1
            self.most[each] = max(self.most[each], self.under_way[each])
        try:
            answer = await self.answer(got)
        finally:
            self.under_way.subtract((contract, "all"))
        response = answer if isinstance(answer, Response) else Response(status_code=answer)
        if response.status_code < 300:
            self.taken.append(got)
        return response

    def order(self, contract: str) -> list[str]:
        """What it took of a contract: each event once, at its first place."""
        return list(dict.fromkeys(str(got.event["id"]) for got in self.taken if got.event["subject"] == contract))

    async def until(self, met: Callable[[], Any], seconds: float = 30) -> None:
        for _ in range(int(seconds / 0.01)):
            if met():
                return
            await asyncio.sleep(0.01)
        raise AssertionError(f"not reached; it took {len(self.taken)} of {len(self.got)}")


def _verifies(secret: str, body: bytes, headers: dict[str, str]) -> bool:
    try:
        Webhook(secret).verify(body, headers)
    except WebhookVerificationError:
        return False
    return True


@asynccontextmanager
async def open_subscriber() -> AsyncIterator[Subscriber]:
    """Bring one up on a free port, and take it down again."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        subscriber = Subscriber(f"http://127.0.0.1:{listening.getsockname()[1]}/hook")
        app = FastAPI()
        app.post("/hook")(subscriber.receive)
        server = uvicorn.Server(uvicorn.Config(app, log_config=None, access_log=False, timeout_graceful_shutdown=1))
        serving = asyncio.create_task(server.serve(sockets=[listening]))
        try:
            for _ in range(1000):
                if server.started:
                    break
                await asyncio.sleep(0.005)
            yield subscriber
        finally:
            server.should_exit = True
            await serving
