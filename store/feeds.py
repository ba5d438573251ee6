"""How far each change feed was read: its cursor moves in the very transaction that stores what was read."""

from collections.abc import Sequence
from datetime import UTC, datetime

from sqlmodel import Session

from domain.errors import ERRORS, Internal
from domain.feeds import FeedPosition, Received
from store.cases import open_case, resolve_case
from store.database import Database, insert_once, now
from store.dead_letters import put_in
from store.tables import CaseRow, FeedRow, InboxRow
from store.timeline import add_line
from store.tracing import traceparent


class SqlFeeds:
    """Implements domain.books.FeedBook."""

    def __init__(self, database: Database) -> None:
        self._db = database

    async def position(self, feed: str) -> FeedPosition:
        row = await self._db.read(lambda session: session.get(FeedRow, feed))
        if row is None:
            return FeedPosition(cursor="")
        return FeedPosition(
            cursor=row.cursor, read_at=datetime.fromtimestamp(row.read_at, UTC) if row.read_at else None
        )

    async def commit(
        self,
        feed: str,
        events: Sequence[Received],
        *,
        source: str,
        expected: str,
        cursor: str,
        age: float | None = None,
        gap: bool = False,
    ) -> int | None:
        def move(session: Session) -> int | None:
            insert_once(session, FeedRow(name=feed), keys=("name",))
            # Locked until the commit: of two readers that expect the same cursor, the second sees that it has moved.
            row = session.get_one(FeedRow, feed, with_for_update=True, populate_existing=True)
            if row.cursor != expected:
                return None
            new = sum(_receive(session, source, event) for event in events)
            row.cursor = cursor
            if age is not None:
                row.read_at = max(row.read_at, now(session) - age)
                resolve_case(session, _case(feed))
            if gap:
                row.gaps += 1
                _tell_gap(session, row)
            return new

        return await self._db.write(move)

    async def failed(self, feed: str, kind: str, reason: str) -> None:
        error = ERRORS.get(kind, Internal)
        case = CaseRow(
            id=_case(feed),
            kind=kind,
            title=f"the change feed {feed} can't be read",
            reasons=[reason],
            actor="ops" if error.actor == "nobody" else error.actor,
            mend="mend the connection; the schedule reads on from where it stood, and resolves this case",
        )
        await self._db.write(lambda session: open_case(session, case))


def _receive(session: Session, source: str, event: Received) -> int:
    row = InboxRow(
        source=source,
        event_id=event.event_id,
        type=event.type,
        subject=event.subject,
        payload=event.payload,
        trace=traceparent(),
    )
    if event.dead is not None:
        row.state, row.reason = "dead", event.dead
    return int(put_in(session, row))


def _tell_gap(session: Session, row: FeedRow) -> None:
    add_line(
        session,
        f"feed/{row.name}",
        business_at=datetime.now(UTC),
        kind="feed.gap_filled",
        summary="the source had forgotten what came after the cursor; a query of its current state filled the gap",
        ref=f"gap:{row.gaps}",
    )


def _case(feed: str) -> str:
    return f"feed:{feed}"
