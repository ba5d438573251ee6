"""The sweep of SLA clocks: it starts what has come, warns, tells what is late, and judges what has stopped."""

import hashlib
from datetime import datetime, timedelta

import structlog
from sqlmodel import Session, col, select, update

from domain.calendar import civil_date, start_of_day
from domain.company import Company
from domain.hours import BusinessHours, after
from domain.sla import deadline
from domain.targets import TEAM_HOURS, ClockKind, SlaTarget, target_for
from domain.view import LifecycleView
from starter.owning import team_of_case
from starter.sla.answers import begin_case_clocks, has_case_news, stop_case_clocks
from starter.sla.billing import eligible
from starter.sla.telling import breach, escalate, is_answered, settle, warn
from store.clocks import (
    SlaClockRow,
    breaks_of,
    clock_id,
    note_sweep,
    promised_otherwise,
    start_clock,
    stop_clock,
    swept_at,
)
from store.database import Database, change, take_turn
from store.tables import CaseRow, LifecycleRow, LifecycleViewRow, utc_now

TURN, BATCH = "sla", 50
HEARTBEAT = timedelta(seconds=30)
LATER = timedelta(hours=1)  # when a clock that can't be reckoned with is looked at again

log = structlog.get_logger()


class ClockSweep:
    """The first look reckons every clock anew where something else is promised since the last."""

    def __init__(self, database: Database, company: Company) -> None:
        self._db = database
        self._company = company
        self._anew = True

    async def look(self) -> int:
        """How many clocks were moved on; a look that finds nothing takes no write lock."""
        if not self._anew and not await self._db.read(lambda session: _is_due(session, utc_now())):
            return 0
        anew, self._anew = self._anew, False
        return await self._db.write(lambda session: sweep_clocks(session, self._company, anew=anew))


def sweep_clocks(session: Session, company: Company, *, contract: str | None = None, anew: bool = False) -> int:
    """Move on every clock that is due, at most a batch, or only those of one contract; returns how many."""
    take_turn(session, TURN)
    moment = utc_now()
    if anew and promised_otherwise(session, _fingerprint(company)):
        change(session, update(SlaClockRow).where(col(SlaClockRow.next_at).is_not(None)).values(next_at=0.0))
    begin_case_clocks(session, company)
    stop_case_clocks(session)
    due = select(SlaClockRow).where(col(SlaClockRow.next_at) <= moment.timestamp())
    if contract is not None:
        due = due.where(SlaClockRow.contract == contract)
    # one that is just being told of is looked at when that is done
    query = due.order_by(col(SlaClockRow.next_at), col(SlaClockRow.id)).limit(BATCH).with_for_update(skip_locked=True)
    rows = session.exec(query, execution_options={"populate_existing": True}).all()
    contracts = {row.contract for row in rows if row.contract}
    shown = session.exec(select(LifecycleViewRow).where(col(LifecycleViewRow.contract).in_(contracts))).all()
    lives = session.exec(select(LifecycleRow).where(col(LifecycleRow.contract).in_(contracts))).all()
    by_contract = {life.contract: life for life in lives}
    for row in rows:
        _move_on(session, row, company, moment, by_contract.get(row.contract or ""))
    del shown  # held until here: the session forgets what nobody holds, and would ask for each again
    note_sweep(session, moment)
    return len(rows)


def _is_due(session: Session, moment: datetime) -> bool:
    due = select(SlaClockRow.id).where(col(SlaClockRow.next_at) <= moment.timestamp()).limit(1)
    swept = swept_at(session)
    return (
        swept is None or moment - swept > HEARTBEAT or session.exec(due).first() is not None or has_case_news(session)
    )


def _fingerprint(company: Company) -> str:
    """Of everything that says when a clock is due, and whose it is."""
    said = company.model_dump_json(include={"sla", "hours", "teams", "ownership"})
    return hashlib.sha256(said.encode()).hexdigest()


def _move_on(session: Session, row: SlaClockRow, company: Company, moment: datetime, life: LifecycleRow | None) -> None:
    """One clock's absurd dates must not keep the sweep from the others."""
    case = session.get(CaseRow, row.subject) if row.kind == ClockKind.CASE_ANSWERED else None
    shifted = life is not None and (case is None or case.projected)
    shift = timedelta(seconds=life.clock_shift if life is not None and shifted else 0.0)
    try:
        following = _look(session, row, company, moment + shift, life, case)
    except (ArithmeticError, ValueError) as error:
        log.error("an SLA clock can't be reckoned with", clock=row.id, error=str(error))
        following = moment + shift + LATER
    row.next_at = None if following is None else (following - shift).timestamp()


def _look(
    session: Session, row: SlaClockRow, company: Company, now: datetime, life: LifecycleRow | None, case: CaseRow | None
) -> datetime | None:
    """Move the clock on to a business instant; returns when it is to be looked at again, None: when there is news."""
    row.team = team_of_case(session, company, case) if case else company.ownership.of_clock(row.kind)
    if row.outcome == "void":
        settle(session, row)
        return None
    if row.started is None:
        row.started, again = _start(session, row, company, row.stopped or now)
        if row.started is None:
            return again
    target = target_for(company.sla, ClockKind(row.kind), row.about)
    _reckon(row, target, company)
    if row.stopped is not None:
        _judge(session, row, company, life)
        _milestones(session, row, company, life)
        return None
    if row.due is None or row.warn_at is None:
        return None
    until = datetime.fromisoformat(row.holds[-1][0] or "") if row.held else now
    if until >= row.due and row.breached is None:
        row.breached = row.due
        breach(session, company, row, life)
    elif until >= row.warn_at and row.warned is None and row.breached is None:
        row.warned = max(row.warn_at, row.started)
        warn(session, company, row, life)
    if row.breached is not None:
        return _escalation(session, row, company, now)
    if row.held:
        return None
    return row.due if row.warned is not None else row.warn_at


def _escalation(session: Session, row: SlaClockRow, company: Company, now: datetime) -> datetime | None:
    """When the next step's team is to be told, or None: all were. A step that comes when somebody has answered tells
    nobody. `escalated` is when the last step came: none of them comes twice."""
    team = company.team(row.team)
    if team is None or row.breached is None:
        return None
    for number, step in enumerate(team.escalate, start=1):
        at = after(company.hours_of(team.id), row.breached, step.after)
        if row.escalated is not None and at <= row.escalated:
            continue
        if now < at:
            return at
        row.escalated = at
        if not is_answered(session, row):
            escalate(session, company, row, step.to, number)
    return None


def _start(
    session: Session, row: SlaClockRow, company: Company, now: datetime
) -> tuple[datetime | None, datetime | None]:
    """From when a waiting clock runs, and when to look again where it does not. One that has stopped has run."""
    if row.kind == ClockKind.BILLING_STARTED:
        since, again = eligible(session, row, company, now)
    else:
        since, again = row.planned, row.planned
    if row.stopped is not None:
        return min(since or row.stopped, row.stopped), None
    return (since, None) if since is not None and since <= now else (None, again)


def _reckon(row: SlaClockRow, target: SlaTarget, company: Company) -> None:
    if target.off or row.started is None:
        row.due = row.warn_at = None
        return
    planned = row.planned if row.kind == ClockKind.MILESTONE_REACHED else None
    row.due, row.warn_at = deadline(target, row.started, _hours(target, row, company), breaks_of(row), planned)


def _hours(target: SlaTarget, row: SlaClockRow, company: Company) -> BusinessHours | None:
    return company.hours_of(row.team) if target.hours == TEAM_HOURS else company.hours.get(target.hours or "")


def _judge(session: Session, row: SlaClockRow, company: Company, life: LifecycleRow | None) -> None:
    late = row.due is not None and row.stopped is not None and row.stopped > row.due
    if late and row.breached is None:
        row.breached = row.due
        breach(session, company, row, life)
    row.outcome = "missed" if late else "met"
    settle(session, row)


def _milestones(session: Session, row: SlaClockRow, company: Company, life: LifecycleRow | None) -> None:
    """With the launch of the onboarding its planned days are known."""
    if row.kind != ClockKind.ONBOARDING_LAUNCHED or life is None or row.stopped is None:
        return
    shown = session.get(LifecycleViewRow, life.contract)
    if shown is None:
        return
    view = LifecycleView.model_validate(shown.view)
    launched = civil_date(row.stopped, view.zone)
    for task in company.onboarding.tasks:
        if not task.milestone:
            continue
        planned = start_of_day(launched + timedelta(days=task.due_in_days + 1), view.zone)
        kind, at = ClockKind.MILESTONE_REACHED, row.stopped
        if start_clock(session, kind, life, task.milestone, starts=at, at=at, planned=planned) and (
            reached := view.milestones.get(task.milestone)
        ):
            begun = session.get_one(SlaClockRow, clock_id(kind, life.contract, task.milestone))
            stop_clock(begun, start_of_day(reached, view.zone))
