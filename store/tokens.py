"""Tokens by which machines come in. The store holds a hash of each: the token itself is shown once, to who makes it."""

import hashlib
import hmac
import secrets
from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlmodel import Field, Session, SQLModel, col, select, update

from store.columns import Json, Moment
from store.database import Database, change
from store.tables import utc_now

PREFIX = "tnr"
USED_EVERY = timedelta(hours=1)  # how exactly the last use is known: not every request writes


class TokenRow(SQLModel, table=True):
    """One token. `hashed`: SHA-256 of its secret half, which is random and long enough for a fast hash."""

    __tablename__ = "tokens"

    id: str = Field(primary_key=True)
    name: str
    hashed: str
    roles: list[str] = Field(default_factory=list, sa_type=Json)
    scopes: list[str] = Field(default_factory=list, sa_type=Json)
    regions: list[str] = Field(default_factory=list, sa_type=Json)
    created_by: str
    created_at: datetime = Field(default_factory=utc_now, sa_type=Moment)
    expires_at: datetime = Field(sa_type=Moment)
    revoked_at: datetime | None = Field(default=None, sa_type=Moment)
    used_at: datetime | None = Field(default=None, sa_type=Moment)


class Tokens:
    def __init__(self, database: Database) -> None:
        self._db = database

    async def create(
        self,
        name: str,
        *,
        roles: Sequence[str],
        scopes: Sequence[str],
        regions: Sequence[str],
        by: str,
        lifetime: timedelta,
    ) -> tuple[TokenRow, str]:
        """The row, and the token itself, which nobody can show again."""
        secret = secrets.token_urlsafe(32)
        row = TokenRow(
            id=secrets.token_hex(6),
            name=name,
            hashed=_hashed(secret),
            roles=list(roles),
            scopes=list(scopes),
            regions=list(regions),
            created_by=by,
            expires_at=utc_now() + lifetime,
        )
        await self._db.write(lambda session: session.add(row))
        return row, f"{PREFIX}_{row.id}_{secret}"

    async def list(self, *, gone: bool = False) -> Sequence[TokenRow]:
        """The newest first; with `gone` also those that are revoked or have expired."""
        query = select(TokenRow).order_by(col(TokenRow.created_at).desc(), col(TokenRow.id))
        if not gone:
            query = query.where(col(TokenRow.revoked_at).is_(None), col(TokenRow.expires_at) > utc_now())
        return await self._db.read(lambda session: session.exec(query).all())

    async def revoke(self, token_id: str) -> TokenRow | None:
        """From now on it opens nothing. None: there is no such token. A second time changes nothing."""

        def end(session: Session) -> TokenRow | None:
            row = session.get(TokenRow, token_id, with_for_update=True)
            if row is not None and row.revoked_at is None:
                row.revoked_at = utc_now()
            return row

        return await self._db.write(end)

    async def check(self, token: str) -> TokenRow | None:
        """The row of a token that opens now; None for whatever else it is."""
        prefix, _, rest = token.partition("_")
        token_id, _, secret = rest.partition("_")
        if prefix != PREFIX or not (token_id.isascii() and token_id.isalnum()) or not secret.isascii():
            return None
        row = await self._db.read(lambda session: session.get(TokenRow, token_id))
        # the comparison takes its time also where there is no such token
        same = hmac.compare_digest(row.hashed if row else _hashed(""), _hashed(secret))
        moment = utc_now()
        if row is None or not same or row.revoked_at is not None or row.expires_at <= moment:
            return None
        if row.used_at is None or row.used_at < moment - USED_EVERY:
            await self._db.write(lambda session: _used(session, token_id, moment))
        return row


def _used(session: Session, token_id: str, moment: datetime) -> None:
    change(session, update(TokenRow).where(col(TokenRow.id) == token_id).values(used_at=moment))


def _hashed(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
