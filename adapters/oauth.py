"""OAuth 2 for readers: an access token is fetched when it is first needed, and once anew when it is refused."""

import asyncio
import time
from collections.abc import AsyncGenerator, Mapping
from datetime import timedelta

import httpx

from adapters.http import document_of, presentable, retry_after
from domain.errors import AuthFailed, ContractBroken, RateLimited, SourceUnavailable, TenureError

_EARLIER = timedelta(seconds=60)
_SALESFORCE_LIMIT = "login rate exceeded"
"""The only word by which this 400 differs from a grant that is refused for good."""


class OAuth(httpx.Auth):
    """The refresh-token grant or, without a refresh token, the client-credentials grant, at `token_url`.

    A request that is answered 401 was not performed, so it is sent once more with a new token. Errors are those of
    domain/errors.py: AuthFailed when the token is refused for good (expired or revoked refresh token, wrong secret).
    """

    requires_response_body = True

    def __init__(
        self, system: str, token_url: str, *, client_id: str, client_secret: str, refresh_token: str | None = None
    ) -> None:
        self._name = f"{system}.token"
        self._url = token_url
        self._client = {"client_id": client_id, "client_secret": client_secret}
        self._refresh_token = refresh_token
        self._token: str | None = None
        self._until = float("inf")
        self._lock = asyncio.Lock()

    async def async_auth_flow(self, request: httpx.Request) -> AsyncGenerator[httpx.Request, httpx.Response]:
        used = None
        for last in (False, True):
            # One request fetches the token, those beside it wait for it and find that theirs is the old one.
            async with self._lock:
                if self._token is None or self._token == used or time.monotonic() > self._until:
                    answer = yield self._asks_for_token(request)
                    await answer.aread()
                    self._take(answer)
                used = self._token
            request.headers["Authorization"] = f"Bearer {used}"
            response = yield request
            if response.status_code != 401 or last:
                return

    def _asks_for_token(self, request: httpx.Request) -> httpx.Request:
        grant: Mapping[str, str] = {"grant_type": "client_credentials"}
        if self._refresh_token is not None:
            grant = {"grant_type": "refresh_token", "refresh_token": self._refresh_token}
        headers = {"Accept": "application/json"}
        form = {**grant, **self._client}
        return httpx.Request("POST", self._url, data=form, headers=headers, extensions=request.extensions)

    def _take(self, answer: httpx.Response) -> None:
        if not answer.is_success:
            raise self._refusal(answer)
        document = document_of(answer)
        token = document.get("access_token") if isinstance(document, dict) else None
        if not isinstance(token, str) or not token:
            raise ContractBroken(f"{self._name}: HTTP {answer.status_code} without an access token")
        self._token = token
        lasts = document.get("expires_in")
        known = isinstance(lasts, int | float) and lasts > 0
        self._until = time.monotonic() + max(lasts - _EARLIER.total_seconds(), 1) if known else float("inf")
        if isinstance(rotated := document.get("refresh_token"), str) and self._refresh_token is not None:
            self._refresh_token = rotated

    def _refusal(self, answer: httpx.Response) -> TenureError:
        status, wait = answer.status_code, retry_after(answer)
        message = f"{self._name}: HTTP {status}"
        if status == 429:
            return RateLimited(message, retry_after=wait)
        if status == 408 or status >= 500:
            return SourceUnavailable(message, retry_after=wait)
        if not 400 <= status < 500:
            return ContractBroken(message)
        document = document_of(answer)
        said = document if isinstance(document, dict) else {}
        if said.get("error_description") == _SALESFORCE_LIMIT:
            return RateLimited(message, retry_after=wait)
        reason = presentable(str(said.get("error") or said.get("status") or ""))
        return AuthFailed(f"{message}: {reason}" if reason else message)
