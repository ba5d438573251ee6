"""SLA: how promises are kept, and the clocks that run."""

from pydantic import AwareDatetime

from domain.sla import ClockState
from domain.targets import ClockKind
from experience.api.asking import Account, Cursor, Limit
from experience.api.capability import capability
from experience.endpoints import endpoint
from experience.reading import sla as reading
from experience.reading.frame import Page
from experience.services import Served

router = capability("sla")


@router.get("/sla")
@endpoint(owner="operations", permission="sla.read", since="1.0")
async def show_sla(services: Served) -> reading.SlaAnswer:
    """Every promise in figures, and week by week."""
    return await reading.sla(services.database)


@router.get("/sla/clocks")
@endpoint(owner="operations", permission="sla.read", since="1.0")
async def list_clocks(
    services: Served,
    kind: ClockKind | None = None,
    state: ClockState | None = None,
    contract: str | None = None,
    account: Account = None,
    team: str | None = None,
    due_before: AwareDatetime | None = None,
    cursor: Cursor = None,
    limit: Limit = 100,
) -> Page[reading.ClockLine]:
    """SLA clocks, the most urgent first."""
    wanted = reading.Wanted(kind, state, contract, account, team, due_before)
    return await reading.clocks(services.database, wanted, cursor=cursor, limit=limit)
