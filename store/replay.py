"""Replay: recorded events are delivered once more, which is harmless, and heals a server that forgot what it was told.

Settled deliveries keep their numbers: a lifecycle ignores those that it has seen. What it was told as a level is told
anew under a new number, since mediation would say nothing where nothing changed.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement
from sqlmodel import Session, and_, col, func, or_, select, update

from store.database import change, insert_once, now
from store.facts import doubt
from store.inbox import add_delivery
from store.tables import CaseRow, DeliveryRow, InboxRow, LifecycleRow, StreamRow, ToldRow

START, FACT = "start", "fact"
SETTLED = ("delivered", "recorded")


class Choice(NamedTuple):
    """What to replay; None is everything. `since` is on the database's clock: when it was settled, or came in."""

    since: float | None = None
    source: str | None = None
    contract: str | None = None


class Replayed(NamedTuple):
    """How many events will be delivered again, to how many contracts, and how many are routed anew."""

    deliveries: int
    contracts: int
    routed_anew: int


def replay(session: Session, choice: Choice, *, unrouted: bool = True, dry_run: bool = False) -> Replayed:
    """Put what was chosen back in. With `unrouted` also dead and early events, which are judged anew.

    From the earliest chosen event on, everything of its contract goes along: a lifecycle that forgot several must not
    hear the later one first, for it would take the earlier one for stale. A closed lifecycle is told nothing. Nor is
    what a person put away brought back.
    """
    firsts = session.exec(_firsts(choice)).all()
    deliveries = sum(_again(session, contract, first, dry_run=dry_run) for contract, first in firsts)
    anew = _route_anew(session, choice, dry_run=dry_run) if unrouted else 0
    return Replayed(deliveries, len(firsts), anew)


def replay_last(session: Session, seconds: float) -> Replayed:
    """Replay the last `seconds` before the server's last sign of life: its last answer to a delivery."""
    last = session.exec(select(func.max(DeliveryRow.settled_at)).where(DeliveryRow.state == "delivered")).one()
    return replay(session, Choice(since=last - seconds), unrouted=False) if last else Replayed(0, 0, 0)


def seconds_ago(session: Session, seconds: float) -> float:
    """That moment on the database's clock."""
    return now(session) - seconds


def sources(session: Session) -> Sequence[str]:
    """Who has sent anything."""
    return session.exec(select(InboxRow.source).distinct().order_by(InboxRow.source)).all()


def _firsts(choice: Choice) -> Any:
    """The contracts concerned, each with the earliest number that was chosen."""
    chosen = [col(DeliveryRow.state).in_(SETTLED), ~col(LifecycleRow.closed)]
    if choice.since is not None:
        chosen.append(col(DeliveryRow.settled_at) >= choice.since)
    if choice.source is not None:
        chosen.append(col(InboxRow.source) == choice.source)
    if choice.contract is not None:
        chosen.append(col(DeliveryRow.stream) == choice.contract)
    return (
        select(DeliveryRow.stream, func.min(DeliveryRow.seq))
        .join(InboxRow, col(InboxRow.id) == col(DeliveryRow.inbox_id))
        .join(LifecycleRow, col(LifecycleRow.contract) == col(DeliveryRow.stream))
        .where(*chosen)
        .group_by(DeliveryRow.stream)
        .order_by(DeliveryRow.stream)
    )


def _again(session: Session, contract: str, first: int, *, dry_run: bool) -> int:
    rows = and_(col(DeliveryRow.stream) == contract, col(DeliveryRow.seq) >= first, col(DeliveryRow.state).in_(SETTLED))
    if dry_run:
        return session.exec(select(func.count()).select_from(DeliveryRow).where(rows)).one()
    starts = select(DeliveryRow.id).where(rows, DeliveryRow.kind == START)
    if session.exec(starts).first() is not None:
        # the server may have lost the start itself; where it has not, starting again changes nothing
        begun = update(LifecycleRow).where(col(LifecycleRow.contract) == contract)
        change(session, begun.values(started=False))
    replayed = change(session, update(DeliveryRow).where(rows).values(state="pending", answer="", settled_at=0.0))
    told = select(ToldRow.level).where(ToldRow.contract == contract).order_by(ToldRow.level)
    for level in session.exec(told).all():
        doubt(session, contract, level)
        _look_at(session, contract, level)
    return replayed


def _look_at(session: Session, contract: str, level: str) -> None:
    """Queue a look at what a level amounts to now. Until that is delivered, another replay adds no other."""
    stream = session.get(StreamRow, contract, populate_existing=True)
    event_id = f"replay:{contract}:{level}:{stream.last_seq if stream else 0}"
    row = InboxRow(
        source="tenure", event_id=event_id, type="tenure.sweep", subject=contract, payload="{}", state="routed"
    )
    insert_once(session, row, keys=("source", "event_id"))
    stored = select(InboxRow.id).where(InboxRow.source == "tenure", InboxRow.event_id == event_id)
    add_delivery(session, session.exec(stored).one() or 0, contract, FACT, {"sweep": level})


def _route_anew(session: Session, choice: Choice, *, dry_run: bool) -> int:
    """What was never routed: dead letters, whose cases stay open meanwhile, and early events."""
    rows: list[ColumnElement[bool]] = [col(InboxRow.state).in_(("dead", "parked"))]
    if choice.since is not None:
        rows.append(col(InboxRow.received_at) >= datetime.fromtimestamp(choice.since, UTC))
    if choice.source is not None:
        rows.append(col(InboxRow.source) == choice.source)
    if choice.contract is not None:
        lifecycle = session.get(LifecycleRow, choice.contract)
        waits_for = [f"tenure:contract:{choice.contract}"]
        waits_for += [f"crm:deal:{lifecycle.deal}", f"crm:account:{lifecycle.account}"] if lifecycle else []
        cases = select(CaseRow.inbox_id).where(CaseRow.contract == choice.contract, CaseRow.state == "open")
        rows.append(or_(col(InboxRow.parked_for).in_(waits_for), col(InboxRow.id).in_(cases)))
    if dry_run:
        return session.exec(select(func.count()).select_from(InboxRow).where(*rows)).one()
    values = {"state": "received", "reason": "", "parked_for": None, "next_try_at": 0.0}
    return change(session, update(InboxRow).where(*rows).values(**values))
