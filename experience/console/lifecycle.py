"""Lifecycle: where it stands in one look, its calendar, what happens next, what has happened, and what can be done."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from http import HTTPStatus
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from domain.calendar import civil_date
from domain.view import LifecycleView, Stage
from experience.console.commands import offered
from experience.console.page import address, asker, render
from experience.console.words import path
from experience.endpoints import endpoint
from experience.reading import stories
from experience.reading.dossier import Dossier, dossier
from experience.reading.stories import KINDS, StoryLine
from experience.services import Served, Services
from starter.problems import Problem
from starter.record_links import record_link, run_link

HERE = "/console/lifecycles"
SHOWN = 40
TRACK = (Stage.ORDER_ACTIVATION, Stage.ONBOARDING, Stage.BILLING_ACTIVATION, Stage.SERVING, Stage.RENEWAL)

router = APIRouter()


@dataclass(frozen=True)
class Step:
    """One step of the way. `state`: done, now, or empty."""

    stage: str
    state: str


@router.get(HERE + "/{contract:path}", response_class=HTMLResponse)
@endpoint(owner="operations", permission="lifecycle.read", since="1.0")
async def show_lifecycle(
    request: Request, services: Served, contract: str, kind: str = "", all: bool = False
) -> HTMLResponse:
    found = await dossier(services.database, services.office.company, contract)
    if found is None:
        raise Problem(HTTPStatus.NOT_FOUND, f"there is no lifecycle {contract}")
    here = f"{HERE}/{path(contract)}"
    # what subscribers are told follows from the rest: it is there for who asks for it
    story = [line for line in found.story if (line.kind == kind if kind else line.kind != "told")]
    today = _today(services, found)
    return await render(
        request,
        "lifecycle.html",
        title=found.customer or contract,
        section="portfolio",
        seen=found,
        entries=[entry for entry in found.calendar if entry.on is not None],
        undated=[entry for entry in found.calendar if entry.on is None],
        today=today,
        steps=way(found.view.stage) if found.view else (),
        story=[_linked(services, line) for line in (story if all else story[:SHOWN])],
        more=0 if all else max(0, len(story) - SHOWN),
        kinds=[each for each in KINDS if any(line.kind == each for line in found.story)],
        kind=kind,
        link=lambda **changed: address(here, **{"kind": kind, **changed}),
        run=run_link(services.settings, found.workflow_id),
        records=_records(services, found.story),
        cost=await stories.cost(services.database, contract),
        commands=offered(asker(request), found.view) if found.view and not found.closed else [],
    )


def way(stage: Stage) -> Sequence[Step]:
    """The way of a contract, and how far it is. What winds a contract up takes the place of what would come."""
    if stage in TRACK:
        at = TRACK.index(stage)
        return [Step(each, "done" if n < at else "now" if n == at else "") for n, each in enumerate(TRACK)]
    if stage is Stage.CANCELLED:
        return [Step(Stage.ORDER_ACTIVATION, "done"), Step(stage, "now")]
    return [*(Step(each, "done") for each in TRACK[:-1]), Step(stage, "now")]


def _today(services: Services, found: Dossier) -> date:
    """The contract's own day: its zone's, and as far ahead as its clock is."""
    view: LifecycleView | None = found.view
    moment = datetime.fromtimestamp(services.clock().timestamp() + found.clock_shift, services.clock().tzinfo)
    return civil_date(moment, view.zone if view else "UTC")


def _linked(services: Services, line: StoryLine) -> dict[str, Any]:
    link = record_link(services.settings, line.operation, line.made) if line.operation else ""
    return {**line.model_dump(), "link": link, "connection": line.operation.partition(".")[0]}


def _records(services: Services, story: Sequence[StoryLine]) -> list[dict[str, str]]:
    """What Tenure has made outside that has a screen of its own there."""
    made = [line for line in story if line.kind == "effect" and line.made]
    linked = [(line, record_link(services.settings, line.operation, line.made)) for line in made]
    return [
        {"what": line.what.partition(":")[0], "id": line.made, "in": line.operation.partition(".")[0], "link": link}
        for line, link in reversed(linked)
        if link
    ]
