"""The clocks of cases: each runs until a person takes the case up, or it is settled. With it, its team is told."""

from collections.abc import Sequence
from datetime import timedelta

from sqlalchemy import exists
from sqlmodel import Session, col, or_, select

from domain.company import Company
from domain.targets import ClockKind
from starter.notifying.notices import tell
from starter.owning import team_of_case
from store.clocks import SlaClockRow, stop_clock
from store.database import insert_once
from store.tables import CaseNoteRow, CaseRow, LifecycleRow

BATCH = 200
OURSELVES = "tenure"
NO_CLOCK = ("sla", "untold")
"""Kinds of cases that are about people not having acted, or not having been told: a clock would only repeat that."""


def begin_case_clocks(session: Session, company: Company) -> None:
    """Start a clock for each open case, each time that it is opened."""
    for case in _without_clock(session, BATCH):
        clock = _clock(case, shift_of(session, case))
        if insert_once(session, clock, keys=("id",)):
            about, command = f" ({case.contract})" if case.contract else "", f"tenure cases show {case.id}"
            text, team = f"{case.title}{about}", team_of_case(session, company, case)
            tell(session, company, team, clock.id, text, hint=command, contract=case.contract, case=case.id)


def stop_case_clocks(session: Session) -> None:
    """Stop the clock of each case that somebody has taken up, or that is settled."""
    for row in _over(session, BATCH):
        _stop(session, row)


def has_case_news(session: Session) -> bool:
    """Whether either of the two has something to do."""
    return bool(_without_clock(session, 1) or _over(session, 1))


def shift_of(session: Session, case: CaseRow) -> timedelta:
    """How far the clock by which a case was opened is ahead of the machine's: a lifecycle's own case has its time."""
    life = session.get(LifecycleRow, case.contract) if case.contract and case.projected else None
    return timedelta(seconds=life.clock_shift if life else 0.0)


def _without_clock(session: Session, limit: int) -> Sequence[CaseRow]:
    has_one = exists().where(
        col(SlaClockRow.kind) == ClockKind.CASE_ANSWERED.value,
        col(SlaClockRow.subject) == col(CaseRow.id),
        col(SlaClockRow.started) == col(CaseRow.opened_at),
    )
    query = select(CaseRow).where(CaseRow.state == "open", col(CaseRow.kind).not_in(NO_CLOCK), ~has_one)
    return session.exec(query.order_by(col(CaseRow.opened_at)).limit(limit)).all()


def _over(session: Session, limit: int) -> Sequence[SlaClockRow]:
    answered = exists().where(
        col(CaseNoteRow.case_id) == col(SlaClockRow.subject),
        col(CaseNoteRow.by) != OURSELVES,
        col(CaseNoteRow.at) >= col(SlaClockRow.since),
    )
    over = or_(
        col(CaseRow.id).is_(None),
        col(CaseRow.state) != "open",
        col(CaseRow.opened_at) != col(SlaClockRow.started),
        answered,
    )
    query = (
        select(SlaClockRow)
        .join(CaseRow, col(CaseRow.id) == col(SlaClockRow.subject), isouter=True)
        .where(SlaClockRow.outcome == "", SlaClockRow.kind == ClockKind.CASE_ANSWERED.value)
        .where(col(SlaClockRow.stopped).is_(None), over)
    )
    return session.exec(query.limit(limit)).all()


def _clock(case: CaseRow, shift: timedelta) -> SlaClockRow:
    kind = ClockKind.CASE_ANSWERED.value
    return SlaClockRow(
        id=f"{kind}:{case.id}@{case.opened_at.timestamp():.6f}",
        kind=kind,
        contract=case.contract,
        account=case.account,
        subject=case.id,
        about=case.kind,
        since=case.opened_at - shift,  # by the machine's clock, by which notes are written
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
