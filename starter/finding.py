"""Finding what a person names: a lifecycle by any of its names."""

from sqlmodel import col, or_, select

from starter.mistakes import Unknown
from store.database import Database
from store.lifecycles import find_contract
from store.tables import LifecycleRow

SHORTEST_NAME = 3


async def find_life(database: Database, name: str) -> LifecycleRow:
    """The lifecycle of a contract id, a CRM deal id, or a unique part of either. Raises Unknown."""
    if len(name.strip()) < SHORTEST_NAME:
        raise Unknown(f"{name!r} names no contract; write at least {SHORTEST_NAME} characters of its id")
    found = await database.read(
        lambda session: session.exec(
            select(LifecycleRow)
            .where(
                or_(
                    LifecycleRow.contract == find_contract(session, "crm", "deal", name),
                    col(LifecycleRow.contract).contains(name, autoescape=True),
                )
            )
            .limit(5)
        ).all()
    )
    exact = [life for life in found if name in (life.contract, life.deal)]
    if len(exact or found) == 1:
        return (exact or found)[0]
    if not found:
        raise Unknown(f"unknown contract {name!r}; `tenure list` shows those that are known")
    raise Unknown(f"{name!r} is not unique: {', '.join(life.contract for life in found)}")
