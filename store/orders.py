"""Order documents by contract and revision. A revision never changes; a correction adds the next one.

Only one that its lifecycle refused goes again: nothing was made of it.
"""

from collections.abc import Sequence
from typing import Any

from sqlmodel import Session, col, delete, func, select

from domain.errors import NotFound
from store.board import name_on_board
from store.database import Database, insert_once
from store.tables import OrderRow


class SqlOrders:
    """domain.books.OrderBook, and its writing side."""

    def __init__(self, database: Database) -> None:
        self._db = database

    async def read(self, contract: str, revision: int) -> dict[str, Any]:
        row = await self._db.read(lambda session: session.get(OrderRow, (contract, revision)))
        if row is None:
            raise NotFound(f"no order document of {contract} with revision {revision}")
        return row.document

    async def add(self, contract: str, document: dict[str, Any], author: str) -> int:
        """Returns the new revision; the first is 1."""
        return await self._db.write(lambda session: add_order(session, contract, document, author))

    async def withdraw(self, contract: str, revision: int) -> None:
        """Take back a refused revision, unless a later one has been built on it."""
        await self._db.write(lambda session: _withdraw(session, contract, revision))

    async def newest(self, contract: str) -> OrderRow:
        """The order as it stands. Raises NotFound where there is none."""
        revisions = await self.revisions(contract)
        if not revisions:
            raise NotFound(f"there is no order document of {contract}")
        return revisions[-1]

    async def revisions(self, contract: str) -> Sequence[OrderRow]:
        """Oldest first."""
        query = select(OrderRow).where(OrderRow.contract == contract).order_by(col(OrderRow.revision))
        return await self._db.read(lambda session: session.exec(query).all())


def add_order(session: Session, contract: str, document: dict[str, Any], author: str) -> int:
    newest = select(func.max(OrderRow.revision)).where(OrderRow.contract == contract)
    while True:
        revision = (session.exec(newest).one() or 0) + 1
        row = OrderRow(contract=contract, revision=revision, document=document, author=author)
        if keep_revision(session, row):
            return revision
        # On PostgreSQL another author took this revision in the meantime: take the next.


def keep_revision(session: Session, row: OrderRow) -> bool:
    """False where the contract has this revision."""
    if not insert_once(session, row, keys=("contract", "revision")):
        return False
    name_on_board(session, row.contract, row.document)
    return True


def newest_order(session: Session, contract: str) -> OrderRow | None:
    newest = select(OrderRow).where(OrderRow.contract == contract).order_by(col(OrderRow.revision).desc())
    return session.exec(newest.limit(1)).first()


def _withdraw(session: Session, contract: str, revision: int) -> None:
    newest = session.exec(select(func.max(OrderRow.revision)).where(OrderRow.contract == contract)).one()
    if newest == revision:
        here = (col(OrderRow.contract) == contract, col(OrderRow.revision) == revision)
        session.connection().execute(delete(OrderRow).where(*here))
