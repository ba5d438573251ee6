"""The menu: the pages that somebody may see, with how much waits on each."""

from dataclasses import dataclass, replace

from domain.access import Permission, Principal
from experience.reading.waiting import waiting
from experience.services import Services


@dataclass(frozen=True)
class Entry:
    """`heading`: a word above it, where a group begins. `alert`: the count is of what needs somebody."""

    name: str
    title: str
    href: str
    permission: Permission
    heading: str = ""
    count: int = 0
    alert: bool = False


PAGES = (
    Entry("portfolio", "Portfolio", "/console", Permission.LIFECYCLE_READ),
    Entry("renewals", "Renewals", "/console/renewals", Permission.RENEWAL_READ),
    Entry("cases", "Cases", "/console/cases", Permission.CASE_READ, alert=True),
    Entry("reconciliation", "Reconciliation", "/console/reconciliation", Permission.RECONCILIATION_READ, "Control"),
    Entry("leakage", "Leakage and control", "/console/leakage", Permission.LEAKAGE_READ),
    Entry("sla", "SLA", "/console/sla", Permission.SLA_READ),
    Entry("backlog", "Backlog", "/console/backlog", Permission.BACKLOG_READ),
    Entry("leaders", "Leaders", "/console/leaders", Permission.MEASURE_READ, "Outcome"),
)


async def entries(services: Services, principal: Principal | None, *, counted: bool = True) -> list[Entry]:
    """What the principal may open, with what waits there where it is `counted`. Somebody unknown sees nothing."""
    if principal is None:
        return []
    allowed = [entry for entry in PAGES if principal.may(entry.permission)]
    counts = await waiting(services.database) if counted else {}
    return [replace(entry, count=counts.get(entry.name, 0)) for entry in allowed]
