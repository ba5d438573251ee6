"""The menu: the pages that somebody may see, with how much waits on each."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from domain.access import Permission, Principal


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


def entries(principal: Principal | None, waiting: Mapping[str, int]) -> list[Entry]:
    """What the principal may open, with what waits there for somebody, by the page's name. Somebody unknown sees
    nothing."""
    if principal is None:
        return []
    return [replace(each, count=waiting.get(each.name, 0)) for each in PAGES if principal.may(each.permission)]
