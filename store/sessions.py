"""Who is logged in to the console, and who is just logging in. The browser holds a random key, the store its hash."""

import hashlib
import secrets
from datetime import datetime, timedelta
from typing import Any

from sqlmodel import Field, Session, SQLModel, col, delete

from store.columns import Json, Moment
from store.database import Database
from store.tables import utc_now


class SessionRow(SQLModel, table=True):
    """`kind`: login (on the way to the identity provider and back) or person. `data`: what is known of it."""

    __tablename__ = "sessions"

    hashed: str = Field(primary_key=True)
    kind: str
    data: dict[str, Any] = Field(sa_type=Json)
    expires_at: datetime = Field(sa_type=Moment, index=True)


class Sessions:
    def __init__(self, database: Database) -> None:
        self._db = database

    async def open(self, kind: str, data: dict[str, Any], lifetime: timedelta) -> str:
        """The key of a new session. Those that have expired are cleared away with it."""
        key, moment = secrets.token_urlsafe(32), utc_now()
        row = SessionRow(hashed=_hashed(key), kind=kind, data=data, expires_at=moment + lifetime)

        def write(session: Session) -> None:
            session.execute(delete(SessionRow).where(col(SessionRow.expires_at) <= moment))
            session.add(row)

        await self._db.write(write)
        return key

    async def get(self, kind: str, key: str) -> dict[str, Any] | None:
        """What is known of a session that is open; None for any other key."""
        row = await self._db.read(lambda session: session.get(SessionRow, _hashed(key)))
        return row.data if row is not None and row.kind == kind and row.expires_at > utc_now() else None

    async def take(self, kind: str, key: str) -> dict[str, Any] | None:
        """The same, once: it is closed with this."""

        def out(session: Session) -> dict[str, Any] | None:
            row = session.get(SessionRow, _hashed(key), with_for_update=True)
            if row is None or row.kind != kind:
                return None
            session.delete(row)
            return row.data if row.expires_at > utc_now() else None

        return await self._db.write(out)


def _hashed(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()
