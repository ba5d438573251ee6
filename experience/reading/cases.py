"""The error queue: cases as people work on them."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any

from pydantic import BaseModel
from sqlmodel import Session, and_, col, func, or_, select

from domain.access import Guarded, Sensitive
from domain.company import Company
from domain.masking import masked_text
from experience.reading.frame import Answer, Page, page_of, position
from experience.services import Services
from starter.case_desk import CaseDesk
from starter.case_list import Wanted, chosen
from starter.owning import team_of_case, teams_of_cases
from starter.sources.reading import Sources
from store.database import Database
from store.tables import CaseRow, InboxRow


class CaseLine(BaseModel):
    """A case in the list. `actor`: which role acts. `projected`: a lifecycle waits for it, and closes it itself."""

    id: str
    kind: str
    title: str
    state: str
    contract: str | None
    account: str | None
    actor: str
    assignee: str | None
    tags: list[str]
    problem: str
    projected: bool
    opened_at: datetime
    resolved_at: datetime | None
    snoozed_until: datetime | None


class OwnedCase(CaseLine):
    """With the team that owns it, by the company's ownership; empty where nobody is named."""

    team: str = ""


class Note(BaseModel):
    at: datetime
    by: str
    what: str


class CaseAnswer(Answer, Guarded):
    """One case. `mend`: how it is mended at the command line. `event`: the received event that it is about, as it is
    now; what must not be shown is masked in it. `support_texts`: what its customer wrote to support, by the path in its
    payload. `history`: oldest first."""

    case: OwnedCase
    reasons: list[str]
    mend: str
    resolution: str
    event: Annotated[dict[str, Any] | None, Sensitive("payload")]
    support_texts: Annotated[dict[str, str] | None, Sensitive("support_text")] = None
    history: list[Note]


async def cases(
    database: Database, company: Company, wanted: Wanted, *, cursor: str | None, limit: int
) -> Page[OwnedCase]:
    """The newest first."""
    opened, name = col(CaseRow.opened_at), col(CaseRow.id)
    joined = col(InboxRow.id) == col(CaseRow.inbox_id)
    query = select(CaseRow).join(InboxRow, joined, isouter=True).where(*chosen(wanted))
    if cursor is not None:
        at, after = position(cursor, [datetime.fromisoformat, str])
        query = query.where(or_(opened < at, and_(opened == at, name > after)))
    query = query.order_by(opened.desc(), name).limit(limit + 1)

    def read(session: Session) -> Page[OwnedCase]:
        rows = session.exec(query).all()
        teams = teams_of_cases(session, company, rows)
        newest = session.exec(select(func.max(CaseRow.opened_at))).one()
        lines = {row.id: _owned(row, teams[row.id]) for row in rows}
        return page_of(rows, limit, lambda row: [row.opened_at, row.id], lambda row: lines[row.id], {"cases": newest})

    return await database.read(read)


async def case(services: Services, name: str) -> CaseAnswer:
    """Of an id, an event's number, or a unique part of an open case's id. Raises Mistake."""
    shown = await CaseDesk(services.database, Sources(services.settings)).show(name)
    row = shown.case
    team = await services.database.read(lambda session: team_of_case(session, services.office.company, row))
    return CaseAnswer(
        case=_owned(row, team),
        reasons=[masked_text(each) for each in row.reasons],
        mend=row.mend,
        resolution=masked_text(row.resolution),
        event=shown.event,
        support_texts=shown.texts,
        history=[Note(at=note.at, by=note.by, what=masked_text(note.what)) for note in shown.history],
        freshness={"cases": _newest([row.opened_at, row.resolved_at, *(note.at for note in shown.history)])},
    )


def case_line(row: CaseRow) -> CaseLine:
    values = {name: getattr(row, name) for name in CaseLine.model_fields}
    return CaseLine.model_validate({**values, "title": masked_text(row.title)})


def _owned(row: CaseRow, team: str) -> OwnedCase:
    return OwnedCase(**case_line(row).model_dump(), team=team)


def _newest(moments: Sequence[datetime | None]) -> datetime | None:
    return max((each for each in moments if each), default=None)
