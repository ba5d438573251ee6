"""Dead letters: events that can't be used. Each has an open case, from the transaction in which it died until it is
used, put away by a person, or moot. The functions belong to the transactions of inbox, router and sweep.
"""

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from sqlalchemy import ColumnElement, literal_column
from sqlmodel import Session, and_, col, or_, select, update

from domain.counting import many
from domain.events import Event, UnusableEvent, read_event
from domain.mapping import Mapping, UnusableRecord, summary
from domain.moot import Heard, alike, heard, moot_by
from store.cases import DEAD_LETTER, EARLY_EVENT, UNLINKED_DEAL, note, open_case, resolve_case
from store.database import change, db_now, insert_once
from store.tables import CaseRow, DeliveryRow, InboxRow, utc_now

Read = Callable[[str, str], Event]
"""Reads a source's payload as one of our events. Raises UnusableEvent."""

UNUSABLE, OUTAGE, EARLY = "unusable", "outage", "early"
HINT = "hint."  # what the type of an event begins with whose record is read back first
MOOT, PUT_AWAY = "moot", "put_away"
OUR_OWN = ("tenure.start", "tenure.sweep")  # rows of ours, which nobody sent: they aren't routed, only delivered

FIRST_PAUSE, LONGEST_PAUSE = 60.0, 3600.0
OUTAGE_ATTEMPTS = 30  # a little more than a day
AT_ONCE = 100
LONGEST_NAME = 255


def case_of(inbox_id: int) -> str:
    """The id of the case that a received event has by itself."""
    return f"event:{inbox_id}"


def read_payload(source: str, payload: str) -> Event:
    """Read a CloudEvent, from whatever source."""
    try:
        return read_event(json.loads(payload))
    except (ValueError, RecursionError) as error:
        raise UnusableEvent(str(error) if isinstance(error, UnusableEvent) else f"not JSON: {error}") from None


def bury(session: Session, inbox_id: int, reason: str, problem: str) -> None:
    """The row is dead from now on. After an outage it is tried again by itself, ever more seldom, and not for ever."""
    row = session.get_one(InboxRow, inbox_id, populate_existing=True, with_for_update=True)
    row.state, row.reason, row.problem, row.parked_for = "dead", reason, problem, None
    row.attempts += 1
    row.next_try_at = 0.0
    session.flush()
    if problem == OUTAGE and row.attempts <= OUTAGE_ATTEMPTS:
        pause = min(FIRST_PAUSE * 2 ** min(row.attempts - 1, 10), LONGEST_PAUSE)
        change(session, update(InboxRow).where(col(InboxRow.id) == inbox_id).values(next_try_at=db_now() + pause))
    open_dead_letter(session, row)


def open_dead_letter(session: Session, row: InboxRow) -> None:
    """Open the case of a dead row, or tell its open one of another attempt. `row` may be outside the session."""
    if row.id is None:
        stored = select(InboxRow.id).where(InboxRow.source == row.source, InboxRow.event_id == row.event_id)
        inbox_id = session.exec(stored).one() or 0
    else:
        inbox_id = row.id
    reasons = [row.reason]
    if row.problem == OUTAGE and row.attempts > OUTAGE_ATTEMPTS:
        reasons.append(f"after {many(row.attempts, 'attempt')} it is not tried again by itself")
    open_one = _open_about(session, inbox_id) if row.attempts > 1 else None
    if open_one is not None:
        open_one.reasons, open_one.problem = reasons, row.problem
    else:
        contract, account = _named(row.payload)
        name = case_of(inbox_id)
        case = CaseRow(
            id=name,
            contract=contract,
            account=account,
            kind=DEAD_LETTER,
            title=f"{row.type or 'an event'} {row.subject}".rstrip() + f" from {row.source} could not be used",
            reasons=reasons,
            actor="ops",
            mend=f"tenure cases edit {name} --set path=value, or --payload FILE; then tenure cases retry {name}",
            problem=row.problem,
            inbox_id=inbox_id,
        )
        open_case(session, case)
    note(session, open_one.id if open_one else case_of(inbox_id), "tenure", f"could not be used: {row.reason}")


def settle(session: Session, inbox_id: int, how: str, *, still_early: bool = False) -> None:
    """An event that had died, or waited for long, is a case no more. What it asks people, or lifecycles refuse, is."""
    row = session.get(InboxRow, inbox_id)
    if row is None or row.attempts == 0:  # it never was one: that is nearly every event
        return
    over = (DEAD_LETTER, UNLINKED_DEAL) if still_early else (DEAD_LETTER, UNLINKED_DEAL, EARLY_EVENT)
    about = select(CaseRow.id).where(CaseRow.inbox_id == inbox_id, CaseRow.state == "open")
    for case_id in session.exec(about.where(col(CaseRow.kind).in_(over))).all():
        resolve_case(session, case_id, how)


def put_in(session: Session, row: InboxRow) -> bool:
    """Insert a row that came in, with its case if it is dead. False when (source, event id) was here before."""
    if row.state == "dead":
        row.problem, row.attempts = row.problem or UNUSABLE, 1
    new = insert_once(session, row, keys=("source", "event_id"))
    if new and row.state == "dead":
        open_dead_letter(session, row)
    return new


def put_back(session: Session, inbox_id: int, payload: str | None = None) -> bool:
    """Put a dead, parked or refused event back in, mended if a payload is given. False when it is none of these."""
    row = unused(session, inbox_id)
    if row is None:
        return False
    if payload is not None:
        mend(row, payload)
    if row.type in OUR_OWN:
        refused = and_(col(DeliveryRow.inbox_id) == inbox_id, col(DeliveryRow.state) == "refused")
        change(session, update(DeliveryRow).where(refused).values(state="pending", seq=None, answer=""))
        return True
    row.state = "hint" if row.type.startswith(HINT) else "received"
    row.reason, row.problem, row.parked_for = "", "", None
    row.attempts, row.next_try_at = 1, 0.0  # a person's try: what follows by itself is counted anew
    session.flush()
    return True


def unused(session: Session, inbox_id: int) -> InboxRow | None:
    """The event, locked, if a person may mend or repeat it: it is dead, parked, or a lifecycle refused it."""
    refused = select(DeliveryRow.inbox_id).where(DeliveryRow.inbox_id == inbox_id, DeliveryRow.state == "refused")
    waits = or_(col(InboxRow.state).in_(("dead", "parked")), col(InboxRow.id).in_(refused))
    query = select(InboxRow).where(InboxRow.id == inbox_id, waits, InboxRow.state != "received").with_for_update()
    return session.exec(query.execution_options(populate_existing=True)).one_or_none()


def mend(row: InboxRow, payload: str) -> None:
    """Another payload; what the source itself had sent is kept."""
    if payload != row.payload:
        row.original = row.payload if row.original is None else row.original
        row.payload = payload


def resolve_moot(session: Session, row: InboxRow, mapping: Mapping | None = None, read: Read = read_payload) -> int:
    """Put away the dead letters that have nothing to add, now that this event was used; returns how many.

    Deals are known by their CRM's `mapping`.
    """
    types = alike(row.type)
    if not types or row.id is None:
        return 0
    # the sum keeps SQLite from reading all that is dead by its id, instead of the few of this source and type
    earlier = and_(col(InboxRow.source) == row.source, col(InboxRow.type).in_(types), col(InboxRow.id) + 0 < row.id)
    dead = session.exec(select(InboxRow).where(_is_dead(), earlier).with_for_update()).all()
    if not dead:
        return 0
    later = _heard(row, mapping, read)
    moot = [each for each in dead if moot_by(_heard(each, mapping, read), later)]
    for each in moot:
        put_away(session, each, f"event {row.id} told the same, later, and was used", MOOT)
    return len(moot)


def put_away(session: Session, row: InboxRow, why: str, problem: str = PUT_AWAY) -> None:
    """The event is never used, for a reason; its cases are resolved. Not even a replay brings it back."""
    row.state, row.reason, row.problem, row.parked_for, row.next_try_at = "ignored", why, problem, None, 0.0
    row.attempts = max(row.attempts, 1)
    session.flush()
    settle(session, row.id or 0, why)


def retry_due(session: Session) -> int:
    """The sweep: put back what failed for an outage and whose pause is over; returns how many."""
    due = select(InboxRow.id).where(
        _is_dead(), InboxRow.problem == OUTAGE, InboxRow.next_try_at > 0, col(InboxRow.next_try_at) <= db_now()
    )
    ids = session.exec(due.order_by(col(InboxRow.id)).limit(AT_ONCE).with_for_update()).all()
    again = update(InboxRow).where(col(InboxRow.id).in_(ids), col(InboxRow.state) == "dead")
    return change(session, again.values(state="received", reason="", next_try_at=0.0)) if ids else 0


def cases_for_parked(session: Session, older_than: timedelta) -> int:
    """The sweep: an event that has been early for so long is a person's matter too; returns how many new cases."""
    has_case = select(CaseRow.inbox_id).where(CaseRow.state == "open", CaseRow.kind == EARLY_EVENT)
    early = select(InboxRow).where(
        InboxRow.state == "parked", InboxRow.received_at < utc_now() - older_than, col(InboxRow.id).not_in(has_case)
    )
    rows = session.exec(early.order_by(col(InboxRow.id)).limit(AT_ONCE).with_for_update()).all()
    for row in rows:
        contract, account = _named(row.payload)
        name = case_of(row.id or 0)
        case = CaseRow(
            id=name,
            contract=contract,
            account=account,
            kind=EARLY_EVENT,
            title=f"early event {row.id} still waits for {row.parked_for}",
            reasons=[f"{row.type} came on {row.received_at:%Y-%m-%d}, and {row.parked_for} is not known yet"],
            actor="ops",
            mend=f"make it known, or: tenure cases resolve {name} --reason WHY",
            problem=EARLY,
            inbox_id=row.id,
        )
        open_case(session, case)
        note(session, name, "tenure", f"waits for {row.parked_for}")
    return len(rows)


def unparked(session: Session, inbox_ids: list[int], what: str) -> None:
    """What these events waited for is known: they are early no more."""
    for inbox_id in inbox_ids:
        case = session.get(CaseRow, case_of(inbox_id), populate_existing=True)
        if case is not None and case.kind == EARLY_EVENT and case.state == "open":
            resolve_case(session, case.id, f"{what} is known now")


def _open_about(session: Session, inbox_id: int) -> CaseRow | None:
    query = select(CaseRow).where(CaseRow.inbox_id == inbox_id, CaseRow.state == "open")
    return session.exec(query.where(col(CaseRow.kind).in_((DEAD_LETTER, UNLINKED_DEAL)))).first()


def _is_dead() -> ColumnElement[bool]:
    """Written out, so that the partial index serves it."""
    return col(InboxRow.state) == literal_column("'dead'")


def _heard(row: InboxRow, mapping: Mapping | None, read: Read) -> Heard:
    def deal_of(record: dict[str, Any]) -> tuple[str, str] | None:
        try:
            deal = summary(record, mapping) if mapping else None
        except UnusableRecord:
            return None
        return (deal.deal_id, deal.version) if deal else None

    try:
        event = read(row.source, row.payload)
        body: Any = {"time": event.time and event.time.isoformat(), "data": event.data.model_dump(mode="json")}
    except UnusableEvent:
        body = _json(row.payload)
    return heard(row.source, row.type, row.subject, row.id or 0, body, deal_of)


def _named(payload: str) -> tuple[str | None, str | None]:
    """The contract and the account that an event names, as far as it can be told."""
    body = _json(payload)
    data = body.get("data") if isinstance(body, dict) else None
    values = (data.get("contract"), data.get("account")) if isinstance(data, dict) else (None, None)
    contract, account = (
        value if isinstance(value, str) and value.isprintable() and 0 < len(value) <= LONGEST_NAME else None
        for value in values
    )
    return contract, account


def _json(payload: str) -> Any:
    try:
        return json.loads(payload)
    except (ValueError, RecursionError):
        return None
