"""The audit trail: who read what is sensitive, and who commanded what, and why. Rows are added, never changed: the
database itself refuses to."""

import uuid
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Index, Text
from sqlmodel import Field, Session, SQLModel, col, select

from domain.access import Permission, Principal
from store.columns import Moment, Serial
from store.database import Database
from store.tables import utc_now

BEGUN, DONE, REFUSED, FAILED, DENIED = "begun", "done", "refused", "failed", "denied"
LONGEST = 2_000  # characters of a reason, or of why something was refused
LONGEST_SUBJECT = 500  # characters: an index of PostgreSQL holds no more


class AuditRow(SQLModel, table=True):
    """One line of the trail. `request` is the same for the lines of one command: begun, and what became of it.

    `kind`: read or command. `way`: api, console, cli or export. `subject`: what it was about, such as a contract.
    `shown`: the classes of sensitive data that a read showed. `outcome`: begun, done, refused, failed or denied, with
    `detail` as the reason of the last three.
    """

    __tablename__ = "audit"
    __table_args__ = (Index("ix_audit_actor", "actor", "id"), Index("ix_audit_subject", "subject", "id"))

    id: int | None = Field(default=None, primary_key=True, sa_type=Serial)
    at: datetime = Field(default_factory=utc_now, sa_type=Moment)
    request: str
    actor: str
    roles: str = ""
    way: str
    kind: str
    permission: str
    subject: str = ""
    reason: str = Field(default="", sa_type=Text)
    shown: str = ""
    outcome: str
    detail: str = Field(default="", sa_type=Text)


@dataclass(frozen=True)
class Asked:
    """What somebody asks for, as the trail has it."""

    principal: Principal
    permission: Permission
    way: str
    subject: str = ""
    reason: str = ""


class Audit:
    """What `record` has returned from is durable: only then may a sensitive read or a command be answered."""

    def __init__(self, database: Database) -> None:
        self._db = database

    async def record(
        self, asked: Asked, outcome: str, *, shown: Sequence[str] = (), detail: str = "", request: str | None = None
    ) -> str:
        """Add a line; returns its request, for the next line of the same one."""
        row = AuditRow(
            request=request or uuid.uuid4().hex,
            actor=asked.principal.subject,
            roles=",".join(asked.principal.roles),
            way=asked.way,
            kind="command" if asked.permission.command else "read",
            permission=asked.permission,
            subject=asked.subject[:LONGEST_SUBJECT],
            reason=asked.reason[:LONGEST],
            shown=",".join(sorted(shown)),
            outcome=outcome,
            detail=detail[:LONGEST],
        )
        await self._db.write(lambda session: session.add(row))
        return row.request

    @asynccontextmanager
    async def command(
        self,
        asked: Asked,
        *,
        refusals: tuple[type[Exception], ...] = (),
        named: tuple[type[Exception], ...] = (),
    ) -> AsyncIterator[None]:
        """Around a command: a line before it, so that it is known even if we die in it, and one that says what became
        of it. `refusals`: the exceptions by which it is refused, and has changed nothing. `named`: other failures whose
        words may be kept; of the rest only the kind is, since their words may be anybody's data."""
        request = await self.record(asked, BEGUN)
        try:
            yield
        except refusals as refusal:
            await self.record(asked, REFUSED, detail=str(refusal), request=request)
            raise
        except Exception as error:
            detail = str(error) if isinstance(error, named) else type(error).__name__
            await self.record(asked, FAILED, detail=detail, request=request)
            raise
        await self.record(asked, DONE, request=request)

    async def list(self, wanted: "Wanted", limit: int = 200) -> Sequence[AuditRow]:
        """The newest first; `wanted.before` goes on where the list before has ended."""
        return await self._db.read(lambda session: _wanted(session, wanted, limit))


class Wanted(NamedTuple):
    """Which lines: all that is given has to hold. `subject` is a part of it; `before` a line's number."""

    actor: str | None = None
    subject: str | None = None
    permission: str | None = None
    kind: str | None = None
    outcome: str | None = None
    since: datetime | None = None
    before: int | None = None


def _wanted(session: Session, wanted: Wanted, limit: int) -> Sequence[AuditRow]:
    query = select(AuditRow).order_by(col(AuditRow.id).desc()).limit(limit)
    for name in ("actor", "permission", "kind", "outcome"):
        if (value := getattr(wanted, name)) is not None:
            query = query.where(getattr(AuditRow, name) == value)
    if wanted.subject is not None:
        query = query.where(col(AuditRow.subject).contains(wanted.subject, autoescape=True))
    if wanted.since is not None:
        query = query.where(AuditRow.at >= wanted.since)
    if wanted.before is not None:
        query = query.where(col(AuditRow.id) < wanted.before)
    return session.exec(query).all()
