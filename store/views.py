"""The views that lifecycles publish, and what follows from a view: its cases, timeline lines for new stages, and what
subscribers are told."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import JSON, bindparam, type_coerce
from sqlmodel import Session, col, func, or_, select, update

from domain.announcements import announce
from domain.books import ViewRow
from domain.view import LifecycleView, Stage
from store.board import put_on_board
from store.cases import project_cases
from store.clocks import keep_clocks
from store.database import Database, change, insert_values, moment
from store.lifecycles import close_lifecycle
from store.outgoing import append
from store.succession import tell_former
from store.tables import LifecycleRow, LifecycleViewRow, utc_now
from store.timeline import add_line

OVER = (Stage.ENDED, Stage.CANCELLED)


class SqlViews:
    """domain.books.Views, and the board's questions."""

    def __init__(self, database: Database) -> None:
        self._db = database

    async def publish(self, row: ViewRow) -> None:
        """The newest (run_started, sequence) wins; publishing an older view, or the same again, changes nothing."""
        await self._db.write(lambda session: publish_view(session, row))

    async def get(self, contract: str) -> LifecycleView | None:
        row = await self._db.read(lambda session: session.get(LifecycleViewRow, contract))
        return None if row is None else LifecycleView.model_validate(row.view)

    async def list(
        self,
        *,
        stage: str | None = None,
        account: str | None = None,
        needs_attention: bool | None = None,
        limit: int = 500,
    ) -> Sequence[LifecycleViewRow]:
        """By the nearest renewal date, those without one last."""
        query = select(LifecycleViewRow)
        if stage is not None:
            query = query.where(LifecycleViewRow.stage == stage)
        if account is not None:
            query = query.where(LifecycleViewRow.account == account)
        if needs_attention is not None:
            query = query.where(LifecycleViewRow.needs_attention == needs_attention)
        query = query.order_by(col(LifecycleViewRow.renewal_date).nulls_last(), col(LifecycleViewRow.contract))
        return await self._db.read(lambda session: session.exec(query.limit(limit)).all())


def count_by_connection(session: Session, kind: str) -> dict[str, int]:
    """How many contracts are open in each system of a kind; under "" those that were activated and record none."""
    name = type_coerce(LifecycleViewRow.view, JSON)["connections"][kind].as_string()
    query = (
        select(name, func.count())
        .join(LifecycleRow, col(LifecycleRow.contract) == col(LifecycleViewRow.contract))
        .where(~col(LifecycleRow.closed))
        .where(or_(name.is_not(None), col(LifecycleViewRow.stage) != Stage.ORDER_ACTIVATION))
        .group_by(name)
    )
    return {each or "": number for each, number in session.exec(query).all()}


def publish_view(session: Session, row: ViewRow) -> bool:
    """Inside a transaction of somebody else's, such as the ledger's. False when a newer view, or this one, is there."""
    view = LifecycleView.model_validate(row.view)
    view.as_of = view.as_of or utc_now()
    cases = [] if view.mode == "shadow" else view.cases  # what a shadow stumbles over is for its report
    published = {
        "run_started": row.run_started,
        "sequence": row.sequence,
        "stage": view.stage.value,
        "account": view.account,
        "renewal_date": view.renewal_date,
        "needs_attention": bool(cases),
        "view": row.view,
        "updated_at": moment(session),
    }
    before, old = None, _locked(session, row.contract)
    if old is None and not insert_values(
        session, LifecycleViewRow, {"contract": row.contract, **published}, keys=("contract",)
    ):
        old = _locked(session, row.contract)  # somebody else's, who was first by a moment
    if old is not None:
        if (row.run_started, row.sequence) <= (old.run_started, old.sequence):
            return False
        before = LifecycleView.model_validate(old.view)
        if before.selling_entity != view.selling_entity:  # it has moved: facts of the customer there are its own now
            session.get_one(LifecycleRow, row.contract).selling_entity = view.selling_entity
        change(session, _FOLLOW, {"of": row.contract, **published})
    put_on_board(session, view)
    keep_clocks(session, before, view, view.as_of)  # before the cases: the sweep takes both in this order too
    if cases or before is None or before.cases:
        project_cases(session, row.contract, view.account, cases, utc_now())
    if view.stage in OVER:
        close_lifecycle(session, row.contract)
    append(session, row, announce(before, view), view.as_of)
    if before is None or before.term == 0:
        tell_former(session, view)
    if before is None or view.stage is not before.stage:
        add_line(
            session,
            row.contract,
            business_at=view.as_of,
            kind="stage",
            summary=f"{before.stage.value} → {view.stage.value}" if before else view.stage.value,
            ref=f"stage:{row.run_started.timestamp():.3f}:{row.sequence}",
        )
    return True


class _Shown(NamedTuple):
    run_started: datetime
    sequence: int
    view: dict[str, Any]


# made once: every view passes here, and past the session, which keeps nothing of it
_SHOWN = (
    select(LifecycleViewRow.run_started, LifecycleViewRow.sequence, LifecycleViewRow.view)
    .where(col(LifecycleViewRow.contract) == bindparam("of"))
    .with_for_update()
)
_FOLLOW = (
    update(LifecycleViewRow)
    .where(col(LifecycleViewRow.contract) == bindparam("of"))
    .values({name: bindparam(name) for name in LifecycleViewRow.model_fields if name != "contract"})
)


def _locked(session: Session, contract: str) -> _Shown | None:
    found = session.connection().execute(_SHOWN, {"of": contract}).one_or_none()
    return None if found is None else _Shown(*found)
