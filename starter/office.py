"""What a person can do with lifecycles, from whatever client: look, start, command, fix, send an event, repeat one."""

import asyncio
import copy
import json
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from pydantic import BaseModel
from sqlmodel import Session, select
from temporalio.client import (
    Client,
    WorkflowUpdateFailedError,
    WorkflowUpdateRPCTimeoutOrCancelledError,
)
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError, RPCStatusCode

from domain.access import Principal
from domain.company import Company
from domain.document import apply_fixes
from domain.mapping import Mapping
from domain.messages import CommandAnswer, FixOrder
from domain.outcomes import ORDER_CASE
from domain.state import LifecycleState
from domain.view import LifecycleView
from starter.case_desk import CaseDesk
from starter.finding import find_life
from starter.handles import LifecycleHandle, lifecycle_handle
from starter.lengths import check_lengths
from starter.mistakes import Mistake, Refusal, Unanswered, Unknown
from starter.routing import begin_lifecycle
from starter.settling import Outcome, outcome_of
from starter.sources.reading import Sources
from store.database import Database, take_turn
from store.inbox import ROUTING, Inbox
from store.orders import SqlOrders
from store.reach import serving
from store.subjects import of_customer
from store.tables import InboxRow, LifecycleRow
from store.views import SqlViews
from workflows.lifecycle import CustomerLifecycle

Command = TypeVar("Command", bound=BaseModel)


ANSWER = timedelta(seconds=4)
COMMANDED = timedelta(seconds=20)
"""How long a lifecycle may take to say where it stands. Temporal does not tell that no worker answers."""
IDENTITY = ("deal_id", "account", "account.id")


class Office:
    """The client side of lifecycles. `crm` is the CRM connection's name."""

    def __init__(
        self,
        database: Database,
        client: Client,
        company: Company,
        mapping: Mapping,
        crm: str,
        sources: Sources | None = None,
    ) -> None:
        self.database = database
        self.client = client
        self.company = company
        self.mapping = mapping
        self.crm = crm
        self._inbox = Inbox(database)
        self._everything = database
        self._sources = sources
        self._update_id: str | None = None

    def under(self, update_id: str) -> "Office":
        """The same office for one command: a lifecycle that is told it again under this id takes it once."""
        named = copy.copy(self)
        named._update_id = update_id
        return named

    def serving(self, principal: Principal) -> "Office":
        """The same office for somebody who finds what is of their regions alone."""
        narrowed = copy.copy(self)
        narrowed.database = serving(self.database, principal)
        narrowed._inbox = Inbox(narrowed.database)
        return narrowed

    # ── looking ─────────────────────────────────────────────────────────────────────────────────────────────────

    async def find(self, name: str) -> LifecycleRow:
        """The lifecycle of a contract id, a CRM deal id, or a unique part of either. Raises Mistake."""
        return await find_life(self.database, name)

    async def exactly(self, contract: str) -> LifecycleRow:
        """The lifecycle of exactly this contract: a program's command is given to no other. Raises Unknown."""
        life = await self.database.read(lambda session: session.get(LifecycleRow, contract))
        if life is None:
            raise Unknown(f"no lifecycle {contract}")
        return life

    def handle(self, life: LifecycleRow) -> LifecycleHandle:
        return lifecycle_handle(self.client, life.workflow_id)

    async def view(self, life: LifecycleRow) -> LifecycleView:
        """From the running workflow; from the store when it is closed or nobody answers."""
        if not life.closed:
            try:
                return await self.handle(life).query(CustomerLifecycle.view, rpc_timeout=ANSWER)
            except RPCError:
                pass
        stored = await SqlViews(self.database).get(life.contract)
        if stored is None:
            raise Mistake(f"{life.contract} has not been started yet; is the dispatcher up? `tenure status` tells")
        return stored

    async def state(self, life: LifecycleRow) -> LifecycleState:
        """The whole state of a running lifecycle: what a dry run is tried on. Raises Mistake when nobody answers."""
        try:
            return await self.handle(life).query(CustomerLifecycle.state, rpc_timeout=ANSWER)
        except RPCError as error:
            raise Unanswered(f"the lifecycle does not answer ({error.message}); `tenure status` tells why") from None

    async def of_customer(self, life: LifecycleRow) -> list[LifecycleRow]:
        """The open lifecycles of a contract's customer, this one first: its account's at the same selling entity."""
        shared = await self.database.read(lambda session: of_customer(session, life))
        others = [each for each in shared if each.contract != life.contract and each.started and not each.closed]
        return [life, *others]

    # ── starting and telling ────────────────────────────────────────────────────────────────────────────────────

    async def begin(self, document: dict[str, Any]) -> str:
        """Start the lifecycle of an order document, once per deal; returns its contract's id. Raises Mistake."""

        def begin(session: Session) -> str:
            take_turn(session, ROUTING)  # a deal of the same account may be routed just now
            return begin_lifecycle(session, self.company.tenant, self.crm, document)

        try:
            return await self.database.write(begin)
        except ValueError as error:
            raise Mistake(str(error)) from None

    async def send(self, type: str, data: dict[str, Any], *, event_id: str | None = None) -> int:
        """Put an event of ours into the inbox, as a webhook would; returns its number."""
        body = {
            "specversion": "1.0",
            "id": event_id or str(uuid.uuid4()),
            "source": "/tenure/cli",
            "type": type,
            "time": datetime.now(UTC).isoformat(),
            "data": data,
        }
        return await self.accept("cli", body)

    async def accept(self, source: str, body: dict[str, Any]) -> int:
        """Put a CloudEvent into the inbox; the same id again changes nothing. Returns its number."""
        event_id = str(body.get("id") or uuid.uuid4())
        kind, subject = str(body.get("type", "")), str(body.get("subject") or "")
        await self._inbox.accept(source, event_id, kind, subject, json.dumps(body))
        query = select(InboxRow.id).where(InboxRow.source == source, InboxRow.event_id == event_id)
        # what has just come in is not known to be anybody's yet
        return await self._everything.read(lambda session: session.exec(query).one()) or 0

    async def outcome(self, inbox_id: int, *, seconds: float = 15.0) -> Outcome:
        """Wait until an event is settled. Raises Mistake when it still waits after `seconds`: it is not lost."""
        return await outcome_of(self._everything, inbox_id, seconds=seconds)

    async def again(self, inbox_id: int, by: str, payload: dict[str, Any] | None = None) -> None:
        """Put a dead, parked or refused event back in, mended if a payload is given. Raises Mistake."""
        await CaseDesk(self.database, self._sources).again(inbox_id, by, json.dumps(payload) if payload else None)

    # ── commanding ──────────────────────────────────────────────────────────────────────────────────────────────

    async def command(self, life: LifecycleRow, update: Any, command: Command) -> CommandAnswer:
        """Give a running lifecycle a command. Raises Refusal with its reason, Mistake when nobody answers."""
        check_lengths(command)
        try:
            async with asyncio.timeout(COMMANDED.total_seconds()):
                answer: CommandAnswer = await self.handle(life).execute_update(update, command, id=self._update_id)
        except (TimeoutError, WorkflowUpdateRPCTimeoutOrCancelledError):
            raise Unanswered(
                f"the lifecycle has not answered within {COMMANDED.total_seconds():g} s; `tenure status` tells whether "
                f"a worker is up. It may still be carried out; `tenure show {life.contract}` tells whether it was"
            ) from None
        except WorkflowUpdateFailedError as error:
            raise Refusal(error.cause.message if isinstance(error.cause, ApplicationError) else str(error)) from None
        except RPCError as error:
            if error.status is RPCStatusCode.NOT_FOUND and "namespace" not in error.message.lower():
                raise Refusal(f"the lifecycle of {life.contract} is closed") from None
            raise Unanswered(f"the lifecycle does not answer ({error.message}); `tenure status` tells why") from None
        return answer

    async def give(self, life: LifecycleRow, name: str, command: Any) -> CommandAnswer:
        """The same, by the Update's name, for who does not know the workflow itself."""
        return await self.command(life, getattr(CustomerLifecycle, name), command)

    async def fix(self, life: LifecycleRow, fixes: dict[str, Any], by: str) -> CommandAnswer:
        """Correct an order's document and have it checked again. A revision without its Update is harmless."""
        if fixed := [path for path in fixes if path in IDENTITY]:
            raise Mistake(
                f"{fixed[0]} says which contract this is and can't be fixed; cancel the order, win another deal"
            )
        orders = SqlOrders(self.database)
        newest = await orders.newest(life.contract)
        try:
            document = apply_fixes(newest.document, fixes)
        except ValueError as error:
            raise Mistake(str(error)) from None
        revision = await orders.add(life.contract, document, by)
        try:
            return await self.command(life, CustomerLifecycle.fix_order, FixOrder(revision=revision, by=by))
        except Refusal:
            # left there, the next correction would build on it, and the contract's zone would be read from it
            await orders.withdraw(life.contract, revision)
            raise

    async def fix_and_wait(self, life: LifecycleRow, fixes: dict[str, Any], by: str) -> CommandAnswer:
        """The same, until the correction is judged: the answer says what is still wrong."""
        answer = await self.fix(life, fixes, by)
        checks = f"order-check:{life.contract}:"
        for _ in range(100):
            view = await self.view(life)
            if not any(key.startswith(checks) for key in view.pending):
                wrong = [reason for case in view.cases if case.id == ORDER_CASE for reason in case.reasons]
                message = "still wrong:\n  " + "\n  ".join(wrong) if wrong else "the order is valid now, and goes on"
                return CommandAnswer(message=message, view=view)
            await asyncio.sleep(0.1)
        return answer
