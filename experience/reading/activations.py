"""How far orders are on their way into the ERP."""

from datetime import UTC, datetime
from typing import Literal

from pydantic import BaseModel
from sqlmodel import Session, col, select

from domain import keys
from domain.view import CaseView, LifecycleView, Stage
from experience.reading.contracts import seen
from experience.reading.frame import Answer, Page, page_of, position
from experience.reading.freshness import heard, used
from experience.services import Services
from store.board import BoardRow
from store.tables import EffectRow, LifecycleViewRow

Progress = Literal["under_way", "waits_for_approval", "needs_attention", "activated", "cancelled"]


class ActivationLine(BaseModel):
    """An order that is not activated yet. `waits_for`: in one line."""

    contract: str
    account: str
    deal: str
    progress: Progress
    waits_for: str
    updated_at: datetime


class Step(BaseModel):
    """One effect of the activation. `record`: the id of what it made outside. `at`: when that was known."""

    effect: str
    state: str
    record: str | None
    at: datetime


class ActivationAnswer(Answer):
    """`steps`: what was done for it, in order. `cases`: what keeps it, and how it is mended."""

    contract: str
    account: str
    deal: str
    selling_entity: str
    connections: dict[str, str]
    progress: Progress
    waits_for: str
    confirmed_at: datetime | None
    approval_needed: list[str]
    approval_revision: int | None
    approved_by: str | None
    rejected_by: str | None
    steps: list[Step]
    cases: list[CaseView]


async def activations(services: Services, *, cursor: str | None, limit: int) -> Page[ActivationLine]:
    """The orders that are not activated yet, by contract."""

    def read(session: Session) -> Page[ActivationLine]:
        query = select(LifecycleViewRow).join(BoardRow, col(BoardRow.contract) == col(LifecycleViewRow.contract))
        query = query.where(BoardRow.stage == Stage.ORDER_ACTIVATION.value)
        if cursor is not None:
            query = query.where(col(BoardRow.contract) > position(cursor, [str])[0])
        rows = session.exec(query.order_by(col(BoardRow.contract)).limit(limit + 1)).all()
        return page_of(rows, limit, lambda row: [row.contract], _line, heard(session, services.settings))

    return await services.database.read(read)


async def activation(services: Services, contract: str) -> ActivationAnswer | None:
    def read(session: Session) -> ActivationAnswer | None:
        found = seen(session, contract, services.clock)
        if found is None:
            return None
        view, told = found.view, heard(session, services.settings)
        confirms, approval = keys.activation(contract), view.approval
        named = [key for key in view.effects if key.startswith("customer:")]
        rows = select(EffectRow).where(col(EffectRow.key).in_([*named, keys.subscription(contract), confirms]))
        steps = [_step(row) for row in session.exec(rows.order_by(col(EffectRow.created_at))).all()]
        return ActivationAnswer(
            contract=contract,
            account=view.account,
            deal=view.deal,
            selling_entity=view.selling_entity,
            connections=view.connections,
            progress=_progress(view),
            waits_for=view.next_step if view.stage is Stage.ORDER_ACTIVATION else "",
            confirmed_at=next((each.at for each in steps if each.effect == confirms and each.state == "DONE"), None),
            approval_needed=[f"{each.path}: {each.message}" for each in approval.reasons] if approval else [],
            approval_revision=approval.revision if approval else None,
            approved_by=approval.approved_by if approval else None,
            rejected_by=approval.rejected_by if approval else None,
            steps=steps,
            cases=view.cases if view.stage is Stage.ORDER_ACTIVATION else [],
            freshness={
                "lifecycle": found.updated_at,
                **{name: told.get(name) for name in used(view.connections, services.settings, "crm", "erp")},
            },
        )

    return await services.database.read(read)


def _progress(view: LifecycleView) -> Progress:
    if view.stage is Stage.CANCELLED:
        return "cancelled"
    if view.stage is not Stage.ORDER_ACTIVATION:
        return "activated"
    if view.approval is not None and not view.approval.given:
        return "waits_for_approval"
    return "needs_attention" if view.cases else "under_way"


def _step(row: EffectRow) -> Step:
    record = (row.result or {}).get("id")
    at = datetime.fromtimestamp(row.updated_at, UTC)
    return Step(effect=row.key, state=row.state, record=str(record) if record else None, at=at)


def _line(row: LifecycleViewRow) -> ActivationLine:
    view = LifecycleView.model_validate(row.view)
    return ActivationLine(
        contract=row.contract,
        account=view.account,
        deal=view.deal,
        progress=_progress(view),
        waits_for=view.next_step,
        updated_at=row.updated_at,
    )
