"""Where each contract stood, day by day, and when its first steps were made.

A snapshot is written where it differs from the one before: where a contract stood on a day is its last one until then.
"""

from collections.abc import Iterable, Sequence
from datetime import date, datetime, timedelta
from typing import Any

from pydantic import TypeAdapter
from sqlalchemy import tuple_
from sqlmodel import Field, Session, SQLModel, col, func, or_, select

from domain.measures.delays import Beginning
from domain.measures.forecasts import Snapshot
from store.board import price_on_board
from store.columns import Json, Moment
from store.erp_states import ErpStateRow, rested
from store.tables import LifecycleRow, LifecycleViewRow

AT_ONCE = 500
_SNAPSHOTS = TypeAdapter(list[Snapshot])


class SnapshotRow(SQLModel, table=True):
    """domain.measures.forecasts.Snapshot: where a contract stood from this day on."""

    __tablename__ = "snapshots"

    contract: str = Field(primary_key=True)
    day: date = Field(primary_key=True, index=True)
    facts: dict[str, Any] = Field(sa_type=Json)


class BeginningRow(SQLModel, table=True):
    """domain.measures.delays.Beginning of a contract that was won while Tenure was there."""

    __tablename__ = "beginnings"

    contract: str = Field(primary_key=True)
    signed_on: date = Field(index=True)
    activated_on: date | None = None
    launched_on: date | None = None
    live_on: date | None = None
    invoiced_on: date | None = None


class MeasuredRow(SQLModel, table=True):
    """What of a contract the figures were last made of: which view, which reading of the ERP, which shift of its clock.
    `again_at`: when its next day begins; None where no day changes anything any more.
    """

    __tablename__ = "measured"

    contract: str = Field(primary_key=True)
    run_started: datetime = Field(sa_type=Moment)
    sequence: int
    read_at: datetime | None = Field(default=None, sa_type=Moment)
    clock_shift: float
    again_at: datetime | None = Field(default=None, sa_type=Moment)


def to_measure(session: Session, moment: datetime, rest: timedelta, limit: int) -> list[str]:
    """The contracts of which there is something new to measure, or for which a new day has begun, and whose view has
    not changed for so long."""
    view, measured, erp, life = LifecycleViewRow, MeasuredRow, ErpStateRow, LifecycleRow
    news = or_(
        col(measured.contract).is_(None),
        col(measured.run_started) != col(view.run_started),
        col(measured.sequence) != col(view.sequence),
        col(measured.read_at).is_distinct_from(col(erp.read_at)),
        col(measured.clock_shift) != col(life.clock_shift),
        col(measured.again_at) <= moment,
    )
    query = (
        select(view.contract)
        .join(life, col(life.contract) == col(view.contract))
        .outerjoin(measured, col(measured.contract) == col(view.contract))
        .outerjoin(erp, col(erp.contract) == col(view.contract))
        .where(news, *rested(session, rest))
    )
    return list(session.exec(query.order_by(col(view.contract)).limit(limit)))


def take_snapshot(session: Session, snapshot: Snapshot) -> bool:
    """Keep where a contract stands. False where it stood there already. One of the same day is replaced."""
    facts = snapshot.model_dump(mode="json", exclude={"day", "contract"})
    query = select(SnapshotRow).where(SnapshotRow.contract == snapshot.contract, col(SnapshotRow.day) <= snapshot.day)
    last = session.exec(query.order_by(col(SnapshotRow.day).desc()).limit(1)).first()
    if last is not None and last.facts == facts:
        return False
    if last is not None and last.day == snapshot.day:
        last.facts = facts
    else:
        session.add(SnapshotRow(contract=snapshot.contract, day=snapshot.day, facts=facts))
    price_on_board(session, snapshot.contract, snapshot.annual, snapshot.currency)
    return True


def snapshots_on(session: Session, day: date, ending: tuple[date, date] | None = None) -> list[Snapshot]:
    """Where each contract stood on a day, by contract; none of one that was not known yet. `ending`: only those whose
    term's end was on a day from one to another then."""
    latest = select(SnapshotRow.contract, func.max(SnapshotRow.day)).where(col(SnapshotRow.day) <= day)
    key = tuple_(col(SnapshotRow.contract), col(SnapshotRow.day))
    query = _facts().where(key.in_(latest.group_by(col(SnapshotRow.contract))))
    if ending is not None:
        since, until = (each.isoformat() for each in ending)
        query = query.where(col(SnapshotRow.facts)["term_ends"].as_string().between(since, until))
    return _snapshots(session.exec(query.order_by(col(SnapshotRow.contract))))


def snapshots_between(
    session: Session, after: date, until: date, contracts: Sequence[str]
) -> dict[str, list[Snapshot]]:
    """The snapshots of contracts after a day and until another one, by contract, oldest first."""
    found: dict[str, list[Snapshot]] = {}
    for first in range(0, len(contracts), AT_ONCE):
        some = col(SnapshotRow.contract).in_(contracts[first : first + AT_ONCE])
        query = _facts().where(some, col(SnapshotRow.day) > after, col(SnapshotRow.day) <= until)
        for each in _snapshots(session.exec(query.order_by(col(SnapshotRow.day)))):
            found.setdefault(each.contract, []).append(each)
    return found


def first_day(session: Session) -> date | None:
    """The day of the oldest snapshot; None before the first."""
    return session.exec(select(func.min(SnapshotRow.day))).one()


def last_day(session: Session) -> date | None:
    """The day of the newest snapshot."""
    return session.exec(select(func.max(SnapshotRow.day))).one()


def keep_beginning(session: Session, contract: str, found: Beginning) -> None:
    """A day that is known stands until another one is told; that of the launch, which only we have seen, for ever."""
    row = session.get(BeginningRow, contract)
    if row is None:
        session.add(BeginningRow(contract=contract, **found.model_dump()))
        return
    row.sqlmodel_update({name: day for name, day in found.model_dump(exclude={"launched_on"}).items() if day})
    row.launched_on = row.launched_on or found.launched_on


def beginnings(session: Session, signed_from: date, signed_until: date) -> dict[str, Beginning]:
    """Of the contracts that were signed on the days from one to another."""
    query = select(BeginningRow).where(
        col(BeginningRow.signed_on) >= signed_from, col(BeginningRow.signed_on) <= signed_until
    )
    rows: Iterable[BeginningRow] = session.exec(query.order_by(col(BeginningRow.contract)))
    return {row.contract: Beginning(**row.model_dump(exclude={"contract"})) for row in rows}


def _facts() -> Any:
    """The columns without the row: there may be tens of thousands on a page."""
    return select(SnapshotRow.contract, SnapshotRow.day, SnapshotRow.facts)


def _snapshots(rows: Iterable[tuple[str, date, dict[str, Any]]]) -> list[Snapshot]:
    return _SNAPSHOTS.validate_python([{"contract": contract, "day": day, **facts} for contract, day, facts in rows])
