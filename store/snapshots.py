"""What the ERP said of each contract when it was last asked, and where each contract stood, day by day.

A snapshot is written where it differs from the one before: where a contract stood on any day is its last one until then.
"""

from collections.abc import Iterable, Sequence
from datetime import date, datetime
from typing import Any

from sqlalchemy import Text, tuple_
from sqlmodel import Field, Session, SQLModel, col, func, select

from domain.measures.delays import Beginning
from domain.measures.forecasts import Snapshot
from store.tables import Json, Moment


class ErpStateRow(SQLModel, table=True):
    """A contract's subscription as the ERP had it at `read_at`. `problem`: why the last try, at `tried_at`, read
    nothing new; empty when it did. `state` None: it was never read.
    """

    __tablename__ = "erp_states"

    contract: str = Field(primary_key=True)
    connection: str
    subscription: str
    state: dict[str, Any] | None = Field(default=None, sa_type=Json)
    read_at: datetime | None = Field(default=None, sa_type=Moment)
    tried_at: datetime = Field(sa_type=Moment, index=True)
    problem: str = Field(default="", sa_type=Text)


class ErpInvoiceRow(SQLModel, table=True):
    """An invoice as the ERP had it at `read_at`. Amounts are texts of decimals, with tax, in `currency`; `contract` is
    None where it bills several, or none that is known."""

    __tablename__ = "erp_invoices"

    connection: str = Field(primary_key=True)
    invoice: str = Field(primary_key=True)
    customer: str = Field(index=True)
    contract: str | None = Field(default=None, index=True)
    number: str | None = None
    status: str
    currency: str
    total: str
    open_amount: str
    issued_on: date | None = None
    due_on: date | None = None
    read_at: datetime = Field(sa_type=Moment)


class ErpCustomerRow(SQLModel, table=True):
    """When the invoices of a customer were last read, to the end of its list."""

    __tablename__ = "erp_customers"

    connection: str = Field(primary_key=True)
    customer: str = Field(primary_key=True)
    read_at: datetime | None = Field(default=None, sa_type=Moment)
    tried_at: datetime = Field(sa_type=Moment)
    problem: str = Field(default="", sa_type=Text)


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
    """What of a contract the figures were last made of: its view, the ERP's state, on which business day."""

    __tablename__ = "measured"

    contract: str = Field(primary_key=True)
    run_started: datetime = Field(sa_type=Moment)
    sequence: int
    read_at: datetime | None = Field(default=None, sa_type=Moment)
    day: date


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
    return True


def snapshots_on(session: Session, day: date, contracts: Sequence[str] | None = None) -> list[Snapshot]:
    """Where each contract stood on a day, by contract; none of one that was not known yet."""
    latest = select(SnapshotRow.contract, func.max(SnapshotRow.day)).where(col(SnapshotRow.day) <= day)
    if contracts is not None:
        latest = latest.where(col(SnapshotRow.contract).in_(contracts))
    key = tuple_(col(SnapshotRow.contract), col(SnapshotRow.day))
    query = select(SnapshotRow).where(key.in_(latest.group_by(col(SnapshotRow.contract))))
    return [_snapshot(row) for row in session.exec(query.order_by(col(SnapshotRow.contract)))]


def snapshots_between(session: Session, after: date, until: date) -> dict[str, list[Snapshot]]:
    """The snapshots after a day and until another one, by contract, oldest first."""
    query = select(SnapshotRow).where(col(SnapshotRow.day) > after, col(SnapshotRow.day) <= until)
    found: dict[str, list[Snapshot]] = {}
    for row in session.exec(query.order_by(col(SnapshotRow.contract), col(SnapshotRow.day))):
        found.setdefault(row.contract, []).append(_snapshot(row))
    return found


def first_day(session: Session) -> date | None:
    """The day of the oldest snapshot; None before the first."""
    return session.exec(select(func.min(SnapshotRow.day))).one()


def last_day(session: Session) -> date | None:
    """The day of the newest snapshot."""
    return session.exec(select(func.max(SnapshotRow.day))).one()


def beginnings(session: Session, signed_from: date, signed_until: date) -> dict[str, Beginning]:
    """Of the contracts that were signed on the days from one to another."""
    query = select(BeginningRow).where(
        col(BeginningRow.signed_on) >= signed_from, col(BeginningRow.signed_on) <= signed_until
    )
    rows: Iterable[BeginningRow] = session.exec(query.order_by(col(BeginningRow.contract)))
    return {row.contract: Beginning(**row.model_dump(exclude={"contract"})) for row in rows}


def _snapshot(row: SnapshotRow) -> Snapshot:
    return Snapshot(contract=row.contract, day=row.day, **row.facts)
