"""Thin events, read back: a hint names a record that has changed, and the CRM says what it is now.

The fact is inserted, once per version, in the transaction that settles its hints, so that a crash in between costs no
more than another read.
"""

import asyncio
import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import partial

import structlog
from sqlmodel import Session

from domain.counting import many
from domain.errors import Internal, InvalidInput, NotFound, SourceUnavailable, TenureError
from domain.events import DealClosedWon, DealLost, DealReopened
from domain.ports import ChangedDeal, CrmReader, DealRecord
from starter.logs import where
from starter.sources.reading import READ_BACK
from starter.tracing import span, traceparent
from store.cases import open_case, resolve_case
from store.database import Database, insert_once
from store.hints import HINTS, Hinted, add_hints, last_heard, lease_hints, postpone_hints, settle_hints
from store.inbox import mark_dead
from store.lifecycles import find_contract, link_new
from store.tables import CaseRow, InboxRow

HINT, GAP = "hint.deal", "hint.gap"
LONGEST_MEMORY = timedelta(days=3)  # how far back a gap is filled of a source that was never heard of before
AT_ONCE = 8
LEASE = 60.0
READ_WITHIN = 45.0  # less than the lease, so that two readers seldom meet at one record
FIRST_PAUSE, LONGEST_PAUSE = 2.0, 15 * 60.0
CASE_AFTER = 5
EARLIER = timedelta(minutes=5)  # a CRM's search shows a change somewhat after its stamp

_EVENTS = {"won": DealClosedWon, "lost": DealLost, "open": DealReopened}

log = structlog.get_logger()


class Hints:
    """`readers`: by webhook source, the reader of its connection. Any number may run at once, over one store."""

    def __init__(self, database: Database, readers: Mapping[str, CrmReader]) -> None:
        self._db = database
        self._readers = readers

    async def read_back(self, limit: int = AT_ONCE) -> int:
        """One round over the records that are due, read side by side; returns how many hints are settled.

        What can't be read now is tried again, ever more seldom and with a case for a person, but for as long as it
        takes. Raises SourceUnavailable when the store does not answer; the hints are due again when their lease ends.
        """
        if not await self._db.any(HINTS):
            return 0
        due = await self._db.write(lambda session: lease_hints(session, limit, LEASE))
        rounds = await asyncio.gather(*(self._read(hinted) for hinted in due), return_exceptions=True)
        for outcome in rounds:
            if isinstance(outcome, BaseException):
                raise outcome
        return sum(settled for settled in rounds if isinstance(settled, int))

    async def back_fill(self, source: str, since: datetime) -> int:
        """After a gap: a hint for every deal that was changed since, unless that version is known; returns how many.

        Raises what the reader raises. What was inserted until then stays, and doing it again adds nothing.
        """
        reader = self._readers.get(source)
        if reader is None:
            raise InvalidInput(f"the source {source} has no CRM to read from")
        cursor, added = None, 0
        while True:
            page = await reader.changed_deals(since - EARLIER, cursor)
            rows = [_hint(source, changed) for changed in page.deals]
            added += await self._db.write(partial(add_hints, rows=rows))
            cursor = page.cursor
            if cursor is None:
                return added

    async def _read(self, hinted: Hinted) -> int:
        with span("read back", parent=hinted.trace, source=hinted.source, hints=len(hinted.ids)):
            return await self._settled(hinted)

    async def _settled(self, hinted: Hinted) -> int:
        try:
            if hinted.type == GAP:
                return await self._fill_gap(hinted)
            record = await self._record(hinted)
        except TenureError as error:
            failed = _postpone if error.retried else _give_up
            await self._db.write(partial(failed, hinted=hinted, error=error))
            return 0 if error.retried else len(hinted.ids)
        await self._db.write(partial(_settle, hinted=hinted, record=record))
        return len(hinted.ids)

    async def _fill_gap(self, hinted: Hinted) -> int:
        """Ask for every deal that was changed since the source was last heard of, before it lost count."""
        heard = await self._db.read(lambda session: last_heard(session, hinted.source, before=hinted.ids[0]))
        since = heard or datetime.now(UTC) - LONGEST_MEMORY
        added = await self.back_fill(hinted.source, since)
        log.info("gap filled", source=hinted.source, since=since.isoformat(), hints=added)
        how = f"filled by a query: {many(added, 'deal')} changed since {since:%Y-%m-%d %H:%M} UTC"
        await self._db.write(lambda session: settle_hints(session, hinted, "routed", how))
        return len(hinted.ids)

    async def _record(self, hinted: Hinted) -> DealRecord:
        reader = self._readers.get(hinted.source)
        if reader is None or hinted.type != HINT:
            raise NotFound(f"there is nothing to read a {hinted.type} of the source {hinted.source} from")
        try:
            async with asyncio.timeout(READ_WITHIN):
                return await reader.read_deal(hinted.subject)
        except TimeoutError:
            raise SourceUnavailable(f"not read within {READ_WITHIN:g} s") from None
        except TenureError:
            raise
        except Exception as error:  # whatever is wrong with one record, the others must not wait for it
            log.error("record not read", subject=hinted.subject, error=type(error).__name__, where=where(error))
            raise Internal(f"it could not be read ({type(error).__name__})") from error


def _settle(session: Session, hinted: Hinted, record: DealRecord) -> None:
    if hinted.subject != record.id:
        _follow_merge(session, hinted.subject, record.id)
    resolve_case(session, _case_id(hinted))
    if record.outcome == "open" and find_contract(session, "crm", "deal", record.id) is None:
        settle_hints(session, hinted, "ignored", f"read back as {record.version}: an open deal without a contract")
        return
    insert_once(session, _fact(hinted.source, record), keys=("source", "event_id"))
    settle_hints(session, hinted, "routed", f"read back as {record.version}")


def _fact(source: str, record: DealRecord) -> InboxRow:
    event_id, type = f"deal:{record.version}", _EVENTS[record.outcome].type
    event = {
        "specversion": "1.0",
        "id": event_id,
        "source": READ_BACK,
        "type": type,
        "subject": record.id,
        "datacontenttype": "application/json",
        "data": {"record": record.record},
    }
    text = json.dumps(event)
    return InboxRow(source=source, event_id=event_id, type=type, subject=record.id, payload=text, trace=traceparent())


def _hint(source: str, changed: ChangedDeal) -> InboxRow:
    event_id = f"changed:{changed.id}@{changed.modified}"
    return InboxRow(
        source=source, event_id=event_id, type=HINT, subject=changed.id, payload=changed.model_dump_json(), state="hint"
    )


def _follow_merge(session: Session, gone: str, into: str) -> None:
    """The deal that is left finds the contract of the one that is gone: it must never start a second one."""
    contract = find_contract(session, "crm", "deal", gone)
    if contract is None or link_new(session, "crm", "deal", into, contract):
        return
    other = find_contract(session, "crm", "deal", into)
    if other == contract:
        return
    case = CaseRow(
        id=f"merged_deals:{contract}",
        contract=contract,
        kind="merged_deals",
        problem="merged_deals",
        title=f"the deal {gone} was merged into {into}, and both have a contract",
        reasons=[f"{gone} has {contract}, {into} has {other}"],
        actor="ops",
        mend=f"find out which of the two the customer has, and cancel the other: tenure cancel {contract}, or {other}",
    )
    open_case(session, case)


def _postpone(session: Session, hinted: Hinted, error: TenureError) -> None:
    attempts = hinted.attempts + 1
    asked = error.retry_after.total_seconds() if error.retry_after else 0.0
    pause = min(max(FIRST_PAUSE * 2 ** min(hinted.attempts, 10), asked), LONGEST_PAUSE)
    postpone_hints(session, hinted, pause, str(error))
    if attempts < CASE_AFTER:
        return
    case = CaseRow(
        id=_case_id(hinted),
        kind="unreadable_record",
        problem="outage",
        title=f"the record {hinted.subject} can't be read back for the source {hinted.source}",
        reasons=[str(error)],
        actor="engineer",
        mend=(
            f"make the CRM of webhooks.{hinted.source}.connection answer: its base_url, its limits, the way to it; "
            "it is tried at least every 15 minutes, and goes on by itself"
        ),
        inbox_id=hinted.ids[-1],
    )
    open_case(session, case)


def _give_up(session: Session, hinted: Hinted, error: TenureError) -> None:
    resolve_case(session, _case_id(hinted))
    for inbox_id in hinted.ids:
        mark_dead(session, inbox_id, f"{hinted.subject} can't be read back: {error}", problem=error.kind.lower())


def _case_id(hinted: Hinted) -> str:
    return f"unreadable_record:{hinted.source}:{hinted.subject}"
