"""Everything about one lifecycle, for somebody who looks at it: where it stands, its calendar and its story."""

from datetime import date, datetime

from pydantic import BaseModel
from sqlmodel import Session, col, select

from domain.company import Company
from domain.explaining.entries import Entry
from domain.explaining.standing import standing_calendar
from domain.policies.validation import lines_of, parse_order
from domain.view import LifecycleView
from experience.reading.frame import Answer
from experience.reading.stories import StoryLine, story_of
from store.board import BoardRow
from store.database import Database
from store.orders import newest_order
from store.tables import CaseRow, LifecycleRow, LifecycleViewRow


class Sibling(BaseModel):
    """Another contract of the same account."""

    contract: str
    stage: str
    renewal_date: date | None


class OpenCase(BaseModel):
    id: str
    kind: str
    title: str
    reasons: list[str]
    opened_at: datetime
    assignee: str | None
    actor: str
    mend: str


class Dossier(Answer):
    """`view` is None until the lifecycle has published itself. `calendar` is empty while the order can't be read.

    `updated_at`: when it last told us where it stands; `clock_shift`: how far its time is ahead, in a simulation.
    """

    contract: str
    workflow_id: str
    customer: str
    account: str
    selling_entity: str
    started: bool
    closed: bool
    clock_shift: float
    view: LifecycleView | None
    updated_at: datetime | None
    calendar: tuple[Entry, ...]
    cases: list[OpenCase]
    siblings: list[Sibling]
    story: list[StoryLine]


async def dossier(database: Database, company: Company, contract: str) -> Dossier | None:
    """None: there is no such lifecycle."""

    def read(session: Session) -> Dossier | None:
        life, row = session.get(LifecycleRow, contract), session.get(LifecycleViewRow, contract)
        board = session.get(BoardRow, contract)
        if life is None:
            return None
        view = LifecycleView.model_validate(row.view) if row else None
        return Dossier(
            contract=contract,
            workflow_id=life.workflow_id,
            customer=board.customer if board else "",
            account=view.account if view else life.account,
            selling_entity=view.selling_entity if view else life.selling_entity,
            started=life.started,
            closed=life.closed,
            clock_shift=life.clock_shift,
            view=view,
            updated_at=row.updated_at if row else None,
            calendar=_calendar(session, company, view) if view else (),
            cases=_cases(session, contract),
            siblings=_siblings(session, contract, view.account if view else life.account),
            story=story_of(session, contract),
            freshness={"lifecycle": row.updated_at if row else None},
        )

    return await database.read(read)


def _calendar(session: Session, company: Company, view: LifecycleView) -> tuple[Entry, ...]:
    newest = newest_order(session, view.contract)
    if newest is None:
        return ()
    order, wrong = parse_order(newest.document)
    if wrong:
        return ()
    try:
        return standing_calendar(view, order, lines_of(order, company))
    except ValueError:  # an order that is not valid yet has its case, which says why
        return ()


def _cases(session: Session, contract: str) -> list[OpenCase]:
    query = select(CaseRow).where(CaseRow.contract == contract, CaseRow.state == "open")
    rows = session.exec(query.order_by(col(CaseRow.opened_at))).all()
    return [OpenCase.model_validate(row, from_attributes=True) for row in rows]


def _siblings(session: Session, contract: str, account: str) -> list[Sibling]:
    if not account:
        return []
    query = select(BoardRow).where(BoardRow.account == account, BoardRow.contract != contract)
    rows = session.exec(query.order_by(col(BoardRow.contract)).limit(50)).all()
    return [Sibling(contract=row.contract, stage=row.stage, renewal_date=row.renewal_date) for row in rows]
