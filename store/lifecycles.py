"""Which lifecycles there are, and the cross-references that find them."""

from collections.abc import Sequence
from typing import cast

from sqlmodel import Session, col, select, update

from domain.errors import AlreadyExists
from domain.messages import Succession
from store.database import Database, change, insert_once
from store.tables import AliasRow, FormerRow, LifecycleRow


class Lifecycles:
    def __init__(self, database: Database) -> None:
        self._db = database

    async def add(self, row: LifecycleRow) -> bool:
        """False when the contract already has a lifecycle, which stays as it is, for ever."""
        return await self._db.write(lambda session: add_lifecycle(session, row))

    async def get(self, contract: str) -> LifecycleRow | None:
        return await self._db.read(lambda session: session.get(LifecycleRow, contract))

    async def list(self, *, closed: bool | None = None) -> Sequence[LifecycleRow]:
        query = select(LifecycleRow).order_by(col(LifecycleRow.created_at), col(LifecycleRow.contract))
        if closed is not None:
            query = query.where(LifecycleRow.closed == closed)
        return await self._db.read(lambda session: session.exec(query).all())

    async def not_started(self) -> Sequence[LifecycleRow]:
        """Inserted, but Temporal has not confirmed the start: it is to be tried (again)."""
        query = select(LifecycleRow).where(~col(LifecycleRow.started), ~col(LifecycleRow.closed))
        return await self._db.read(lambda session: session.exec(query).all())

    async def mark_started(self, contract: str) -> None:
        await self._set(contract, started=True)

    async def mark_closed(self, contract: str) -> None:
        await self._set(contract, closed=True)

    async def shift_clock(self, contract: str, seconds: float) -> None:
        """How far this lifecycle's business time is ahead of the machine's."""
        await self._set(contract, clock_shift=seconds)

    async def link(self, system: str, kind: str, foreign_id: str, contract: str) -> None:
        """Raises AlreadyExists when the foreign id already finds another contract."""
        await self._db.write(lambda session: link(session, system, kind, foreign_id, contract))

    async def find(self, system: str, kind: str, foreign_id: str) -> str | None:
        return await self._db.read(lambda session: find_contract(session, system, kind, foreign_id))

    async def aliases(self, contract: str) -> Sequence[AliasRow]:
        query = select(AliasRow).where(AliasRow.contract == contract)
        query = query.order_by(col(AliasRow.system), col(AliasRow.kind), col(AliasRow.foreign_id))
        return await self._db.read(lambda session: session.exec(query).all())

    async def _set(self, contract: str, **values: bool | float) -> None:
        statement = update(LifecycleRow).where(col(LifecycleRow.contract) == contract).values(**values)
        await self._db.write(lambda session: change(session, statement))


def add_lifecycle(session: Session, row: LifecycleRow) -> bool:
    return insert_once(session, row, keys=("contract",))


def close_lifecycle(session: Session, contract: str) -> None:
    change(session, update(LifecycleRow).where(col(LifecycleRow.contract) == contract).values(closed=True))


def link_new(session: Session, system: str, kind: str, foreign_id: str, contract: str) -> bool:
    """False when the foreign id finds a contract already, this one or another."""
    alias = AliasRow(system=system, kind=kind, foreign_id=foreign_id, contract=contract)
    return insert_once(session, alias, keys=("system", "kind", "foreign_id"))


def link(session: Session, system: str, kind: str, foreign_id: str, contract: str) -> None:
    if not link_new(session, system, kind, foreign_id, contract):
        other = find_contract(session, system, kind, foreign_id)
        if other != contract:
            raise AlreadyExists(f"{system} {kind} {foreign_id} belongs to {other}")


def follow(session: Session, contract: str, former: str, how: Succession) -> None:
    """Note what a contract has come from."""
    insert_once(session, FormerRow(contract=contract, former=former, how=how), keys=("contract", "former"))


def former_of(session: Session, contract: str) -> dict[str, Succession]:
    """What a contract has come from, and how."""
    query = select(FormerRow).where(FormerRow.contract == contract).order_by(col(FormerRow.former))
    return {row.former: cast(Succession, row.how) for row in session.exec(query)}


def parts_of(session: Session, contract: str) -> list[str]:
    """All contracts that the deal of one of them was split into, by their numbers."""
    of_deal, _, number = contract.rpartition("/")
    parts: list[str] = []
    while number.isdigit() and session.get(LifecycleRow, part := f"{of_deal}/{len(parts) + 1}") is not None:
        parts.append(part)
    return parts if contract in parts else [contract]


def contracts_of_deal(session: Session, deal: str) -> list[str]:
    """The contracts that a deal was split into; of any other deal, the one that it is an alias of."""
    contract = find_contract(session, "crm", "deal", deal)
    life = session.get(LifecycleRow, contract) if contract else None
    if contract is None or life is None or life.deal != deal:
        return [contract] if contract else []
    return parts_of(session, contract)


def find_contract(session: Session, system: str, kind: str, foreign_id: str) -> str | None:
    alias = session.get(AliasRow, (system, kind, foreign_id))
    return None if alias is None else alias.contract
