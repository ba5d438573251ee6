"""Hints in the inbox: events that only name a record. All that wait for one record are read back as one."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from sqlmodel import Session, col, func, select, update

from store.database import change, db_now, insert_once
from store.dead_letters import settle
from store.inbox import mark_ignored
from store.tables import InboxRow


class Hinted(NamedTuple):
    """One record, and the hints on it that a reader holds. `attempts`: how often it could not be read before. `trace`:
    that of the newest."""

    source: str
    type: str
    subject: str
    ids: tuple[int, ...]
    attempts: int
    trace: str = ""


HINTS = select(InboxRow.id).where(InboxRow.state == "hint").limit(1)
"""Whether any wait, due or not: a look that takes no lock."""


def lease_hints(session: Session, limit: int, seconds: float) -> list[Hinted]:
    """Take up to `limit` records, the longest waiting first; for `seconds` nobody else takes them.

    A record of which any hint is held, or waits after a failure, is not due: the new hint waits with the others.
    """
    same = (InboxRow.source, InboxRow.type, InboxRow.subject)
    due = (
        select(*same)
        .where(InboxRow.state == "hint")
        .group_by(*same)
        .having(func.max(InboxRow.next_try_at) <= db_now())
        .order_by(func.min(InboxRow.id))
        .limit(limit)
    )
    return [held for record in session.exec(due).all() if (held := _lease(session, *record, seconds))]


def settle_hints(session: Session, hinted: Hinted, state: str, reason: str) -> None:
    """They are `routed` or `ignored`; what was given up about the same record before is moot."""
    _set(session, hinted, state=state, reason=reason, problem="")
    for read_back in hinted.ids:
        settle(session, read_back, reason or "the record could be read back")
    dead = select(InboxRow.id).where(
        InboxRow.state == "dead",
        InboxRow.source == hinted.source,
        InboxRow.type == hinted.type,
        InboxRow.subject == hinted.subject,
    )
    for inbox_id in session.exec(dead).all():
        mark_ignored(session, inbox_id or 0, reason)


def last_heard(session: Session, source: str, *, before: int) -> datetime | None:
    """When the source's last event came in before the one with this number, gaps left aside."""
    query = select(func.max(InboxRow.received_at)).where(
        InboxRow.source == source, col(InboxRow.id) < before, InboxRow.type != "hint.gap"
    )
    return session.exec(query).one()


def postpone_hints(session: Session, hinted: Hinted, seconds: float, reason: str) -> None:
    """One more attempt was in vain; the next is due in `seconds`."""
    values = {"attempts": hinted.attempts + 1, "next_try_at": db_now() + seconds, "reason": reason}
    _set(session, hinted, **values)


def add_hints(session: Session, rows: Sequence[InboxRow]) -> int:
    """Insert hints that nobody sent; those whose fact, `deal:<version>`, or whose hint is there are no news."""
    facts = {f"deal:{row.event_id.partition(':')[2]}" for row in rows}
    sources = {row.source for row in rows}
    query = select(InboxRow.source, InboxRow.event_id).where(
        col(InboxRow.source).in_(sources), col(InboxRow.event_id).in_(facts)
    )
    known = {(source, event_id.partition(":")[2]) for source, event_id in session.exec(query)}
    news = [row for row in rows if (row.source, row.event_id.partition(":")[2]) not in known]
    return sum(insert_once(session, row, keys=("source", "event_id")) for row in news)


def _lease(session: Session, source: str, type: str, subject: str, seconds: float) -> Hinted | None:
    waiting = select(InboxRow.id, InboxRow.attempts, InboxRow.trace).where(
        InboxRow.state == "hint",
        InboxRow.source == source,
        InboxRow.type == type,
        InboxRow.subject == subject,
        col(InboxRow.next_try_at) <= db_now(),
    )
    # On PostgreSQL, another dispatcher may be taking them at this very moment.
    rows = session.exec(waiting.order_by(col(InboxRow.id)).with_for_update(skip_locked=True)).all()
    if not rows:
        return None
    ids, attempts, traces = zip(*rows, strict=True)
    held = Hinted(source, type, subject, tuple(id or 0 for id in ids), max(attempts), traces[-1])
    _set(session, held, next_try_at=db_now() + seconds)
    return held


def _set(session: Session, hinted: Hinted, **values: object) -> None:
    still = (col(InboxRow.id).in_(hinted.ids), col(InboxRow.state) == "hint")
    change(session, update(InboxRow).where(*still).values(**values))
