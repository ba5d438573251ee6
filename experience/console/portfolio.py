"""Portfolio: lifecycles by stage, what needs attention first. Every filter is a link."""

from typing import Annotated, TypeVar

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse

from domain.view import Stage
from experience.console.page import address, render
from experience.endpoints import endpoint
from experience.reading.portfolio import Matter, Wanted, portfolio
from experience.services import Served
from starter.mistakes import Mistake

AT_ONCE = 50
LONGEST_TEXT = 200
HERE = "/console"

K = TypeVar("K", Stage, Matter)

router = APIRouter()


@router.get(HERE, response_class=HTMLResponse)
@endpoint(owner="operations", permission="lifecycle.read", since="1.0")
async def show_portfolio(
    request: Request,
    services: Served,
    stage: str = "",
    matter: str = "",
    entity: str = "",
    q: Annotated[str, Query(max_length=LONGEST_TEXT)] = "",
    cursor: str = "",
) -> HTMLResponse:
    wanted = Wanted(_known(Stage, stage), _known(Matter, matter), entity or None, q)
    today = services.clock().date()
    seen = await portfolio(services.database, wanted, today, cursor=cursor or None, limit=AT_ONCE)
    chosen = {"stage": stage, "matter": matter, "entity": entity, "q": q}

    def link(**changed: str) -> str:
        return address(HERE, **{**chosen, **changed})

    return await render(
        request,
        "portfolio.html",
        title="Portfolio",
        section="portfolio",
        seen=seen,
        chosen=chosen,
        link=link,
        today=today,
    )


def _known(kind: type[K], text: str) -> K | None:
    if not text:
        return None
    try:
        return kind(text)
    except ValueError:
        raise Mistake(f"{text!r} is none of {', '.join(kind)}") from None
