"""Leaders: how long the first steps take, what stays of what there was, what leaked, and what forecasts were worth."""

import asyncio
from datetime import date, timedelta

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from experience.charts import Bar, Chart, Series, rows
from experience.console.asked import day_of
from experience.console.page import address, render
from experience.endpoints import endpoint
from experience.reading.forecasts import Days, ForecastAgainst, forecast_against, snapshot_days
from experience.reading.leaders import Delays, leaders, period
from experience.services import Served, Services
from starter.mistakes import Mistake
from starter.reporting import Reporting, read_reporting

HERE = "/console/leaders"
PERIODS = {"30": "30 days", "90": "a quarter", "365": "a year"}
LOOK_BACK = timedelta(days=90)
STEPS = {
    "activation": "order activated",
    "onboarding": "onboarding launched",
    "go_live": "gone live",
    "first_invoice": "first invoice",
}

router = APIRouter()


@router.get(HERE, response_class=HTMLResponse)
@endpoint(owner="leaders", permission="measure.read", since="1.0")
async def show_leaders(request: Request, services: Served, days: str = "365", forecast: str = "") -> HTMLResponse:
    """`days`: how many are looked back at. `forecast`: the day of the snapshot that is held against what came."""
    if days not in PERIODS:
        raise Mistake(f"{days!r} is none of {', '.join(PERIODS)}")
    reporting = await asyncio.to_thread(read_reporting, services.settings, services.office.company)
    since, until = await period(services.database, services.clock().date(), int(days))
    seen = await leaders(services.database, reporting, since, until)
    known = await snapshot_days(services.database)
    against = await _against(services, reporting, known, day_of(forecast), until)
    chosen = {"days": days, "forecast": forecast}

    def link(**changed: str) -> str:
        return address(HERE, **{**chosen, **changed})

    return await render(
        request,
        "leaders.html",
        title="Leaders",
        section="leaders",
        seen=seen,
        against=against,
        known=known,
        delays=rows(delays_chart(seen.delays)),
        outcome=rows(outcome_chart(against)) if against else "",
        steps=STEPS,
        periods=PERIODS,
        chosen=chosen,
        link=link,
    )


async def _against(
    services: Services, reporting: Reporting, known: Days, wanted: date | None, until: date
) -> ForecastAgainst | None:
    """The forecast of a quarter ago, or the first that there is, of the terms that have ended since. None before the
    first snapshot. Raises Mistake for a day on which there was none."""
    if known.first is None:
        return None
    on = wanted or max(known.first, until - LOOK_BACK)
    return await forecast_against(services.database, reporting, on, on, max(on, until), until)


def delays_chart(delays: Delays) -> Chart:
    """Half of the contracts took no longer than the first part of a bar, nine of ten no longer than the whole."""
    bars = []
    for name, words in STEPS.items():
        each = getattr(delays, name)
        if each.median is not None and each.slowest_tenth is not None:
            bars.append(Bar(words, (each.median, max(0.0, each.slowest_tenth - each.median))))
    series = (Series("half of them", "calm"), Series("more, until nine of ten", "fair"))
    return Chart("Days from the signature", series, tuple(bars), " days")


def outcome_chart(against: ForecastAgainst) -> Chart:
    """By category, how many were renewed, lost, or are not decided."""
    series = (Series("renewed", "good"), Series("lost", "bad"), Series("undecided", "watch"), Series("open", "calm"))
    bars = tuple(
        Bar(
            each.category.replace("_", " "),
            tuple(float(each.came.get(came, 0)) for came in ("renewed", "lost", "undecided", "open")),
        )
        for each in against.categories
    )
    return Chart(f"What was forecast on {against.on}, and what came", series, bars, " renewals")
