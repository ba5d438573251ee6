"""How a page is made: its frame with the menu, its templates, and what may be loaded into it."""

import json
from http import HTTPStatus
from typing import Any
from urllib.parse import quote, unquote, urlencode

from fastapi import Request
from fastapi.responses import HTMLResponse, RedirectResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from domain.access import Principal
from experience.answering import veil
from experience.console import words
from experience.console.assets import asset
from experience.console.menu import entries
from experience.places import TEMPLATES
from experience.reading.pulse import pulse
from experience.services import services_of

THEME, TOLD = "tenure-theme", "tenure-told"
LONGEST_TOLD = 1000
POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        "connect-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "private, no-store",
}
HTMX = json.dumps(
    {
        "includeIndicatorStyles": False,  # they would be an inline style
        "allowEval": False,
        "historyCacheSize": 0,  # what somebody saw stays in no storage of the browser
        "selfRequestsOnly": True,
        "responseHandling": [
            {"code": "204", "swap": False},
            {"code": "[23]..", "swap": True},
            {"code": "[45]..", "swap": True, "error": True},
        ],
    }
)

_templates = Environment(
    loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
)
_templates.filters |= {
    name: getattr(words, name)
    for name in ("words", "tone", "day", "moment", "ago", "number", "path", "pretty", "span", "seconds", "many")
}
_templates.globals |= {"asset": asset, "htmx_config": HTMX}


async def render(
    request: Request,
    template: str,
    *,
    title: str,
    section: str = "",
    status: HTTPStatus = HTTPStatus.OK,
    live: bool = True,
    **context: Any,
) -> HTMLResponse:
    """A whole page. `section`: which entry of the menu it belongs to. `live`: whether its regions follow what changes.

    A template extends base.html and fills the block `main`; `now`, `here` (its own address) and `principal` are there.
    """
    beat = await pulse(services_of(request).database) if live else None
    frame = {
        "title": title,
        "section": section,
        "pulse": beat.beat if beat else "",
        "menu": entries(principal_of(request), {"cases": beat.cases} if beat else {}),
        "theme": _theme(request),
        "told": unquote(request.cookies.get(TOLD, "")),
    }
    response = fragment(request, template, status=status, **frame, **context)
    if frame["told"]:
        response.delete_cookie(TOLD, path="/console")
    return response


def fragment(request: Request, template: str, *, status: HTTPStatus = HTTPStatus.OK, **context: Any) -> HTMLResponse:
    """A part of a page, for htmx to put in its place."""
    shared = {"now": services_of(request).clock(), "here": here(request), "principal": principal_of(request)}
    text = _templates.get_template(template).render(**shared, **veil(context))
    return HTMLResponse(text, status_code=status, headers=HEADERS)


def asker(request: Request) -> Principal:
    """Who asks. AttributeError where nobody was let in yet: every page is behind `admit`."""
    found: Principal = request.state.principal
    return found


def principal_of(request: Request) -> Principal | None:
    """Who asks; None on the page of an error that came before that was known."""
    return getattr(request.state, "principal", None)


def here(request: Request) -> str:
    """The page's own address, without the host."""
    query = f"?{request.url.query}" if request.url.query else ""
    return f"{words.path(request.url.path)}{query}"


def address(base: str, **parameters: Any) -> str:
    """An address with those parameters that say anything."""
    query = urlencode({name: value for name, value in parameters.items() if value not in (None, "", False)})
    return f"{base}?{query}" if query else base


def by_htmx(request: Request) -> bool:
    return request.headers.get("hx-request") == "true" and "hx-boosted" not in request.headers


def go(request: Request, to: str, *, told: str = "") -> HTMLResponse | RedirectResponse:
    """Go on to another page after a command, with one line that says what happened."""
    response: HTMLResponse | RedirectResponse
    if by_htmx(request):
        response = HTMLResponse("", headers={**HEADERS, "HX-Redirect": to})
    else:
        response = RedirectResponse(to, HTTPStatus.SEE_OTHER, HEADERS)
    if told:
        # a cookie holds no other letters; the page that shows it takes it away
        response.set_cookie(TOLD, _cookie(told), path="/console", max_age=60, httponly=True, samesite="strict")
    return response


def _theme(request: Request) -> str:
    chosen = request.cookies.get(THEME, "")
    return chosen if chosen in ("light", "dark") else ""


def _cookie(text: str) -> str:
    return quote(text[:LONGEST_TOLD])
