"""SLA: how each promise is kept, week by week, and the clocks that run, the most urgent first."""

from collections.abc import Sequence
from datetime import date, timedelta

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from domain.sla import ClockState
from domain.targets import ClockKind
from experience.charts import Bar, Chart, Series, columns
from experience.console.asked import one_of
from experience.console.page import address, render
from experience.endpoints import endpoint
from experience.reading.sla import WEEKS, Wanted, WeekFigures, clocks, sla
from experience.services import Served

HERE = "/console/sla"
AT_ONCE = 50
STATES = (ClockState.BREACHED, ClockState.WARNED, ClockState.RUNNING, ClockState.HELD, ClockState.MISSED)

router = APIRouter()


@router.get(HERE, response_class=HTMLResponse)
@endpoint(owner="operations", permission="sla.read", since="1.0")
async def show_sla(
    request: Request, services: Served, kind: str = "", state: str = "", cursor: str = ""
) -> HTMLResponse:
    chosen_kind = one_of(ClockKind, kind)
    wanted = Wanted(kind=chosen_kind, state=one_of(ClockState, state))
    seen = await sla(services.database)
    page = await clocks(services.database, wanted, cursor=cursor or None, limit=AT_ONCE)
    chosen = {"kind": kind, "state": state}

    def link(**changed: str) -> str:
        return address(HERE, **{**chosen, **changed})

    return await render(
        request,
        "sla.html",
        title="SLA",
        section="sla",
        seen=seen,
        page=page,
        chart=columns(weeks_chart(seen.weeks, chosen_kind, services.clock().date())),
        chosen=chosen,
        link=link,
        states=STATES,
    )


def weeks_chart(weeks: Sequence[WeekFigures], kind: ClockKind | None, today: date) -> Chart:
    """What was kept and what was missed, by the week in which it stopped; also a week in which nothing did."""
    last = today - timedelta(days=today.weekday())
    of_week = {last - timedelta(weeks=n): [0, 0] for n in reversed(range(WEEKS))}
    for each in weeks:
        if each.week in of_week and kind in (None, each.kind):
            of_week[each.week][0] += each.met
            of_week[each.week][1] += each.missed
    bars = tuple(Bar(f"{week:%d %b}", (met, missed)) for week, (met, missed) in of_week.items())
    named = f": {kind.value.replace('_', ' ')}" if kind else ""
    return Chart(f"Promises kept and missed, by week{named}", (Series("kept", "good"), Series("missed", "bad")), bars)
