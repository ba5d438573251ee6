"""Differences between the systems: found, aged, ignored for a while, closed when they are gone; and who did what."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime

from sqlalchemy import ColumnElement
from sqlmodel import Session, col, func, or_, select

from domain.reconciling.difference import OPEN, Difference, Found, Remedy
from domain.reconciling.kinds import KINDS, kind_of
from store.database import Database, insert_once
from store.difference_tables import DifferenceNoteRow, DifferenceRow, RepairRow
from store.tables import utc_now

TENURE = "tenure"


class Differences:
    """What the console, the API and the command line ask, and what a repair keeps."""

    def __init__(self, database: Database) -> None:
        self._db = database

    async def list(
        self,
        *,
        status: Collection[str] = ("open",),
        kind: str | None = None,
        klass: str | None = None,
        system: str | None = None,
        owner: str | None = None,
        contract: str | None = None,
        account: str | None = None,
        after: str | None = None,
        limit: int = 500,
    ) -> Sequence[Difference]:
        """Oldest first. `after`: the id of the last one of the page before."""
        query = select(DifferenceRow)
        if status:
            query = query.where(col(DifferenceRow.status).in_(status))
        wanted = {"kind": kind, "klass": klass, "system": system, "owner": owner}
        wanted |= {"contract": contract, "account": account}
        for name, value in wanted.items():
            if value is not None:
                query = query.where(getattr(DifferenceRow, name) == value)

        def read(session: Session) -> Sequence[Difference]:
            nonlocal query
            if after is not None and (last := session.get(DifferenceRow, after)) is not None:
                later = col(DifferenceRow.found_at) > last.found_at
                same = (col(DifferenceRow.found_at) == last.found_at) & (col(DifferenceRow.id) > last.id)
                query = query.where(or_(later, same))
            page = query.order_by(col(DifferenceRow.found_at), col(DifferenceRow.id)).limit(limit)
            return [seen(row) for row in session.exec(page)]

        return await self._db.read(read)

    async def get(self, difference: str) -> Difference | None:
        """By its id, or the beginning of it where that names one."""

        def read(session: Session) -> Difference | None:
            row = session.get(DifferenceRow, difference)
            if row is None and difference:
                starts = col(DifferenceRow.id).startswith(difference, autoescape=True)
                alike = session.exec(select(DifferenceRow).where(starts).limit(2)).all()
                row = alike[0] if len(alike) == 1 else None
            return None if row is None else seen(row)

        return await self._db.read(read)

    async def notes(self, difference: str) -> Sequence[DifferenceNoteRow]:
        """What was done about it, oldest first."""
        query = select(DifferenceNoteRow).where(DifferenceNoteRow.difference == difference)
        return await self._db.read(lambda session: session.exec(query.order_by(col(DifferenceNoteRow.id))).all())

    async def counts(self) -> dict[str, dict[str, int]]:
        """How many by status and class: `{"open": {"quantity": 2}}`."""
        query = select(DifferenceRow.status, DifferenceRow.klass, func.count())
        rows = await self._db.read(
            lambda session: session.exec(query.group_by(DifferenceRow.status, DifferenceRow.klass)).all()
        )
        counted: dict[str, dict[str, int]] = {}
        for status, klass, number in rows:
            counted.setdefault(status, {})[klass] = number
        return counted

    async def ignore(self, difference: str, by: str, reason: str, until: date) -> Difference | None:
        """Leave an open difference until the end of a day. None where it is not open."""

        def put_away(session: Session) -> Difference | None:
            row = session.get(DifferenceRow, difference, with_for_update=True)
            if row is None or row.status not in OPEN:
                return None
            row.status, row.ignored_until, row.reason = "ignored", until, reason
            note(session, difference, by, f"ignored until {until}: {reason}")
            return seen(row)

        return await self._db.write(put_away)

    async def begin_repair(self, repair: RepairRow) -> RepairRow:
        """The decision, before anything is done; one that was begun and not finished goes on in its place."""

        def begin(session: Session) -> RepairRow:
            session.get_one(DifferenceRow, repair.difference, with_for_update=True)
            begun = select(RepairRow).where(RepairRow.difference == repair.difference, RepairRow.state == "begun")
            there = session.exec(begun.order_by(col(RepairRow.id)).limit(1)).one_or_none()
            if there is not None:
                return there
            session.add(repair)
            session.flush()
            note(session, repair.difference, repair.by, f"repair {repair.id} begun: {repair.remedy}; {repair.reason}")
            return repair

        return await self._db.write(begin)

    async def advance_repair(self, repair: int, results: Sequence[str], state: str = "begun", what: str = "") -> None:
        """One mend is done: what it made is kept before the next begins."""

        def advance(session: Session) -> None:
            row = session.get_one(RepairRow, repair, with_for_update=True)
            row.results, row.state = list(results), state
            if what:
                note(session, row.difference, row.by, f"repair {repair} {state}: {what}")

        await self._db.write(advance)

    async def note(self, difference: str, by: str, what: str) -> None:
        await self._db.write(lambda session: note(session, difference, by, what))


@dataclass(frozen=True)
class Compared:
    """What a comparison was about: of which it can tell that a difference is gone. `systems`: the kinds of system that
    could be read. `accounts`: those of which everything was compared; `whole`: everything that belongs to no contract.
    `unseen`: by contract, and by account for what belongs to none, the kinds that were not compared. `as_of`: when
    reading began; what somebody has seen since then is not known to be gone.
    """

    systems: Collection[str]
    contracts: Collection[str] = ()
    accounts: Collection[str] = ()
    whole: bool = False
    unseen: Mapping[str, Collection[str]] = field(default_factory=dict)
    as_of: datetime | None = None

    def saw(self, row: DifferenceRow) -> bool:
        if self.as_of is not None and row.seen_at > self.as_of:
            return False
        return row.kind not in self.unseen.get(row.contract or row.account, ())


def known_among(session: Session, ids: Collection[str]) -> set[str]:
    """Those of the differences that are open, or ignored, already."""
    there = select(DifferenceRow.id).where(col(DifferenceRow.id).in_(ids), col(DifferenceRow.status).in_(OPEN))
    return set(session.exec(there).all())


def record(session: Session, found: Sequence[Found], compared: Compared) -> tuple[list[str], int]:
    """Keep what was found, and close what is not there any more. Returns the ids of those that are new, or open again,
    and how many have closed."""
    at, new = utc_now(), []
    for each in found:
        if _keep(session, each, at):
            new.append(each.id)
    return new, _close_gone(session, {each.id for each in found}, compared, at)


def _keep(session: Session, found: Found, at: datetime) -> bool:
    kind = kind_of(found.kind)
    said = found.model_dump(exclude={"contract"}) | {"contract": found.contract}
    row = DifferenceRow(
        id=found.id, klass=kind.klass, system=kind.system, owner=kind.owner, found_at=at, seen_at=at, **said
    )
    if insert_once(session, row, keys=("id",)):
        note(session, found.id, TENURE, f"found: {found.sentence}")
        return True
    there = session.get_one(DifferenceRow, found.id, with_for_update=True, populate_existing=True)
    there.seen_at, there.sentence, there.ours, there.theirs = at, found.sentence, found.ours, found.theirs
    if there.status in ("healed", "repaired"):
        there.status, there.found_at, there.closed_at, there.settled = "open", at, None, ""
        note(session, found.id, TENURE, f"found again: {found.sentence}")
        return True
    if there.status == "ignored" and there.ignored_until is not None and there.ignored_until < at.date():
        there.status = "open"
        note(session, found.id, TENURE, f"open again: it was ignored until {there.ignored_until}")
        return True
    return False


def _close_gone(session: Session, ids: Collection[str], compared: Compared, at: datetime) -> int:
    about: ColumnElement[bool] = col(DifferenceRow.contract).in_(compared.contracts)
    if compared.whole:
        about = or_(about, col(DifferenceRow.contract).is_(None))
    elif compared.accounts:
        theirs = col(DifferenceRow.contract).is_(None) & col(DifferenceRow.account).in_(compared.accounts)
        about = or_(about, theirs & (col(DifferenceRow.klass) != "orphaned"))
    there = select(DifferenceRow).where(about, col(DifferenceRow.status).in_(OPEN))
    closed = 0
    for row in session.exec(there.where(col(DifferenceRow.system).in_(compared.systems)).with_for_update()).all():
        if row.id in ids or not compared.saw(row):
            continue
        done = select(RepairRow.by).where(RepairRow.difference == row.id, RepairRow.state == "done")
        since = done.where(col(RepairRow.at) >= row.found_at).order_by(col(RepairRow.id).desc()).limit(1)
        by = session.exec(since).one_or_none()
        row.status, row.closed_at = ("repaired" if by else "healed"), at
        row.settled = f"repaired by {by}" if by else "it healed by itself"
        note(session, row.id, TENURE, f"closed: {row.settled}")
        closed += 1
    return closed


def settle(session: Session, difference: str, how: str) -> None:
    """Close one that can't be looked at alone."""
    row = session.get_one(DifferenceRow, difference, with_for_update=True)
    if row.status in OPEN:
        row.status, row.closed_at, row.settled = "repaired", utc_now(), how
        note(session, difference, TENURE, f"closed: {how}")


def healed_since(session: Session, moment: datetime) -> int:
    """How many differences have closed themselves since then."""
    gone = select(func.count()).where(DifferenceRow.status == "healed", col(DifferenceRow.closed_at) >= moment)
    return session.exec(gone).one()


def note(session: Session, difference: str, by: str, what: str) -> None:
    session.add(DifferenceNoteRow(difference=difference, by=by, what=what))
    session.flush()


def seen(row: DifferenceRow) -> Difference:
    kind = KINDS.get(row.kind)
    remedies: tuple[Remedy, ...] = kind.remedies if kind else ("ignore",)
    systems = ("workflow", row.system) if row.system != "workflow" else ("workflow",)
    said = row.model_dump(exclude={"system", "changed_at"})
    return Difference(**said, systems=systems, remedies=remedies)
