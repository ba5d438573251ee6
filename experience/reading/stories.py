"""What one contract's life has been: its timeline, its effects outside, what it cost, and all of it as one story."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Literal

from pydantic import BaseModel
from sqlmodel import Session, col, func, select, tuple_

from domain.books import VIEWS_PER_TASK
from domain.masking import masked_text
from experience.reading.frame import Answer, Page, page_of, position
from store.audit import DONE, AuditRow
from store.contract_calls import calls_for
from store.database import Database
from store.tables import (
    CaseNoteRow,
    CaseRow,
    DeliveryRow,
    EffectRow,
    LifecycleRow,
    LifecycleViewRow,
    OrderRow,
    OutgoingRow,
    TimelineRow,
)

Kind = Literal["stage", "event", "effect", "order", "case", "command", "told"]
KINDS: tuple[Kind, ...] = ("stage", "event", "effect", "order", "case", "command", "told")
DEEPEST = 2000


class Line(BaseModel):
    """One line of the story. `at` is business time; `recorded_at` is when we knew."""

    at: datetime
    kind: str
    summary: str
    recorded_at: datetime


class Effect(BaseModel):
    """A business effect outside. `state`: CLAIMED, SENT (its outcome may be unknown), DONE, REFUSED or RELEASED.
    `record`: the id of what it made. `attempts`: how often somebody took it on."""

    key: str
    operation: str
    state: str
    record: str | None
    attempts: int
    reason: str
    begun_at: datetime
    updated_at: datetime


class SystemCalls(BaseModel):
    """Calls to one connected system. `failed`: those with a 5xx, or without an answer."""

    connection: str
    calls: int
    failed: int


class Cost(Answer):
    """What a lifecycle has cost so far. `effects` were done outside, in `attempts`, of which `retries` were not the
    first. `calls` were made for it over each connection, readings too; they are counted within seconds. `events` came
    in for it: `told` woke its workflow, `recorded` woke nobody, `refused` it did not take. `history_events`: how long
    the history of its present run was when it last published itself."""

    contract: str
    effects: int
    attempts: int
    retries: int
    calls: list[SystemCalls] = []
    events: int
    told: int
    recorded: int
    refused: int
    history_events: int


class StoryLine(BaseModel):
    """`at`: when we recorded it; `on`: its day in the contract's own time, where that is another. `made`: the id of the
    record outside, `operation` what made it. `event`: the number of the received event. `case`: the case's id."""

    at: datetime
    kind: Kind
    what: str
    by: str = ""
    on: datetime | None = None
    operation: str = ""
    made: str = ""
    state: str = ""
    tries: int = 0
    event: int | None = None
    case: str = ""


async def timeline(database: Database, contract: str, *, cursor: str | None, limit: int) -> Page[Line] | None:
    """The newest first. None: there is no such contract."""
    place = (col(TimelineRow.business_at), col(TimelineRow.id))
    query = select(TimelineRow).where(TimelineRow.contract == contract)
    if cursor is not None:
        query = query.where(tuple_(*place) < tuple_(*position(cursor, [datetime.fromisoformat, int])))
    query = query.order_by(*(each.desc() for each in place)).limit(limit + 1)

    def read(session: Session) -> Page[Line] | None:
        if session.get(LifecycleRow, contract) is None:
            return None
        rows = session.exec(query).all()
        newest = select(func.max(TimelineRow.recorded_at)).where(TimelineRow.contract == contract)
        return page_of(
            rows, limit, lambda row: [row.business_at, row.id], _line, {"timeline": session.exec(newest).one()}
        )

    return await database.read(read)


async def effects(database: Database, contract: str, *, cursor: str | None, limit: int) -> Page[Effect] | None:
    """In the order in which they were begun. None: there is no such contract."""
    place = (col(EffectRow.created_at), col(EffectRow.key))
    query = select(EffectRow).where(EffectRow.contract == contract)
    if cursor is not None:
        query = query.where(tuple_(*place) > tuple_(*position(cursor, [float, str])))
    query = query.order_by(*place).limit(limit + 1)

    def read(session: Session) -> Page[Effect] | None:
        if session.get(LifecycleRow, contract) is None:
            return None
        rows = session.exec(query).all()
        newest = select(func.max(EffectRow.updated_at)).where(EffectRow.contract == contract)
        at = session.exec(newest).one()
        return page_of(rows, limit, lambda row: [row.created_at, row.key], effect_shown, {"ledger": _moment(at)})

    return await database.read(read)


async def cost(database: Database, contract: str) -> Cost | None:
    """None: there is no such contract."""

    def read(session: Session) -> Cost | None:
        if session.get(LifecycleRow, contract) is None:
            return None
        done, attempts, at = session.exec(
            select(
                func.count().filter(col(EffectRow.state) == "DONE"),
                func.coalesce(func.sum(EffectRow.fence), 0),
                func.max(EffectRow.updated_at),
            ).where(EffectRow.contract == contract)
        ).one()
        begun = session.exec(select(func.count()).where(EffectRow.contract == contract)).one()
        states = select(DeliveryRow.state, func.count()).where(DeliveryRow.stream == contract)
        came = dict(session.exec(states.group_by(DeliveryRow.state)).all())
        view = session.get(LifecycleViewRow, contract)
        return Cost(
            contract=contract,
            effects=done,
            attempts=attempts,
            retries=attempts - begun,
            calls=[
                SystemCalls(connection=name, calls=calls.made, failed=calls.failed)
                for name, calls in calls_for(session, contract).items()
            ],
            events=sum(came.values()),
            told=came.get("delivered", 0),
            recorded=came.get("recorded", 0),
            refused=came.get("refused", 0),
            history_events=view.sequence // VIEWS_PER_TASK if view else 0,
            freshness={"ledger": _moment(at), "lifecycle": view.updated_at if view else None},
        )

    return await database.read(read)


def _line(row: TimelineRow) -> Line:
    return Line(at=row.business_at, kind=row.kind, summary=row.summary, recorded_at=row.recorded_at)


def effect_shown(row: EffectRow) -> Effect:
    record = (row.result or {}).get("id")
    return Effect(
        key=row.key,
        operation=row.operation,
        state=row.state,
        record=str(record) if record else None,
        attempts=row.fence,
        reason=row.reason,
        begun_at=datetime.fromtimestamp(row.created_at, UTC),
        updated_at=datetime.fromtimestamp(row.updated_at, UTC),
    )


def _moment(seconds: float | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)


def story_of(session: Session, contract: str) -> list[StoryLine]:
    """The newest first; of a very long life the older lines of each kind are left out."""
    lines = [
        *_timeline(session, contract),
        *_effects(session, contract),
        *_orders(session, contract),
        *_cases(session, contract),
        *_commands(session, contract),
        *_told(session, contract),
    ]
    return sorted(lines, key=lambda line: line.at, reverse=True)


def _timeline(session: Session, contract: str) -> Iterator[StoryLine]:
    query = select(TimelineRow).where(TimelineRow.contract == contract).order_by(col(TimelineRow.id).desc())
    for row in session.exec(query.limit(DEEPEST)):
        _, _, number = row.ref.partition("event:")
        event = int(number.partition(":")[0]) if number else None
        kind: Kind = "stage" if row.kind == "stage" else "event"
        travelled = abs((row.business_at - row.recorded_at).total_seconds()) > 86400
        yield StoryLine(
            at=row.recorded_at,
            kind=kind,
            what=row.summary.replace("_", " ") if kind == "stage" else masked_text(row.summary),
            on=row.business_at if travelled else None,
            event=event,
        )


def _effects(session: Session, contract: str) -> Iterator[StoryLine]:
    query = select(EffectRow).where(EffectRow.contract == contract).order_by(col(EffectRow.updated_at).desc())
    for row in session.exec(query.limit(DEEPEST)):
        effect = effect_shown(row)
        yield StoryLine(
            at=effect.updated_at,
            kind="effect",
            what=effect.key,
            operation=effect.operation,
            made=effect.record or "",
            state=effect.state,
            tries=effect.attempts,
        )


def _orders(session: Session, contract: str) -> Iterator[StoryLine]:
    columns = select(OrderRow.revision, OrderRow.author, OrderRow.created_at)
    for revision, author, at in session.exec(columns.where(OrderRow.contract == contract)):
        yield StoryLine(at=at, kind="order", what=f"revision {revision} of the order", by=author)


def _cases(session: Session, contract: str) -> Iterator[StoryLine]:
    for case in session.exec(select(CaseRow).where(CaseRow.contract == contract)):
        yield StoryLine(at=case.opened_at, kind="case", what=f"case opened: {case.title}", case=case.id)
        if case.resolved_at is not None:
            yield StoryLine(at=case.resolved_at, kind="case", what=f"case settled: {case.title}", case=case.id)
    notes = select(CaseNoteRow).join(CaseRow, col(CaseRow.id) == col(CaseNoteRow.case_id))
    for note in session.exec(notes.where(CaseRow.contract == contract).limit(DEEPEST)):
        yield StoryLine(at=note.at, kind="case", what=masked_text(note.what), by=note.by, case=note.case_id)


def _commands(session: Session, contract: str) -> Iterator[StoryLine]:
    query = select(AuditRow).where(AuditRow.subject == contract, AuditRow.kind == "command")
    for row in session.exec(query.where(AuditRow.outcome == DONE).order_by(col(AuditRow.id).desc()).limit(DEEPEST)):
        why = f": {row.reason}" if row.reason else ""
        yield StoryLine(at=row.at, kind="command", what=f"{row.permission}{why}", by=row.actor)


def _told(session: Session, contract: str) -> Iterator[StoryLine]:
    query = select(OutgoingRow).where(OutgoingRow.contract == contract).order_by(col(OutgoingRow.id).desc())
    for row in session.exec(query.limit(DEEPEST)):
        yield StoryLine(at=datetime.fromtimestamp(row.created_at, UTC), kind="told", what=row.type)
