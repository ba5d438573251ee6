"""Delivery: one contract's stream, leased, mediated and told to its lifecycle in one Update, in order.

What the workflow was told is remembered in the transaction that marks the rows: whatever dies in between, the same rows
are delivered again, and the lifecycle ignores what it has seen. Until then the level counts as doubtful, so that what
comes in meanwhile can't be taken for no news.
"""

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any

import structlog
from pydantic import TypeAdapter
from sqlmodel import Session, col, select
from temporalio.client import Client, RPCTimeoutOrCancelledError, WorkflowUpdateFailedError
from temporalio.common import Priority, WorkflowIDReusePolicy
from temporalio.exceptions import ApplicationError, WorkflowAlreadyStartedError
from temporalio.service import RPCError, RPCStatusCode

from domain.access.within import subject_shown
from domain.books import ViewRow
from domain.calendar import civil_date, zone_exists
from domain.company import Company
from domain.facts import facts_of as facts_of_event
from domain.mediation import COLLECTIONS, CREDIT, LEVELS, Keeps, Level, news, standing, treatment
from domain.messages import CollectionsChanged, EventBatch, LifecycleEvent, Succession
from domain.state import LifecycleState
from domain.urgency import urgency
from starter.arrivals import Origin, arriving, origins_of
from starter.delivery_cases import refusal, refusal_id, undeliverable_id
from starter.handles import lifecycle_handle
from starter.sla.risk import risk_clock
from starter.slips import FACT, RECORD, START
from starter.sources.reading import Sources
from store.cases import open_case, resolve_case
from store.database import Database, insert_once
from store.facts import DOUBT, facts_of, facts_of_all, learn, tell, told
from store.imports import is_entering
from store.inbox import add_delivery
from store.lifecycles import former_of
from store.orders import newest_order
from store.streams import Answer, Streams, finish, number
from store.subjects import of_customer
from store.tables import DeliveryRow, InboxRow, LifecycleRow, StreamRow
from store.timeline import add_line
from store.views import publish_view
from workflows.desk import at_start
from workflows.lifecycle import CustomerLifecycle

EVENT: TypeAdapter[LifecycleEvent] = TypeAdapter(LifecycleEvent)
BATCH = 50

log = structlog.get_logger()


class Unreachable(Exception):
    """Temporal, or every worker, is away: the rows stay pending and are delivered later."""


@dataclass
class Mediated:
    """One batch, ready to go: what is to be told, which levels that is, and what needs no telling.

    `levels` by kind, with the seq that tells it. `stale`: seqs that the lifecycle had seen before. `origins`: where the
    rows come from, by seq. `row`: how the lifecycle looks now, where nothing more follows.
    """

    lifecycle: LifecycleRow
    revision: int = 1
    former: dict[str, Succession] = field(default_factory=dict)
    start: DeliveryRow | None = None
    events: list[LifecycleEvent] = field(default_factory=list)
    levels: dict[str, tuple[int, dict[str, Any]]] = field(default_factory=dict)
    stale: set[int] = field(default_factory=set)
    answers: dict[int, Answer] = field(default_factory=dict)
    origins: dict[int, Origin] = field(default_factory=dict)
    row: ViewRow | None = None


class Deliverer:
    """Delivers streams. `task_queue` is the lifecycles'; `lease` in seconds, longer than one Update may take.

    `sources` read the events whose facts are kept.
    """

    def __init__(
        self,
        database: Database,
        client: Client,
        company: Company,
        *,
        task_queue: str,
        owner: str,
        lease: float,
        sources: Sources | None = None,
    ) -> None:
        self._db = database
        self._streams = Streams(database)
        self._client = client
        self._company = company
        self._task_queue = task_queue
        self._owner = owner
        self._lease = lease
        self._sources = sources or Sources()

    async def deliver(self, stream: str) -> int:
        """Deliver what is pending for one contract; returns how many rows were settled.

        Raises Unreachable when nobody answers; the rows stay as they are.
        """
        fence = await self._streams.lease(stream, self._owner, self._lease)
        if fence is None:
            return 0
        try:
            batch = await self._db.write(lambda session: self._mediate(session, stream, fence))
            if batch is None:
                return 0
            told = [batch.start.seq] if batch.start else [event.seq for event in batch.events]
            with arriving(stream, batch.origins, told):
                if batch.start is not None:
                    await self._start(batch)
                if batch.events:
                    await self._tell(batch)
                if (row := batch.row) is not None:  # before the rows are settled: else it is told, and answered, anew
                    await self._db.write(lambda session: publish_view(session, row))
                await self._db.write(lambda session: self._settle(session, stream, fence, batch))
            return len(batch.answers)
        finally:
            await self._streams.release(stream, fence)

    def _mediate(self, session: Session, stream: str, fence: int) -> Mediated | None:
        """Turn pending rows into what the lifecycle must be told: levels only where it was told another one."""
        rows = list(number(session, stream, fence, BATCH))
        lifecycle = session.get(LifecycleRow, stream)
        if not rows or lifecycle is None or (not lifecycle.started and is_entering(session, stream)):
            return None
        if not lifecycle.started and (start := _pending_start(session, stream)) and start not in rows:
            rows.insert(0, start)  # what waited for the contract came first, and may fill the batch
        batch = Mediated(lifecycle, revision=_revision(session, stream), former=former_of(session, stream))
        batch.origins = origins_of(session, rows)
        touched: dict[str, int] = {}
        for row in rows:
            if lifecycle.closed and row.kind == FACT:
                # a last invoice still counts for the credit of the customer, and so does its payment
                self._learnt(session, lifecycle, row, {})
                look_at_credit(session, lifecycle, self._company)
                batch.answers[_seq(row)] = Answer("recorded", "the lifecycle is closed")
            elif row.kind == START:
                batch.start = None if lifecycle.closed else row
                batch.answers[_seq(row)] = Answer("delivered")
            elif row.kind == RECORD:
                batch.answers[_seq(row)] = Answer("recorded")
            elif row.kind == FACT:
                batch.answers[_seq(row)] = self._learnt(session, lifecycle, row, touched)
            else:
                batch.events.append(EVENT.validate_python({**row.payload, "seq": row.seq}))
        for kind, seq in touched.items():
            level = self._level(session, lifecycle, kind)
            value = news(level)
            before = told(session, stream, kind)
            if value != (before or self._unspoken(kind)):
                level.seq = seq
                batch.events.append(level)
                batch.levels[kind] = seq, value
                tell(session, stream, kind, _doubtful(before, value))
                if isinstance(level, CollectionsChanged):
                    swept = any(row.payload.get("sweep") == COLLECTIONS for row in rows)
                    risk_clock(session, lifecycle, before, level, self._company, swept=swept)
        if COLLECTIONS in touched:
            look_at_credit(session, lifecycle, self._company)
        batch.events.sort(key=lambda event: event.seq)
        return batch

    def _learnt(self, session: Session, lifecycle: LifecycleRow, row: DeliveryRow, touched: dict[str, int]) -> Answer:
        """Keep what a row says, if a level can be reckoned with it: an absurd one must not stop the stream."""
        try:
            with session.begin_nested():
                level, new = self._learn(session, row)
                self._level(session, lifecycle, level)
        except (ArithmeticError, ValueError) as error:
            return Answer("refused", f"can't be reckoned with: {error or type(error).__name__}")
        touched[level] = _seq(row)  # also when nothing was new: an attempt before this one may have died half-way
        return Answer("recorded", "" if new else "older than what is known, or known")

    def _learn(self, session: Session, row: DeliveryRow) -> tuple[str, bool]:
        """Keep the facts that an event carries; the level that they belong to, and whether anything was new."""
        if sweep := row.payload.get("sweep"):
            return str(sweep), True
        inbox = session.get_one(InboxRow, row.inbox_id)
        event = self._sources.event(inbox.source, inbox.payload).data
        does = treatment(event)
        if not isinstance(does, Keeps):
            raise ValueError(f"{event.type} carries no fact")
        new = [learn(session, row.stream, fact) for fact in facts_of_event(event)]
        return does.level, any(new)

    def _level(self, session: Session, lifecycle: LifecycleRow, level: str) -> Level:
        return level_of(session, lifecycle, level, self._company)

    def _unspoken(self, kind: str) -> dict[str, Any]:
        """The level that a lifecycle assumes while it was told nothing."""
        return news(standing(kind, [], date.max, self._company))

    async def _start(self, batch: Mediated) -> None:
        life = batch.lifecycle
        state = LifecycleState(
            tenant=life.tenant,
            contract=life.contract,
            account=life.account,
            deal=life.deal,
            selling_entity=life.selling_entity,
            order_revision=batch.revision,
            former=batch.former,
        )
        try:
            await self._client.start_workflow(
                CustomerLifecycle.run,
                state,
                id=life.workflow_id,
                task_queue=self._task_queue,
                search_attributes=at_start(life.account, life.selling_entity),
                static_summary=f"{life.contract}",
                priority=Priority(priority_key=urgency(state)),
                # it may have lived and ended while nobody could remember its start
                id_reuse_policy=WorkflowIDReusePolicy.REJECT_DUPLICATE,
            )
        except WorkflowAlreadyStartedError:
            log.info("lifecycle was started before", contract=life.contract)
        except RPCError as error:
            if error.status is RPCStatusCode.INVALID_ARGUMENT and batch.start is not None:
                batch.answers[_seq(batch.start)] = Answer("refused", f"Temporal does not take it: {error.message}")
                batch.start = None
                return
            raise Unreachable(str(error)) from error

    async def _tell(self, batch: Mediated) -> None:
        """One Update; its answers, by seq, go into the batch."""
        handle = lifecycle_handle(self._client, batch.lifecycle.workflow_id)
        told_seqs = [event.seq for event in batch.events]
        try:
            answer = await handle.execute_update(
                CustomerLifecycle.deliver,
                EventBatch(events=batch.events, keeps=True),
                rpc_timeout=timedelta(seconds=self._lease * 0.6),
            )
        except WorkflowUpdateFailedError as error:
            reason = error.cause.message if isinstance(error.cause, ApplicationError) else str(error.cause)
            batch.answers |= {seq: Answer("refused", reason) for seq in told_seqs}
            return
        except RPCTimeoutOrCancelledError as error:
            raise Unreachable("no worker answers") from error
        except RPCError as error:
            if error.status is not RPCStatusCode.NOT_FOUND:
                raise Unreachable(str(error)) from error
            batch.answers |= {seq: Answer("refused", "the lifecycle is closed") for seq in told_seqs}
            return
        batch.row = answer.row
        batch.stale = {each.seq for each in answer.answers if each.outcome == "stale"}
        for each in answer.answers:
            batch.answers[each.seq] = Answer("refused" if each.outcome == "refused" else "delivered", each.reason)

    def _settle(self, session: Session, stream: str, fence: int, batch: Mediated) -> None:
        """Mark the rows, remember what was told, write the timeline; a refusal becomes a case."""
        if not finish(session, stream, fence, batch.answers):
            return
        resolve_case(session, undeliverable_id(stream))
        if batch.start is not None:
            session.get_one(LifecycleRow, stream).started = True
        refused = {seq for seq, answer in batch.answers.items() if answer.state == "refused"}
        for kind, (seq, value) in batch.levels.items():
            if seq not in batch.stale or told(session, stream, kind) == {DOUBT: value}:
                tell(session, stream, kind, value)
            else:  # an earlier attempt, of which nobody knows, told another level under this seq: it is told anew
                look_anew(session, stream, kind)
        seqs = select(DeliveryRow).where(DeliveryRow.stream == stream, col(DeliveryRow.seq).in_(list(batch.answers)))
        for row in session.exec(seqs):
            self._note(session, row, batch.answers[_seq(row)])
            if _seq(row) in refused:
                open_case(session, refusal(row, batch.lifecycle.account, batch.answers[_seq(row)].text))
            else:
                resolve_case(session, refusal_id(row))

    def _note(self, session: Session, row: DeliveryRow, answer: Answer) -> None:
        inbox = session.get_one(InboxRow, row.inbox_id)
        lifecycle = session.get_one(LifecycleRow, row.stream)
        about = subject_shown(inbox.type, inbox.subject)
        add_line(
            session,
            row.stream,
            business_at=business_now(lifecycle),
            kind="event",
            summary=f"{inbox.type} {about}: {answer.state}{f' ({answer.text})' if answer.text else ''}",
            ref=f"event:{row.inbox_id}:{row.seq}",
        )


def look_anew(session: Session, contract: str, level: str) -> bool:
    """Queue a look at a level, as if a fact of it had come in. False when one is queued already."""
    stream = session.get(StreamRow, contract)
    event_id = f"sweep:{contract}:{level}:{stream.last_seq if stream else 0}"
    row = InboxRow(
        source="tenure", event_id=event_id, type="tenure.sweep", subject=contract, payload="{}", state="routed"
    )
    if not insert_once(session, row, keys=("source", "event_id")):
        return False
    stored = session.exec(select(InboxRow).where(InboxRow.source == "tenure", InboxRow.event_id == event_id)).one()
    return add_delivery(session, stored.id or 0, contract, FACT, {"sweep": level})


def business_now(lifecycle: LifecycleRow) -> datetime:
    """The lifecycle's business time: the machine's, unless its clock was moved."""
    return datetime.now(UTC) + timedelta(seconds=lifecycle.clock_shift)


def business_day(session: Session, lifecycle: LifecycleRow) -> date:
    """Today, in the zone of the contract."""
    return civil_date(business_now(lifecycle), zone_of(session, lifecycle.contract))


def level_of(session: Session, lifecycle: LifecycleRow, level: str, company: Company) -> Level:
    """What the facts of a level amount to today. Credit is the customer's: its contracts' facts count together."""
    if level == CREDIT:
        sharing = [life.contract for life in of_customer(session, lifecycle)]
        facts = facts_of_all(session, sharing, LEVELS[level])
    else:
        facts = facts_of(session, lifecycle.contract, LEVELS[level])
    return standing(level, facts, business_day(session, lifecycle), company)


def look_at_credit(session: Session, lifecycle: LifecycleRow, company: Company) -> int:
    """Queue a look at the credit of each open contract of a customer that was told another hold; returns how many."""
    if company.credit.hold_after_days_overdue is None:
        return 0
    queued = 0
    for life in (each for each in of_customer(session, lifecycle) if not each.closed):
        now, was = news(level_of(session, life, CREDIT, company)), told(session, life.contract, CREDIT)
        if now != (was or news(standing(CREDIT, [], date.max, company))):
            queued += look_anew(session, life.contract, CREDIT)
    return queued


def _pending_start(session: Session, stream: str) -> DeliveryRow | None:
    start = select(DeliveryRow).where(DeliveryRow.stream == stream, DeliveryRow.kind == START)
    return session.exec(start.where(DeliveryRow.state == "pending")).first()


def _doubtful(before: Any, value: dict[str, Any]) -> dict[str, Any]:
    """Kept while a level is on its way: which one, or None when several attempts told different ones."""
    same = before is None or DOUBT not in before or before[DOUBT] == value
    return {DOUBT: value if same else None}


def _revision(session: Session, contract: str) -> int:
    order = newest_order(session, contract)
    return order.revision if order else 1


def zone_of(session: Session, contract: str) -> str:
    order = newest_order(session, contract)
    terms = order.document.get("terms") if order else None
    zone = terms.get("zone") if isinstance(terms, dict) else None
    return zone if isinstance(zone, str) and zone_exists(zone) else "UTC"


def _seq(row: DeliveryRow) -> int:
    if row.seq is None:
        raise ValueError("a delivery without its number")
    return row.seq
