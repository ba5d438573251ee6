"""The figures by which operations see that something waits: counts and ages over the whole store."""

from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from sqlmodel import Session, col, func, select, union

from store.database import now
from store.outgoing import Backlog, backlog, unrelayed
from store.tables import CaseRow, DeliveryRow, FeedRow, InboxRow, utc_now

OVER = ("delivered", "recorded")
OPEN = ("pending", "refused")


class Waiting(NamedTuple):
    """`oldest` in seconds."""

    events: int
    oldest: float


class Feed(NamedTuple):
    """`lag` in seconds, infinite for a feed that was never read to its end."""

    lag: float
    gaps: int


@dataclass(frozen=True)
class Figures:
    """`waiting` by source, `dead` by problem, deliveries by state, `cases` by kind, `feeds` by name."""

    waiting: dict[str, Waiting]
    dead: dict[str, int]
    parked: int
    open_deliveries: dict[str, int]
    dispatched: dict[str, int]
    cases: dict[str, int]
    feeds: dict[str, Feed]
    unrelayed: int
    backlogs: tuple[Backlog, ...]


def figures(session: Session, subscribers: tuple[str, ...], feeds: tuple[str, ...]) -> Figures:
    """Of the subscribers and feeds that are configured: what is left of others is no news."""
    return Figures(
        waiting=_waiting(session, utc_now()),
        dead=_dead(session),
        parked=session.exec(select(func.count()).where(InboxRow.state == "parked")).one(),
        open_deliveries=_deliveries(session, OPEN),
        dispatched=_deliveries(session, OVER),
        cases=dict(
            session.exec(select(CaseRow.kind, func.count()).where(CaseRow.state == "open").group_by(CaseRow.kind)).all()
        ),
        feeds=_feeds(session, feeds),
        unrelayed=unrelayed(session),
        backlogs=tuple(backlog(session, name) for name in subscribers),
    )


def _waiting(session: Session, moment: datetime) -> dict[str, Waiting]:
    """Not routed yet, or routed and still to be delivered, by source."""
    unrouted = select(InboxRow.id).where(col(InboxRow.state).in_(("received", "hint")))
    undelivered = select(DeliveryRow.inbox_id).where(DeliveryRow.state == "pending")
    waits = col(InboxRow.id).in_(union(unrouted, undelivered))
    found = select(InboxRow.source, func.count(), func.min(InboxRow.received_at)).where(waits).group_by(InboxRow.source)
    return {
        source: Waiting(count, max(0.0, (moment - oldest).total_seconds()))
        for source, count, oldest in session.exec(found).all()
    }


def _dead(session: Session) -> dict[str, int]:
    dead = select(InboxRow.problem, func.count()).where(InboxRow.state == "dead").group_by(InboxRow.problem)
    return {problem or "unusable": count for problem, count in session.exec(dead).all()}


def _deliveries(session: Session, states: tuple[str, ...]) -> dict[str, int]:
    found = (
        select(DeliveryRow.state, func.count()).where(col(DeliveryRow.state).in_(states)).group_by(DeliveryRow.state)
    )
    return dict.fromkeys(states, 0) | dict(session.exec(found).all())


def _feeds(session: Session, names: tuple[str, ...]) -> dict[str, Feed]:
    moment = now(session)
    return {
        row.name: Feed(max(0.0, moment - row.read_at) if row.read_at else float("inf"), row.gaps)
        for row in session.exec(select(FeedRow).where(col(FeedRow.name).in_(names))).all()
    }
