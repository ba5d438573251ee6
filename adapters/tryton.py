"""Tryton over JSON-RPC: a session that is opened when it is needed, one call, and what its answers mean.

What trytond's source makes certain: whatever it answers as UserError, UserWarning or ConcurrencyException was rolled
back, and 401 comes before anything is done. In doubt after a write: 503 and 504 (also a connection to PostgreSQL that
broke during the commit), and an error that is none of these (also one after the commit, while the answer was made).
"""

import asyncio
import base64
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from itertools import count

import httpx

from adapters.http import Json, JsonApi, presentable, segment
from domain.effects import EffectClass
from domain.errors import (
    AuthFailed,
    ContractBroken,
    InvalidInput,
    NotFound,
    OutcomeUnknown,
    PeriodClosed,
    Rejected,
    SourceUnavailable,
    TenureError,
)

READ_DEADLINE = timedelta(seconds=5)

_COMMAND = "model.tenure.command"
SLOWER = 30.0
"""Seconds in which a refused password is not tried again: Tryton answers each bad login later than the one before, and
after some of them locks out everybody of the same network."""
_CODES: Mapping[str, type[TenureError]] = {
    "tenure:not_found": NotFound,
    "tenure:rejected": Rejected,
    "tenure:invalid": InvalidInput,
    "tenure:key_mismatch": Rejected,
    "tenure:ambiguous": Rejected,
    "tenure:busy": SourceUnavailable,
}
_PERIOD_CLOSED = "tenure:period_closed"
"""With the first day that is open, after another colon, where the module knows one."""
_QUOTED = re.compile(r"""["“”„«].*?["“”»]""")


@dataclass(frozen=True)
class TrytonLogin:
    """The technical user of one database of a Tryton server."""

    database: str
    user: str
    password: str = field(repr=False)


class ModuleMissing(ContractBroken):
    """The database works, and has no module `tenure`. Nothing was done there."""


class _SessionRefused(AuthFailed):
    """401: the session has expired, or was deleted. Nothing was done."""


class TrytonRpc:
    """The module `tenure` of one database (integrations/trytond-tenure). `client` carries the server's base URL.

    `effects` gives each writing operation's deadline, in which a login that is needed has its place. Nothing is
    retried but a call whose session was refused, once, with a new one: 401 proves that it did nothing.
    """

    def __init__(
        self, client: httpx.AsyncClient, system: str, login: TrytonLogin, effects: Mapping[str, EffectClass]
    ) -> None:
        self._api = JsonApi(
            client,
            system,
            effects,
            read_deadline=READ_DEADLINE,
            malformed=lambda document: True,
            # Tryton's 404 is about the database: there is none of that name, or its PostgreSQL is down.
            errors={401: _SessionRefused, 404: SourceUnavailable},
        )
        self._system = system
        self._login = login
        self._effects = effects
        self._path = f"{segment(login.database)}/rpc/"
        self._numbers = count(1)
        self._session: str | None = None
        self._refused_until = 0.0
        self._lock = asyncio.Lock()
        self.shape = self._api.shape

    async def perform(self, operation: str, arguments: Json, *, key: str) -> Json:
        """The stored answer when `key` was performed before. Raises OutcomeUnknown when it may have been done."""
        return await self._ask(operation, "perform", [key, operation, arguments], write=True)

    async def read(self, operation: str, arguments: Json) -> Json:
        """Raises SourceUnavailable for whatever may pass, and the definite errors."""
        return await self._ask(operation, "read", [operation, arguments], write=False)

    async def _ask(self, operation: str, method: str, params: list[object], *, write: bool) -> Json:
        deadline = self._effects[operation].deadline if write else READ_DEADLINE
        doubt: type[TenureError] = SourceUnavailable  # until the call itself is sent
        refused: str | None = None
        try:
            async with asyncio.timeout(deadline.total_seconds()):
                while True:
                    session = await self._opened(refused)
                    doubt = OutcomeUnknown if write else SourceUnavailable
                    try:
                        return await self._send(operation, method, params, session, write=write)
                    except _SessionRefused:
                        doubt = SourceUnavailable
                        if refused is not None:
                            raise
                        refused = session
        except TimeoutError:
            raise doubt(f"{self._system}.{operation}: no answer within {deadline.total_seconds():g} s") from None

    async def _send(self, operation: str, method: str, params: list[object], session: str, *, write: bool) -> Json:
        body = self._body(f"{_COMMAND}.{method}", [*params, {}])
        headers = {"Authorization": f"Session {session}"}
        if write:
            answer = await self._api.write(operation, "POST", self._path, body, headers=headers)
        else:
            answer = await self._api.read(operation, self._path, body=body, headers=headers)
        name = f"{self._system}.{operation}"
        if "error" in answer:
            raise _error(name, answer["error"], OutcomeUnknown if write else SourceUnavailable)
        result = answer.get("result")
        if answer.get("id") != body["id"] or not isinstance(result, dict):
            raise ContractBroken(f"{name}: an answer that is none to this call")
        return result

    async def _opened(self, refused: str | None) -> str:
        """A session other than the refused one. One caller logs in, those beside it wait for its session."""
        async with self._lock:
            if self._session is None or self._session == refused:
                self._session = None
                self._session = await self._log_in()
            return self._session

    async def _log_in(self) -> str:
        name = f"{self._system}.login"
        if time.monotonic() < self._refused_until:
            raise AuthFailed(f"{name}: user or password was refused a moment ago")
        body = self._body("common.db.login", [self._login.user, {"password": self._login.password}])
        try:
            answer = await self._api.read("login", self._path, body=body)
        except _SessionRefused:
            self._refused_until = time.monotonic() + SLOWER
            raise AuthFailed(f"{name}: user or password is refused") from None
        with self._api.shape("login"):
            user, key, *_ = answer["result"]
            return base64.b64encode(f"{self._login.user}:{int(user)}:{key}".encode()).decode()

    def _body(self, method: str, params: list[object]) -> Json:
        # exactly these three: with any other, Tryton answers in another shape
        return {"id": next(self._numbers), "method": method, "params": params}


def _error(name: str, error: object, doubt: type[TenureError]) -> TenureError:
    """An error that came with HTTP 200. Texts are translated: only codes and classes are told apart by."""
    match error:
        case ["UserError", [str(message), str(code), *_]] if code in _CODES:
            return _CODES[code](f"{name}: {presentable(message)}")
        case ["UserError", [str(message), str(code), *_]] if code.startswith(_PERIOD_CLOSED):
            return PeriodClosed(f"{name}: {presentable(message)}", opens_on=_day(code[len(_PERIOD_CLOSED) + 1 :]))
        case ["UserError", [str(message), *_]]:
            return Rejected(f"{name}: {_impersonal(message)}")
        case ["UserWarning", [str(warning), *_]]:
            return Rejected(f"{name}: Tryton warns of {presentable(warning)}; look at it there")
        case ["ConcurrencyException", *_]:
            return SourceUnavailable(f"{name}: somebody else changed the record meanwhile")
        case ["LoginException", *_]:
            return AuthFailed(f"{name}: Tryton asks for another log-in")
        case ["'tenure.command'", *_]:
            return ModuleMissing(f"{name}: the module tenure is not installed in this database")
        case list():  # an exception that nobody there expected, whose text may hold values of records
            return doubt(f"{name}: an error inside Tryton; its log names it")
    return ContractBroken(f"{name}: an error in a shape that Tryton does not have")


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


def _impersonal(message: str) -> str:
    """Tryton's own messages quote names and values of records."""
    return presentable(_QUOTED.sub("…", message))
