"""Which team a case belongs to: ownership (domain/ownership.py) asked with what the store knows of the case."""

from sqlmodel import Session

from domain.company import Company
from store.cases import FROZEN
from store.tables import CaseRow, InboxRow


def team_of_case(session: Session, company: Company, case: CaseRow) -> str:
    """The team's id, empty where nobody is named. A case of a clock belongs to the team of the clock."""
    kind, _, clock = case.problem.partition(":")
    if case.kind == "sla":
        return company.ownership.of_clock(clock)
    row = session.get(InboxRow, case.inbox_id) if case.inbox_id else None
    return company.ownership.of_case(
        kind=case.kind,
        problem=case.problem,
        event=row.type if row else "",
        connection=clock if kind == FROZEN else "",
        actor=case.actor,
    )
