"""SLA clocks: started, held and stopped in the transaction of what tells so; `starter.sla` reckons when one is due."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Index, text
from sqlmodel import Field, Session, SQLModel, col, select, update

from domain.calendar import start_of_day
from domain.policies.risk import names_overdue
from domain.sla import Occasion, SlaClock, occasions
from domain.targets import ClockKind
from domain.view import LifecycleView
from store.columns import Json, Moment
from store.database import change, insert_once, insert_values
from store.tables import ContractRiskRow, LifecycleRow, SettingRow, utc_now

AT_ONCE = 0.0
RUNS = text("stopped IS NULL AND started IS NOT NULL")
SWEPT, PROMISED = "sla_swept_at", "sla_promised"


class SlaClockRow(SQLModel, table=True):
    """One clock (domain/sla.py says what its fields mean). Instants are of the contract's business time.

    `since`: the instant from which what it waits for has not changed. `planned`: fixed in advance, the instant at which
    a milestone is due, or at which a readiness clock starts. `holds`: stretches that do not count, as [from, until] in
    ISO form, the last without an end while it is `held`.
    `next_at` is on the machine's clock, in epoch seconds: when the sweep looks at it, None where only news can matter.
    """

    __tablename__ = "sla_clocks"
    # the last two hold whatever the figures and the list of the clocks that run ask for
    __table_args__ = (
        Index("ix_sla_clocks_outcome", "outcome", "kind"),
        Index("ix_sla_clocks_stopped", "outcome", "stopped", "kind"),
        Index(
            "ix_sla_clocks_running", "kind", "breached", "held", "warned", "due", "id", "started", "stopped",
            sqlite_where=RUNS, postgresql_where=RUNS,
        ),
    )  # fmt: skip

    id: str = Field(primary_key=True)
    kind: str
    contract: str | None = Field(default=None, index=True)
    account: str | None = None
    subject: str = Field(default="", index=True)
    about: str = ""
    team: str = ""
    since: datetime = Field(sa_type=Moment)
    started: datetime | None = Field(default=None, sa_type=Moment)
    planned: datetime | None = Field(default=None, sa_type=Moment)
    due: datetime | None = Field(default=None, sa_type=Moment, index=True)
    warn_at: datetime | None = Field(default=None, sa_type=Moment)
    warned: datetime | None = Field(default=None, sa_type=Moment)
    breached: datetime | None = Field(default=None, sa_type=Moment)
    escalated: datetime | None = Field(default=None, sa_type=Moment)
    stopped: datetime | None = Field(default=None, sa_type=Moment)
    outcome: str = ""
    held: bool = False
    holds: list[list[str | None]] = Field(default_factory=list, sa_type=Json)
    next_at: float | None = Field(default=AT_ONCE, index=True)


_AT_FIRST = SlaClockRow(id="", kind="", since=utc_now()).model_dump()
"""What a clock's columns hold when it begins, where nobody says otherwise."""


def clock_of(row: SlaClockRow) -> SlaClock:
    return SlaClock.model_validate(row.model_dump(include=set(SlaClock.model_fields)))


def breaks_of(row: SlaClockRow) -> list[tuple[datetime, datetime]]:
    """The stretches that do not count and are over."""
    return [(datetime.fromisoformat(a), datetime.fromisoformat(b)) for a, b in row.holds if a and b]


def clock_id(kind: ClockKind, contract: str, subject: str) -> str:
    return f"{kind.value}:{contract}:{subject}" if subject else f"{kind.value}:{contract}"


def start_clock(
    session: Session,
    kind: ClockKind,
    life: LifecycleRow,
    subject: str,
    *,
    starts: datetime | None,
    at: datetime,
    planned: datetime | None = None,
) -> bool:
    """False when this occasion has had its clock."""
    row = {
        **_AT_FIRST,
        "id": clock_id(kind, life.contract, subject),
        "kind": kind.value,
        "contract": life.contract,
        "account": life.account,
        "subject": subject,
        "about": subject if kind in (ClockKind.MILESTONE_REACHED, ClockKind.BILLING_STARTED) else "",
        "since": at,
        "started": starts,
        "planned": planned,
    }
    return insert_values(session, SlaClockRow, row, keys=("id",))


def stop_clock(row: SlaClockRow, at: datetime, *, void: bool = False) -> None:
    """Stop it; the sweep judges how it ended."""
    row.stopped, row.next_at = max(at, row.started or at), AT_ONCE
    row.outcome = "void" if void else ""


def stop_running(session: Session, contract: str, kind: ClockKind, at: datetime, *, void: bool = False) -> None:
    """Stop whatever of a kind runs for a contract."""
    for row in running(session, contract, kind):
        stop_clock(row, at, void=void)


def running(session: Session, contract: str, kind: ClockKind | None = None) -> Sequence[SlaClockRow]:
    """The clocks of a contract that have not stopped, those of cases left out. They are locked: the sweep may just be
    looking at them."""
    query = select(SlaClockRow).where(SlaClockRow.contract == contract, col(SlaClockRow.stopped).is_(None))
    chosen = SlaClockRow.kind == kind.value if kind else SlaClockRow.kind != ClockKind.CASE_ANSWERED.value
    locked = query.where(chosen).order_by(col(SlaClockRow.id)).with_for_update()
    return session.exec(locked, execution_options={"populate_existing": True}).all()


def look_again(session: Session, contract: str) -> None:
    """Have the sweep look at every clock of a contract, whose business time was moved."""
    mine = (col(SlaClockRow.contract) == contract, col(SlaClockRow.next_at).is_not(None))
    change(session, update(SlaClockRow).where(*mine).values(next_at=AT_ONCE))


def keep_clocks(session: Session, before: LifecycleView | None, after: LifecycleView, at: datetime) -> None:
    """Make a contract's clocks follow its newest view, in the transaction of that view."""
    if before is not None and before.as_of is not None and _tells(before, before.as_of) == _tells(after, at):
        return
    life = session.get(LifecycleRow, after.contract)
    if life is None:
        return
    known = {(row.kind, row.subject): row for row in running(session, after.contract)}
    said = {(each.kind.value, each.subject): each for each in occasions(after, at)}
    former = {(each.kind.value, each.subject) for each in occasions(before, at) if each.met} if before else set()
    # what an imported contract had behind it when it came was never measured
    followed = before is not None or (ClockKind.ORDER_ACTIVATED.value, "") in known
    news = before is None or _news(before) != _news(after)
    for name, row in known.items():
        if row.kind == ClockKind.MILESTONE_REACHED:
            _milestone(row, after, at, over=not said)
        elif row.kind != ClockKind.RISK_TOLD or not said:
            _follow(row, said.get(name), at, news=news)
    for name, occasion in said.items():
        happened_here = not occasion.met or followed
        if name not in known and happened_here and name not in former:
            _begin(session, life, occasion, at)
    for row in known.values():
        row.account = after.account or row.account  # it may have been merged into another
        _hold(row, after, at)


def _begin(session: Session, life: LifecycleRow, occasion: Occasion, at: datetime) -> None:
    """What was due before the view first told of it counts from the view on."""
    later = occasion.starts if occasion.starts is not None and occasion.starts > at else None
    starts = None if occasion.starts is None or later else at
    if (
        start_clock(session, occasion.kind, life, occasion.subject, starts=starts, at=at, planned=later)
        and occasion.met
    ):
        stop_clock(session.get_one(SlaClockRow, clock_id(occasion.kind, life.contract, occasion.subject)), at)


def _follow(row: SlaClockRow, occasion: Occasion | None, at: datetime, *, news: bool) -> None:
    if occasion is None:
        stop_clock(row, at, void=True)
    elif occasion.met:
        stop_clock(row, at)
    elif row.started is None and occasion.starts is not None and occasion.starts != row.planned:
        row.planned, row.next_at = max(occasion.starts, at), AT_ONCE  # a window that has not opened may be moved
    elif row.started is None and news:
        row.since, row.next_at = at, AT_ONCE


def _milestone(row: SlaClockRow, view: LifecycleView, at: datetime, *, over: bool) -> None:
    """It stops on the day on which it was reached, however much later that was told."""
    reached = view.milestones.get(row.subject)
    if reached is not None:
        end_of_day = start_of_day(reached + timedelta(days=1), view.zone) - timedelta(seconds=1)
        stop_clock(row, min(at, end_of_day))
    elif over:
        stop_clock(row, at, void=True)


def _hold(row: SlaClockRow, view: LifecycleView, at: datetime) -> None:
    """While a lifecycle is paused nothing is late; nor is the activation while credit is withheld."""
    activating = row.kind == ClockKind.ORDER_ACTIVATED and view.hold is not None
    holds = row.stopped is None and (view.paused is not None or activating)
    if holds and not row.held:
        row.held, row.holds, row.next_at = True, [*row.holds, [at.isoformat(), None]], AT_ONCE
    elif not holds and row.held:
        over = [*row.holds[:-1], [row.holds[-1][0], at.isoformat()]]
        row.held, row.holds, row.next_at = False, over, AT_ONCE


def _tells(view: LifecycleView, at: datetime) -> tuple[Any, ...]:
    """Everything of a view that a clock can follow. An occasion that starts now is the same one a moment later."""
    said = [
        (each.kind, each.subject, each.starts if each.starts != at else None, each.met) for each in occasions(view, at)
    ]
    return said, _news(view), view.hold is None, view.account


def _news(view: LifecycleView) -> tuple[Any, ...]:
    """What may let the billing of a line start."""
    return view.term, view.term_starts, view.milestones, view.paused, [(each.id, each.waits_for) for each in view.lines]


def risk_was_told(session: Session, contract: str) -> None:
    """CS shows what a contract's risk amounts to. Its clock stops where that was assessed with the overdue invoice."""
    life, risk = session.get(LifecycleRow, contract), session.get(ContractRiskRow, contract)
    if life is not None and risk is not None and names_overdue(risk.health.get("reasons", ())):
        stop_running(session, contract, ClockKind.RISK_TOLD, business_now(life))


def swept_at(session: Session) -> datetime | None:
    """When somebody last looked for clocks that are due; None before the first time."""
    row = session.get(SettingRow, SWEPT)
    return datetime.fromisoformat(row.value) if row else None


def note_sweep(session: Session, at: datetime) -> None:
    if not insert_once(session, SettingRow(name=SWEPT, value=at.isoformat()), keys=("name",)):
        session.get_one(SettingRow, SWEPT).value = at.isoformat()


def promised_otherwise(session: Session, promise: str) -> bool:
    """Whether what is promised, by its fingerprint, differs from what clocks were last reckoned with."""
    if insert_once(session, SettingRow(name=PROMISED, value=promise), keys=("name",)):
        return True
    row = session.get_one(SettingRow, PROMISED)
    row.value, former = promise, row.value
    return former != promise


def business_now(life: LifecycleRow) -> datetime:
    """The lifecycle's business time: the machine's, unless its clock was moved."""
    return utc_now() + timedelta(seconds=life.clock_shift)
