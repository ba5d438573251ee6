"""Lifecycles without Temporal, for the many orders that a property test tries: the real state, reactions, plans and
ledger, with outside systems that answer at once. What a server adds is proven elsewhere (tests/workflow, tests/e2e)."""

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from random import Random
from typing import Any

from temporalio.exceptions import WorkflowAlreadyStartedError
from temporalio.service import RPCError, RPCStatusCode

from domain import outcomes, plan, reactions
from domain.company import Company
from domain.finance import purchasing
from domain.messages import BatchAnswer, EventBatch
from domain.policies.validation import verdict
from domain.state import LifecycleState
from domain.steps import ActivateOrder, AmendSubscription, Performed, StartBilling, Step, ValidateOrder
from store.database import Database
from store.ledger import SqlLedger
from store.orders import SqlOrders

RECORDED = ("erp.create_customer", "erp.create_subscription", "erp.activate_order")
"""What others look up in the ledger; the other steps make nothing that is news to anybody here."""


class QuickLife:
    """One lifecycle. It does nothing by itself: `work` does all that there is to do, in the lanes' order."""

    def __init__(self, state: LifecycleState, database: Database, company: Company, today: date) -> None:
        self.state = LifecycleState.model_validate_json(state.model_dump_json())
        self._ledger, self._orders = SqlLedger(database), SqlOrders(database)
        self._company = company
        self._today = today
        self._began = False

    def receive(self, batch: EventBatch) -> BatchAnswer:
        sent = EventBatch.model_validate_json(batch.model_dump_json())
        return BatchAnswer(answers=reactions.receive(self.state, sent, self._today))

    async def work(self) -> None:
        while (step := next(self._steps(), None)) is not None:
            performed = await self._perform(step)
            outcomes.done(self.state, step, performed, self._now())
            if isinstance(step, ActivateOrder):
                reactions.amend_early(self.state, self._today, self._now())

    def _steps(self) -> Iterator[Step]:
        """What CustomerLifecycle would do next, as it reads from top to bottom."""
        s = self.state
        if not self._began:
            self._began = True
            yield plan.validate_order(s)
        yield from list(s.queue)
        if s.sheet is None:
            return
        makers: list[Callable[[], Step]] = [
            lambda: plan.create_customer(s),
            lambda: plan.create_subscription(s),
            lambda: plan.activate_order(s, self._today),
            lambda: plan.ensure_company(s),
            lambda: plan.launch_onboarding(s, self._today),
        ]
        yield from (step for make in makers if (step := make()).key not in s.effects)
        for line in s.known.lines:
            starts = s.line_starts(line, self._today)
            if starts is not None and line.id not in s.billing and not purchasing.holds_billing(s, self._today):
                yield plan.start_billing(s, line.id, starts)

    async def _perform(self, step: Step) -> Performed:
        s = self.state
        match step:
            case ValidateOrder():
                document = await self._orders.read(s.contract, step.revision)
                return Performed(
                    id=step.key, verdict=verdict(document, self._company, step.revision, parent_known=None)
                )
            case AmendSubscription() | StartBilling():
                if s.subscription is None:
                    raise AssertionError(f"{step.key} without a subscription")
        made = made_as(step.do, s.deal)
        if step.do in RECORDED:
            claim = await self._ledger.claim(
                step.key, contract=s.contract, operation=step.do, arguments="", lease=60, generation=1
            )
            await self._ledger.mark_sent(step.key, fence=claim.fence, deadline=1)
            await self._ledger.done(step.key, fence=claim.fence, result={"id": made})
        return Performed(id=made)

    def _now(self) -> datetime:
        return datetime(self._today.year, self._today.month, self._today.day, 12, tzinfo=UTC)


class QuickTemporal:
    """The part of a Temporal client that the Deliverer uses. With `dice`, now and then nobody answers: the update was
    lost, or only its answer."""

    def __init__(self, database: Database, company: Company, today: date, dice: Random | None = None) -> None:
        self.dice = dice
        self._database = database
        self._company = company
        self._today = today
        self.lives: dict[str, QuickLife] = {}

    async def start_workflow(self, run: object, state: LifecycleState, *, id: str, **_: Any) -> None:
        if id in self.lives:
            raise WorkflowAlreadyStartedError(id, "CustomerLifecycle")
        self.lives[id] = QuickLife(state, self._database, self._company, self._today)

    def get_workflow_handle_for(self, run: object, workflow_id: str) -> "QuickHandle":
        return QuickHandle(self.lives[workflow_id], self.dice)

    async def work(self) -> None:
        for life in self.lives.values():
            await life.work()


class QuickHandle:
    def __init__(self, life: QuickLife, dice: Random | None) -> None:
        self._life = life
        self._dice = dice

    async def execute_update(self, update: object, batch: EventBatch, **_: Any) -> BatchAnswer:
        lost = self._dice.choice(("nothing", "nothing", "update", "answer")) if self._dice else "nothing"
        if lost != "update":
            answer = self._life.receive(batch)
        if lost != "nothing":
            raise RPCError(f"the {lost} is lost", RPCStatusCode.UNAVAILABLE, b"")
        return answer


def made_as(operation: str, deal: str) -> str:
    """The id that an outside record gets: known before it exists, so that its news may come too early."""
    return f"{operation.partition('_')[2]}-{deal}"
