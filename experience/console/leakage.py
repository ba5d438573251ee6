"""Leakage and control: what is billed or served other than the terms say, with amounts from the ERP."""

import asyncio

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from domain.measures.leakage import KINDS
from experience.console.asked import one_of
from experience.console.page import address, render
from experience.endpoints import endpoint
from experience.reading.leakage import TITLES, Wanted, leaks, sums
from experience.services import Served
from starter.reporting import read_reporting

HERE = "/console/leakage"
AT_ONCE = 50

router = APIRouter()


@router.get(HERE, response_class=HTMLResponse)
@endpoint(owner="finance", permission="leakage.read", since="1.0")
async def show_leakage(
    request: Request, services: Served, kind: str = "", settled: str = "", contract: str = "", cursor: str = ""
) -> HTMLResponse:
    """Open findings; with `settled` also those that are not open any more."""
    wanted = Wanted(kind=one_of(KINDS, kind), contract=contract or None, open=not settled)
    reporting = await asyncio.to_thread(read_reporting, services.settings, services.office.company)
    seen = await sums(services.database, reporting, services.clock().date())
    page = await leaks(services.database, reporting, wanted, cursor=cursor or None, limit=AT_ONCE)
    chosen = {"kind": kind, "settled": settled, "contract": contract}

    def link(**changed: str) -> str:
        return address(HERE, **{**chosen, **changed})

    return await render(
        request,
        "leakage.html",
        title="Leakage and control",
        section="leakage",
        seen=seen,
        page=page,
        titles=TITLES,
        chosen=chosen,
        link=link,
    )
