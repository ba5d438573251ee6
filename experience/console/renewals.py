"""Renewals: what is ahead by week, and one renewal with its readiness."""

from datetime import date
from typing import Literal

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from domain.policies.forecast import CATEGORIES, Category
from experience.charts import Bar, Chart, Series, columns
from experience.console.page import address, render
from experience.endpoints import endpoint
from experience.reading.ahead import RenewalsAhead, Wanted, renewals_ahead
from experience.services import Served
from starter.mistakes import Mistake

HERE = "/console/renewals"
AT_ONCE = 100
RISKS = ("high", "medium", "low")
NONE: Literal["none"] = "none"
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
    wanted = Wanted(_day(week), _category(category), _risk(risk), bool(undecided))
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
        categories=(*CATEGORIES, NONE),
        risks=RISKS,
        today=today,
    )


def ahead_chart(seen: RenewalsAhead, chosen: str) -> Chart:
    """One bar for each week, which leads to its renewals; that of the week that is looked at leads back to all."""
    names = (*CATEGORIES, NONE)
    bars = (
        Bar(
            f"{each.week:%d %b}",
            tuple(each.renewals.get(name, 0) for name in names),
            address(HERE, week="" if str(each.week) == chosen else each.week) if each.renewals else "",
        )
        for each in seen.weeks
    )
    return Chart("Renewals by the week in which their term ends", SERIES, tuple(bars), " renewals")


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text) if text else None
    except ValueError:
        raise Mistake(f"{text!r} is no day; write it as 2027-01-31") from None


def _category(text: str) -> Category | Literal["none"] | None:
    for known in (*CATEGORIES, NONE):
        if text == known:
            return known
    if text:
        raise Mistake(f"{text!r} is none of {', '.join((*CATEGORIES, NONE))}")
    return None


def _risk(text: str) -> str | None:
    if text and text not in RISKS:
        raise Mistake(f"{text!r} is none of {', '.join(RISKS)}")
    return text or None
