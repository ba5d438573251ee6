"""Which contracts somebody serves. A database that `serving` gives finds nothing of other regions, whatever the query:
no reader has to think of it."""

import copy
from collections.abc import Iterator
from functools import cache

from sqlalchemy import ColumnElement, event, false, inspect, or_, true
from sqlalchemy.orm import ORMExecuteState, with_loader_criteria
from sqlalchemy.orm.util import LoaderCriteriaOption
from sqlmodel import Session, SQLModel, col, select

from domain.access import Principal
from store.database import Database
from store.tables import CaseRow, DeliveryRow, InboxRow, LifecycleRow

REACH = "reach"
OF_EVERYBODY = (
    *("call_times", "commands", "feeds", "limits", "reconciliations", "rolled_up_risks", "sessions", "settings"),
    *("streams", "tokens", "turns"),
)
"""Tables that tell nothing of a contract."""
OF_NO_REGION = ("audit", "erp_customers")
"""Tables whose rows can't be told apart by region: only who serves every region reads them."""
PART_OF = {
    "case_notes": ("case_id", "cases"),
    "difference_notes": ("difference", "differences"),
    "repairs": ("difference", "differences"),
}
"""Tables whose rows belong to a row of another one: by which column, and to which."""


def serving(database: Database, principal: Principal) -> Database:
    """The database as the principal finds it: itself for who serves every region."""
    if principal.entities is None:
        return database
    narrowed = copy.copy(database)
    narrowed.session_info = {REACH: principal.entities}
    return narrowed


def tables() -> Iterator[type[SQLModel]]:
    """Every table of the store."""
    return (mapper.class_ for mapper in SQLModel._sa_registry.mappers)


@event.listens_for(Session, "do_orm_execute")
def _narrow(execution: ORMExecuteState) -> None:
    entities = execution.session.info.get(REACH)
    if entities is not None and execution.is_select:
        execution.statement = execution.statement.options(*_criteria(entities, len(list(tables()))))


@cache
def _criteria(entities: frozenset[str], number_of_tables: int) -> tuple[LoaderCriteriaOption, ...]:
    conditions = ((table, condition(table, entities)) for table in tables())
    return tuple(with_loader_criteria(table, found) for table, found in conditions if found is not None)


def condition(table: type[SQLModel], entities: frozenset[str]) -> ColumnElement[bool] | None:
    """Which rows of a table are of these selling entities. None: the table is everybody's. LookupError for one that
    nobody has thought of."""
    own = col(LifecycleRow.selling_entity).in_(sorted(entities))
    contracts, accounts = select(LifecycleRow.contract).where(own), select(LifecycleRow.account).where(own)
    if table is LifecycleRow:
        return own
    if table is DeliveryRow:
        return col(DeliveryRow.stream).in_(contracts)
    if table is InboxRow:
        about = select(CaseRow.inbox_id).where(col(CaseRow.contract).in_(contracts))
        delivered = select(DeliveryRow.inbox_id).where(col(DeliveryRow.stream).in_(contracts))
        return or_(col(InboxRow.id).in_(about), col(InboxRow.id).in_(delivered))
    columns, name = inspect(table).columns, str(table.__tablename__)
    if name in PART_OF:
        column, whole = PART_OF[name]
        above = next(each for each in tables() if each.__tablename__ == whole)
        of_these = condition(above, entities)
        part: ColumnElement[bool] = columns[column].in_(
            select(inspect(above).primary_key[0]).where(true() if of_these is None else of_these)
        )
        return part
    for column, mine in (("contract", contracts), ("account", accounts)):
        if column in columns:
            found: ColumnElement[bool] = columns[column].in_(mine)
            return found
    if name in OF_NO_REGION:
        return false()
    if name in OF_EVERYBODY:
        return None
    raise LookupError(f"{name} tells of which region? name the table in store/reach.py")
