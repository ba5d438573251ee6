"""Lifecycles: which there are, and where one stands."""

from datetime import date, datetime
from typing import Any, Literal, NamedTuple

from pydantic import BaseModel
from sqlmodel import Session, col, func, select, tuple_

from domain.view import LifecycleView, Stage
from experience.reading.frame import Answer, Page, page_of, position
from store.board import BoardRow
from store.database import Database
from store.tables import LifecycleViewRow

LAST = date.max
"""Stands for no renewal date, so that contracts without one come last."""

Order = Literal["renewal_date", "contract"]


class Wanted(NamedTuple):
    """Which lifecycles to list; None means all."""

    stage: Stage | None = None
    account: str | None = None
    contract: str | None = None
    needs_attention: bool | None = None
    renews_from: date | None = None
    renews_before: date | None = None
    order: Order = "renewal_date"


class LifecycleLine(BaseModel):
    """A lifecycle in a list."""

    contract: str
    account: str
    stage: Stage
    selling_entity: str
    term: int
    term_ends: date | None
    renewal_date: date | None
    risk: str
    renewal_priority: str
    decision: str | None
    forecast: str | None
    next_step: str
    next_due: datetime | None
    needs_attention: bool
    as_of: datetime | None
    updated_at: datetime


class LifecycleAnswer(Answer):
    """Where one lifecycle stands, as it last published itself."""

    lifecycle: LifecycleView
    updated_at: datetime


async def lifecycles(database: Database, wanted: Wanted, *, cursor: str | None, limit: int) -> Page[LifecycleLine]:
    """By the nearest renewal date, or by contract. Raises Mistake for a cursor that is none."""
    by_date = wanted.order == "renewal_date"
    renews = func.coalesce(col(BoardRow.renewal_date), LAST)
    keys = [renews, col(BoardRow.contract)] if by_date else [col(BoardRow.contract)]
    query = select(BoardRow).where(*_where(wanted)).order_by(*keys).limit(limit + 1)
    if cursor is not None:
        after = position(cursor, [date.fromisoformat, str] if by_date else [str])
        query = query.where(tuple_(*keys) > tuple_(*after))

    def place(row: BoardRow) -> list[object]:
        return [row.renewal_date or LAST, row.contract] if by_date else [row.contract]

    def read(session: Session) -> Page[LifecycleLine]:
        rows = session.exec(query).all()
        shown = [row.contract for row in rows[:limit]]
        views = select(LifecycleViewRow).where(col(LifecycleViewRow.contract).in_(shown))
        of = {view.contract: view for view in session.exec(views).all()}
        return page_of(rows, limit, place, lambda row: line(of[row.contract]), {"lifecycles": newest_view(session)})

    return await database.read(read)


async def lifecycle(database: Database, contract: str) -> LifecycleAnswer | None:
    """None: it has published nothing yet, or there is no such contract."""
    row = await database.read(lambda session: session.get(LifecycleViewRow, contract))
    if row is None:
        return None
    view = LifecycleView.model_validate(row.view)
    return LifecycleAnswer(lifecycle=view, updated_at=row.updated_at, freshness={"lifecycle": row.updated_at})


def newest_view(session: Session) -> datetime | None:
    """When the last view of any lifecycle was published."""
    return session.exec(select(func.max(BoardRow.updated_at))).one()


def line(row: LifecycleViewRow) -> LifecycleLine:
    view = LifecycleView.model_validate(row.view)
    return LifecycleLine(
        **{name: getattr(view, name) for name in LifecycleLine.model_fields if name in LifecycleView.model_fields}
        | {"forecast": view.forecast.category if view.forecast else None},
        needs_attention=row.needs_attention,
        updated_at=row.updated_at,
    )


def _where(wanted: Wanted) -> list[Any]:
    row = BoardRow
    where: list[Any] = []
    if wanted.stage is not None:
        where.append(row.stage == wanted.stage.value)
    if wanted.account is not None:
        where.append(row.account == wanted.account)
    if wanted.contract is not None:
        where.append(col(row.contract).contains(wanted.contract, autoescape=True))
    if wanted.needs_attention is not None:
        where.append(row.calm != wanted.needs_attention)
    if wanted.renews_from is not None:
        where.append(col(row.renewal_date) >= wanted.renews_from)
    if wanted.renews_before is not None:
        where.append(col(row.renewal_date) < wanted.renews_before)
    return where
