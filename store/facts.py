"""What mediation knows of the outside, and what each lifecycle was last told: for the dispatcher's own transaction."""

from collections.abc import Collection, Sequence
from typing import Any

from sqlmodel import Session, col, select

from domain.facts import Fact, newer
from store.database import insert_once
from store.tables import FactRow, ToldRow

DOUBT = "in_doubt"  # beside it, the level that is on its way; None where several may be


def learn(session: Session, contract: str, fact: Fact) -> bool:
    """Keep a fact unless what is known of the same record is as new, or newer. False: nothing changed."""
    row = FactRow(contract=contract, kind=fact.kind, entity_id=fact.entity, version=fact.version, data=fact.data)
    if insert_once(session, row, keys=("contract", "kind", "entity_id")):
        return True
    known = session.get_one(FactRow, (contract, fact.kind, fact.entity), with_for_update=True, populate_existing=True)
    if not newer(fact.version, fact.data, than=_fact(known)):
        return False
    known.version, known.data = fact.version, fact.data
    return True


def known_fact(session: Session, contract: str, kind: str, entity: str) -> Fact | None:
    row = session.get(FactRow, (contract, kind, entity))
    return None if row is None else _fact(row)


def facts_of(session: Session, contract: str, kinds: Collection[str]) -> list[Fact]:
    query = select(FactRow).where(FactRow.contract == contract, col(FactRow.kind).in_(kinds))
    return [_fact(row) for row in session.exec(query.order_by(col(FactRow.kind), col(FactRow.entity_id)))]


def facts_of_all(session: Session, contracts: Sequence[str], kinds: Collection[str]) -> list[Fact]:
    """What is known of several contracts together: of a record that more than one knows, the newest."""
    newest: dict[tuple[str, str], Fact] = {}
    for contract in contracts:
        for fact in facts_of(session, contract, kinds):
            known = newest.get((fact.kind, fact.entity))
            if known is None or newer(fact.version, fact.data, than=known):
                newest[fact.kind, fact.entity] = fact
    return [newest[name] for name in sorted(newest)]


def _fact(row: FactRow) -> Fact:
    return Fact(row.kind, row.entity_id, row.version, row.data)


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


def doubt(session: Session, contract: str, level: str) -> None:
    """Nobody knows what the workflow was told last: it is told again, be it the same, under a new number."""
    tell(session, contract, level, {DOUBT: None})
