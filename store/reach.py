"""Which contracts somebody serves, as a condition of a query: the one place where regions narrow a list."""

from typing import Any

from sqlalchemy import ColumnElement, true
from sqlmodel import Session, col, select

from domain.access import Principal
from store.tables import LifecycleRow


def serves(principal: Principal, contract: Any) -> ColumnElement[bool]:
    """The condition on a column of contracts. What is of no contract is of no region: only who serves all sees it."""
    if principal.entities is None:
        return true()
    own = select(LifecycleRow.contract).where(col(LifecycleRow.selling_entity).in_(sorted(principal.entities)))
    return col(contract).in_(own)


def serves_account(principal: Principal, account: Any) -> ColumnElement[bool]:
    """The condition on a column of accounts: those with at least one contract that is served."""
    if principal.entities is None:
        return true()
    own = select(LifecycleRow.account).where(col(LifecycleRow.selling_entity).in_(sorted(principal.entities)))
    return col(account).in_(own)


def reaches(session: Session, principal: Principal, contract: str) -> bool:
    """Whether the principal serves this one contract; one that is unknown has nothing to hide."""
    if principal.entities is None:
        return True
    entity = session.exec(select(LifecycleRow.selling_entity).where(LifecycleRow.contract == contract)).one_or_none()
    return entity is None or principal.serves(entity)
