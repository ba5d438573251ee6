"""Reconciliation: where two systems disagree, one sentence each, whose it is, and what can be done about it."""

from datetime import date
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Form, Request
from fastapi.responses import HTMLResponse, Response
from pydantic import BaseModel, Field

from domain.access import Permission
from domain.reconciling.difference import CLASSES, OPEN, Difference
from domain.reconciling.kinds import KINDS
from experience.charts import Bar, Chart, Series, rows
from experience.console.asked import one_of
from experience.console.page import address, asker, go, render
from experience.endpoints import endpoint
from experience.services import Served
from starter.mistakes import Mistake
from starter.problems import Problem
from store.differences import Differences
from store.reconciliations import Reconciliations

HERE = "/console/reconciliation"
AT_ONCE = 100
SYSTEMS = ("erp", "crm", "cs", "workflow")
STATUSES = ("open", "ignored", "repaired", "healed")

router = APIRouter()


class Ignored(BaseModel):
    """The form by which a difference is left for a while."""

    reason: str = Field(max_length=500)
    until: date


@router.get(HERE, response_class=HTMLResponse)
@endpoint(owner="operations", permission="reconciliation.read", since="1.0")
async def show_reconciliation(
    request: Request,
    services: Served,
    status: str = "",
    klass: str = "",
    system: str = "",
    contract: str = "",
    after: str = "",
) -> HTMLResponse:
    differences = Differences(services.database)
    chosen = {"status": status, "klass": klass, "system": system, "contract": contract}
    wanted = one_of(STATUSES, status) or "open"
    found = await differences.list(
        status=(wanted,),
        klass=one_of(CLASSES, klass),
        system=one_of(SYSTEMS, system),
        contract=contract or None,
        after=after or None,
        limit=AT_ONCE + 1,
    )
    counts, runs = await differences.counts(), Reconciliations(services.database)
    last, newest = await runs.last(), await runs.list(limit=1)

    def link(**changed: str) -> str:
        return address(HERE, **{**chosen, **changed})

    return await render(
        request,
        "reconciliation.html",
        title="Reconciliation",
        section="reconciliation",
        found=found[:AT_ONCE],
        following=found[AT_ONCE - 1].id if len(found) > AT_ONCE else "",
        counts=counts,
        last=last,
        newest=newest[0] if newest else None,
        chart=rows(classes_chart(counts)),
        chosen=chosen,
        link=link,
        systems=SYSTEMS,
        statuses=STATUSES,
        freshness={source.source: source.as_of for source in last.sources} if last else {},
    )


@router.get(HERE + "/{difference}", response_class=HTMLResponse)
@endpoint(owner="operations", permission="reconciliation.read", since="1.0")
async def show_difference(request: Request, services: Served, difference: str) -> HTMLResponse:
    found, differences = await _found(services, difference), Differences(services.database)
    return await render(
        request,
        "difference.html",
        title=KINDS[found.kind].meaning.capitalize() if found.kind in KINDS else found.kind,
        section="reconciliation",
        seen=found,
        notes=await differences.notes(found.id),
        may_repair=asker(request).may(Permission.RECONCILIATION_REPAIR) and found.status in OPEN,
        tomorrow=date.fromordinal(services.clock().date().toordinal() + 1),
    )


@router.post(HERE + "/{difference}/ignore", response_class=HTMLResponse)
@endpoint(owner="operations", permission="reconciliation.repair", since="1.0")
async def ignore_difference(
    request: Request, services: Served, difference: str, form: Annotated[Ignored, Form()]
) -> Response:
    """Leave it, for a reason, until the end of a day."""
    found = await _found(services, difference)
    if not form.reason.strip():
        raise Mistake("say why it is left: the reason is kept with the difference")
    if form.until <= services.clock().date():
        raise Mistake(f"{form.until} is over: a difference is left until a day to come")
    differences = Differences(services.database)
    if await differences.ignore(found.id, asker(request).subject, form.reason, form.until) is None:
        raise Problem(HTTPStatus.CONFLICT, f"{found.id} is settled already: {found.settled}")
    return go(request, f"{HERE}/{found.id}", told=f"It is left until {form.until}.")


def classes_chart(counts: dict[str, dict[str, int]]) -> Chart:
    """Open differences by class, each leading to its list."""
    by_class = sorted(counts.get("open", {}).items(), key=lambda each: -each[1])
    bars = tuple(Bar(name.replace("_", " "), (number,), address(HERE, klass=name)) for name, number in by_class)
    return Chart("Open differences by class", (Series("differences", "watch"),), bars)


async def _found(services: Served, difference: str) -> Difference:
    found = await Differences(services.database).get(difference)
    if found is None:
        raise Problem(HTTPStatus.NOT_FOUND, f"there is no difference {difference}")
    return found
