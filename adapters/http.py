"""JSON over HTTP for every adapter: one call within its deadline, one table from what came back to an error."""

import asyncio
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import quote

import httpx

from domain.effects import EffectClass
from domain.errors import (
    AuthFailed,
    ContractBroken,
    CursorExpired,
    InvalidInput,
    NotFound,
    OutcomeUnknown,
    RateLimited,
    Rejected,
    SourceUnavailable,
    TenureError,
)

Json = dict[str, Any]

DEADLINE = "deadline"
"""A request's extension: its asyncio.Timeout, which adapters.limits stops while the call waits for its turn."""

OPERATION = "operation"
"""A request's extension: what is asked, in our words, for adapters.seen; a URL may name a customer."""

_LONGEST_WAIT = timedelta(days=1)
_NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.UnsupportedProtocol)
_DEFINITE: dict[int, type[TenureError]] = {
    400: InvalidInput,
    401: AuthFailed,
    402: Rejected,
    403: AuthFailed,
    404: NotFound,
    409: Rejected,
    412: Rejected,
    423: Rejected,
}


def segment(value: str) -> str:
    """An id as one segment of a path, whatever it contains."""
    return quote(value, safe="")


class JsonApi:
    """One vendor's API. `client` carries base URL and credentials; nothing is ever retried here.

    `effects` gives each writing operation's deadline, `read_deadline` bounds reads. `reason` takes from the vendor's
    error document what a person may read of it (no personal data), `malformed` tells a 422 that blames our request from
    one that is a business refusal, `limited` a 403 that only means "too many calls"; `errors` says which 4xx mean
    something else there than they usually do, and `refusal` makes the error of a document that says more than a status.
    Errors name the system, the operation and the status, never a URL, header or body.
    """

    def __init__(
        self,
        client: httpx.AsyncClient,
        system: str,
        effects: Mapping[str, EffectClass],
        *,
        read_deadline: timedelta,
        reason: Callable[[Any], str] = lambda document: "",
        malformed: Callable[[Any], bool] = lambda document: False,
        limited: Callable[[Any], bool] = lambda document: False,
        errors: Mapping[int, type[TenureError]] = {},
        refusal: Callable[[str, Any], TenureError | None] = lambda message, document: None,
    ) -> None:
        self._client = client
        self._system = system
        self._effects = effects
        self._read_deadline = read_deadline
        self._reason = reason
        self._malformed = malformed
        self._limited = limited
        self._refusal = refusal
        self._definite = _DEFINITE | dict(errors)

    async def read(
        self,
        operation: str,
        path: str,
        params: Mapping[str, str] | None = None,
        *,
        body: Json | None = None,
        headers: Mapping[str, str] = {},
    ) -> Json:
        """Raises SourceUnavailable for whatever may pass, and the definite errors.

        With `body` the question is POSTed, as vendors want long ones to be; it changes nothing there either.
        """
        method = "GET" if body is None else "POST"
        asked: dict[str, Any] = {} if body is None else {"json": body}
        response = await self._call(
            operation, method, path, self._read_deadline, write=False, params=params, headers=headers, **asked
        )
        return self._object(operation, response)

    async def read_feed(self, operation: str, path: str, params: Mapping[str, str]) -> Json:
        """The same, where 410 says that the feed has forgotten what came after a cursor."""
        call = self._call(operation, "GET", path, self._read_deadline, write=False, gone=CursorExpired, params=params)
        return self._object(operation, await call)

    async def write(
        self,
        operation: str,
        method: str,
        path: str,
        body: Json,
        *,
        key: str | None = None,
        headers: Mapping[str, str] = {},
    ) -> Json:
        """With `key`, as the vendor's idempotency key. Raises OutcomeUnknown when the vendor may have done it."""
        deadline = self._effects[operation].deadline
        keyed = {} if key is None else {"Idempotency-Key": quote(key, safe=":/.-_ ")}
        response = await self._call(
            operation, method, path, deadline, write=True, json=body, headers={**headers, **keyed}
        )
        return self._object(operation, response)

    @contextmanager
    def shape(self, operation: str) -> Iterator[None]:
        """Around the mapping of an answer: one that lacks what was promised is ContractBroken."""
        try:
            yield
        except (KeyError, TypeError, ValueError, AttributeError, IndexError, ArithmeticError) as error:
            # Not chained: the cause would carry the body into logs and histories.
            raise ContractBroken(f"{self._system}.{operation}: unexpected answer ({type(error).__name__})") from None

    async def _call(
        self,
        operation: str,
        method: str,
        path: str,
        deadline: timedelta,
        *,
        write: bool,
        gone: type[TenureError] = NotFound,
        **request: Any,
    ) -> httpx.Response:
        doubt: type[TenureError] = OutcomeUnknown if write else SourceUnavailable
        name = f"{self._system}.{operation}"
        try:
            # httpx bounds each read and write, never the whole call: a dripping answer would outlive its ledger lease.
            async with asyncio.timeout(deadline.total_seconds()) as bound:
                response = await self._client.request(
                    method, path, extensions={DEADLINE: bound, OPERATION: operation}, **request
                )
        except TimeoutError:
            raise doubt(f"{name}: no answer within {deadline.total_seconds():g} s") from None
        except _NOT_SENT as error:
            raise SourceUnavailable(f"{name}: no connection ({type(error).__name__})") from None
        except httpx.DecodingError:
            raise ContractBroken(f"{name}: unreadable answer") from None
        except httpx.HTTPError as error:
            raise doubt(f"{name}: connection lost ({type(error).__name__})") from None
        if not response.is_success:
            raise self._error(name, response, doubt, gone)
        return response

    def _error(
        self, name: str, response: httpx.Response, doubt: type[TenureError], gone: type[TenureError]
    ) -> TenureError:
        status, wait = response.status_code, retry_after(response)
        message = f"{name}: HTTP {status}"
        if status == 429:
            return RateLimited(message, retry_after=wait)
        if status == 503 and wait is not None:
            # A server that says when to come back has not taken the request in.
            return SourceUnavailable(message, retry_after=wait)
        if status == 408 or status >= 500:
            return doubt(message, retry_after=wait)
        if not 400 <= status < 500:
            return ContractBroken(message)
        document = document_of(response)
        if status == 403 and self._limited(document):
            return RateLimited(message, retry_after=wait)
        kind = gone if status == 410 else self._definite.get(status, InvalidInput)
        if status == 422 and not self._malformed(document):
            kind = Rejected
        reason = presentable(self._reason(document))
        told = f"{message}: {reason}" if reason else message
        return self._refusal(told, document) or kind(told)

    def _object(self, operation: str, response: httpx.Response) -> Json:
        document = document_of(response)
        if not isinstance(document, dict):
            raise ContractBroken(f"{self._system}.{operation}: HTTP {response.status_code} without a JSON object")
        return document


def retry_after(response: httpx.Response) -> timedelta | None:
    """The header Retry-After, in seconds or as an HTTP date; None when absent or unreadable; at most a day."""
    value = response.headers.get("retry-after", "").strip()
    if value.isascii() and value.isdigit():
        return timedelta(seconds=min(int(value[:9]), int(_LONGEST_WAIT.total_seconds())))
    try:
        at = parsedate_to_datetime(value)
    except ValueError:
        return None
    until = at if at.tzinfo else at.replace(tzinfo=UTC)
    return min(max(until - datetime.now(UTC), timedelta(0)), _LONGEST_WAIT)


def document_of(response: httpx.Response) -> Any:
    """The JSON of an answer; None when it is none."""
    try:
        return response.json()
    except ValueError:
        return None


def presentable(reason: str) -> str:
    """One short line. Vendors echo what we sent: addresses of people must not reach a message."""
    return re.sub(r"\S+@\S+", "…", " ".join(reason.split()))[:160]
