"""SLA clocks: which run, which are late, and how the promises were kept week by week."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Any, NamedTuple

from pydantic import BaseModel
from sqlmodel import Session, and_, case, col, func, select, tuple_

from domain.sla import ClockState
from domain.targets import PROMISES, ClockKind
from experience.reading.frame import Answer, Page, page_of, position
from store.clocks import SlaClockRow, clock_of, swept_at
from store.database import Database
from store.tables import utc_now

LAST = datetime.fromisoformat("9999-12-31T00:00:00+00:00")
"""Stands for no due instant, so that clocks without one come last."""
WEEKS = 12


class Wanted(NamedTuple):
    """Which clocks to list; None means all. Without `state`: those that run."""

    kind: ClockKind | None = None
    state: ClockState | None = None
    contract: str | None = None
    account: str | None = None
    team: str | None = None
    due_before: datetime | None = None


class ClockLine(BaseModel):
    """A clock in a list. `case`: the exception case that a case clock is about."""

    id: str
    kind: ClockKind
    what: str
    contract: str | None
    account: str | None
    subject: str
    about: str
    case: str | None
    team: str
    state: ClockState
    started: datetime | None
    due: datetime | None
    warned: datetime | None
    breached: datetime | None
    stopped: datetime | None


class KindFigures(BaseModel):
    """How one promise stands. `late`: breached and still running. `kept`: the share of those that stopped in the last
    `WEEKS` weeks in time; None where none did."""

    kind: ClockKind
    promise: str
    running: int
    warned: int
    late: int
    met: int
    missed: int
    kept: float | None


class WeekFigures(BaseModel):
    """What stopped in one week, which begins on the Monday `week` in UTC."""

    week: date
    kind: ClockKind
    met: int
    missed: int


class SlaAnswer(Answer):
    """The promises as they stand, and what became of them by week, the oldest first."""

    kinds: list[KindFigures]
    weeks: list[WeekFigures]


async def clocks(database: Database, wanted: Wanted, *, cursor: str | None, limit: int) -> Page[ClockLine]:
    """By when they are due, the most urgent first. Raises Mistake for a cursor that is none."""
    keys = [func.coalesce(col(SlaClockRow.due), LAST), col(SlaClockRow.id)]
    chosen = select(SlaClockRow.id).where(*_where(wanted)).order_by(*keys).limit(limit + 1)
    if cursor is not None:
        chosen = chosen.where(tuple_(*keys) > tuple_(*position(cursor, [datetime.fromisoformat, str])))
    # whole rows are read of the page alone: the rest is put in its order within the index
    query = select(SlaClockRow).where(col(SlaClockRow.id).in_(chosen)).order_by(*keys)

    def read(session: Session) -> tuple[Sequence[SlaClockRow], datetime | None]:
        return session.exec(query).all(), swept_at(session)

    rows, fresh = await database.read(read)
    return page_of(rows, limit, lambda row: [row.due or LAST, row.id], line, {"sla": fresh})


async def sla(database: Database, weeks: int = WEEKS) -> SlaAnswer:
    """Every promise in figures."""
    monday = utc_now().date() - timedelta(days=utc_now().weekday())
    first = monday - timedelta(weeks=weeks - 1)

    def read(session: Session) -> SlaAnswer:
        by_week = _by_week(session, first, weeks)
        standing = _standing(session)
        kinds = [_figures(kind, standing[kind.value], by_week) for kind in ClockKind]
        return SlaAnswer(kinds=kinds, weeks=by_week, freshness={"sla": swept_at(session)})

    return await database.read(read)


def line(row: SlaClockRow) -> ClockLine:
    clock = clock_of(row)
    case = clock.subject if clock.kind is ClockKind.CASE_ANSWERED else None
    return ClockLine(
        **clock.model_dump(include=set(ClockLine.model_fields)), what=clock.sentence(), state=clock.state, case=case
    )


def _figures(kind: ClockKind, standing: Counter[ClockState], weeks: Sequence[WeekFigures]) -> KindFigures:
    met = sum(week.met for week in weeks if week.kind is kind)
    missed = sum(week.missed for week in weeks if week.kind is kind)
    return KindFigures(
        kind=kind,
        promise=PROMISES[kind],
        running=standing.total(),
        warned=standing[ClockState.WARNED],
        late=standing[ClockState.BREACHED],
        met=met,
        missed=missed,
        kept=met / (met + missed) if met + missed else None,
    )


def _standing(session: Session) -> dict[str, Counter[ClockState]]:
    """By kind, the clocks that run, in each state: counted in one pass, since there may be very many."""
    row = SlaClockRow
    late, warned = col(row.breached).is_not(None), col(row.warned).is_not(None)
    runs = col(row.stopped).is_(None), col(row.started).is_not(None)
    query = select(row.kind, late, row.held, warned, func.count()).where(*runs)  # type: ignore[call-overload]  # five or more
    found: dict[str, Counter[ClockState]] = defaultdict(Counter)
    for kind, is_late, held, is_warned, number in session.exec(query.group_by(row.kind, late, row.held, warned)):
        near = ClockState.WARNED if is_warned else ClockState.RUNNING
        found[kind][ClockState.BREACHED if is_late else ClockState.HELD if held else near] += number
    return found


def _by_week(session: Session, first: date, weeks: int) -> list[WeekFigures]:
    """What stopped since the Monday `first`, counted by the database: there may be very many."""
    row = SlaClockRow
    mondays = [first + timedelta(weeks=number) for number in range(weeks)]
    begins = [datetime.fromisoformat(f"{monday}T00:00:00+00:00") for monday in mondays]
    before = zip(begins[1:], range(weeks), strict=False)
    week = case(*((col(row.stopped) < begin, number) for begin, number in before), else_=weeks - 1)
    stopped = select(week, row.kind, row.outcome, func.count()).where(col(row.stopped) >= begins[0])
    stopped = stopped.where(col(row.outcome).in_(("met", "missed"))).group_by(week, col(row.kind), col(row.outcome))
    found: dict[tuple[date, str], list[int]] = {}
    for number, kind, outcome, count in session.exec(stopped):
        found.setdefault((mondays[number], kind), [0, 0])[outcome == "missed"] += count
    return [
        WeekFigures(week=monday, kind=ClockKind(kind), met=met, missed=missed)
        for (monday, kind), (met, missed) in sorted(found.items())
    ]


def _where(wanted: Wanted) -> list[Any]:
    row = SlaClockRow
    where = _in_state(wanted.state) if wanted.state else [col(row.stopped).is_(None), col(row.started).is_not(None)]
    equal = {row.kind: wanted.kind, row.contract: wanted.contract, row.account: wanted.account, row.team: wanted.team}
    where += [col(column) == value for column, value in equal.items() if value is not None]
    if wanted.due_before is not None:
        where.append(col(row.due) < wanted.due_before)
    return where


def _in_state(state: ClockState) -> list[Any]:
    """The state that domain/sla.py reckons, as conditions. Held ones count as what they would be."""
    row = SlaClockRow
    if state in (ClockState.MET, ClockState.MISSED, ClockState.VOID):
        return [col(row.stopped).is_not(None), row.outcome == state.value]
    runs = and_(col(row.stopped).is_(None), col(row.started).is_not(None))
    match state:
        case ClockState.WAITING:
            return [col(row.stopped).is_(None), col(row.started).is_(None)]
        case ClockState.BREACHED:
            return [runs, col(row.breached).is_not(None)]
        case ClockState.WARNED:
            return [runs, col(row.breached).is_(None), ~col(row.held), col(row.warned).is_not(None)]
        case ClockState.HELD:
            return [runs, col(row.breached).is_(None), col(row.held)]
    return [runs, col(row.breached).is_(None), ~col(row.held), col(row.warned).is_(None)]
