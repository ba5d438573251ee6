"""One contract as its capabilities are read from: its row, its view, and its own day."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from sqlmodel import Session, col, select

from domain.calendar import civil_date
from domain.view import LifecycleView
from store.tables import LifecycleRow, LifecycleViewRow, OrderRow


@dataclass(frozen=True)
class Seen:
    """`today`: the contract's civil day, also where its clock was moved."""

    life: LifecycleRow
    view: LifecycleView
    today: date
    updated_at: datetime


def seen(session: Session, contract: str, clock: Callable[[], datetime]) -> Seen | None:
    """None: there is no such contract, or it has published nothing yet."""
    life, row = session.get(LifecycleRow, contract), session.get(LifecycleViewRow, contract)
    if life is None or row is None:
        return None
    view = LifecycleView.model_validate(row.view)
    return Seen(life, view, day_of(life, view.zone, clock), row.updated_at)


def day_of(life: LifecycleRow, zone: str, clock: Callable[[], datetime]) -> date:
    return civil_date(clock() + timedelta(seconds=life.clock_shift), zone)


def currencies(session: Session, contracts: Iterable[str]) -> dict[str, str]:
    """The currency of each contract, as its newest order says."""
    orders = select(OrderRow).where(col(OrderRow.contract).in_(list(contracts))).order_by(col(OrderRow.revision))
    return {row.contract: str(row.document.get("currency") or "") for row in session.exec(orders).all()}
