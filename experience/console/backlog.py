"""Backlog: what flows in, what waits, how long outside systems take, what can't be used."""

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from experience.charts import Bar, Chart, Series, Tone, columns
from experience.console.page import render
from experience.endpoints import endpoint
from experience.reading.backlog import HOURS, Backlog, backlog
from experience.services import Served

HERE = "/console/backlog"
TONES: tuple[Tone, ...] = ("calm", "good", "fair", "watch", "bad")
MOST_SERIES = len(TONES)

router = APIRouter()


@router.get(HERE, response_class=HTMLResponse)
@endpoint(owner="operations", permission="backlog.read", since="1.0")
async def show_backlog(request: Request, services: Served) -> HTMLResponse:
    settings, at = services.settings, services.clock()
    seen = await services.database.read(
        lambda session: backlog(
            session,
            at,
            connections=tuple(settings.connections),
            feeds=tuple(settings.feeds),
            subscribers=tuple(settings.subscribers),
        )
    )
    return await render(
        request, "backlog.html", title="Backlog", section="backlog", seen=seen, flow=columns(flow_chart(seen))
    )


def flow_chart(seen: Backlog) -> Chart:
    """Events by hour. Each of the busiest sources has its own colour, the others share the last one."""
    busiest = sorted(seen.sources, key=lambda each: -each.received)
    own, others = busiest, busiest[MOST_SERIES:]
    if others:
        own, others = busiest[: MOST_SERIES - 1], busiest[MOST_SERIES - 1 :]
    series = [Series(each.source, tone) for each, tone in zip(own, TONES, strict=False)]
    hours = [[each.hours[n] for each in own] for n in range(HOURS)]
    if others:
        series.append(Series("others", TONES[-1]))
        hours = [[*each, sum(other.hours[n] for other in others)] for n, each in enumerate(hours)]
    first = seen.since.hour
    bars = tuple(Bar(f"{(first + n) % 24}:00", tuple(each)) for n, each in enumerate(hours))
    return Chart("Events by source, the last 24 hours (UTC)", tuple(series), bars if series else (), " events")
