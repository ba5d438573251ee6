"""Who is told of what: a notice for each channel of a team, in the transaction of what it tells."""

from sqlmodel import Session

from domain.company import Company
from domain.hours import next_open
from store.database import now
from store.notices import NoticeRow, add_notice
from store.tables import utc_now


def tell(
    session: Session,
    company: Company,
    team: str,
    key: str,
    text: str,
    *,
    hint: str = "",
    contract: str | None = None,
    case: str | None = None,
    urgent: bool = False,
) -> int:
    """Have a team told, once for each `key`, which names the thing; returns by how many channels. What is not urgent
    waits for the team's hours.
    """
    found = company.team(team)
    if found is None:
        return 0
    moment = utc_now()
    wait = 0.0 if urgent else (next_open(company.hours_of(team), moment) - moment).total_seconds()
    created = now(session)
    return sum(
        add_notice(
            session,
            NoticeRow(
                key=f"{team}:{key}",
                channel=channel,
                team=team,
                contract=contract,
                case_id=case,
                urgent=urgent,
                text=text,
                hint=hint,
                created_at=created,
                not_before=created + wait,
            ),
        )
        for channel in found.tell
    )
