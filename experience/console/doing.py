"""A command's page: its form, then what it will do, then the doing. Nothing acts that was not previewed."""

from collections.abc import Callable, Coroutine
from datetime import date, datetime, timedelta
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Form, Request
from fastapi.responses import HTMLResponse
from starlette.responses import Response

from domain.calendar import civil_date
from domain.view import LifecycleView
from experience.console.commands import COMMANDS, Command, Preview
from experience.console.commands.command import TODAY, Given
from experience.console.page import asker, go, render
from experience.console.words import path
from experience.endpoints import endpoint
from experience.services import Served, Services
from starter.changing import new_id
from starter.mistakes import Mistake, Refusal
from starter.problems import Problem
from store.tables import LifecycleRow
from store.views import SqlViews

LONGEST = 4000
ID, PREVIEWED = "change-id", "preview"

Page = Callable[..., Coroutine[Any, Any, Response]]

router = APIRouter()


async def _show(request: Request, services: Services, command: Command, contract: str) -> HTMLResponse:
    """The form; with its answers in the address, what they would do."""
    life, view = await _known(services, contract)
    asked = {name: value[:LONGEST] for name, value in request.query_params.items()}
    preview, wrong, status = None, "", HTTPStatus.OK
    if PREVIEWED in asked:
        asked.setdefault(ID, new_id())
        try:
            preview = await command.preview(services.office, _given(request, services, life, view, asked))
        except (Refusal, Mistake) as error:
            wrong = str(error)
            status = HTTPStatus.CONFLICT if isinstance(error, Refusal) else HTTPStatus.UNPROCESSABLE_ENTITY
    return await _page(request, services, command, life, view, asked, preview, wrong, status)


async def _act(request: Request, services: Services, command: Command, contract: str) -> Response:
    """Done. A refusal is the trail's as well, and a page of its own: the preview had said that it would go."""
    life, view = await _known(services, contract)
    asked = {name: value[:LONGEST] for name, value in (await request.form()).items() if isinstance(value, str)}
    if not asked.get(ID, "").strip():
        raise Mistake("a command is given from its preview")
    message = await command.act(services.office, _given(request, services, life, view, asked))
    return go(request, f"/console/lifecycles/{path(life.contract)}", told=message)


async def _page(
    request: Request,
    services: Services,
    command: Command,
    life: LifecycleRow,
    view: LifecycleView,
    asked: dict[str, str],
    preview: Preview | None,
    wrong: str,
    status: HTTPStatus,
) -> HTMLResponse:
    today = _today(services, life, view)
    fields = [
        (field, asked.get(field.name, today.isoformat() if field.value == TODAY else field.value))
        for field in command.fields(view)
    ]
    return await render(
        request,
        "command.html",
        title=command.title,
        section="portfolio",
        status=status,
        live=False,
        command=command,
        contract=life.contract,
        fields=fields,
        preview=preview,
        wrong=wrong,
        change=asked.get(ID, ""),
    )


async def _known(services: Services, contract: str) -> tuple[LifecycleRow, LifecycleView]:
    """Raises Problem (404) for a lifecycle that there is not, Mistake for one that has not begun."""
    life = await services.database.read(lambda session: session.get(LifecycleRow, contract))
    if life is None:
        raise Problem(HTTPStatus.NOT_FOUND, f"there is no lifecycle {contract}")
    view = await SqlViews(services.database).get(contract)
    if view is None:
        raise Mistake(f"{contract} has not been started yet")
    return life, view


def _given(
    request: Request, services: Services, life: LifecycleRow, view: LifecycleView, asked: dict[str, str]
) -> Given:
    landscape = services.settings.landscape
    return Given(life=life, view=view, answers=asked, id=asked[ID], by=asker(request).subject, landscape=landscape)


def _today(services: Services, life: LifecycleRow, view: LifecycleView) -> date:
    moment: datetime = services.clock() + timedelta(seconds=life.clock_shift)
    return civil_date(moment, view.zone)


def _pages(command: Command) -> tuple[Page, Page]:
    @endpoint(owner="operations", permission=command.permission, since="1.0")
    async def show(request: Request, services: Served, contract: str) -> HTMLResponse:
        return await _show(request, services, command, contract)

    @endpoint(owner="operations", permission=command.permission, since="1.0")
    async def act(request: Request, services: Served, contract: str, reason: Annotated[str, Form()] = "") -> Response:
        return await _act(request, services, command, contract)

    return show, act


for _command in COMMANDS.values():
    _address = f"/console/do/{_command.name}/{{contract:path}}"
    _looking, _doing = _pages(_command)
    router.add_api_route(_address, _looking, methods=["GET"], response_class=HTMLResponse)
    router.add_api_route(_address, _doing, methods=["POST"], response_class=HTMLResponse, response_model=None)
