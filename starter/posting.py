"""One event, sent to one subscriber: signed by Standard Webhooks, posted, and its answer judged."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Literal, NamedTuple

import httpx
from pydantic_core import to_json
from standardwebhooks import Webhook

from starter.sections import Subscriber
from starter.settings import Settings, SettingsError
from starter.tracing import HEADER, SpanKind, StatusCode, span, traceparent
from store.outgoing import Letter

MOST_OF_AN_ANSWER = 65_536  # bytes that are read so that the connection can be used again; nobody looks at them
SAYS_WHEN = (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE)


class Reply(NamedTuple):
    """`retry_after`: the seconds that the subscriber asks to be left alone."""

    outcome: Literal["delivered", "failed", "gone"]
    problem: str = ""
    retry_after: float | None = None


class Postman:
    """Sends to one subscriber. Its connections are its own: a subscriber that hangs takes up nobody else's."""

    def __init__(self, name: str, subscriber: Subscriber, secrets: Sequence[str], timeout: float) -> None:
        """Raises SettingsError for a secret that is not base64, as the standard has it (`whsec_...`)."""
        try:
            self._signers = [Webhook(secret) for secret in secrets]
        except Exception as error:  # the library raises RuntimeError, its own class, or binascii.Error
            raise SettingsError(f"subscribers.{name}.secrets: not a whsec_ secret ({type(error).__name__})") from None
        self.name = name
        self._url = subscriber.url
        self._timeout = timeout
        self._client = httpx.AsyncClient(timeout=timeout, follow_redirects=False, trust_env=False)

    async def send(self, letter: Letter) -> Reply:
        """One try, within the time-out. Whatever goes wrong with it is the reply: nothing is raised."""
        kind, at = str(letter.body.get("type", "")), SpanKind.PRODUCER
        with span(f"send {self.name}", at, parent=letter.trace, contract=letter.contract, type=kind) as sending:
            reply = await self._post(letter)
            if reply.outcome != "delivered":
                sending.set_status(StatusCode.ERROR, reply.problem)
        return reply

    async def _post(self, letter: Letter) -> Reply:
        body = to_json(letter.body)
        reply = Reply("failed", f"no answer within {self._timeout:g} seconds")
        try:
            async with (
                asyncio.timeout(self._timeout),
                self._client.stream("POST", self._url, content=body, headers=self._headers(letter, body)) as response,
            ):
                reply = judge(response.status_code, response.headers)
                await _read_some(response)
        except (TimeoutError, httpx.HTTPError) as error:
            # once a status is there it counts, whether or not the rest of the answer comes
            if reply.outcome == "failed" and isinstance(error, httpx.HTTPError):
                reply = reply._replace(problem=f"it can't be reached ({type(error).__name__})")
        return reply

    async def close(self) -> None:
        await self._client.aclose()

    def _headers(self, letter: Letter, body: bytes) -> dict[str, str]:
        at, text = datetime.now(UTC).replace(microsecond=0), body.decode("utf-8")
        return {
            "content-type": "application/cloudevents+json",
            "user-agent": "Tenure",
            "webhook-id": letter.event_id,
            "webhook-timestamp": str(int(at.timestamp())),
            "webhook-signature": " ".join(signer.sign(letter.event_id, at, text) for signer in self._signers),
            **({HEADER: trace} if (trace := traceparent()) else {}),
        }


def postmen(settings: Settings, timeout: float) -> list[Postman]:
    """One for each subscriber, paused ones left out. Raises SettingsError when a secret can't be used."""
    return [
        Postman(name, subscriber, settings.subscriber_secrets(name), timeout)
        for name, subscriber in settings.subscribers.items()
        if not subscriber.paused
    ]


def judge(status: int, headers: Mapping[str, str]) -> Reply:
    """Any 2xx is delivered; 410 means never again; a redirect is not followed: it would take the event elsewhere."""
    if 200 <= status < 300:
        return Reply("delivered")
    if status == HTTPStatus.GONE:
        return Reply("gone", "it answered 410")
    return Reply("failed", f"it answered {status}", _retry_after(headers) if status in SAYS_WHEN else None)


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds, from a number or an HTTP date; None when it says nothing that can be read."""
    value = headers.get("retry-after", "").strip()
    if value.isascii() and value.isdecimal() and len(value) < 10:
        return float(value)
    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - time.time())
    except (ValueError, OverflowError):
        return None


async def _read_some(response: httpx.Response) -> None:
    size = 0
    async for chunk in response.aiter_raw():
        size += len(chunk)
        if size > MOST_OF_AN_ANSWER:
            return
