"""What people do about exception cases: one list for dead letters, refusals, early events and what lifecycles wait for.

Nothing here needs Temporal. A case that a lifecycle projects is moved on by the lifecycle itself: `starter.office`.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

from sqlmodel import Session, col, select

from domain.events import UnusableEvent
from starter.case_list import Listed, Wanted, find_case, listed
from starter.mistakes import Mistake
from starter.payloads import fixed, received, restored, texts
from starter.sources.reading import Sources, Usable
from store.cases import REFUSED, note, resolve_case
from store.database import Database
from store.dead_letters import mend, put_away, put_back, unused
from store.tables import CaseNoteRow, CaseRow, InboxRow, utc_now

T = TypeVar("T")

AT_ONCE = 100


@dataclass(frozen=True)
class Shown:
    """One case with its event, what must not be shown masked, and its history, oldest first. `texts`: what its customer
    wrote to support, by its path in the event's payload; None of an event that is not of support."""

    case: CaseRow
    event: dict[str, Any] | None
    texts: dict[str, str] | None
    history: Sequence[CaseNoteRow]


class CaseDesk:
    """`sources` read a payload as the router would, so that an edited one is known to be usable."""

    def __init__(self, database: Database, sources: Sources | None = None) -> None:
        self._db = database
        self._sources = sources or Sources()

    async def find(self, name: str) -> CaseRow:
        """The case of an id, an event's number, or a unique part of an open case's id. Raises Mistake."""
        return await self._db.read(lambda session: find_case(session, name))

    async def list(self, wanted: Wanted, limit: int = 200) -> Listed:
        """The newest first; the groups count everything that is wanted, not what the limit lets through."""
        return await self._db.read(lambda session: listed(session, wanted, limit))

    async def show(self, name: str) -> Shown:
        def read(session: Session) -> Shown:
            case = find_case(session, name)
            history = select(CaseNoteRow).where(CaseNoteRow.case_id == case.id).order_by(col(CaseNoteRow.id))
            row = session.get(InboxRow, case.inbox_id) if case.inbox_id else None
            notes = session.exec(history).all()
            if row is None:
                return Shown(case, None, None, notes)
            written = self._written(row)
            return Shown(case, received(session, row, written=written), texts(row.payload) if written else None, notes)

        return await self._db.read(read)

    # ── its event ───────────────────────────────────────────────────────────────────────────────────────────────

    async def edit(self, name: str, by: str, *, payload: str | None = None, fixes: dict[str, str] | None = None) -> int:
        """Give the case's event another payload, in which what is still masked stays what it was, or set paths in it;
        returns the event's number.

        Raises Mistake, and changes nothing, when the result is no event that can be read.
        """

        def change(session: Session, case: CaseRow, row: InboxRow) -> int:
            if payload is None:
                text = json.dumps(fixed(row.payload, fixes or {}))
            else:
                text = restored(row.payload, payload, written=self._written(row))
            self._rewrite(row, text)
            what = f"edited {', '.join(fixes)}" if fixes else "edited the payload"
            note(session, case.id, by, what)
            return _id(row)

        return await self._with_event(name, change)

    async def retry(self, name: str, by: str) -> int:
        """Put the case's event back in; returns its number. The case stays until the event is settled."""

        def again(session: Session, case: CaseRow, row: InboxRow) -> int:
            put_back(session, _id(row))
            note(session, case.id, by, "retried")
            return _id(row)

        return await self._with_event(name, again)

    async def retry_like(self, name: str, by: str, limit: int = AT_ONCE) -> Sequence[int]:
        """The same for all open cases like this one, in the order in which their events came; at most `limit`."""

        def again(session: Session, case: CaseRow, row: InboxRow) -> Sequence[int]:
            alike = (
                select(CaseRow, InboxRow)
                .join(InboxRow, col(InboxRow.id) == col(CaseRow.inbox_id))
                .where(CaseRow.state == "open", CaseRow.problem == case.problem, CaseRow.kind == case.kind)
                .where(InboxRow.type == row.type)
                .order_by(col(InboxRow.id))
            )
            done: list[int] = []
            for other, event in session.exec(alike).all():
                if len(done) < limit and put_back(session, _id(event)):
                    note(session, other.id, by, f"retried, with all like {case.id}" if other is not case else "retried")
                    done.append(_id(event))
            return list(dict.fromkeys(done))

        return await self._with_event(name, again)

    async def again(self, inbox_id: int, by: str, payload: str | None = None) -> None:
        """Put an event back in by its number, mended if a payload is given. Raises Mistake."""

        def put(session: Session) -> None:
            row = unused(session, inbox_id)
            if row is None and session.get(InboxRow, inbox_id) is None:
                raise Mistake(f"there is no event {inbox_id}")
            if row is None:
                raise Mistake(f"event {inbox_id} is neither dead, parked nor refused: there is nothing to repeat")
            if payload is not None:
                self._rewrite(row, payload)
            put_back(session, inbox_id)
            about = select(CaseRow.id).where(CaseRow.inbox_id == inbox_id, CaseRow.state == "open")
            for case_id in session.exec(about).all():
                note(session, case_id, by, "retried, with another payload" if payload is not None else "retried")

        await self._db.write(put)

    async def resolve(self, name: str, by: str, reason: str) -> CaseRow:
        """Close the case for good; the event of a dead letter or an early one is ignored from now on."""
        if not reason.strip():
            raise Mistake("a case is resolved for a reason; give it with --reason")

        def close(session: Session) -> CaseRow:
            case = _open(session, name)
            how = f"{reason} ({by})"
            row = session.get(InboxRow, case.inbox_id, with_for_update=True) if case.inbox_id else None
            if row is not None and row.state == "received":
                raise Mistake(f"event {row.id} is being tried at this moment; see what becomes of it first")
            if row is not None and row.state in ("dead", "parked") and case.kind != REFUSED:
                put_away(session, row, how)
            resolve_case(session, case.id, how)
            session.refresh(case)
            return case

        return await self._db.write(close)

    # ── its people ──────────────────────────────────────────────────────────────────────────────────────────────

    async def assign(self, name: str, by: str, assignee: str | None) -> CaseRow:
        """None: it is nobody's again."""

        def give(session: Session, case: CaseRow) -> str:
            case.assignee = assignee
            return f"assigned to {assignee}" if assignee else "assigned to nobody"

        return await self._with_case(name, by, give)

    async def tag(self, name: str, by: str, tags: Sequence[str], *, remove: bool = False) -> CaseRow:
        def put(session: Session, case: CaseRow) -> str:
            kept = [tag for tag in case.tags if tag not in tags]
            case.tags = kept if remove else [*kept, *dict.fromkeys(tags)]
            return f"{'took away' if remove else 'tagged'} {', '.join(tags)}"

        return await self._with_case(name, by, put)

    async def snooze(self, name: str, by: str, until: datetime | None) -> CaseRow:
        """Off the list until then; None wakes it."""
        if until is not None and until <= utc_now():
            raise Mistake(f"{until:%Y-%m-%d %H:%M} UTC is over: a case is snoozed until some time to come")

        def sleep(session: Session, case: CaseRow) -> str:
            case.snoozed_until = until
            return f"snoozed until {until:%Y-%m-%d %H:%M} UTC" if until else "woken"

        return await self._with_case(name, by, sleep)

    async def note(self, name: str, by: str, text: str) -> CaseRow:
        return await self._with_case(name, by, lambda session, case: text)

    async def record(self, case_id: str, by: str, what: str, resolution: str = "") -> None:
        """What was done about a projected case through its lifecycle."""

        def keep(session: Session) -> None:
            note(session, case_id, by, what)
            if resolution:
                session.get_one(CaseRow, case_id).resolution = resolution

        await self._db.write(keep)

    async def _with_case(self, name: str, by: str, act: Callable[[Session, CaseRow], str]) -> CaseRow:
        """Do something about an open case, and note it."""

        def done(session: Session) -> CaseRow:
            case = _open(session, name)
            note(session, case.id, by, act(session, case))
            return case

        return await self._db.write(done)

    async def _with_event(self, name: str, act: Callable[[Session, CaseRow, InboxRow], T]) -> T:
        """Do something about the event of an open case, which must be one that can be mended or repeated."""

        def done(session: Session) -> T:
            case = _open(session, name)
            if case.inbox_id is None:
                raise Mistake(
                    f"{case.id} is about no received event: there is nothing to retry; {case.mend or 'see it'}"
                )
            row = unused(session, case.inbox_id)
            if row is None:
                raise Mistake(f"there is nothing to retry: event {case.inbox_id} is on its way, or settled")
            return act(session, case, row)

        return await self._db.write(done)

    def _written(self, row: InboxRow) -> bool:
        return self._sources.of_support(row.source, row.type)

    def _rewrite(self, row: InboxRow, payload: str) -> None:
        try:
            reading = self._sources.read(row.source, payload)
        except UnusableEvent as error:
            raise Mistake(f"event {row.id} would still be of no use: {error}") from None
        mend(row, payload)
        if isinstance(reading, Usable):
            row.type = reading.event.type


def _open(session: Session, name: str) -> CaseRow:
    case = session.get_one(CaseRow, find_case(session, name).id, with_for_update=True, populate_existing=True)
    if case.state != "open":
        raise Mistake(f"{case.id} is resolved already{f': {case.resolution}' if case.resolution else ''}")
    return case


def _id(row: InboxRow) -> int:
    if row.id is None:
        raise ValueError("an inbox row that was never stored")
    return row.id
