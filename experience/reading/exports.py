"""What a warehouse takes over, part by part: what is new or has changed since the part before.

A row that changed again comes again, with its key: the later one stands. What was written less than a minute ago comes
with a later part, since a transaction may commit after one that began later.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import takewhile
from typing import Any, Literal

from pydantic import BaseModel
from sqlalchemy import Select
from sqlalchemy import select as columns
from sqlmodel import Session, col, tuple_

from domain.reconciling.difference import Difference
from experience.reading.cases import CaseLine, case_line
from experience.reading.frame import cursor_of, position
from experience.reading.lifecycles import LifecycleLine, line
from experience.reading.stories import Effect, Line, effect_shown
from store.board import BoardRow
from store.database import Database
from store.difference_tables import DifferenceRow
from store.differences import seen
from store.tables import CaseNoteRow, CaseRow, EffectRow, LifecycleViewRow, TimelineRow

SETTLED = timedelta(minutes=1)

Dataset = Literal["lifecycles", "timeline", "effects", "cases", "case_notes", "differences"]


class TimelineLine(Line):
    """`id` is the row's key."""

    id: int
    contract: str


class ContractEffect(Effect):
    contract: str


class CaseNote(BaseModel):
    id: int
    case: str
    at: datetime
    by: str
    what: str


@dataclass(frozen=True)
class _Source:
    """How a dataset is read. `since` orders its rows, with `key` among those of one moment; `written` is when each was,
    an instant or in seconds since 1970."""

    model: type[BaseModel]
    query: Select[Any]
    since: Any
    key: Any
    written: Any
    kinds: tuple[Callable[[str], Any], ...]
    show: Callable[[Any], BaseModel]


@dataclass(frozen=True)
class Part:
    """`next`: the cursor of the part after this one, also where nothing is new yet. `more`: it is there already."""

    model: type[BaseModel]
    rows: Sequence[BaseModel]
    next: str
    more: bool


async def export(database: Database, dataset: Dataset, *, cursor: str | None, limit: int, at: datetime) -> Part:
    """The part after `cursor`. Raises Mistake for a cursor that is none of this dataset."""
    source = SOURCES[dataset]
    place = (source.since, source.key)
    query = source.query.add_columns(*place, source.written)
    if cursor:
        query = query.where(tuple_(*place) > tuple_(*position(cursor, source.kinds)))
    query = query.order_by(*place).limit(limit + 1)

    def read(session: Session) -> Part:
        # up to the first that is not settled, and not past it: a number is given before its row is there to be seen
        rows = list(takewhile(lambda row: _is_before(row[-1], at - SETTLED), session.execute(query)))
        shown = rows[:limit]
        following = cursor_of(shown[-1][1:3]) if shown else cursor or ""
        return Part(source.model, [source.show(row[0]) for row in shown], following, len(rows) > limit)

    return await database.read(read)


def _is_before(written: datetime | float, moment: datetime) -> bool:
    return written < moment if isinstance(written, datetime) else written < moment.timestamp()


SOURCES: dict[Dataset, _Source] = {
    "lifecycles": _Source(
        LifecycleLine,
        columns(LifecycleViewRow).join(BoardRow, col(BoardRow.contract) == col(LifecycleViewRow.contract)),
        col(BoardRow.updated_at),
        col(BoardRow.contract),
        col(BoardRow.updated_at),
        (datetime.fromisoformat, str),
        line,
    ),
    "timeline": _Source(
        TimelineLine,
        columns(TimelineRow),
        col(TimelineRow.id),
        col(TimelineRow.contract),
        col(TimelineRow.recorded_at),
        (int, str),
        lambda row: TimelineLine(
            id=row.id,
            contract=row.contract,
            at=row.business_at,
            kind=row.kind,
            summary=row.summary,
            recorded_at=row.recorded_at,
        ),
    ),
    "effects": _Source(
        ContractEffect,
        columns(EffectRow),
        col(EffectRow.updated_at),
        col(EffectRow.key),
        col(EffectRow.updated_at),
        (float, str),
        lambda row: ContractEffect(contract=row.contract, **effect_shown(row).model_dump()),
    ),
    "cases": _Source(
        CaseLine,
        columns(CaseRow),
        col(CaseRow.changed_at),
        col(CaseRow.id),
        col(CaseRow.changed_at),
        (datetime.fromisoformat, str),
        case_line,
    ),
    "case_notes": _Source(
        CaseNote,
        columns(CaseNoteRow),
        col(CaseNoteRow.id),
        col(CaseNoteRow.case_id),
        col(CaseNoteRow.at),
        (int, str),
        lambda row: CaseNote(id=row.id, case=row.case_id, at=row.at, by=row.by, what=row.what),
    ),
    "differences": _Source(
        Difference,
        columns(DifferenceRow),
        col(DifferenceRow.changed_at),
        col(DifferenceRow.id),
        col(DifferenceRow.changed_at),
        (datetime.fromisoformat, str),
        seen,
    ),
}
