"""The figures by which operations see that something waits: counts and ages over the whole store."""

from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from sqlmodel import Session, col, func, select, union

from domain.targets import ClockKind
from store.clocks import SlaClockRow
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


class Promise(NamedTuple):
    """The SLA clocks of one kind. `late` ones run on behind their time; `missed` counts them too."""

    running: int
    warned: int
    late: int
    met: int
    missed: int


@dataclass(frozen=True)
class Queues:
    """What waits: `waiting` by source, `dead` by problem, deliveries by state, `feeds` by name."""

    waiting: dict[str, Waiting]
    dead: dict[str, int]
    parked: int
    open_deliveries: dict[str, int]
    feeds: dict[str, Feed]
    backlogs: tuple[Backlog, ...]


@dataclass(frozen=True)
class Figures(Queues):
    """And what was done with it: `cases` by kind, `promises` by the kind of SLA clock."""

    dispatched: dict[str, int]
    cases: dict[str, int]
    unrelayed: int
    promises: dict[str, Promise]


def queues(session: Session, subscribers: tuple[str, ...], feeds: tuple[str, ...]) -> Queues:
    """Of the subscribers and feeds that are configured: what is left of others is no news."""
    return Queues(
        waiting=_waiting(session, utc_now()),
        dead=_dead(session),
        parked=session.exec(select(func.count()).where(InboxRow.state == "parked")).one(),
        open_deliveries=_deliveries(session, OPEN),
        feeds=_feeds(session, feeds),
        backlogs=tuple(backlog(session, name) for name in subscribers),
    )


def figures(session: Session, subscribers: tuple[str, ...], feeds: tuple[str, ...]) -> Figures:
    return Figures(
        **vars(queues(session, subscribers, feeds)),
        dispatched=_deliveries(session, OVER),
        cases=dict(
            session.exec(select(CaseRow.kind, func.count()).where(CaseRow.state == "open").group_by(CaseRow.kind)).all()
        ),
        unrelayed=unrelayed(session),
        promises=promises(session),
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


def promises(session: Session) -> dict[str, Promise]:
    """How the SLA clocks stand, by kind."""
    row = SlaClockRow
    over = select(row.kind, row.outcome, func.count()).where(row.outcome != "").group_by(row.kind, row.outcome)
    ended = {(kind, outcome): count for kind, outcome, count in session.exec(over).all()}
    runs = select(row.kind, func.count(), func.count(col(row.warned)), func.count(col(row.breached))).where(
        row.outcome == "", col(row.started).is_not(None)
    )
    running = {kind: counts for kind, *counts in session.exec(runs.group_by(row.kind)).all()}
    found = {}
    for kind in ClockKind:
        now, warned, late = running.get(kind.value, (0, 0, 0))
        met, missed = (ended.get((kind.value, outcome), 0) for outcome in ("met", "missed"))
        found[kind.value] = Promise(now, warned, late, met, missed + late)
    return found
