"""The portfolio: lifecycles by stage, found and filtered, what needs attention first."""

from collections import Counter
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Any, NamedTuple

from pydantic import BaseModel
from sqlmodel import Session, col, func, select, tuple_

from domain.view import Stage
from experience.reading.frame import Answer, Page, page_of, position
from store.board import ON_HOLD, PAUSED, BoardRow
from store.database import Database
from store.views import OVER


class Matter(StrEnum):
    """What somebody looks for in the portfolio."""

    ATTENTION = "attention"
    RENEWS_SOON = "renews_in_30_days"
    RENEWS = "renews_in_90_days"
    AT_RISK = "at_risk"
    ON_HOLD = "on_hold"
    PAUSED = "paused"
    SHADOW = "shadow"


COUNTED = tuple(matter for matter in Matter if matter is not Matter.ATTENTION)


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
    """A lifecycle in the portfolio. `needs`: what its oldest case says. `decision`: in a word."""

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
    decision: str


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
        where, counts = _where(wanted, today), _counts(session)
        rows = _rows(session, where, cursor, limit)
        newest, *concerned = session.exec(_figures(today)).one()
        fresh = {"lifecycles": newest}
        matters = {Matter.ATTENTION: counts.needing(), **dict(zip(COUNTED, concerned, strict=True))}
        return Portfolio(
            stages=[
                StageCount(
                    stage=stage,
                    lifecycles=counts.all_of(stage, wanted.entity),
                    attention=counts.needing(stage, wanted.entity),
                )
                for stage in Stage
            ],
            matters=matters,
            entities=counts.entities(),
            found=_found(session, wanted, where, counts),
            page=page_of(rows, limit, _place, _line, fresh),
            freshness=fresh,
        )

    return await database.read(read)


class _Counts(NamedTuple):
    """How many lifecycles each selling entity has in each stage, those that are calm and those that aren't."""

    lifecycles: Counter[tuple[str, str, bool]]

    def all_of(self, stage: Stage, entity: str | None) -> int:
        return self._sum(stage, entity, (True, False))

    def needing(self, stage: Stage | None = None, entity: str | None = None) -> int:
        return self._sum(stage, entity, (False,))

    def entities(self) -> list[str]:
        return sorted({entity for entity, _, _ in self.lifecycles if entity})

    def _sum(self, stage: Stage | None, entity: str | None, calm: tuple[bool, ...]) -> int:
        return sum(
            number
            for (of, at, is_calm), number in self.lifecycles.items()
            if (entity is None or of == entity) and (stage is None or at == stage.value) and is_calm in calm
        )


def _counts(session: Session) -> _Counts:
    keys = (BoardRow.selling_entity, BoardRow.stage, col(BoardRow.calm))
    query = select(*keys, func.count()).group_by(*keys)
    return _Counts(Counter({(entity, stage, calm): number for entity, stage, calm, number in session.exec(query)}))


def _figures(today: date) -> Any:
    """When the newest view came, and how many lifecycles each of COUNTED concerns: each from an index of its own."""
    numbers = (
        select(func.count()).select_from(BoardRow).where(*_concerned(matter, today)).scalar_subquery()
        for matter in COUNTED
    )
    return select(select(func.max(BoardRow.updated_at)).scalar_subquery(), *numbers)


def _found(session: Session, wanted: Wanted, where: list[Any], counts: _Counts) -> int:
    if wanted.matter is None and not wanted.text.strip():  # they are counted already
        stages = [wanted.stage] if wanted.stage else [stage for stage in Stage if stage not in OVER]
        return sum(counts.all_of(stage, wanted.entity) for stage in stages)
    return session.exec(select(func.count()).select_from(BoardRow).where(*where)).one()


def _rows(session: Session, where: list[Any], cursor: str | None, limit: int) -> list[BoardRow]:
    """What needs attention first, the longest first; then what happens next, the soonest first."""
    place = (col(BoardRow.calm), col(BoardRow.turn), col(BoardRow.contract))
    query = select(BoardRow).where(*where).order_by(*place).limit(limit + 1)
    if cursor is not None:
        query = query.where(tuple_(*place) > tuple_(*position(cursor, [bool, datetime.fromisoformat, str])))
    return list(session.exec(query).all())


def _place(row: BoardRow) -> list[Any]:
    return [row.calm, row.turn.isoformat(), row.contract]


def _line(row: BoardRow) -> Line:
    return Line.model_validate(row, from_attributes=True)


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
        where.append(col(BoardRow.sought).contains(text.casefold(), autoescape=True))
    return where


def _concerned(matter: Matter, today: date) -> list[Any]:
    renewal, open_ = col(BoardRow.renewal_date), col(BoardRow.stage).not_in(OVER)
    match matter:
        case Matter.ATTENTION:
            return [~col(BoardRow.calm)]
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
