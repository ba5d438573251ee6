"""The inbox: durable before it is acknowledged, each event once. The session functions belong to the dispatcher."""

from collections.abc import Collection, Sequence
from typing import Any

from sqlmodel import Session, and_, col, func, select, update

from store.database import Database, change, insert_once, take_turn
from store.dead_letters import UNUSABLE, bury, put_back, settle, unparked
from store.group_commit import GroupCommit, Received
from store.tables import DeliveryRow, InboxRow


class Inbox:
    def __init__(self, database: Database) -> None:
        self._db = database
        self._writes = GroupCommit(database)

    async def accept(
        self, source: str, event_id: str, type: str, subject: str, payload: str, *, dead: str | None = None
    ) -> bool:
        """Durable when it returns. False: (source, event_id) was here before, and nothing changed.

        `dead`: why the event is authentic but unusable; it goes straight to the dead letters.
        """
        row = Received(source, event_id, type, subject, payload)
        if dead is not None:
            row.state, row.reason = "dead", dead
        (new,) = await self.accept_all([row])
        return new

    async def accept_all(self, rows: Sequence[Received]) -> Sequence[bool]:
        """The same for several at once, of which all are durable or none: new or not, one by one.

        What is accepted at the same moment shares one commit.
        """
        return await self._writes.add(rows)

    async def counts(self) -> dict[str, int]:
        """Events by state; a state that nothing is in is missing."""
        query = select(InboxRow.state, func.count()).group_by(InboxRow.state)
        return dict(await self._db.read(lambda session: session.exec(query).all()))

    async def get(self, inbox_id: int) -> InboxRow | None:
        return await self._db.read(lambda session: session.get(InboxRow, inbox_id))

    async def list(self, *, state: str | None = None, limit: int = 200) -> Sequence[InboxRow]:
        """Newest first."""
        query = select(InboxRow).order_by(col(InboxRow.id).desc()).limit(limit)
        if state is not None:
            query = query.where(InboxRow.state == state)
        return await self._db.read(lambda session: session.exec(query).all())

    async def replay(self, inbox_id: int, *, payload: str | None = None) -> bool:
        """Put a dead, parked or refused event back in, with a mended payload if one is given. False when it is none."""
        return await self._db.write(lambda session: put_back(session, inbox_id, payload))


LATELY = 100_000  # events
ROUTING = "routing"  # the turn of whatever decides what an event is about, or makes an alias that events wait for


RECEIVED = select(InboxRow.id).where(InboxRow.state == "received").limit(1)
"""Whether there is anything to route: a look that takes no lock."""


def next_received(session: Session, limit: int = 100) -> Sequence[InboxRow]:
    """The oldest events that nobody has routed. On PostgreSQL a second dispatcher waits here, so that order is kept."""
    take_turn(session, ROUTING)
    query = select(InboxRow).where(InboxRow.state == "received").order_by(col(InboxRow.id)).limit(limit)
    return session.exec(query).all()


def mark_routed(session: Session, inbox_id: int) -> None:
    _mark(session, inbox_id, state="routed", reason="", parked_for=None)
    settle(session, inbox_id, "the event could be used")


def mark_hint(session: Session, inbox_id: int, kind: str, record: str) -> None:
    """It only says that something changed in a record, which is to be read back before there is anything to route."""
    _mark(session, inbox_id, state="hint", subject=record, type=f"hint.{kind}", reason="", parked_for=None)


def mark_ignored(session: Session, inbox_id: int, reason: str) -> None:
    _mark(session, inbox_id, state="ignored", reason=reason, parked_for=None)
    settle(session, inbox_id, reason)


def mark_dead(session: Session, inbox_id: int, reason: str, *, problem: str = UNUSABLE) -> None:
    """A dead letter, and its case. With the problem `outage` it is tried again by itself."""
    bury(session, inbox_id, reason, problem)


def mark_parked(session: Session, inbox_id: int, *, parked_for: str, reason: str = "") -> None:
    """It came before the record that tells its contract: it waits for that alias: `<system>:<kind>:<foreign id>`."""
    _mark(session, inbox_id, state="parked", reason=reason, parked_for=parked_for)
    settle(session, inbox_id, f"it can be used when {parked_for} is known", still_early=True)


def reconsider(session: Session, types: Collection[str], subject: str) -> int:
    """Put back what was ignored lately because nobody knew what it is about; returns how many."""
    newest = session.exec(select(func.max(InboxRow.id))).one() or 0
    lately = and_(col(InboxRow.state) == "ignored", col(InboxRow.id) > newest - LATELY)
    about = and_(col(InboxRow.type).in_(types), col(InboxRow.subject) == subject, col(InboxRow.problem) == "")
    return change(session, update(InboxRow).where(lately, about).values(state="received", reason=""))


def unpark(session: Session, *waits_for: str) -> int:
    """Put back what waits for one of these aliases, from whatever source; it keeps its place by its id. Returns how
    many."""
    waiting = and_(col(InboxRow.state) == "parked", col(InboxRow.parked_for).in_(waits_for))
    rows = session.exec(select(InboxRow.id, InboxRow.parked_for).where(waiting).with_for_update()).all()
    if not rows:
        return 0
    for name in waits_for:
        if ids := [each for each, parked_for in rows if parked_for == name and each is not None]:
            unparked(session, ids, name)
    statement = update(InboxRow).where(waiting).values(state="received", reason="", parked_for=None)
    return change(session, statement)


def add_delivery(session: Session, inbox_id: int, stream: str, kind: str, payload: dict[str, Any]) -> bool:
    """Queue an event for a contract, once per (event, stream, kind). A refused one is queued anew, with a new seq."""
    row = DeliveryRow(inbox_id=inbox_id, stream=stream, kind=kind, payload=payload)
    if insert_once(session, row, keys=("inbox_id", "stream", "kind")):
        return True
    same = and_(col(DeliveryRow.inbox_id) == inbox_id, col(DeliveryRow.stream) == stream, col(DeliveryRow.kind) == kind)
    again = update(DeliveryRow).where(same, col(DeliveryRow.state) == "refused")
    return change(session, again.values(state="pending", seq=None, answer="", payload=payload)) == 1


def _mark(session: Session, inbox_id: int, **values: str | None) -> None:
    change(session, update(InboxRow).where(col(InboxRow.id) == inbox_id).values(**values))
