"""What all pages share beside their look: the pulse that keeps them fresh, the theme, and pages for errors."""

import json
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Annotated, Any
from urllib.parse import urlsplit

from fastapi import APIRouter, Form, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from experience.console.page import HEADERS, THEME, by_htmx, fragment, render
from experience.endpoints import PUBLIC, endpoint
from experience.reading.pulse import pulse
from experience.services import Served
from starter.problems import MEDIA_TYPE

CONSOLE = "/console"
YEAR = 365 * 86400

router = APIRouter()


@router.get(f"{CONSOLE}/pulse", response_class=HTMLResponse)
@endpoint(owner="operations", permission="lifecycle.read", since="1.0")
async def show_pulse(request: Request, services: Served, seen: str = "") -> Response:
    """204 while nothing has changed; else the next pulse, and the event on which live regions ask again."""
    beat = (await pulse(services.database)).beat
    if beat == seen:
        return Response(status_code=HTTPStatus.NO_CONTENT, headers=HEADERS)
    response = fragment(request, "pulse.html", pulse=beat)
    response.headers["HX-Trigger"] = json.dumps({"changed": {"target": "body"}})
    return response


@router.post(f"{CONSOLE}/theme", response_class=RedirectResponse)
@endpoint(owner="operations", permission=PUBLIC, since="1.0")
async def choose_theme(theme: Annotated[str, Form()], back: Annotated[str, Form()] = CONSOLE) -> RedirectResponse:
    """Light, dark, or, with anything else, whatever the system has."""
    inside = back if back.startswith(CONSOLE) and not urlsplit(back).netloc else CONSOLE
    response = RedirectResponse(inside, HTTPStatus.SEE_OTHER, HEADERS)
    if theme in ("light", "dark"):
        response.set_cookie(THEME, theme, path=CONSOLE, max_age=YEAR, httponly=True, samesite="lax")
    else:
        response.delete_cookie(THEME, path=CONSOLE)
    return response


Handler = Callable[[Request, Any], Response | Awaitable[Response]]


def paged(handler: Handler) -> Callable[[Request, Any], Awaitable[Response]]:
    """The same handler of errors, but what it answers to somebody at the console is a page, or a part of one."""

    async def answer(request: Request, error: Exception) -> Response:
        answered = handler(request, error)
        response = answered if isinstance(answered, Response) else await answered
        path = request.url.path
        if response.media_type != MEDIA_TYPE or not (path == CONSOLE or path.startswith(f"{CONSOLE}/")):
            return response
        told = json.loads(bytes(response.body))
        shown = await error_page(request, HTTPStatus(response.status_code), told["detail"])
        for name in ("retry-after", "www-authenticate"):
            if name in response.headers:
                shown.headers[name] = response.headers[name]
        return shown

    return answer


async def error_page(request: Request, status: HTTPStatus, detail: str) -> HTMLResponse:
    """One clear line, with the status's own words as its title."""
    if by_htmx(request):
        return fragment(request, "fragment_error.html", status=status, detail=detail)
    return await render(request, "error.html", title=status.phrase, status=status, live=False, detail=detail)
