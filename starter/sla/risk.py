"""The clock of a risk that customer success is to be shown: it starts when a customer is found to be overdue."""

from datetime import timedelta
from typing import Any

from sqlmodel import Session

from domain.calendar import civil_date, start_of_day
from domain.company import Company
from domain.messages import CollectionsChanged
from domain.targets import ClockKind
from domain.view import LifecycleView
from store.clocks import business_now, start_clock, stop_running
from store.tables import LifecycleRow, LifecycleViewRow

DAY = timedelta(days=1)


def risk_clock(
    session: Session, life: LifecycleRow, before: Any, level: CollectionsChanged, company: Company, *, swept: bool
) -> None:
    """Follow what a lifecycle is told of its invoices, in the transaction of that. `before`: what it was told last.

    `swept`: time alone made it so, and not an invoice that was told just now; then it counts from the day's beginning.
    """
    shown = session.get(LifecycleViewRow, life.contract)
    view = LifecycleView.model_validate(shown.view) if shown else None
    if view is None or view.mode == "shadow" or view.term == 0 or view.stages.get("serving", "act") != "act":
        return
    now = business_now(life)
    if level.overdue_since is None:
        stop_running(session, life.contract, ClockKind.RISK_TOLD, now, void=True)
        return
    if before and before.get("overdue_since"):
        return
    line = level.overdue_since + timedelta(days=company.collections.grace_days) + DAY
    by_time = swept and civil_date(now, view.zone) >= line
    starts = min(start_of_day(line, view.zone), now) if by_time else now
    subject = f"overdue since {level.overdue_since}, {level.seq}"
    start_clock(session, ClockKind.RISK_TOLD, life, subject, starts=starts, at=now)
