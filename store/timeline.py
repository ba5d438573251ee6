"""A contract's story, line by line, each told once."""

from collections.abc import Sequence
from datetime import datetime

from sqlmodel import Session, col, select

from store.database import Database, insert_once
from store.tables import TimelineRow


class Timeline:
    def __init__(self, database: Database) -> None:
        self._db = database

    async def add(self, contract: str, *, business_at: datetime, kind: str, summary: str, ref: str) -> bool:
        """False when `ref` (the fact's name, unique per contract) was told before."""
        return await self._db.write(
            lambda session: add_line(session, contract, business_at=business_at, kind=kind, summary=summary, ref=ref)
        )

    async def of(self, contract: str) -> Sequence[TimelineRow]:
        """In order of business time."""
        query = (
            select(TimelineRow)
            .where(TimelineRow.contract == contract)
            .order_by(col(TimelineRow.business_at), col(TimelineRow.id))
        )
        return await self._db.read(lambda session: session.exec(query).all())


def add_line(session: Session, contract: str, *, business_at: datetime, kind: str, summary: str, ref: str) -> bool:
    line = TimelineRow(contract=contract, business_at=business_at, kind=kind, summary=summary, ref=ref)
    return insert_once(session, line, keys=("contract", "ref"))
