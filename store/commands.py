"""Commands by their idempotency key: each acts once, and the same key is answered the same."""

import copy
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import Index, event
from sqlmodel import Field, Session, SQLModel, col, delete, update

from store.columns import Json
from store.database import Database, change, db_now, insert_once, now

KEEP = 7 * 86_400.0
"""Seconds for which an answer is remembered."""
LEASE = 60.0
"""Seconds that one attempt may take: longer than a lifecycle has to answer."""
_IN_NAME_OF = "command"

State = Literal["new", "busy", "acted", "done", "other"]


class CommandRow(SQLModel, table=True):
    """One command. `key`: whose it is, and the key that they gave it, hashed; `asked`: what was asked, hashed. `state`:
    begun, acted (it has written what it does to the store, and was not answered) or done. Times are the database's."""

    __tablename__ = "commands"
    __table_args__ = (Index("ix_commands_created", "created_at"),)

    key: str = Field(primary_key=True)
    asked: str
    state: str = "begun"
    fence: int = 1
    lease_until: float
    answer: dict[str, Any] | None = Field(default=None, sa_type=Json)
    created_at: float


@dataclass(frozen=True)
class Begun:
    """What is known of a command. new: act now, under `fence`. busy: somebody acts on it just now. acted: it has acted,
    and its answer got lost. done: `answer` was its answer. other: the key was given to another command."""

    state: State
    fence: int = 0
    answer: dict[str, Any] | None = None


class Commands:
    def __init__(self, database: Database) -> None:
        self._db = database

    async def begin(self, key: str, asked: str) -> Begun:
        """Take a command on. An attempt that died is taken over once its lease is over."""
        return await self._db.write(lambda session: _begin(session, key, asked))

    async def finish(self, key: str, answer: dict[str, Any]) -> None:
        """Keep the answer, whoever has taken the command on since: it is true."""
        statement = update(CommandRow).where(col(CommandRow.key) == key).values(state="done", answer=answer)
        await self._db.write(lambda session: change(session, statement))

    async def release(self, key: str, fence: int) -> None:
        """This attempt has changed nothing: the key is free again."""
        mine = (col(CommandRow.key) == key, col(CommandRow.fence) == fence, col(CommandRow.state) == "begun")
        await self._db.write(lambda session: session.exec(delete(CommandRow).where(*mine)))

    async def pause(self, key: str, fence: int) -> None:
        """Nobody knows what becomes of this attempt: the next one need not wait for its lease."""
        mine = (col(CommandRow.key) == key, col(CommandRow.fence) == fence, col(CommandRow.state) == "begun")
        await self._db.write(lambda session: change(session, update(CommandRow).where(*mine).values(lease_until=0.0)))


def in_name_of(database: Database, key: str) -> Database:
    """The database for what a command writes: the first write that commits says, in its own transaction, that the
    command has acted."""
    named = copy.copy(database)
    named.session_info = {**database.session_info, _IN_NAME_OF: key}
    return named


@event.listens_for(Session, "before_commit")
def _acted(session: Session) -> None:
    key = session.info.get(_IN_NAME_OF)
    if key is not None:
        begun = (col(CommandRow.key) == key, col(CommandRow.state) == "begun")
        session.connection().execute(update(CommandRow).where(*begun).values(state="acted"))


def _begin(session: Session, key: str, asked: str) -> Begun:
    clock = now(session)
    session.exec(delete(CommandRow).where(col(CommandRow.created_at) < db_now() - KEEP))
    row = CommandRow(key=key, asked=asked, lease_until=clock + LEASE, created_at=clock)
    if insert_once(session, row, keys=("key",)):
        return Begun("new", fence=1)
    known = session.get_one(CommandRow, key, with_for_update=True, populate_existing=True)
    if known.asked != asked:
        return Begun("other")
    if known.state == "done":
        return Begun("done", answer=known.answer)
    if known.state == "acted":
        return Begun("acted")
    if known.lease_until > clock:
        return Begun("busy")
    known.fence += 1
    known.lease_until = clock + LEASE
    return Begun("new", fence=known.fence)
