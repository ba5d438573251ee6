"""What people do afterwards: they try again what waits with a case, and settle what the systems disagree about."""

import asyncio
import time
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

from sqlmodel import Session, col, func, select
from temporalio.api.enums.v1 import EventType, WorkflowTaskFailedCause
from temporalio.client import WorkflowExecutionStatus
from temporalio.service import RPCError

import wiring
from bench.faults.outside import read_outside
from bench.town import Town
from domain.errors import InDoubt, TenureError
from domain.keys import lifecycle_id
from domain.messages import RetryStep
from domain.outcomes import ORDER_CASE
from starter.leaking import LEAK
from starter.mistakes import Mistake, Refusal
from starter.office import Office
from starter.reconciling.composing import repairs
from starter.reconciling.reading import Source
from starter.reconciling.reconciler import Reconciler
from starter.reconciling.runs import CONNECTION, Runs
from starter.sla.telling import SLA
from starter.sources.reading import Sources
from store.cases import REFUSED
from store.dead_letters import put_back
from store.differences import Differences
from store.tables import CaseRow, DeliveryRow, InboxRow, LifecycleViewRow, utc_now
from workflows.lifecycle import CustomerLifecycle

WHO = "campaign"
DOUBT = InDoubt.kind.lower()
TELLS = 3
STILL_COMES = timedelta(seconds=10)
"""Who looks sooner whether it was done may look too soon."""
BAD_TASKS = {
    WorkflowTaskFailedCause.WORKFLOW_TASK_FAILED_CAUSE_NON_DETERMINISTIC_ERROR,
    WorkflowTaskFailedCause.WORKFLOW_TASK_FAILED_CAUSE_WORKFLOW_WORKER_UNHANDLED_FAILURE,
}


class People:
    """Works with what the product gives people: the office, the list of cases, and reconciliation."""

    def __init__(self, town: Town, office: Office) -> None:
        self._town = town
        self._office = office
        self._told = Counter[str]()
        self.retried = 0
        self.differences = 0

    async def open_cases(self) -> dict[str, list[CaseRow]]:
        """By contract, those about promises (SLA) and leakage left out: they say that it is late, and it is."""

        def read(session: Session) -> Sequence[CaseRow]:
            return session.exec(
                select(CaseRow).where(CaseRow.state == "open", col(CaseRow.kind).not_in((SLA, LEAK)))
            ).all()

        found: dict[str, list[CaseRow]] = defaultdict(list)
        for case in await self._town.database.read(read):
            found[case.contract or ""].append(case)
        return found

    async def unsettled(self) -> int:
        """How much of what came in is not settled yet; what is early waits for something else."""

        def count(session: Session) -> int:
            waiting = col(InboxRow.state).not_in(("routed", "ignored", "dead", "parked"))
            events = session.exec(select(func.count()).select_from(InboxRow).where(waiting)).one()
            pending = select(func.count()).select_from(DeliveryRow).where(DeliveryRow.state == "pending")
            return events + session.exec(pending).one()

        return await self._town.database.read(count)

    async def retry(self) -> int:
        """Everything that waits for a second try; how much was tried. An event that was refused is told again, some
        times: its lifecycle may not have been as far."""
        tried = 0
        for contract, cases in (await self.open_cases()).items():
            for case in cases:
                if contract and case.projected and case.id.rpartition("/")[2] != ORDER_CASE:
                    tried += await self._retry(contract, case)
                elif case.kind == REFUSED and case.inbox_id and self._told[case.id] < TELLS:
                    self._told[case.id] += 1
                    tried += await self._tell_again(case.inbox_id)
        self.retried += tried
        return tried

    async def _tell_again(self, inbox_id: int) -> int:
        return int(await self._town.database.write(lambda session: put_back(session, inbox_id)))

    async def _retry(self, contract: str, case: CaseRow) -> int:
        if case.kind == DOUBT and utc_now() - case.opened_at < STILL_COMES:
            return 0
        try:
            life = await self._office.find(contract)
            name = case.id.removeprefix(f"{contract}:")
            done_as = await self._seen_outside(contract) if case.kind == DOUBT else None
            command = RetryStep(case=name, by=WHO, done_as=done_as)
            await self._office.command(life, CustomerLifecycle.retry_step, command)
        except (Mistake, Refusal):
            return 0
        return 1

    async def _seen_outside(self, contract: str) -> str | None:
        """What a person finds who looks whether the doubtful was done: a note at the customer, which is the only thing
        that can be doubtful here, that Tenure knows nothing of."""
        account = f"acc-{contract.split('/')[1]}"
        notes = (await asyncio.to_thread(read_outside, box_of(self._town))).notes_at(account)
        view = await self._town.database.read(lambda session: session.get(LifecycleViewRow, contract))
        known = set(view.view["effects"].values()) if view else set()
        return next((note for note in notes if note not in known), None)

    async def reconcile(self, rounds: int = 6) -> list[str]:
        """Compare, and repair what is found by what is proposed first; what is left after so many rounds, in words."""
        settings = self._town.settings
        left: list[str] = []
        async with (
            wiring.open_limits(self._town.database) as limits,
            wiring.connect_systems(settings, limits) as systems,
        ):
            company = self._office.company
            sources = {name: Source(name, each.kind, each.port.records) for name, each in systems.items()
                       if hasattr(each.port, "records")}  # fmt: skip
            sources[CONNECTION] = Source(CONNECTION, "workflow", Runs(self._office.client, settings.tenant))
            compared = Reconciler(self._town.database, sources, settings.landscape.homes, settle=timedelta(0))
            landscape = wiring.read_landscape(settings, company)
            performer = wiring.on_demand(self._town.database, systems, company, landscape)
            mending = repairs(self._office, compared, systems, performer.perform)
            for _ in range(rounds):
                await compared.run()
                opened = await Differences(self._town.database).list(status=("open",))
                if not opened:
                    return []
                left = []
                for each in opened:
                    if not each.remedies or each.remedies[0] == "ignore":
                        left.append(f"{each.kind} of {each.contract}: only people there can mend it")
                        continue
                    try:
                        await mending.repair(each.id, each.remedies[0], by=WHO, reason="restored")
                        self.differences += 1
                    except (Mistake, Refusal, TenureError, RPCError) as error:
                        left.append(f"{each.kind} of {each.contract}: {error}")
        return left

    async def failed_tasks(self, contracts: Sequence[str]) -> list[str]:
        """What the histories hold of workflow tasks that failed for a reason of the code; a reset is none."""
        failures = []
        for contract in contracts:
            handle = self._office.client.get_workflow_handle(lifecycle_id(self._town.settings.tenant, contract))
            try:
                async for event in handle.fetch_history_events():
                    failed = event.workflow_task_failed_event_attributes
                    if event.event_type == EventType.EVENT_TYPE_WORKFLOW_TASK_FAILED and failed.cause in BAD_TASKS:
                        failures.append(f"{contract}: {failed.failure.message[:200]}")
                described = await handle.describe()
                if described.status not in (WorkflowExecutionStatus.RUNNING, WorkflowExecutionStatus.COMPLETED):
                    failures.append(f"{contract}: the workflow is {described.status}")
            except RPCError as error:
                failures.append(f"{contract}: {error.message}")
        return failures


@asynccontextmanager
async def people_of(town: Town) -> AsyncIterator[People]:
    settings = town.settings
    company, mapping = wiring.read_company(settings), wiring.read_mapping(settings)
    client = await wiring.connect(settings)
    office = Office(town.database, client, company, mapping, settings.connection_of("crm"), Sources(settings))
    yield People(town, office)


def within(seconds: float) -> Callable[[], bool]:
    """Whether the time is not over yet."""
    until = time.monotonic() + seconds
    return lambda: time.monotonic() < until


def box_of(town: Town) -> Path:
    return town.settings.state_path / "sandbox.db"
