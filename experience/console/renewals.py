"""Renewals: what is ahead by week, and one renewal with its readiness."""

from typing import Literal

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from domain.policies.forecast import CATEGORIES, Category
from experience.charts import Bar, Chart, Series, columns
from experience.console.asked import day_of, one_of
from experience.console.page import address, render
from experience.endpoints import endpoint
from experience.reading.ahead import RenewalsAhead, Wanted, renewals_ahead
from experience.services import Served

HERE = "/console/renewals"
AT_ONCE = 50
RISKS = ("high", "medium", "low")
NAMES: tuple[Category | Literal["none"], ...] = (*CATEGORIES, "none")
SERIES = (
    Series("commit", "good"),
    Series("best case", "fair"),
    Series("at risk", "watch"),
    Series("churn", "bad"),
    Series("not forecast", "calm"),
)

router = APIRouter()


@router.get(HERE, response_class=HTMLResponse)
@endpoint(owner="customer success", permission="renewal.read", since="1.0")
async def show_renewals(
    request: Request,
    services: Served,
    week: str = "",
    category: str = "",
    risk: str = "",
    undecided: str = "",
    all: str = "",
) -> HTMLResponse:
    wanted = Wanted(day_of(week), one_of(NAMES, category), one_of(RISKS, risk), bool(undecided))
    today = services.clock().date()
    seen = await renewals_ahead(services.database, wanted, today, limit=10 * AT_ONCE if all else AT_ONCE)
    chosen = {"week": week, "category": category, "risk": risk, "undecided": undecided}

    def link(**changed: str) -> str:
        return address(HERE, **{**chosen, **changed})

    return await render(
        request,
        "renewals.html",
        title="Renewals",
        section="renewals",
        seen=seen,
        chart=columns(ahead_chart(seen, week)),
        chosen=chosen,
        link=link,
        categories=NAMES,
        risks=RISKS,
        today=today,
    )


def ahead_chart(seen: RenewalsAhead, chosen: str) -> Chart:
    """One bar for each week, which leads to its renewals; that of the week that is looked at leads back to all."""
    bars = (
        Bar(
            f"{each.week:%d %b}",
            tuple(each.renewals.get(name, 0) for name in NAMES),
            address(HERE, week="" if str(each.week) == chosen else each.week) if each.renewals else "",
        )
        for each in seen.weeks
    )
    return Chart("Renewals by the week in which their term ends", SERIES, tuple(bars), " renewals")
