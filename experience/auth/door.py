"""Who it is that asks: by a token, by a session, or, on a machine of one's own, whoever sits at it."""

from collections.abc import Mapping
from datetime import timedelta
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

from fastapi import Request
from fastapi.responses import Response

from domain.access import EVERYWHERE, Policy, Principal, demo_principal
from starter.access import Access
from starter.problems import Problem
from starter.sections import is_loopback
from store.audit import Audit
from store.database import Database
from store.sessions import Sessions
from store.tokens import Tokens

SESSION = "tenure_session"
PERSON = "person"
FORWARDED = frozenset(("forwarded", "via", "x-forwarded-for", "x-forwarded-host", "x-real-ip"))


class Door:
    """Where everybody comes in. Made once for the app."""

    def __init__(self, access: Access, database: Database) -> None:
        self.access = access
        self.policy: Policy = access.policy()
        self.audit = Audit(database)
        self.sessions = Sessions(database)
        self._tokens = Tokens(database)

    async def identify(self, request: Request) -> Principal | None:
        """None: nobody who is known. Raises Problem (401) for a token that opens nothing."""
        if (header := request.headers.get("authorization")) is not None:
            return await self._machine(header)
        if self.access.mode == "demo":
            return demo_principal(self.policy) if _from_this_machine(request) else None
        known = await self.sessions.get(PERSON, request.cookies.get(SESSION, ""))
        return None if known is None else self.person(known)

    def person(self, known: Mapping[str, Any]) -> Principal:
        """Somebody who is logged in, with what the policy of today makes of their roles."""
        return self.policy.principal(
            known["subject"], name=known["name"], roles=known["roles"], regions=known["regions"]
        )

    async def _machine(self, header: str) -> Principal:
        scheme, _, token = header.partition(" ")
        row = await self._tokens.check(token.strip()) if scheme.lower() == "bearer" else None
        if row is None:
            raise not_known("the token is unknown, has expired, or was revoked")
        return self.policy.principal(
            f"token:{row.name}",
            name=row.name,
            roles=row.roles,
            regions=row.regions or [EVERYWHERE],
            scopes=row.scopes,
            kind="machine",
        )

    async def let_in(self, response: Response, known: Mapping[str, Any], *, lifetime: timedelta, secure: bool) -> None:
        """Open a session for somebody whom the identity provider has named, and give the browser its key."""
        key = await self.sessions.open(PERSON, dict(known), lifetime)
        response.set_cookie(
            SESSION, key, max_age=int(lifetime.total_seconds()), httponly=True, samesite="lax", secure=secure
        )

    async def let_out(self, request: Request, response: Response) -> None:
        await self.sessions.take(PERSON, request.cookies.get(SESSION, ""))
        response.delete_cookie(SESSION)


def _from_this_machine(request: Request) -> bool:
    """Asked from here, by a name of here (another one was pointed here by somebody's page), and for nobody else: what
    a proxy passes on comes from wherever it likes."""
    names = [urlsplit(f"//{host}").hostname for host in request.headers.getlist("host")]
    here = is_loopback(request.client.host if request.client else None) and len(names) == 1 and is_loopback(names[0])
    return here and not any(header in FORWARDED for header in request.headers)


def not_known(why: str) -> Problem:
    """401, as RFC 6750 has it."""
    return Problem(HTTPStatus.UNAUTHORIZED, why, {"WWW-Authenticate": "Bearer"})
