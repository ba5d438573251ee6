"""What of a list somebody sees: that of the selling entities of their regions."""

from typing import Any

from sqlmodel import col, select

from domain.access import Principal
from store.board import BoardRow
from store.tables import CaseRow


def lives_seen(principal: Principal) -> list[Any]:
    """Conditions on the board."""
    return [] if principal.entities is None else [col(BoardRow.selling_entity).in_(principal.entities)]


def cases_seen(principal: Principal) -> list[Any]:
    """Conditions on cases. What is of no contract, such as a dead letter, is of no region either."""
    if principal.entities is None:
        return []
    contracts = select(BoardRow.contract).where(*lives_seen(principal))
    return [col(CaseRow.contract).in_(contracts)]
