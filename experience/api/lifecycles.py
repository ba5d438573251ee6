"""Lifecycles: the list, and one of them."""

from datetime import date
from typing import Annotated

from fastapi import Query

from domain.view import Stage
from experience.api.asking import Contract, Cursor, Limit, found
from experience.api.capability import capability
from experience.endpoints import endpoint
from experience.reading import lifecycles as reading
from experience.reading import stories
from experience.reading.frame import Page
from experience.services import Served

router = capability("lifecycles")


@router.get("/lifecycles")
@endpoint(owner="operations", permission="lifecycle.read", since="1.0")
async def list_lifecycles(
    services: Served,
    stage: Stage | None = None,
    account: str | None = None,
    contract: Annotated[str | None, Query(description="A part of the contract's id")] = None,
    needs_attention: bool | None = None,
    renews_from: date | None = None,
    renews_before: date | None = None,
    order: reading.Order = "renewal_date",
    cursor: Cursor = None,
    limit: Limit = 100,
) -> Page[reading.LifecycleLine]:
    """Lifecycles, the nearest renewal first."""
    wanted = reading.Wanted(stage, account, contract, needs_attention, renews_from, renews_before, order)
    return await reading.lifecycles(services.database, wanted, cursor=cursor, limit=limit)


@router.get("/lifecycles/{contract:path}/timeline")
@endpoint(owner="operations", permission="lifecycle.read", since="1.0")
async def show_timeline(
    services: Served, contract: Contract, cursor: Cursor = None, limit: Limit = 100
) -> Page[stories.Line]:
    """What has happened, the newest first."""
    page = await stories.timeline(services.database, contract, cursor=cursor, limit=limit)
    return found(page, f"no lifecycle {contract}")


@router.get("/lifecycles/{contract:path}/effects")
@endpoint(owner="operations", permission="lifecycle.read", since="1.0")
async def show_effects(
    services: Served, contract: Contract, cursor: Cursor = None, limit: Limit = 100
) -> Page[stories.Effect]:
    """What was done outside, in the order in which it was begun."""
    page = await stories.effects(services.database, contract, cursor=cursor, limit=limit)
    return found(page, f"no lifecycle {contract}")


@router.get("/lifecycles/{contract:path}/cost")
@endpoint(owner="operations", permission="lifecycle.read", since="1.0")
async def show_cost(services: Served, contract: Contract) -> stories.Cost:
    """What the lifecycle has cost so far: calls, retries, and events that woke it."""
    return found(await stories.cost(services.database, contract), f"no lifecycle {contract}")


@router.get("/lifecycles/{contract:path}")
@endpoint(owner="operations", permission="lifecycle.read", since="1.0")
async def show_lifecycle(services: Served, contract: Contract) -> reading.LifecycleAnswer:
    """Where one lifecycle stands."""
    return found(await reading.lifecycle(services.database, contract), f"no lifecycle {contract}")
