"""How much waits for people, page by page: what the menu shows."""

from sqlmodel import Session, func, select

from store.database import Database
from store.tables import CaseRow


async def waiting(database: Database) -> dict[str, int]:
    """By the page's name, how many things wait there for somebody. Sleeping cases wait for nobody."""

    def count(session: Session) -> dict[str, int]:
        open_cases = select(func.count()).select_from(CaseRow).where(CaseRow.state == "open")
        return {"cases": session.exec(open_cases).one()}

    return await database.read(count)
