"""How much waits for people, page by page: what the menu shows."""

from sqlmodel import Session, func, select

from domain.access import Principal
from experience.reading.regions import cases_seen
from store.database import Database
from store.tables import CaseRow


async def waiting(database: Database, principal: Principal) -> dict[str, int]:
    """By the page's name, how many things wait there for somebody. Sleeping cases wait for nobody."""

    def count(session: Session) -> dict[str, int]:
        open_cases = select(func.count()).select_from(CaseRow).where(CaseRow.state == "open", *cases_seen(principal))
        return {"cases": session.exec(open_cases).one()}

    return await database.read(count)
