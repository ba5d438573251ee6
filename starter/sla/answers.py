"""The clocks of cases: each runs until a person takes the case up, or it is settled."""

from datetime import timedelta

from sqlalchemy import exists
from sqlmodel import Session, col, or_, select

from domain.targets import ClockKind
from store.clocks import SlaClockRow, stop_clock
from store.database import insert_once
from store.tables import CaseNoteRow, CaseRow, LifecycleRow

BATCH = 200
OURSELVES = "tenure"
NO_CLOCK = ("sla", "untold")
"""Kinds of cases that are about people not having acted, or not having been told: a clock would only repeat that."""


def begin_case_clocks(session: Session, *, only_look: bool = False) -> int:
    """Start a clock for each open case, each time that it is opened; returns how many."""
    has_one = exists().where(
        col(SlaClockRow.kind) == ClockKind.CASE_ANSWERED.value,
        col(SlaClockRow.subject) == col(CaseRow.id),
        col(SlaClockRow.started) == col(CaseRow.opened_at),
    )
    query = select(CaseRow).where(CaseRow.state == "open", col(CaseRow.kind).not_in(NO_CLOCK), ~has_one)
    rows = session.exec(query.order_by(col(CaseRow.opened_at)).limit(1 if only_look else BATCH)).all()
    if not only_look:
        for case in rows:
            insert_once(session, _clock(case, shift_of(session, case)), keys=("id",))
    return len(rows)


def stop_case_clocks(session: Session, *, only_look: bool = False) -> int:
    """Stop the clock of each case that somebody has taken up, or that is settled; returns how many."""
    answered = exists().where(
        col(CaseNoteRow.case_id) == col(SlaClockRow.subject),
        col(CaseNoteRow.by) != OURSELVES,
        col(CaseNoteRow.at) >= col(SlaClockRow.since),
    )
    case = col(CaseRow.id) == col(SlaClockRow.subject)
    over = or_(
        col(CaseRow.id).is_(None),
        col(CaseRow.state) != "open",
        col(CaseRow.opened_at) != col(SlaClockRow.started),
        answered,
    )
    query = (
        select(SlaClockRow)
        .join(CaseRow, case, isouter=True)
        .where(SlaClockRow.kind == ClockKind.CASE_ANSWERED.value, col(SlaClockRow.stopped).is_(None), over)
    )
    rows = session.exec(query.limit(1 if only_look else BATCH)).all()
    if not only_look:
        for row in rows:
            _stop(session, row)
    return len(rows)


def shift_of(session: Session, case: CaseRow) -> timedelta:
    """How far the clock by which a case was opened is ahead of the machine's: a lifecycle's own case has its time."""
    life = session.get(LifecycleRow, case.contract) if case.contract and case.projected else None
    return timedelta(seconds=life.clock_shift if life else 0.0)


def _clock(case: CaseRow, shift: timedelta) -> SlaClockRow:
    kind = ClockKind.CASE_ANSWERED.value
    return SlaClockRow(
        id=f"{kind}:{case.id}@{case.opened_at.timestamp():.6f}",
        kind=kind,
        contract=case.contract,
        account=case.account,
        subject=case.id,
        about=case.kind,
        # when it was opened by the machine's clock, by which notes are written
        since=case.opened_at - shift,
        started=case.opened_at,
    )


def _stop(session: Session, row: SlaClockRow) -> None:
    case = session.get(CaseRow, row.subject)
    if case is None:
        stop_clock(row, row.started or row.since, void=True)
        return
    shift = shift_of(session, case)
    notes = select(CaseNoteRow.at).where(CaseNoteRow.case_id == case.id, CaseNoteRow.by != OURSELVES)
    first = session.exec(notes.where(col(CaseNoteRow.at) >= row.since).order_by(col(CaseNoteRow.at)).limit(1)).first()
    reopened = case.opened_at if case.opened_at != row.started else None
    stopped = [each + shift for each in (first, case.resolved_at if case.state != "open" else None) if each is not None]
    stop_clock(row, min(stopped) if stopped else reopened or row.since)
