"""Mediation: which facts wake a lifecycle. Only what changes what it does next is told, as levels rather than edges.

| what comes in | kept as fact | wakes |
|---|---|---|
| deal won (new) | – | starts a lifecycle |
| deal won (expansion, renewal), renewal lost | – | always |
| milestone completed | – | always |
| invoice posted, paid, overdue | invoice | when the set of delinquent invoices changes |
| support case opened, closed | support case | when the open cases of severity 1 or 2 change |
| usage reported | usage | when adoption crosses the policy's line |
"""

from collections.abc import Iterable
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from domain.company import Company
from domain.events import EventData, InvoicePaid, InvoicePosted, SupportCaseClosed, SupportCaseOpened, UsageReported
from domain.events import InvoiceOverdue as Overdue
from domain.messages import CollectionsChanged, SupportChanged, UsageChanged
from domain.policies.collections import InvoiceStatus, delinquency, next_due

Level = CollectionsChanged | SupportChanged | UsageChanged

INVOICE, SUPPORT_CASE, USAGE = "invoice", "support_case", "usage"
WAKING_SEVERITY = 2


def fact_of(data: EventData) -> tuple[str, str, int, dict[str, Any]] | None:
    """The fact that an event carries: (kind, entity id, version, data); None for what is told as it is."""
    match data:
        case InvoicePosted() | InvoicePaid() | Overdue():
            paid = isinstance(data, InvoicePaid)
            return INVOICE, data.invoice, data.version, {"due_on": data.due_on.isoformat(), "paid": paid}
        case SupportCaseOpened() | SupportCaseClosed():
            opened = isinstance(data, SupportCaseOpened)
            return SUPPORT_CASE, data.case, data.version, {"severity": data.severity, "open": opened}
        case UsageReported():
            reported = {"active": str(data.active), "entitled": str(data.entitled)}
            return USAGE, data.account, data.as_of.toordinal(), reported
    return None


def standing(kind: str, facts: Iterable[tuple[str, dict[str, Any]]], today: date, company: Company) -> Level:
    """The level that the facts of one kind amount to today."""
    if kind == INVOICE:
        found = delinquency(_invoices(facts), today, company.collections)
        line = timedelta(days=company.risk.high_after_days_overdue)
        return CollectionsChanged(
            delinquent=found.delinquent,
            overdue_since=found.oldest_due,
            long_overdue=found.oldest_due is not None and today >= found.oldest_due + line,
        )
    if kind == SUPPORT_CASE:
        severities: dict[int, int] = {}
        for _, case in facts:
            if case["open"] and case["severity"] <= WAKING_SEVERITY:
                severities[case["severity"]] = severities.get(case["severity"], 0) + 1
        return SupportChanged(severities=severities)
    ratios = [Decimal(usage["active"]) / Decimal(usage["entitled"]) for _, usage in facts if Decimal(usage["entitled"])]
    return UsageChanged(adoption=round(min(ratios, default=Decimal(1)), 4))


def news(level: Level, company: Company) -> dict[str, Any]:
    """What of a level must differ from what was last told before the lifecycle is woken."""
    if isinstance(level, UsageChanged):
        low = company.risk.low_adoption
        return {"below": "half" if level.adoption < low / 2 else "line" if level.adoption < low else ""}
    return level.model_dump(mode="json", exclude={"seq"})


def next_change(facts: Iterable[tuple[str, dict[str, Any]]], today: date, company: Company) -> date | None:
    """The next day on which the invoices' standing changes by time alone."""
    invoices = list(_invoices(facts))
    found = delinquency(invoices, today, company.collections)
    crossing = next_due(invoices, today, company.collections)
    long = found.oldest_due + timedelta(days=company.risk.high_after_days_overdue) if found.oldest_due else None
    return min((day for day in (crossing, long) if day is not None and day > today), default=None)


def _invoices(facts: Iterable[tuple[str, dict[str, Any]]]) -> Iterable[InvoiceStatus]:
    for invoice, fact in facts:
        yield InvoiceStatus(id=invoice, due_on=date.fromisoformat(fact["due_on"]), paid=fact["paid"])
