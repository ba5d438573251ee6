"""What a clock that warns or is over tells: a case for its team, an event for subscribers."""

from datetime import datetime

from sqlmodel import Session, select

from domain import keys
from domain.calendar import civil_date
from domain.company import Company
from domain.errors import Actor
from domain.events.lifecycle import LifecycleSlaBreached, LifecycleSlaWarned
from domain.sla import SlaClock
from domain.targets import PROMISES, ClockKind
from domain.view import LifecycleView
from starter.notifying.notices import tell
from starter.sla.answers import OURSELVES
from store.cases import note, open_case, resolve_case
from store.clocks import SlaClockRow, clock_of
from store.outgoing import say
from store.tables import CaseNoteRow, CaseRow, LifecycleRow, LifecycleViewRow

SLA = "sla"
"""The kind of the cases of clocks. They have no clock of their own."""

ACTORS: dict[ClockKind, Actor] = {ClockKind.BILLING_STARTED: "finance"}
WARNED, BREACHED = "sla-warned", "sla-breached"


def case_id(row: SlaClockRow) -> str:
    return f"{SLA}:{row.id}"


def warn(session: Session, company: Company, row: SlaClockRow, life: LifecycleRow | None) -> None:
    """The time is nearly over."""
    clock = clock_of(row)
    _about(session, row, f"soon late: {clock.sentence()}", _until(clock), WARNED)
    _notice(session, company, row, row.team, WARNED, "soon late")
    if life is not None and clock.due is not None:
        said = LifecycleSlaWarned(**_common(session, clock, life, clock.warned or clock.due), due=clock.due)
        say(session, said, clock.warned or clock.due, keys.sla_event(row.id, "warned"))


def breach(session: Session, company: Company, row: SlaClockRow, life: LifecycleRow | None) -> None:
    """The time is over. What has stopped meanwhile needs nobody: only subscribers are told."""
    clock = clock_of(row)
    if clock.stopped is None:
        _about(session, row, f"late: {clock.sentence()}", _until(clock), BREACHED)
        _notice(session, company, row, row.team, BREACHED, "late", urgent=True)
    if life is not None and clock.due is not None and clock.breached is not None:
        said = LifecycleSlaBreached(**_common(session, clock, life, clock.breached), due=clock.due)
        say(session, said, clock.breached, keys.sla_event(row.id, "breached"))


def escalate(session: Session, company: Company, row: SlaClockRow, to: str, number: int) -> None:
    """Nobody of the team that owns it has answered: another is told. `number`: which step it is."""
    turn = "escalated" if number == 1 else f"escalated-{number}"
    _notice(session, company, row, to, turn, f"late, and {row.team} has not answered", urgent=True)
    note(session, case_of(row), "tenure", f"escalated to {to}")


def is_answered(session: Session, row: SlaClockRow) -> bool:
    """Whether a person has taken up the case of a clock."""
    notes = select(CaseNoteRow.id).where(CaseNoteRow.case_id == case_of(row), CaseNoteRow.by != OURSELVES)
    return session.exec(notes.limit(1)).first() is not None


def case_of(row: SlaClockRow) -> str:
    """The id of the case that people act on: a case clock's own, or that of the clock."""
    return row.subject if row.kind == ClockKind.CASE_ANSWERED else case_id(row)


def settle(session: Session, row: SlaClockRow) -> None:
    """It has stopped: its case goes, where it had one."""
    if row.warned is None and row.breached is None:
        return
    how = {"met": "it was in time", "void": "there is nothing to wait for any more"}.get(row.outcome, "it was late")
    resolve_case(session, case_id(row), how)


def _about(session: Session, row: SlaClockRow, title: str, reasons: list[str], tag: str) -> None:
    """A case of its own; a case that nobody takes up is that case itself, tagged."""
    if row.kind == ClockKind.CASE_ANSWERED:
        case = session.get(CaseRow, row.subject)
        if case is not None and tag not in case.tags:
            case.tags = [*(each for each in case.tags if each != WARNED), tag]
            note(session, case.id, "tenure", f"{'nobody has taken it up' if tag == BREACHED else title}; {reasons[0]}")
        return
    kind = ClockKind(row.kind)
    case = CaseRow(
        id=case_id(row),
        contract=row.contract,
        account=row.account,
        kind=SLA,
        title=title,
        reasons=reasons,
        actor=ACTORS.get(kind, "ops"),
        mend=f"tenure show {row.contract}; the case goes when it is done",
        problem=f"{SLA}:{row.kind}",
    )
    open_case(session, case)


def _notice(
    session: Session, company: Company, row: SlaClockRow, team: str, turn: str, how: str, *, urgent: bool = False
) -> None:
    clock, case = clock_of(row), session.get(CaseRow, case_of(row))
    what = case.title if case and row.kind == ClockKind.CASE_ANSWERED else clock.sentence()
    about = f" ({row.contract})" if row.contract else ""
    text = f"{how}: {what}{about}, due {clock.due:%Y-%m-%d %H:%M} UTC"
    command, key = f"tenure cases show {case_of(row)}", f"{turn}:{row.id}"
    tell(session, company, team, key, text, hint=command, contract=row.contract, case=case_of(row), urgent=urgent)


def _until(clock: SlaClock) -> list[str]:
    return [
        f"promised: {PROMISES[clock.kind]}",
        f"since {clock.started:%Y-%m-%d %H:%M}, due {clock.due:%Y-%m-%d %H:%M} UTC",
    ]


def _common(session: Session, clock: SlaClock, life: LifecycleRow, at: datetime) -> dict[str, object]:
    shown = session.get(LifecycleViewRow, life.contract)
    zone = LifecycleView.model_validate(shown.view).zone if shown else "UTC"
    return {
        "contract": life.contract,
        "account": life.account,
        "deal": life.deal,
        "on": civil_date(at, zone),
        "clock": clock.kind.value,
        "subject": clock.about or clock.subject,
        "team": clock.team,
        "started": clock.started,
    }
