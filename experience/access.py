"""Who may ask: every request passes here after it was routed, before its endpoint."""

from dataclasses import replace
from http import HTTPStatus
from urllib.parse import quote, urlsplit

from fastapi import Request

from domain.access import Denied, Permission, Principal
from experience.answering import SAFE, Asking, now_asking
from experience.auth.door import Door, not_known
from experience.endpoints import PUBLIC, asked
from experience.services import services_of
from starter.problems import Problem
from store.audit import DENIED
from store.reach import serving

LOGIN = "/auth/login"


class LoginFirst(Exception):
    """Somebody at a browser whom we don't know yet. `there`: the login, which leads back to what was asked for."""

    def __init__(self, there: str) -> None:
        super().__init__(there)
        self.there = there


async def admit(request: Request) -> None:
    """Let in whoever holds the endpoint's permission, to what is of their regions. Raises Problem for everybody else,
    and LookupError for an endpoint that declares no permission."""
    declaration, door = asked(request), door_of(request)
    if declaration.permission == PUBLIC:
        return
    principal = await door.identify(request)
    if principal is None:
        raise _stranger(request, door)
    request.state.principal = principal
    permission = Permission(declaration.permission)
    asking = Asking(request, principal, permission, door.audit)
    refuse_foreign_pages(request)
    await _demand(asking)
    _narrow(request, principal)
    now_asking(asking)


def door_of(request: Request) -> Door:
    found: Door = request.app.state.door
    return found


async def _demand(asking: Asking) -> None:
    try:
        asking.principal.demand(asking.permission)
    except Denied as denied:
        await asking.audit.record(asking.told({}), DENIED, detail=str(denied))
        raise Problem(HTTPStatus.FORBIDDEN, str(denied)) from None


def _narrow(request: Request, principal: Principal) -> None:
    services = services_of(request)
    request.state.services = replace(
        services, database=serving(services.database, principal), office=services.office.serving(principal)
    )


def refuse_foreign_pages(request: Request) -> None:
    """Raises Problem for what another site's page has sent by the browser of somebody who is let in here."""
    if request.method in SAFE or "authorization" in request.headers:
        return
    site, origin = request.headers.get("sec-fetch-site"), request.headers.get("origin")
    own = site in ("same-origin", "none") if site else origin is None or urlsplit(origin).netloc == request.url.netloc
    if not own:
        raise Problem(HTTPStatus.FORBIDDEN, "this was not sent from a page of ours")


def _stranger(request: Request, door: Door) -> Exception:
    """Somebody at a browser is sent to the login, a program is told what is missing."""
    if door.access.mode == "demo":
        return not_known("without a login Tenure answers on this machine alone, by the name localhost")
    wants_page = request.method in SAFE and "text/html" in request.headers.get("accept", "")
    if not wants_page or door.access.oidc is None:
        return not_known("who are you? Send a token as Authorization: Bearer …, or log in")
    query = f"?{request.url.query}" if request.url.query else ""
    return LoginFirst(f"{LOGIN}?next={quote(f'{request.url.path}{query}', safe='')}")
