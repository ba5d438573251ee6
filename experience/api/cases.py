"""Exception cases: the list, and one of them."""

from typing import Annotated, Literal

from fastapi import Query

from experience.api.asking import Account, CaseId, Cursor, Limit
from experience.api.capability import capability
from experience.endpoints import endpoint
from experience.reading import cases as reading
from experience.reading.frame import Page
from experience.services import Served
from starter.case_list import Wanted

router = capability("cases")


@router.get("/cases")
@endpoint(owner="operations", permission="case.read", since="1.0")
async def list_cases(
    services: Served,
    state: Literal["open", "resolved", "any"] = "open",
    kind: str | None = None,
    problem: Annotated[str | None, Query(description="Cases of one problem are alike")] = None,
    contract: Annotated[str | None, Query(description="A part of the contract's id")] = None,
    account: Account = None,
    assignee: str | None = None,
    tag: str | None = None,
    source: Annotated[str | None, Query(description="Who sent the event that a case is about")] = None,
    snoozed: Annotated[bool, Query(description="Also those that are snoozed")] = False,
    cursor: Cursor = None,
    limit: Limit = 100,
) -> Page[reading.OwnedCase]:
    """Exception cases, the newest first."""
    chosen = None if state == "any" else state
    wanted = Wanted(chosen, kind, problem, contract, account, assignee, tag, source, snoozed)
    return await reading.cases(services.database, services.office.company, wanted, cursor=cursor, limit=limit)


@router.get("/cases/{case:path}")
@endpoint(owner="operations", permission="case.read", since="1.0")
async def show_case(services: Served, case: CaseId) -> reading.CaseAnswer:
    """One case, with the event that it is about and its history."""
    return await reading.case(services, case)
