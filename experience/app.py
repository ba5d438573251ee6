"""The app: the capability API below /api/v1, the console beside it."""

import json
from http import HTTPStatus
from typing import TYPE_CHECKING

from fastapi import Depends, FastAPI, Request
from fastapi.responses import JSONResponse, RedirectResponse, Response
from fastapi.staticfiles import StaticFiles
from sqlalchemy.exc import DataError

from domain.access import Denied
from domain.errors import NotFound, SourceUnavailable
from experience.access import LoginFirst, admit
from experience.answering import veil
from experience.api import API, router
from experience.auth import pages
from experience.auth.door import Door
from experience.console.frame import Handler
from experience.console.pages import add_console
from experience.endpoints import PUBLIC, endpoint, undeclared
from experience.openapi import document
from experience.places import STATIC
from experience.services import Served, Services
from starter.mistakes import Mistake, Refusal, Unanswered, Unknown
from starter.openapi import NOT_READY
from starter.problems import MEDIA_TYPE, answer_with_problems, problem
from starter.settings import Settings
from starter.tracing import OWN_SPANS

if TYPE_CHECKING:
    from experience.auth.provider import Provider

RETRY_AFTER_SECONDS = "5"


def create_app(services: Services) -> FastAPI:
    """The app as ASGI. Raises LookupError for a route that declares no endpoint."""
    door = [Depends(admit)]
    app = FastAPI(
        title="Tenure", docs_url=None, redoc_url=None, openapi_url=None, dependencies=door, telemetry=OWN_SPANS
    )
    app.state.services = services
    app.state.door = Door(services.settings.access, services.database)
    app.state.provider = _provider(services.settings)
    _answer_mistakes(app)
    for kind, handler in list(app.exception_handlers.items()):
        app.add_exception_handler(kind, _veiled(handler))
    app.include_router(router, prefix=API)
    app.add_api_route("/", home, include_in_schema=False)
    app.add_api_route("/healthz", healthz, include_in_schema=False)
    app.add_api_route("/readyz", readyz, include_in_schema=False, responses=NOT_READY)
    app.add_api_route(f"{API}/openapi.json", described, include_in_schema=False)
    app.mount("/static", StaticFiles(directory=STATIC), name="static")
    app.include_router(pages.router)
    add_console(app)
    if forgotten := undeclared(app):
        raise LookupError(f"declare with @endpoint: {', '.join(forgotten)}")
    return app


def _provider(settings: Settings) -> "Provider | None":
    if settings.access.oidc is None:
        return None
    from experience.auth.provider import provider_of  # takes a second to load, and few need it

    return provider_of(settings)


@endpoint(owner="operations", permission=PUBLIC, since="1.0")
async def home() -> RedirectResponse:
    """Where people begin."""
    return RedirectResponse("/console", HTTPStatus.SEE_OTHER)


@endpoint(owner="operations", permission=PUBLIC, since="1.0")
async def healthz() -> dict[str, str]:
    """Whether the process lives."""
    return {"status": "ok"}


@endpoint(owner="operations", permission=PUBLIC, since="1.0")
async def readyz(services: Served) -> dict[str, str]:
    """Whether the store can be read; commands say themselves when no worker answers."""
    await services.database.read(lambda session: session.connection().exec_driver_sql("SELECT 1 FROM views LIMIT 1"))
    return {"status": "ok"}


@endpoint(owner="operations", permission=PUBLIC, since="1.0")
async def described() -> JSONResponse:
    """The API's description."""
    return JSONResponse(document())


def _veiled(handler: Handler) -> Handler:
    """The same handler of errors; of what its problem document says, the asker reads what they may see."""

    async def answer(request: Request, error: Exception) -> Response:
        answered = handler(request, error)
        response = answered if isinstance(answered, Response) else await answered
        if response.media_type != MEDIA_TYPE:
            return response
        told = json.loads(bytes(response.body))
        more = {name: value for name, value in response.headers.items() if not name.startswith("content-")}
        return problem(response.status_code, veil(told["detail"]), more)

    return answer


def _answer_mistakes(app: FastAPI) -> None:
    answer_with_problems(app)

    @app.exception_handler(LoginFirst)
    async def _log_in(request: Request, error: LoginFirst) -> Response:
        if "hx-request" in request.headers:  # a part of a page can't be a login
            return Response(headers={"HX-Redirect": error.there})
        return RedirectResponse(error.there, HTTPStatus.SEE_OTHER)

    @app.exception_handler(Denied)
    async def _denied(_: Request, error: Denied) -> JSONResponse:
        return problem(HTTPStatus.FORBIDDEN, str(error))

    @app.exception_handler(Refusal)
    async def _refused(_: Request, error: Refusal) -> JSONResponse:
        return problem(HTTPStatus.CONFLICT, str(error))

    @app.exception_handler(Unknown)
    async def _unknown(_: Request, error: Unknown) -> JSONResponse:
        return problem(HTTPStatus.NOT_FOUND, str(error))

    @app.exception_handler(Unanswered)
    async def _unanswered(_: Request, error: Unanswered) -> JSONResponse:
        return problem(HTTPStatus.GATEWAY_TIMEOUT, str(error))

    @app.exception_handler(NotFound)
    async def _absent(_: Request, error: NotFound) -> JSONResponse:
        return problem(HTTPStatus.NOT_FOUND, str(error))

    @app.exception_handler(Mistake)
    async def _mistaken(_: Request, error: Mistake) -> JSONResponse:
        return problem(HTTPStatus.UNPROCESSABLE_ENTITY, str(error))

    @app.exception_handler(DataError)
    async def _unkeepable(_: Request, __: DataError) -> JSONResponse:
        return problem(HTTPStatus.UNPROCESSABLE_ENTITY, "it holds text or numbers that the store can't keep")

    @app.exception_handler(SourceUnavailable)
    async def _away(_: Request, error: SourceUnavailable) -> JSONResponse:
        return problem(HTTPStatus.SERVICE_UNAVAILABLE, str(error), {"Retry-After": RETRY_AFTER_SECONDS})
