"""Whether customers may use what they bought."""

from datetime import date
from typing import NamedTuple

from pydantic import BaseModel
from sqlmodel import Session, col, select

from domain.policies.entitlement import Entitled
from domain.policies.readiness import Entitlement
from experience.reading.contracts import seen
from experience.reading.frame import Answer, Page, page_of, position
from experience.reading.freshness import heard, used
from experience.services import Services
from store.board import BoardRow
from store.tables import LifecycleViewRow


class Wanted(NamedTuple):
    """Which to list; None means all."""

    level: Entitled | None = None
    account: str | None = None


class EntitlementLine(BaseModel):
    """A contract's entitlement, and why. `since`: where a fact tells the day."""

    contract: str
    account: str
    entitlement: Entitled
    reason: str
    since: date | None


class EntitlementAnswer(Answer):
    """`erp`: what the ERP itself said when the renewal was last looked at, with the day and the state of the revenue
    schedule by line; null where it was not asked yet."""

    contract: str
    account: str
    entitlement: Entitled
    reason: str
    since: date | None
    term_ends: date | None
    hold: str | None
    erp: Entitlement | None


async def entitlements(services: Services, wanted: Wanted, *, cursor: str | None, limit: int) -> Page[EntitlementLine]:
    """By contract."""

    def read(session: Session) -> Page[EntitlementLine]:
        query = select(BoardRow.contract, LifecycleViewRow).join(
            LifecycleViewRow, col(LifecycleViewRow.contract) == col(BoardRow.contract)
        )
        if wanted.level is not None:
            query = query.where(BoardRow.entitlement == wanted.level)
        if wanted.account is not None:
            query = query.where(BoardRow.account == wanted.account)
        if cursor is not None:
            query = query.where(col(BoardRow.contract) > position(cursor, [str])[0])
        rows = [row for _, row in session.exec(query.order_by(col(BoardRow.contract)).limit(limit + 1)).all()]
        return page_of(rows, limit, lambda row: [row.contract], _line, heard(session, services.settings))

    return await services.database.read(read)


async def entitlement(services: Services, contract: str) -> EntitlementAnswer | None:
    def read(session: Session) -> EntitlementAnswer | None:
        found = seen(session, contract, services.clock)
        if found is None:
            return None
        view, told = found.view, heard(session, services.settings)
        fresh = {name: told.get(name) for name in used(view.connections, services.settings, "erp")}
        return EntitlementAnswer(
            contract=contract,
            account=view.account,
            entitlement=view.entitlement,
            reason=view.entitlement_reason,
            since=view.entitlement_since,
            term_ends=view.term_ends,
            hold=view.hold,
            erp=Entitlement.model_validate(read) if (read := (view.readiness or {}).get("entitlement")) else None,
            freshness={"lifecycle": found.updated_at, **fresh},
        )

    return await services.database.read(read)


def _line(row: LifecycleViewRow) -> EntitlementLine:
    view = row.view
    return EntitlementLine(
        contract=row.contract,
        account=row.account,
        entitlement=view.get("entitlement", "none"),
        reason=view.get("entitlement_reason", ""),
        since=view.get("entitlement_since"),
    )
