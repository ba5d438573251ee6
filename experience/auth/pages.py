"""Login and logout of people."""

import hmac
import secrets
from datetime import timedelta
from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response

from experience.access import LOGIN, door_of, refuse_foreign_pages
from experience.auth.login import Login, LoginFailed
from experience.console.page import HEADERS, render
from experience.endpoints import PUBLIC, endpoint
from starter.access import Oidc
from starter.problems import Problem

if TYPE_CHECKING:
    from experience.auth.provider import Provider

ON_THE_WAY = "login"
COOKIE = "tenure-login"
HURRY = timedelta(minutes=10)
HOME, BYE = "/console", "/auth/bye"

router = APIRouter(include_in_schema=False)


@router.get(LOGIN)
@endpoint(owner="operations", permission=PUBLIC, since="1.0")
async def log_in(request: Request, next: str = HOME) -> Response:
    """Send somebody to the identity provider."""
    oidc, provider = _provider(request)
    state = secrets.token_urlsafe(32)
    try:
        login = await provider.begin(state)
    except LoginFailed as error:
        return await _failed(request, error, HTTPStatus.BAD_GATEWAY)
    kept = {"state": state, "nonce": login.nonce, "verifier": login.verifier, "next": inside(next)}
    key = await door_of(request).sessions.open(ON_THE_WAY, kept, HURRY)
    response = RedirectResponse(login.address, HTTPStatus.SEE_OTHER, HEADERS)
    response.set_cookie(
        COOKIE, key, max_age=int(HURRY.total_seconds()), path="/auth", httponly=True, samesite="lax",
        secure=_secure(oidc),
    )  # fmt: skip
    return response


@router.get("/auth/callback")
@endpoint(owner="operations", permission=PUBLIC, since="1.0")
async def come_back(request: Request, state: str = "", code: str = "", error: str = "") -> Response:
    """Where the identity provider sends somebody back to. A login is used once, by the browser that began it."""
    oidc, provider = _provider(request)
    door = door_of(request)
    kept = await door.sessions.take(ON_THE_WAY, request.cookies.get(COOKIE, ""))
    try:
        if kept is None or not hmac.compare_digest(kept["state"].encode(), state.encode()):
            raise LoginFailed("this login was not begun here, or took too long; begin it again")
        if error or not code:
            raise LoginFailed("the identity provider has not let you in")
        claims = await provider.finish(code, Login("", kept["nonce"], kept["verifier"]))
        known = provider.known(claims)
    except LoginFailed as failed:
        return await _failed(request, failed, HTTPStatus.FORBIDDEN)
    response = RedirectResponse(kept["next"], HTTPStatus.SEE_OTHER, HEADERS)
    response.delete_cookie(COOKIE, path="/auth")
    await door.let_in(response, known, lifetime=timedelta(hours=oidc.hours), secure=_secure(oidc))
    return response


@router.post("/auth/logout")
@endpoint(owner="operations", permission=PUBLIC, since="1.0")
async def log_out(request: Request) -> Response:
    """End the session here."""
    refuse_foreign_pages(request)
    response = RedirectResponse(BYE, HTTPStatus.SEE_OTHER, HEADERS)
    await door_of(request).let_out(request, response)
    return response


@router.get(BYE)
@endpoint(owner="operations", permission=PUBLIC, since="1.0")
async def bye(request: Request) -> Response:
    """Where somebody ends up who has logged out here; the provider's own session is theirs to end."""
    _, provider = _provider(request)
    try:
        there = await provider.end()
    except LoginFailed:  # whatever is with the provider: here the session has ended
        there = None
    return await render(
        request, "login.html", title="Logged out", live=False, detail="You are logged out of Tenure.", there=there
    )


def inside(address: str) -> str:
    """The address, if it is one of ours: a login leads nowhere else."""
    parts = urlsplit(address)
    plain = address.isascii() and address.isprintable() and "\\" not in address
    ours = plain and address.startswith("/") and not address.startswith("//") and not parts.netloc and not parts.scheme
    return address if ours else HOME


def _provider(request: Request) -> tuple[Oidc, "Provider"]:
    """Raises Problem where nobody logs in."""
    oidc, provider = door_of(request).access.oidc, request.app.state.provider
    if oidc is None or provider is None:
        raise Problem(HTTPStatus.NOT_FOUND, "nobody logs in here: [access.oidc] in tenure.toml is not set up")
    return oidc, provider


def _secure(oidc: Oidc) -> bool:
    return oidc.public_url.startswith("https://")


async def _failed(request: Request, error: LoginFailed, status: HTTPStatus) -> Response:
    return await render(
        request, "login.html", title="No login", status=status, live=False, detail=str(error), there=None
    )
