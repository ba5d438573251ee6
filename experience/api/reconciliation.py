"""Reconciliation: the differences between CRM, ERP, CS and workflow."""

from typing import Literal

from domain.reconciling.difference import Class, Difference, Status, System
from experience.api.asking import Account, Cursor, DifferenceId, Limit, found
from experience.api.capability import capability
from experience.endpoints import endpoint
from experience.reading import differences as reading
from experience.reading.frame import Page
from experience.services import Served

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
