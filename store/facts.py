"""What mediation knows of the outside, and what each lifecycle was last told: for the dispatcher's own transaction."""

from collections.abc import Sequence
from typing import Any

from sqlmodel import Session, col, select

from store.database import insert_once
from store.tables import FactRow, ToldRow


def fact(session: Session, contract: str, kind: str, entity_id: str) -> FactRow | None:
    """The latest known version of one outside record; which of two versions is newer is the caller's rule."""
    return session.get(FactRow, (contract, kind, entity_id))


def facts_of(session: Session, contract: str, kind: str) -> Sequence[FactRow]:
    query = select(FactRow).where(FactRow.contract == contract, FactRow.kind == kind)
    return session.exec(query.order_by(col(FactRow.entity_id))).all()


def put_fact(session: Session, contract: str, kind: str, entity_id: str, *, version: str, data: dict[str, Any]) -> None:
    row = FactRow(contract=contract, kind=kind, entity_id=entity_id, version=version, data=data)
    if not insert_once(session, row, keys=("contract", "kind", "entity_id")):
        session.get_one(FactRow, (contract, kind, entity_id)).sqlmodel_update({"version": version, "data": data})


def told(session: Session, contract: str, level: str) -> Any:
    """The value that the workflow was last told for a level, None when it was told nothing."""
    row = session.get(ToldRow, (contract, level))
    return None if row is None else row.value


def tell(session: Session, contract: str, level: str, value: Any) -> bool:
    """Remember what the workflow is told. False when it was told just that: then nobody need be woken."""
    if told(session, contract, level) == value:
        return False
    if not insert_once(session, ToldRow(contract=contract, level=level, value=value), keys=("contract", "level")):
        session.get_one(ToldRow, (contract, level)).value = value
    return True
