"""A contract's story: what came in, what was decided, done, commanded and told, in one list, the newest first."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Literal

from pydantic import BaseModel
from sqlmodel import Session, col, select

from domain.masking import masked_text
from store.audit import DONE, AuditRow
from store.tables import CaseNoteRow, CaseRow, EffectRow, OrderRow, OutgoingRow, TimelineRow

Kind = Literal["stage", "event", "effect", "order", "case", "command", "told"]
KINDS: tuple[Kind, ...] = ("stage", "event", "effect", "order", "case", "command", "told")
DEEPEST = 2000


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
        yield StoryLine(
            at=datetime.fromtimestamp(row.updated_at, UTC),
            kind="effect",
            what=row.key,
            operation=row.operation,
            made=str((row.result or {}).get("id") or ""),
            state=row.state,
            tries=row.fence,
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
