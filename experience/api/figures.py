"""The leaders' figures, forecasts against what came, and leakage."""

from datetime import date
from typing import Annotated

from fastapi import Query

from domain.measures.leakage import Kind
from experience.api.asking import Account, Cursor, Limit
from experience.api.capability import capability
from experience.endpoints import endpoint
from experience.reading import forecasts, leakage
from experience.reading import leaders as reading
from experience.reading.frame import Page
from experience.services import Served, Services
from starter.reporting import Reporting, read_reporting

router = capability("figures")


@router.get("/leaders")
@endpoint(owner="finance", permission="measure.read", since="1.0")
async def show_leaders(services: Served, since: date | None = None, until: date | None = None) -> reading.Leaders:
    """How long beginnings take, what is kept, what leaks: of the last year, or of the days that are named."""
    first, last = await reading.period(services.database, services.clock().date())
    return await reading.leaders(services.database, _reporting(services), since or first, until or last)


@router.get("/forecast/days")
@endpoint(owner="finance", permission="forecast.read", since="1.0")
async def show_forecast_days(services: Served) -> forecasts.Days:
    """The first and the last day of which a forecast was kept."""
    return await forecasts.snapshot_days(services.database)


@router.get("/forecast")
@endpoint(owner="finance", permission="forecast.read", since="1.0")
async def show_forecast(
    services: Served,
    on: Annotated[date, Query(description="The day whose forecast is meant")],
    since: Annotated[date, Query(description="The first term's end that counts")],
    until: Annotated[date, Query(description="The last one")],
) -> forecasts.ForecastAgainst:
    """What was expected on a day of the renewals of some weeks, against what came."""
    today = services.clock().date()
    return await forecasts.forecast_against(services.database, _reporting(services), on, since, until, today)


@router.get("/leakage")
@endpoint(owner="finance", permission="leakage.read", since="1.0")
async def show_leakage(services: Served) -> leakage.LeakageSums:
    """What leaks today, by kind."""
    return await leakage.sums(services.database, _reporting(services), services.clock().date())


@router.get("/leakage/findings")
@endpoint(owner="finance", permission="leakage.read", since="1.0")
async def list_leaks(
    services: Served,
    kind: Kind | None = None,
    contract: str | None = None,
    account: Account = None,
    open: Annotated[bool, Query(description="Only what leaks still")] = True,
    cursor: Cursor = None,
    limit: Limit = 100,
) -> Page[leakage.LeakLine]:
    """What leaks, one by one, with its amount as the ERP has it."""
    wanted = leakage.Wanted(kind, contract, account, open)
    return await leakage.leaks(services.database, _reporting(services), wanted, cursor=cursor, limit=limit)


def _reporting(services: Services) -> Reporting:
    return read_reporting(services.settings, services.office.company)
