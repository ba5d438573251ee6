"""Exception cases: those that lifecycles project with their views, and those of the intake and the ledger."""

from collections.abc import Sequence
from datetime import datetime

from sqlmodel import Session, col, select, update

from domain.view import CaseView
from store.database import Database, change, insert_once
from store.tables import CaseNoteRow, CaseRow, InboxRow, utc_now

DEAD_LETTER, UNLINKED_DEAL, EARLY_EVENT, REFUSED = "dead_letter", "unlinked_deal", "early_event", "refused_event"
FROZEN, FENCED = "frozen", "fenced"


class Cases:
    """The error queue. A resolved case stays; opening it again re-opens it."""

    def __init__(self, database: Database) -> None:
        self._db = database

    async def open(self, case: CaseRow) -> None:
        await self._db.write(lambda session: open_case(session, case))

    async def resolve(self, case_id: str, how: str = "") -> bool:
        """False when there is no such open case. A projected case is resolved by its lifecycle alone."""
        return await self._db.write(lambda session: resolve_case(session, case_id, how))

    async def get(self, case_id: str) -> CaseRow | None:
        return await self._db.read(lambda session: session.get(CaseRow, case_id))

    async def list(self, *, contract: str | None = None, state: str | None = "open") -> Sequence[CaseRow]:
        """Oldest first; `state` None lists all."""
        query = select(CaseRow).order_by(col(CaseRow.opened_at), col(CaseRow.id))
        if contract is not None:
            query = query.where(CaseRow.contract == contract)
        if state is not None:
            query = query.where(CaseRow.state == state)
        return await self._db.read(lambda session: session.exec(query).all())

    async def notes(self, case_id: str) -> Sequence[CaseNoteRow]:
        """The case's history, oldest first."""
        query = select(CaseNoteRow).where(CaseNoteRow.case_id == case_id).order_by(col(CaseNoteRow.id))
        return await self._db.read(lambda session: session.exec(query).all())


def open_case(session: Session, case: CaseRow) -> None:
    """Open it, or open it again with what is known now; `opened_at` of a case that is still open stays.

    A case that says more about a dead letter takes the place of its own, with what that one's history holds.
    """
    about_another = False
    if not insert_once(session, case, keys=("id",)):
        old = session.get_one(CaseRow, case.id, with_for_update=True, populate_existing=True)
        about_another = old.state == "open" and _about_another_dead(session, old, case)
        if old.state != "open":
            old.state, old.opened_at, old.resolved_at = "open", case.opened_at, None
            old.resolution, old.snoozed_until = "", None
        old.title, old.reasons, old.actor, old.mend = case.title, case.reasons, case.actor, case.mend
        if not about_another:
            old.kind, old.problem, old.inbox_id = case.kind, case.problem, case.inbox_id
    if case.kind == REFUSED:
        note(session, case.id, "tenure", f"refused: {'; '.join(case.reasons)}")
    elif case.inbox_id is not None and case.kind != DEAD_LETTER and not about_another:
        _replace_dead_letter(session, case)


def frozen_at(connection: str) -> str:
    """The problem of whatever waits for one connection to be thawed."""
    return f"{FROZEN}:{connection}"


def _about_another_dead(session: Session, old: CaseRow, case: CaseRow) -> bool:
    """Whether it is the only case of another dead letter, which would be left without one."""
    if old.inbox_id is None or old.inbox_id == case.inbox_id:
        return False
    state = session.exec(select(InboxRow.state).where(InboxRow.id == old.inbox_id)).one_or_none()
    return state == "dead"


def _replace_dead_letter(session: Session, case: CaseRow) -> None:
    plain = session.get(CaseRow, f"event:{case.inbox_id}", populate_existing=True)
    if plain is None or plain.id == case.id or plain.kind != DEAD_LETTER:
        return
    moved = update(CaseNoteRow).where(col(CaseNoteRow.case_id) == plain.id).values(case_id=case.id)
    change(session, moved)
    session.delete(plain)
    session.flush()


def resolve_case(session: Session, case_id: str, how: str = "") -> bool:
    """`how` it was settled, and by whom, is kept. False when there is no such open case, or a lifecycle projects it."""
    statement = (
        update(CaseRow)
        .where(col(CaseRow.id) == case_id, col(CaseRow.state) == "open", ~col(CaseRow.projected))
        .values(state="resolved", resolved_at=utc_now(), resolution=how)
    )
    if change(session, statement) == 0:
        return False
    if how:
        note(session, case_id, "tenure", f"resolved: {how}")
    return True


def note(session: Session, case_id: str, by: str, what: str) -> None:
    """A line of the case's history."""
    session.add(CaseNoteRow(case_id=case_id, by=by, what=what))
    session.flush()


def project_cases(session: Session, contract: str, account: str, views: Sequence[CaseView], at: datetime) -> None:
    """Make a contract's projected cases equal to those of its newest view: new ones open, vanished ones are resolved.

    The row's id is `<contract>:<case id>`, since a lifecycle knows only its own cases.
    """
    live = {f"{contract}:{view.id}": view for view in views}
    for case_id, view in live.items():
        open_case(
            session,
            CaseRow(
                id=case_id,
                contract=contract,
                account=account or None,
                kind=view.kind,
                title=view.title,
                reasons=view.reasons,
                opened_at=view.opened_at,
                actor=view.actor,
                mend=view.mend,
                projected=True,
                problem=frozen_at(view.connection) if view.kind == FROZEN else "",
            ),
        )
    session.flush()
    vanished = (
        update(CaseRow)
        .where(col(CaseRow.contract) == contract, col(CaseRow.state) == "open", col(CaseRow.projected))
        .where(col(CaseRow.id).not_in(list(live)))
        .values(state="resolved", resolved_at=at)
    )
    change(session, vanished)
