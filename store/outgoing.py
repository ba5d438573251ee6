"""What Tenure publishes: a transactional outbox, and each event's way to each subscriber, in order per contract.

Of a contract only the oldest event that a subscriber has not got is sent. While that one is held for a person, nothing
later of the contract goes to this subscriber.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from fnmatch import fnmatchcase
from typing import Any, Literal, NamedTuple

from sqlalchemy import JSON, bindparam, type_coerce
from sqlmodel import Session, col, delete, func, or_, select, update

from domain import keys
from domain.announcements import cloud_event, envelope, sequence_of
from domain.books import ViewRow
from domain.counting import many
from domain.events import LifecycleSaid
from store.cases import open_case, resolve_case
from store.database import change, db_now, insert_once, insert_values, now
from store.tables import CaseRow, LifecycleRow, LifecycleViewRow, OutgoingDeliveryRow, OutgoingRow, StreamRow
from store.tracing import traceparent

WAITING = ("pending", "held")
AFTER_THE_VIEW = 500  # the number of what is said beside a view: a view itself tells fewer turns
GONE = "the subscriber is gone (410)"


class Letter(NamedTuple):
    """One event, due for one subscriber. `attempts`: how often it was tried in vain. `trace`: what it follows from."""

    delivery: int
    contract: str
    event_id: str
    body: dict[str, Any]
    attempts: int
    trace: str = ""


class Result(NamedTuple):
    """What became of a try. `wait`: after how many seconds a failed one is repeated."""

    letter: Letter
    outcome: Literal["delivered", "failed", "gone"]
    problem: str = ""
    wait: float = 0.0


class Backlog(NamedTuple):
    """What a subscriber has not got yet. `oldest`: age in seconds of the event that waits the longest."""

    name: str
    pending: int
    held: int
    oldest: float | None
    problem: str


# ── the outbox ───────────────────────────────────────────────────────────────────────────────────────────────────


def append(session: Session, row: ViewRow, turns: Sequence[LifecycleSaid], at: datetime) -> None:
    """Write what a view tells into the outbox, in the transaction of the view; what is there stays as it is."""
    if not turns:
        return
    tenant = session.connection().execute(_TENANT, {"of": row.contract}).scalar_one_or_none()
    moment = now(session)
    for n, said in enumerate(turns):
        body = cloud_event(said, row, n, tenant=tenant, at=at)
        event = {
            "event_id": body["id"],
            "contract": row.contract,
            "type": said.type,
            "body": body,
            "created_at": moment,
            "relayed": False,
            "trace": traceparent(),
        }
        insert_values(session, OutgoingRow, event, keys=("event_id",))


_TENANT = select(LifecycleRow.tenant).where(col(LifecycleRow.contract) == bindparam("of"))


def say(session: Session, said: LifecycleSaid, at: datetime, event_id: str) -> bool:
    """Write what no view tells into the outbox, behind what the newest view told. False when it was said before."""
    life, shown = session.get(LifecycleRow, said.contract), session.get(LifecycleViewRow, said.contract)
    run, number = (shown.run_started, shown.sequence) if shown else (life.created_at if life else at, 0)
    begins = sequence_of(run, number, 0)[:-3]
    said_since = type_coerce(OutgoingRow.body, JSON)["sequence"].as_string().startswith(begins)
    count = session.exec(select(func.count()).where(OutgoingRow.contract == said.contract, said_since)).one()
    body = envelope(
        said,
        event_id,
        tenant=life.tenant if life else None,
        at=at,
        sequence=sequence_of(run, number, min(AFTER_THE_VIEW + count, 999)),
    )
    event = OutgoingRow(
        event_id=event_id,
        contract=said.contract,
        type=said.type,
        body=body,
        created_at=now(session),
        relayed=False,
        trace=traceparent(),
    )
    return insert_once(session, event, keys=("event_id",))


def told_by(session: Session, contract: str) -> list[dict[str, Any]]:
    """Every event that a contract has had for its subscribers, oldest first."""
    query = select(OutgoingRow).where(OutgoingRow.contract == contract).order_by(col(OutgoingRow.id))
    return [row.body for row in session.exec(query).all()]


def unrelayed(session: Session) -> int:
    return session.exec(select(func.count()).where(~col(OutgoingRow.relayed))).one()


def relay(session: Session, subscribers: Mapping[str, Collection[str]], limit: int = 200) -> int:
    """Make a delivery of each new event for each subscriber (by name) whose types (globs) match; returns how many
    events that were. On PostgreSQL a second dispatcher waits here, so that order is kept.
    """
    query = select(OutgoingRow).where(~col(OutgoingRow.relayed)).order_by(col(OutgoingRow.id)).limit(limit)
    events = session.exec(query.with_for_update()).all()
    gone = {name for name in subscribers if _is_gone(session, name)} if events else set()
    for event in events:
        for name, types in subscribers.items():
            if any(fnmatchcase(event.type, glob) for glob in types):
                delivery = OutgoingDeliveryRow(
                    outgoing_id=event.id or 0,
                    subscriber=name,
                    contract=event.contract,
                    state="held" if name in gone else "pending",
                    problem=GONE if name in gone else "",
                    created_at=event.created_at,
                )
                insert_once(session, delivery, keys=("outgoing_id", "subscriber"))
        event.relayed = True
    return len(events)


# ── deliveries ───────────────────────────────────────────────────────────────────────────────────────────────────


def heads(session: Session, subscriber: str, limit: int, *, busy: Collection[str] = ()) -> list[Letter]:
    """What may be sent now, the oldest first: of each contract that is not busy the first that waits, if it is due."""
    row = OutgoingDeliveryRow
    first = select(func.min(row.id)).where(row.subscriber == subscriber, col(row.state).in_(WAITING))
    query = (
        select(row, OutgoingRow)
        .join(OutgoingRow, col(OutgoingRow.id) == col(row.outgoing_id))
        .where(col(row.id).in_(first.group_by(col(row.contract))))
        .where(row.state == "pending", col(row.next_try_at) <= db_now(), col(row.contract).not_in(busy))
        .order_by(col(row.id))
        .limit(limit)
    )
    return [
        Letter(delivery.id or 0, delivery.contract, event.event_id, event.body, delivery.attempts, event.trace)
        for delivery, event in session.exec(query).all()
    ]


def is_leased(session: Session, subscriber: str) -> bool:
    """Whether somebody sends to the subscriber now: a look, before a lease is asked for, costs no write lock."""
    row = session.get(StreamRow, keys.subscriber_stream(subscriber))
    return row is not None and row.lease_until > now(session)


def settle(session: Session, subscriber: str, fence: int, results: Iterable[Result], give_up: float) -> bool:
    """Keep what became of tries. What fails for `give_up` seconds is held, with a case; a subscriber that is gone has
    everything held. False, and nothing is kept, when the fence is not ours any more: somebody else sends now.
    """
    stream, moment = keys.subscriber_stream(subscriber), now(session)
    ours = select(StreamRow).where(StreamRow.stream == stream, StreamRow.fence == fence)
    if session.exec(ours.with_for_update()).one_or_none() is None:
        return False
    for result in results:
        row = session.get(OutgoingDeliveryRow, result.letter.delivery, with_for_update=True)
        if row is None:  # cleaned up meanwhile by a process that does not know the subscriber
            continue
        row.attempts += 1
        if result.outcome == "delivered":
            _delivered(session, row, moment)
        elif row.state == "pending":
            _failed(session, row, result, moment, give_up)
        session.flush()
        if result.outcome == "gone":
            _hold_all(session, subscriber)
    return True


def _delivered(session: Session, row: OutgoingDeliveryRow, moment: float) -> None:
    if row.problem:  # it had failed before, so there may be a case
        resolve_case(session, keys.undelivered_case(row.subscriber, row.contract))
    row.state, row.delivered_at, row.problem = "delivered", moment, ""


def _failed(session: Session, row: OutgoingDeliveryRow, result: Result, moment: float, give_up: float) -> None:
    row.first_try_at, row.problem = row.first_try_at or moment, result.problem
    last_try = row.first_try_at + give_up
    if moment < last_try:
        row.next_try_at = min(moment + result.wait, last_try)
        return
    row.state = "held"
    open_case(session, _undelivered(row, result))


def _undelivered(row: OutgoingDeliveryRow, result: Result) -> CaseRow:
    command = f"{row.subscriber} --contract {row.contract}"
    return CaseRow(
        id=keys.undelivered_case(row.subscriber, row.contract),
        contract=row.contract,
        kind="undelivered",
        title=f"{row.subscriber} did not take {result.letter.body.get('type')}; later events of the contract wait",
        reasons=[f"{result.problem}, {many(row.attempts, 'time')}"],
        actor="engineer",
        mend=f"mend the subscriber; then tenure subscribers retry {command} (or skip {command})",
        problem="subscriber",
    )


def _hold_all(session: Session, subscriber: str) -> None:
    """The subscriber answered that it is gone: a person takes it out of the configuration, or lets it try again."""
    mine = (col(OutgoingDeliveryRow.subscriber) == subscriber, col(OutgoingDeliveryRow.state) == "pending")
    change(session, update(OutgoingDeliveryRow).where(*mine).values(state="held", problem=GONE))
    session.expire_all()
    gone = CaseRow(
        id=keys.undelivered_case(subscriber),
        kind="undelivered",
        title=f"the subscriber {subscriber} says that it is gone; what it should be sent is held",
        reasons=["it answered 410"],
        actor="engineer",
        mend=f"take it out of the configuration, or tenure subscribers retry {subscriber}",
        problem="subscriber",
    )
    open_case(session, gone)


def _is_gone(session: Session, subscriber: str) -> bool:
    case = session.get(CaseRow, keys.undelivered_case(subscriber))
    return case is not None and case.state == "open"


# ── for people ───────────────────────────────────────────────────────────────────────────────────────────────────


def retry_held(session: Session, subscriber: str, contract: str | None = None) -> int:
    """Send what is held, for another day; returns how many. Its case is resolved when it was taken."""
    if contract is None:
        resolve_case(session, keys.undelivered_case(subscriber))
    again = {"state": "pending", "attempts": 0, "first_try_at": 0.0, "next_try_at": 0.0}
    return change(session, update(OutgoingDeliveryRow).where(*_held(subscriber, contract)).values(**again))


def skip_held(session: Session, subscriber: str, contract: str | None = None) -> int:
    """Give up what is held, so that what is later goes on; returns how many."""
    held = (*_held(subscriber, contract),)
    for each in session.exec(select(OutgoingDeliveryRow.contract).where(*held).distinct()).all():
        resolve_case(session, keys.undelivered_case(subscriber, each))
    return change(session, update(OutgoingDeliveryRow).where(*held).values(state="skipped"))


def held_contracts(session: Session, subscriber: str) -> Sequence[str]:
    held = select(OutgoingDeliveryRow.contract).where(*_held(subscriber, None)).distinct()
    return session.exec(held.order_by(col(OutgoingDeliveryRow.contract))).all()


def known_subscribers(session: Session) -> Sequence[str]:
    """Everybody who has, or had, something to be sent, configured or not."""
    row = col(OutgoingDeliveryRow.subscriber)
    return session.exec(select(row).distinct().order_by(row)).all()


def backlog(session: Session, subscriber: str) -> Backlog:
    row, moment = OutgoingDeliveryRow, now(session)
    mine = (row.subscriber == subscriber, col(row.state).in_(WAITING))
    by_state = select(row.state, func.count(), func.min(row.created_at)).where(*mine).group_by(row.state)
    found = {state: (count, oldest) for state, count, oldest in session.exec(by_state).all()}
    failed = select(row.problem).where(*mine, row.problem != "").order_by(col(row.next_try_at).desc()).limit(1)
    oldest = min((oldest for _, oldest in found.values()), default=None)
    return Backlog(
        subscriber,
        pending=found.get("pending", (0, 0))[0],
        held=found.get("held", (0, 0))[0],
        oldest=None if oldest is None else max(0.0, moment - oldest),
        problem=session.exec(failed).first() or "",
    )


def _held(subscriber: str, contract: str | None) -> tuple[Any, ...]:
    mine = (col(OutgoingDeliveryRow.subscriber) == subscriber, col(OutgoingDeliveryRow.state) == "held")
    return mine if contract is None else (*mine, col(OutgoingDeliveryRow.contract) == contract)


# ── clean-up ─────────────────────────────────────────────────────────────────────────────────────────────────────


def outdated(session: Session, subscribers: Collection[str], keep: float, limit: int = 500) -> Sequence[int]:
    """Deliveries older than `keep` seconds that are over, or whose subscriber is not configured any more."""
    row = OutgoingDeliveryRow
    over = or_(col(row.state).in_(("delivered", "skipped")), col(row.subscriber).not_in(subscribers))
    query = select(row.id).where(col(row.created_at) < db_now() - keep, over).order_by(col(row.id)).limit(limit)
    return [each for each in session.exec(query).all() if each is not None]


def outdated_events(session: Session, keep: float, limit: int = 500) -> Sequence[int]:
    """Events older than `keep` seconds that nobody is to be sent any more."""
    awaited = select(OutgoingDeliveryRow.id).where(OutgoingDeliveryRow.outgoing_id == OutgoingRow.id).exists()
    old = select(OutgoingRow.id).where(col(OutgoingRow.created_at) < db_now() - keep, OutgoingRow.relayed, ~awaited)
    return [each for each in session.exec(old.order_by(col(OutgoingRow.id)).limit(limit)).all() if each is not None]


def drop(session: Session, deliveries: Collection[int], events: Collection[int]) -> int:
    """Delete what `outdated` and `outdated_events` found: they look outside of the write, which must be short."""
    over = session.exec(delete(OutgoingDeliveryRow).where(col(OutgoingDeliveryRow.id).in_(deliveries)))
    told = session.exec(delete(OutgoingRow).where(col(OutgoingRow.id).in_(events)))
    return over.rowcount + told.rowcount
