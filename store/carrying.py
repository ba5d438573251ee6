"""Everything that the store holds of a lifecycle, to be carried into another store: what it needs to go on there, and
what keeps it from doing anything twice."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from sqlalchemy import inspect
from sqlmodel import Session, SQLModel, col, func, or_, select, update

from store.clocks import SlaClockRow
from store.database import change, db_now, insert_once
from store.leaks import LeakRow
from store.snapshots import BeginningRow, SnapshotRow
from store.tables import (
    AccountAliasRow,
    AliasRow,
    CaseRow,
    ContractRiskRow,
    DeliveryRow,
    EffectRow,
    FactRow,
    FeedRow,
    FormerRow,
    LifecycleRow,
    LifecycleViewRow,
    OrderRow,
    RolledUpRow,
    StreamRow,
    TimelineRow,
    ToldRow,
)
from store.transit import AccountFenceRow, AccountMoveRow, ImportRow

Rows = dict[str, list[dict[str, Any]]]
"""By the table's name."""

OF_CONTRACT: tuple[tuple[type[SQLModel], tuple[str, ...]], ...] = (
    (LifecycleRow, ("contract",)),
    (OrderRow, ("contract", "revision")),
    (AliasRow, ("system", "kind", "foreign_id")),
    (EffectRow, ("key",)),
    (FactRow, ("contract", "kind", "entity_id")),
    (ToldRow, ("contract", "level")),
    (StreamRow, ("stream",)),
    (LifecycleViewRow, ("contract",)),
    (TimelineRow, ("contract", "ref")),
    (SlaClockRow, ("id",)),
    (ContractRiskRow, ("contract",)),
    (FormerRow, ("contract", "former")),
    (ImportRow, ("contract",)),
    (SnapshotRow, ("contract", "day")),
    (BeginningRow, ("contract",)),
    (LeakRow, ("id",)),
    (CaseRow, ("id",)),
)
OF_INSTALLATION: tuple[tuple[type[SQLModel], tuple[str, ...]], ...] = (
    (AccountAliasRow, ("account",)),
    (AccountFenceRow, ("account",)),
    (AccountMoveRow, ("id",)),
    (RolledUpRow, ("subject",)),
    (FeedRow, ("name",)),
)
NOT_CARRIED: Mapping[str, tuple[str, ...]] = {"timeline": ("id",), "cases": ("inbox_id",)}
"""Numbers that the other store gives anew, and what points at events that stay behind."""


def waiting(session: Session, contract: str) -> int:
    """How many events of a contract have not been delivered to it yet."""
    mine = (DeliveryRow.stream == contract, DeliveryRow.state == "pending")
    return session.exec(select(func.count()).where(*mine)).one()


def pack(session: Session, contract: str, shared: Collection[str]) -> Rows:
    """The rows of a contract. `shared`: keys of the ledger that stand in its state, whoever did them first."""
    rows: Rows = {}
    for table, _ in OF_CONTRACT:
        owner = inspect(table).columns["stream" if table is StreamRow else "contract"]
        mine = owner == contract
        if table is EffectRow:
            mine = or_(mine, col(EffectRow.key).in_(shared))
        rows[_name(table)] = [_packed(row) for row in session.exec(select(table).where(mine)).all()]
    return rows


def pack_installation(session: Session) -> Rows:
    """What belongs to no one contract: merged accounts, rolled-up risks, how far feeds were read."""
    return {_name(table): [_packed(row) for row in session.exec(select(table)).all()] for table, _ in OF_INSTALLATION}


def unpack(session: Session, rows: Rows) -> bool:
    """Put rows into this store; what is here already stays as it is. False when the lifecycle was here already.

    Until `let_go` nothing is delivered to it.
    """
    new = False
    for table, keys in (*OF_CONTRACT, *OF_INSTALLATION):
        for values in rows.get(_name(table), []):
            row = table.model_validate(values)
            if isinstance(row, LifecycleRow):
                row.started = row.closed
            inserted = insert_once(session, row, keys=keys)
            new = new or (inserted and table is LifecycleRow)
            if isinstance(row, StreamRow) and inserted:
                hold = {"lease_until": db_now() + 60.0, "owner": "import"}
                change(session, update(StreamRow).where(col(StreamRow.stream) == row.stream).values(**hold))
    return new


def let_go(session: Session, contract: str) -> None:
    """The lifecycle runs: what comes in for it is delivered."""
    change(session, update(LifecycleRow).where(col(LifecycleRow.contract) == contract).values(started=True))
    held = (col(StreamRow.stream) == contract, col(StreamRow.owner) == "import")
    change(session, update(StreamRow).where(*held).values(lease_until=0.0, owner=""))


def contracts(session: Session) -> Sequence[str]:
    return session.exec(select(LifecycleRow.contract).order_by(col(LifecycleRow.contract))).all()


def _name(table: type[SQLModel]) -> str:
    return str(table.__tablename__)


def _packed(row: SQLModel) -> dict[str, Any]:
    return row.model_dump(mode="json", exclude=set(NOT_CARRIED.get(_name(type(row)), ())))
