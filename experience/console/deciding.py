"""One renewal: its readiness with reasons and freshness; decided here, previewed before anything is done."""

from datetime import date
from http import HTTPStatus
from typing import Annotated, Literal

from fastapi import APIRouter, Form, Query, Request
from fastapi.responses import HTMLResponse, Response
from pydantic import BaseModel, BeforeValidator, Field

from domain.access import Permission
from domain.changes.applying import ChangePreview
from domain.changes.kinds import ChangeContract, End, GiveNotice, Renew
from domain.messages import ForecastRenewal
from domain.policies.forecast import CATEGORIES, Category
from experience.console.page import asker, go, render
from experience.console.words import path
from experience.endpoints import endpoint
from experience.reading.ahead import Renewal, renewal
from experience.services import Served, Services
from starter.changing import foresee, make, new_id
from starter.forecasting import forecast
from starter.mistakes import Mistake, Refusal
from starter.problems import Problem

HERE = "/console/renewals"

BLANK = BeforeValidator(lambda text: text or None)

router = APIRouter()


class Decided(BaseModel):
    """The form. `id` names the intention from its preview on, so that it is made once, however often it is sent."""

    decision: Literal["renew", "notice", "end"] = "renew"
    reason: str = Field("", max_length=500)
    early: bool = False
    months: Annotated[int | None, BLANK] = Field(None, ge=1, le=600)
    received: Annotated[date | None, BLANK] = None
    id: str = Field("", max_length=100)

    def change(self) -> Renew | GiveNotice | End:
        """Raises Mistake for an end without a reason."""
        if self.decision == "renew":
            return Renew(early=self.early, months=self.months)
        if not self.reason.strip():
            raise Mistake("say why it ends: the reason is kept with the contract")
        if self.decision == "notice":
            return GiveNotice(received_on=self.received, reason=self.reason)
        return End(reason=self.reason)


class Expected(BaseModel):
    """The form of a forecast by hand."""

    category: Category | Literal["withdraw"]
    reason: str = Field("", max_length=500)


@router.get(HERE + "/{contract:path}/preview", response_class=HTMLResponse)
@endpoint(owner="customer success", permission="renewal.decide", since="1.0")
async def preview_decision(
    request: Request, services: Served, contract: str, form: Annotated[Decided, Query()]
) -> HTMLResponse:
    """What the decision would do. Nothing is written."""
    found = await _found(services, contract)
    form.id = form.id or new_id()
    try:
        foreseen = await foresee(services.office, await services.office.find(contract), _command(request, form))
    except Refusal as refusal:
        return await _page(request, services, found, form=form, refused=str(refusal))
    return await _page(request, services, found, form=form, foreseen=foreseen)


@router.get(HERE + "/{contract:path}", response_class=HTMLResponse)
@endpoint(owner="customer success", permission="renewal.read", since="1.0")
async def show_renewal(request: Request, services: Served, contract: str) -> HTMLResponse:
    return await _page(request, services, await _found(services, contract))


@router.post(HERE + "/{contract:path}/decide", response_class=HTMLResponse)
@endpoint(owner="customer success", permission="renewal.decide", since="1.0")
async def decide(request: Request, services: Served, contract: str, form: Annotated[Decided, Form()]) -> Response:
    """A refusal is a page of its own, and the trail's: the preview had said that it would go."""
    if not form.id:
        raise Mistake("a decision is made from its preview")
    answer = await make(services.office, await services.office.find(contract), _command(request, form))
    return go(request, f"{HERE}/{path(contract)}", told=answer.message)


@router.post(HERE + "/{contract:path}/forecast", response_class=HTMLResponse)
@endpoint(owner="customer success", permission="renewal.forecast", since="1.0")
async def forecast_renewal(
    request: Request, services: Served, contract: str, form: Annotated[Expected, Form()]
) -> Response:
    """Forecast it by hand, or take that back."""
    category = None if form.category == "withdraw" else form.category
    command = ForecastRenewal(by=asker(request).subject, category=category, reason=form.reason)
    answer = await forecast(services.office, await services.office.find(contract), command)
    return go(request, f"{HERE}/{path(contract)}", told=answer.message)


async def _page(
    request: Request,
    services: Services,
    found: Renewal,
    *,
    form: Decided | None = None,
    foreseen: ChangePreview | None = None,
    refused: str = "",
) -> HTMLResponse:
    principal = asker(request)
    return await render(
        request,
        "renewal.html",
        title=f"Renewal of {found.customer or found.contract}",
        section="renewals",
        status=HTTPStatus.CONFLICT if refused else HTTPStatus.OK,
        live=foreseen is None and not refused,
        seen=found,
        form=form or Decided(),
        foreseen=foreseen,
        refused=refused,
        categories=CATEGORIES,
        may_decide=principal.may(Permission.RENEWAL_DECIDE),
        may_forecast=principal.may(Permission.RENEWAL_FORECAST),
        today=services.clock().date(),
    )


async def _found(services: Services, contract: str) -> Renewal:
    found = await renewal(services.database, contract)
    if found is None:
        raise Problem(HTTPStatus.NOT_FOUND, f"no renewal of {contract} is ahead")
    return found


def _command(request: Request, form: Decided) -> ChangeContract:
    return ChangeContract(id=form.id, by=asker(request).subject, change=form.change())
