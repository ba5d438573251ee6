"""Stripe's official library on our own HTTP client: one operation within its deadline, its errors as ours."""

import asyncio
import hashlib
import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import quote

import httpx
import stripe

from adapters.http import DEADLINE, Json, presentable, retry_after
from domain.effects import EffectClass
from domain.errors import (
    AlreadyExists,
    AuthFailed,
    ContractBroken,
    InvalidInput,
    NotFound,
    OutcomeUnknown,
    RateLimited,
    Rejected,
    SourceUnavailable,
    TenureError,
)

SYSTEM = "stripe"
LONGEST_KEY = 255
MOST_REFUSALS = 20
OURS = "tenure:"
"""What every Idempotency-Key of ours begins with: Stripe's events name the key of the request that caused them."""

_EARLIER = "of_an_earlier_request"
_NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.UnsupportedProtocol)
# The library hands nothing through to its HTTP client: the deadline of the operation in whose task a call is made.
_BOUND: ContextVar[asyncio.Timeout | None] = ContextVar("bound", default=None)
_SENT_ALONG = frozenset({"authorization", "content-type", "idempotency-key", "stripe-account", "stripe-version"})
# What Stripe says of a request that is wrong in itself; every other 400 is a rule of the business.
_MALFORMED = ("parameter_", "email_invalid", "tax_id_invalid", "url_invalid", "postal_code_invalid", "invalid_")

# At its own choice of level the library logs bodies and error messages, in which there are names and addresses.
logging.getLogger("stripe").setLevel(logging.WARNING)


class _Transport(stripe.HTTPClient):
    """Sends with the connection's client, which carries its limits; drops the library's telemetry headers."""

    name = "httpx"

    def __init__(self, client: httpx.AsyncClient) -> None:
        super().__init__()
        self._client = client

    async def request_async(
        self, method: str, url: str, headers: Mapping[str, str], post_data: Any = None
    ) -> tuple[bytes, int, Mapping[str, str]]:
        ours = {name: value for name, value in headers.items() if name.lower() in _SENT_ALONG}
        response = await self._client.request(
            method.upper(), url, headers=ours, content=post_data or b"", extensions={DEADLINE: _BOUND.get()}
        )
        return response.content, response.status_code, response.headers


@dataclass
class Operation:
    """One operation of the port: all its requests. `begun`: how many may have written something; `at`: what it was
    o'clock at Stripe when it answered last."""

    name: str
    begun: int = 0
    at: datetime = field(default_factory=lambda: datetime.now(UTC))

    async def read(self, request: Awaitable[Any]) -> Json:
        """What Stripe answered, as plain data."""
        return await self._send(request, writes=False)

    async def write(self, request: Awaitable[Any]) -> Json:
        """For what needs no key of ours."""
        return await self._send(request, writes=True)

    async def once(
        self, key: str, send: Callable[[Any], Awaitable[Any]], part: str = "", *, effect: bool = True
    ) -> Json:
        """Under our key, as `send` is told, of one `part` of the operation. To be called after it was looked up that
        this has not been done. Without `effect` it only prepares: whether it was done leaves nothing in doubt.

        Stripe repeats for a day what it answered to a key, refusals too, though the cause is mended or the arguments
        are. What was refused under a key was not done: the next one is taken, always the same.
        """
        for attempt in range(1, MOST_REFUSALS):
            again = f"{part}~{attempt}" if attempt > 1 else part
            try:
                return await self._send(send({"idempotency_key": idempotency_key(key, again)}), writes=effect)
            except TenureError as error:
                if not getattr(error, _EARLIER, False):
                    raise
        last = {"idempotency_key": idempotency_key(key, f"{part}~{MOST_REFUSALS}")}
        return await self._send(send(last), writes=effect)

    async def _send(self, request: Awaitable[Any], *, writes: bool) -> Json:
        self.begun += writes
        try:
            made = await request
        except stripe.StripeError as error:
            # Not chained: the cause carries the body, and the request's headers.
            ours = error_of(self.name, error, doubtful=self.begun > 0)
            setattr(ours, _EARLIER, _is_of_an_earlier_request(error))
            raise ours from None
        except RateLimited:  # by the connection's own limits: it never left
            self.begun -= writes
            raise
        except _NOT_SENT as error:
            self.begun -= writes
            raise self._doubt()(f"{self.name}: no connection ({type(error).__name__})") from None
        except httpx.DecodingError:
            raise ContractBroken(f"{self.name}: unreadable answer") from None
        except httpx.HTTPError as error:
            raise self._doubt()(f"{self.name}: connection lost ({type(error).__name__})") from None
        with shape(self.name):
            self.at = _moment(made.last_response.headers)
            answer: Json = made.to_dict()
            return answer

    def _doubt(self) -> type[TenureError]:
        return OutcomeUnknown if self.begun else SourceUnavailable


class StripeCalls:
    """`client` carries time-outs, the connection's limits, and a base URL where it is not Stripe's own; `api_key` is a
    secret or restricted key. `v1` is the library's asynchronous API; nothing is ever retried here."""

    def __init__(
        self,
        client: httpx.AsyncClient,
        api_key: str,
        effects: Mapping[str, EffectClass],
        *,
        read_deadline: timedelta,
        account: str | None = None,
    ) -> None:
        self._effects = effects
        self._read_deadline = read_deadline
        self._stripe = stripe.StripeClient(
            api_key,
            stripe_account=account,
            base_addresses={"api": str(client.base_url).rstrip("/") or stripe.DEFAULT_API_BASE},
            max_network_retries=0,
            http_client=_Transport(client),
        )
        self.v1 = self._stripe.v1

    @asynccontextmanager
    async def operation(self, name: str) -> AsyncIterator[Operation]:
        """Around all requests of one operation, within its deadline. An answer that lacks what was promised is
        ContractBroken."""
        effect = self._effects.get(name)
        deadline = effect.deadline if effect else self._read_deadline
        operation = Operation(f"{SYSTEM}.{name}")
        try:
            async with asyncio.timeout(deadline.total_seconds()) as bound:
                _BOUND.set(bound)
                with shape(operation.name):
                    yield operation
        except TimeoutError:
            doubt: type[TenureError] = OutcomeUnknown if effect else SourceUnavailable
            raise doubt(f"{operation.name}: no answer within {deadline.total_seconds():g} s") from None


@contextmanager
def shape(name: str) -> Iterator[None]:
    try:
        yield
    except (KeyError, TypeError, ValueError, AttributeError, IndexError, ArithmeticError) as error:
        raise ContractBroken(f"{name}: unexpected answer ({type(error).__name__})") from None


def idempotency_key(key: str, part: str = "") -> str:
    """Our key, of one request of the operation where there are several: printable, and as long as Stripe allows."""
    text = quote(f"{key}#{part}" if part else key, safe=":/.-_#")
    if len(OURS + text) <= LONGEST_KEY:
        return OURS + text
    digest = hashlib.sha256(text.encode()).hexdigest()
    return f"{OURS}{text[: LONGEST_KEY - len(OURS) - 65]}~{digest}"


def part_of(name: str, params: object) -> str:
    """The part of an operation that sets what is so: a late copy of it is known, other values are another request."""
    text = json.dumps(params, sort_keys=True, default=str)
    return f"{name}:{hashlib.sha256(text.encode()).hexdigest()[:16]}"


def _is_of_an_earlier_request(error: stripe.StripeError) -> bool:
    """A refusal that Stripe gave before, under this key, to the same arguments or to others."""
    if isinstance(error, stripe.IdempotencyError):
        return True
    replayed = (error.headers or {}).get("idempotent-replayed") == "true"
    return replayed and isinstance(error, stripe.InvalidRequestError | stripe.CardError)


def error_of(name: str, error: stripe.StripeError, *, doubtful: bool) -> TenureError:
    """Stripe's error as ours. `doubtful`: whether this operation may have written something."""
    doubt: type[TenureError] = OutcomeUnknown if doubtful else SourceUnavailable
    status, code, param = error.http_status or 0, error.code or "", getattr(error, "param", None) or ""
    message = " ".join(word for word in (f"{name}: HTTP {status}", code, param) if word)
    wait = retry_after(httpx.Response(status or 500, headers=dict(error.headers or {})))
    match error:
        case stripe.RateLimitError():
            return RateLimited(message, retry_after=wait)
        case stripe.AuthenticationError() | stripe.PermissionError():
            return AuthFailed(message)
        # Not Stripe itself, but something in between.
        case stripe.APIError() if status == 429:
            return RateLimited(message, retry_after=wait)
        case stripe.APIError() if status in (401, 403):
            return AuthFailed(message)
        case stripe.IdempotencyError():
            return Rejected(f"{message}: this key was used with other arguments")
        case stripe.CardError():
            return Rejected(_with_reason(message, error))
        case stripe.InvalidRequestError():
            return _refusal(message, status, code, error)
        case stripe.APIError() if status == 503 and wait is not None and not doubtful:
            return SourceUnavailable(message, retry_after=wait)
        # 409: another request with this key is under way. 424: a partner of Stripe's failed.
        case stripe.APIError() if status >= 500 or status in (408, 409, 424):
            return doubt(message, retry_after=wait)
        case stripe.APIConnectionError():
            return doubt(f"{name}: connection lost")
        case _:
            return ContractBroken(f"{message}: unexpected answer")


def _refusal(message: str, status: int, code: str, error: stripe.StripeError) -> TenureError:
    if status == 404 or code == "resource_missing":
        return NotFound(message)
    if code == "resource_already_exists":
        return AlreadyExists(message)
    kind = InvalidInput if code.startswith(_MALFORMED) else Rejected
    return kind(_with_reason(message, error))


def _with_reason(message: str, error: stripe.StripeError) -> str:
    reason = presentable(str(error.user_message or ""))
    return f"{message}: {reason}" if reason else message


def _moment(headers: Mapping[str, str]) -> datetime:
    """Stripe's clock, by the header Date; ours where there is none."""
    try:
        at = parsedate_to_datetime(headers["date"])
    except (KeyError, ValueError):
        return datetime.now(UTC)  # Stripe bills by real time, too
    return at if at.tzinfo else at.replace(tzinfo=UTC)
