"""The portfolio: lifecycles by stage, found and filtered, what needs attention first."""

from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from typing import Any, NamedTuple

from pydantic import BaseModel
from sqlmodel import Session, case, col, func, or_, select, tuple_

from domain.view import LifecycleView, Stage
from experience.reading.frame import Answer, Page, page_of, position
from store.board import ON_HOLD, PAUSED, BoardRow
from store.database import Database
from store.tables import LifecycleViewRow
from store.views import OVER

NEVER = datetime(9000, 1, 1, tzinfo=UTC)


class Matter(StrEnum):
    """What somebody looks for in the portfolio."""

    ATTENTION = "attention"
    RENEWS_SOON = "renews_in_30_days"
    RENEWS = "renews_in_90_days"
    AT_RISK = "at_risk"
    ON_HOLD = "on_hold"
    PAUSED = "paused"
    SHADOW = "shadow"


class Wanted(NamedTuple):
    """Which lifecycles; None means all. Without a stage or a text, those that are over are left out."""

    stage: Stage | None = None
    matter: Matter | None = None
    entity: str | None = None
    text: str = ""


class StageCount(BaseModel):
    stage: Stage
    lifecycles: int
    attention: int


class Line(BaseModel):
    """A lifecycle in the portfolio. `needs`: what its oldest case says."""

    contract: str
    customer: str
    account: str
    selling_entity: str
    stage: Stage
    mode: str
    standing: str
    risk: str
    attention_since: datetime | None
    needs: str
    more_needs: int
    next_step: str
    next_due: datetime | None
    term: int
    renewal_date: date | None
    decision: str | None


class Portfolio(Answer):
    """`matters`: how many lifecycles each concerns, whatever else is wanted. `entities`: those that there are."""

    stages: list[StageCount]
    matters: dict[Matter, int]
    entities: list[str]
    found: int
    page: Page[Line]


async def portfolio(database: Database, wanted: Wanted, today: date, *, cursor: str | None, limit: int) -> Portfolio:
    """Raises Mistake for a cursor that is none."""

    def read(session: Session) -> Portfolio:
        where = _where(wanted, today)
        newest = session.exec(select(func.max(BoardRow.updated_at))).one()
        fresh = {"lifecycles": newest}
        found = session.exec(select(func.count()).select_from(BoardRow).where(*where)).one()
        rows = _rows(session, where, cursor, limit)
        views = _views(session, [row.contract for row in rows[:limit]])
        page = page_of(rows, limit, _place, lambda row: _line(row, views[row.contract]), fresh)
        entities = select(BoardRow.selling_entity).distinct().order_by(BoardRow.selling_entity)
        return Portfolio(
            stages=_stages(session, wanted.entity),
            matters=_matters(session, today),
            entities=[entity for entity in session.exec(entities) if entity],
            found=found,
            page=page,
            freshness=fresh,
        )

    return await database.read(read)


def _keys() -> tuple[Any, ...]:
    """What needs attention first, the longest first; then what happens next, the soonest first."""
    calm = case((col(BoardRow.attention), 0), else_=1)
    since = func.coalesce(col(BoardRow.attention_since), col(BoardRow.next_due), NEVER)
    return calm, since, col(BoardRow.contract)


def _place(row: BoardRow) -> list[Any]:
    since = row.attention_since or row.next_due or NEVER
    return [0 if row.attention else 1, since.isoformat(), row.contract]


def _rows(session: Session, where: list[Any], cursor: str | None, limit: int) -> list[BoardRow]:
    query = select(BoardRow).where(*where).order_by(*_keys()).limit(limit + 1)
    if cursor is not None:
        after = position(cursor, [int, datetime.fromisoformat, str])
        query = query.where(tuple_(*_keys()) > tuple_(*after))
    return list(session.exec(query).all())


def _views(session: Session, contracts: list[str]) -> dict[str, LifecycleView]:
    rows = session.exec(select(LifecycleViewRow).where(col(LifecycleViewRow.contract).in_(contracts))).all()
    return {row.contract: LifecycleView.model_validate(row.view) for row in rows}


def _line(row: BoardRow, view: LifecycleView) -> Line:
    cases = sorted(view.cases, key=lambda each: each.opened_at) if row.attention else []
    return Line(
        contract=row.contract,
        customer=row.customer,
        account=row.account,
        selling_entity=row.selling_entity,
        stage=view.stage,
        mode=row.mode,
        standing=row.standing,
        risk=row.risk,
        attention_since=row.attention_since,
        needs=cases[0].title if cases else "",
        more_needs=max(0, len(cases) - 1),
        next_step=view.next_step,
        next_due=row.next_due,
        term=view.term,
        renewal_date=row.renewal_date,
        decision=view.decision,
    )


def _where(wanted: Wanted, today: date) -> list[Any]:
    where: list[Any] = []
    if wanted.stage is not None:
        where.append(BoardRow.stage == wanted.stage.value)
    elif not wanted.text:
        where.append(col(BoardRow.stage).not_in(OVER))
    if wanted.matter is not None:
        where += _concerned(wanted.matter, today)
    if wanted.entity is not None:
        where.append(BoardRow.selling_entity == wanted.entity)
    if text := wanted.text.strip():
        places = (BoardRow.contract, BoardRow.account, BoardRow.customer, BoardRow.deal)
        where.append(or_(*(col(place).icontains(text, autoescape=True) for place in places)))
    return where


def _concerned(matter: Matter, today: date) -> list[Any]:
    renewal, open_ = col(BoardRow.renewal_date), col(BoardRow.stage).not_in(OVER)
    match matter:
        case Matter.ATTENTION:
            return [col(BoardRow.attention)]
        case Matter.RENEWS_SOON:
            return [open_, renewal.between(today, today + timedelta(days=30))]
        case Matter.RENEWS:
            return [open_, renewal.between(today, today + timedelta(days=90))]
        case Matter.AT_RISK:
            return [open_, BoardRow.risk == "high"]
        case Matter.ON_HOLD:
            return [open_, BoardRow.standing == ON_HOLD]
        case Matter.PAUSED:
            return [open_, BoardRow.standing == PAUSED]
        case Matter.SHADOW:
            return [open_, BoardRow.mode == "shadow"]


def _stages(session: Session, entity: str | None) -> list[StageCount]:
    where = [BoardRow.selling_entity == entity] if entity is not None else []
    attention = func.sum(case((col(BoardRow.attention), 1), else_=0))
    query = select(BoardRow.stage, func.count(), attention).where(*where).group_by(BoardRow.stage)
    counted = {stage: (number, needing) for stage, number, needing in session.exec(query)}
    return [
        StageCount(stage=stage, lifecycles=number, attention=needing or 0)
        for stage in Stage
        for number, needing in [counted.get(stage.value, (0, 0))]
    ]


def _matters(session: Session, today: date) -> dict[Matter, int]:
    """One by one: each is counted in an index of its own."""
    counts = {matter: select(func.count()).select_from(BoardRow).where(*_concerned(matter, today)) for matter in Matter}
    return {matter: session.exec(query).one() for matter, query in counts.items()}
