"""Which team a case belongs to: ownership (domain/ownership.py) asked with what the store knows of the case."""

from collections.abc import Sequence

from sqlmodel import Session, col, select

from domain.company import Company
from store.cases import FROZEN
from store.tables import CaseRow, InboxRow


def team_of_case(session: Session, company: Company, case: CaseRow) -> str:
    """The team's id, empty where nobody is named. A case of a clock belongs to the team of the clock."""
    return teams_of_cases(session, company, [case])[case.id]


def teams_of_cases(session: Session, company: Company, cases: Sequence[CaseRow]) -> dict[str, str]:
    """By the case's id."""
    asked = {case.inbox_id for case in cases if case.inbox_id}
    query = select(InboxRow.id, InboxRow.type).where(col(InboxRow.id).in_(asked))
    types = dict(session.exec(query).all()) if asked else {}
    return {case.id: _team(company, case, types.get(case.inbox_id, "")) for case in cases}


def _team(company: Company, case: CaseRow, event: str) -> str:
    kind, _, rest = case.problem.partition(":")
    if case.kind == "sla":
        return company.ownership.of_clock(rest)
    return company.ownership.of_case(
        kind=case.kind,
        problem=case.problem,
        event=event,
        connection=rest if kind == FROZEN else "",
        actor=case.actor,
    )
