"""Reconciliation: the differences between CRM, ERP, CS and workflow."""

from typing import Annotated, Literal

from fastapi import Path

from domain.reconciling.difference import Class, Difference, Reconciled, Status, System
from experience.api.asking import Account, Cursor, DifferenceId, Limit, found
from experience.api.capability import capability
from experience.endpoints import endpoint
from experience.reading import differences as reading
from experience.reading.frame import Page
from experience.services import Served
from store.reconciliations import Reconciliations

router = capability("reconciliation")


@router.get("/reconciliation")
@endpoint(owner="finance", permission="reconciliation.read", since="1.0")
async def show_reconciliation(services: Served) -> reading.ReconciliationAnswer:
    """How many differences there are, and the last run."""
    return await reading.reconciliation(services.database)


@router.get("/reconciliation/differences")
@endpoint(owner="finance", permission="reconciliation.read", since="1.0")
async def list_differences(
    services: Served,
    status: Status | Literal["any"] = "open",
    kind: str | None = None,
    klass: Class | None = None,
    system: System | None = None,
    owner: str | None = None,
    contract: str | None = None,
    account: Account = None,
    cursor: Cursor = None,
    limit: Limit = 100,
) -> Page[Difference]:
    """Differences, the oldest first."""
    chosen = None if status == "any" else status
    wanted = reading.Wanted(chosen, kind, klass, system, owner, contract, account)
    return await reading.differences(services.database, wanted, cursor=cursor, limit=limit)


@router.get("/reconciliation/differences/{difference}")
@endpoint(owner="finance", permission="reconciliation.read", since="1.0")
async def show_difference(services: Served, difference: DifferenceId) -> reading.DifferenceAnswer:
    """One difference and what was done about it."""
    return found(await reading.difference(services.database, difference), f"no difference {difference}")


@router.get("/reconciliation/runs")
@endpoint(owner="finance", permission="reconciliation.read", since="1.0")
async def list_reconciliations(services: Served) -> list[Reconciled]:
    """The last thirty runs over all contracts, the newest first."""
    return list(await Reconciliations(services.database).list())


@router.get("/reconciliation/runs/{run}")
@endpoint(owner="finance", permission="reconciliation.read", since="1.0")
async def show_reconciliation_run(services: Served, run: Annotated[int, Path(ge=1, lt=2**31)]) -> Reconciled:
    """One run: under way, ended, or broken off, because its process has died or met a problem."""
    return found(await Reconciliations(services.database).get(run), f"no reconciliation {run}")
