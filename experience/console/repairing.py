"""Repairing a difference: what each way of it would do, then the doing, for a reason, as `tenure reconcile` does."""

from http import HTTPStatus
from typing import Annotated, cast, get_args

from fastapi import APIRouter, Form, Query, Request
from fastapi.responses import HTMLResponse, Response

from domain.reconciling.difference import OPEN, Difference, Remedy
from experience.console.page import asker, go, render
from experience.endpoints import endpoint
from experience.services import Served, Services
from starter.mistakes import Mistake, Refusal
from starter.problems import Problem
from starter.reconciling.repairs import Preview, Repairs
from store.differences import Differences

HERE = "/console/repairs"
WAYS = {
    "redrive": "Have the outside hold the terms",
    "accept": "Take over what the outside holds",
    "link": "Say which record is meant",
}
Text = Annotated[str, Query(max_length=200)]

router = APIRouter()


@router.get(HERE + "/{difference}", response_class=HTMLResponse)
@endpoint(owner="operations", permission="reconciliation.read", since="1.0")
async def preview_repair(
    request: Request, services: Served, difference: str, remedy: Text = "", record: Text = ""
) -> HTMLResponse:
    """What a way of repairing it would do. Nothing is written."""
    found = await _found(services, difference)
    chosen = _remedy(remedy) if remedy else found.remedies[0]
    preview: Preview | None = None
    wrong = ""
    if chosen != "link" or record:
        try:
            preview = await _repairs(services).preview(
                found.id, chosen, by=asker(request).subject, choice=record or None
            )
        except (Mistake, Refusal) as error:
            wrong = str(error)
    return await render(
        request,
        "repair.html",
        title="Repair a difference",
        section="reconciliation",
        status=HTTPStatus.CONFLICT if wrong else HTTPStatus.OK,
        live=False,
        seen=found,
        ways={each: WAYS[each] for each in found.remedies if each in WAYS},
        remedy=chosen,
        record=record,
        preview=preview,
        wrong=wrong,
    )


@router.post(HERE + "/{difference}", response_class=HTMLResponse, response_model=None)
@endpoint(owner="operations", permission="reconciliation.repair", since="1.0")
async def repair_difference(
    request: Request,
    services: Served,
    difference: str,
    remedy: Annotated[str, Form()],
    reason: Annotated[str, Form(max_length=500)],
    record: Annotated[str, Form(max_length=200)] = "",
) -> Response:
    """Repaired; said again after a failure, it goes on where it stood."""
    found = await _found(services, difference)
    done = await _repairs(services).repair(
        found.id, _remedy(remedy), by=asker(request).subject, reason=reason, choice=record or None
    )
    told = done.settled or "done; it closes with the next comparison, once everybody shows it"
    return go(request, f"/console/reconciliation/{found.id}", told=told)


async def _found(services: Services, difference: str) -> Difference:
    """Raises Problem for one that there is not, or that is not of the asker's regions; Mistake for a settled one."""
    found = await Differences(services.database).get(difference)
    if found is None:
        raise Problem(HTTPStatus.NOT_FOUND, f"there is no difference {difference}")
    if found.status not in OPEN:
        raise Mistake(f"{found.id} is settled already: {found.settled}")
    if not found.remedies:
        raise Mistake(f"{found.id} can only be settled outside")
    return found


def _repairs(services: Services) -> Repairs:
    if services.repairs is None:
        raise Mistake("this process is connected to no outside system; repair it with `tenure reconcile repair`")
    return services.repairs


def _remedy(text: str) -> Remedy:
    if text not in get_args(Remedy):
        raise Mistake(f"{text!r} is none of {', '.join(get_args(Remedy))}")
    return cast("Remedy", text)
