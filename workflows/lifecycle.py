"""The life of one contract, from the won order to its end: one durable workflow, for years."""

import asyncio
from collections.abc import Callable
from datetime import date

from temporalio import workflow

from workflows.desk import Desk
from workflows.finance import Finance
from workflows.lanes import SYSTEMS, Lanes
from workflows.moving import Relocation
from workflows.reconciling import ReconcilingMessages
from workflows.refusing import vets
from workflows.renewal import Renewal
from workflows.waiting import Due, until

with workflow.unsafe.imports_passed_through():
    from domain import keys, outcomes, plan, reactions
    from domain.finance import purchasing
    from domain.messages import LifecycleOutcome
    from domain.state import LifecycleState
    from domain.steps import Step


NEWEST = workflow.ContinueAsNewVersioningBehavior.AUTO_UPGRADE


class OrderCancelled(Exception):
    """The order was cancelled while it was being activated."""


@workflow.defn(name="CustomerLifecycle")
class CustomerLifecycle(ReconcilingMessages):
    """Tracks decide, lanes perform, the desk keeps people informed. Every step is guarded by a recorded fact, so that
    `run` falls through to where it stood after continue-as-new."""

    @workflow.init
    def __init__(self, state: LifecycleState) -> None:
        state.thrifty = workflow.patched("thrifty")  # before any handler; asked once, each name that is met costs
        self._state = state
        self._lanes = Lanes(state, self._now, self._row)
        self._finance = Finance(state, self._now)
        self._renewal = Renewal(state, self._lanes, self._now)
        self._relocation = Relocation(state, self._lanes, self._now)
        self._desk = Desk(state, self._lanes, self._view, self._row)

    @workflow.run
    async def run(self, state: LifecycleState) -> LifecycleOutcome:
        whole = asyncio.create_task(self._live_until_closed())
        while True:
            try:
                return await asyncio.shield(whole)
            except asyncio.CancelledError:
                if whole.cancelled():
                    raise
                # a click on "Request Cancellation" must not leave a customer who is billed and forgotten
                outcomes.cancel_requested(self._state, self._now())

    async def _live_until_closed(self) -> LifecycleOutcome:
        """Live, with everybody at work, until the contract is closed; or continue as a new run."""
        life = asyncio.create_task(self._live())
        crew = [asyncio.create_task(self._lanes.serve(system)) for system in SYSTEMS]
        crew.append(asyncio.create_task(self._desk.serve()))
        pauses = asyncio.create_task(self._resume_in_time())
        await workflow.wait_condition(lambda: life.done() or self._must_continue())
        continues = not life.done()
        if continues:
            life.cancel()  # tracks only wait and decide: nothing is lost with them
        pauses.cancel()
        self._lanes.leaving = self._desk.leaving = True
        await asyncio.gather(*crew)
        await workflow.wait_condition(workflow.all_handlers_finished)
        if continues:
            # by the version that is current then; an older one keeps what it does not know of the state
            workflow.continue_as_new(self._state, initial_versioning_behavior=NEWEST)
        await life
        await self._desk.publish()
        return self._outcome()

    async def _live(self) -> None:
        try:
            await self._activate_order()
        except OrderCancelled:
            await self._undo_order()
        else:
            async with asyncio.TaskGroup() as tracks:
                tracks.create_task(self._engage())
                tracks.create_task(self._bill())
                tracks.create_task(self._keep_term())
                tracks.create_task(self._renewal.reviews())
                tracks.create_task(self._finance.mind())
                tracks.create_task(self._relocation.track())
        await workflow.wait_condition(lambda: self._lanes.drained)

    # ── the tracks ──────────────────────────────────────────────────────────────────────────────────────────────

    async def _activate_order(self) -> None:
        """Validate the order, then customer, subscription and activation in the ERP."""
        s = self._state
        if s.sheet is None:
            self._lanes.ask(plan.validate_order(s))
        await self._do(lambda: plan.create_customer(s))
        await self._do(lambda: plan.create_subscription(s), on_credit=True)
        await self._do(lambda: plan.activate_order(s, self._today()), on_credit=True)
        reactions.amend_early(s, self._today(), self._now(), vets)

    async def _engage(self) -> None:
        """Customer success: the company, its onboarding, and for each renewal a playbook and a word to the CSM."""
        s = self._state
        await self._do(lambda: plan.ensure_company(s))
        if not s.closed:  # CS may have been away for so long
            await self._do(lambda: plan.launch_onboarding(s, self._today()))
        await self._renewal.prepare()

    async def _bill(self) -> None:
        """Start billing of each line when its own rule allows it, never earlier."""
        async with asyncio.TaskGroup() as lines:
            lines.create_task(self._bill_lines(lines))

    async def _bill_lines(self, tracks: asyncio.TaskGroup) -> None:
        """A track for each line of the contract, also of those that are added to it."""
        s, begun = self._state, set[str]()

        def new() -> list[str]:
            return [line.id for line in s.known.lines if line.id not in begun]

        while not s.closed:
            for line in new():
                begun.add(line)
                tracks.create_task(self._bill_line(line))
            await workflow.wait_condition(lambda: s.closed or bool(new()))

    async def _bill_line(self, name: str) -> None:
        s = self._state

        def starts() -> date | None:
            """The day on which the line's rule was met; None where there is nothing to bill (any more)."""
            line = s.line(name)
            over = line is None or any(end is not None and end <= self._today() for end in (s.ends_on, line.ends))
            return None if line is None or over else s.line_starts(line, self._today())

        def may_start() -> Due:
            line = s.line(name)
            day = s.next_date(line, self._today()) if line else None
            return Due(purchasing.or_last_day(s, day, self._today()), f"line {name} may be billed")

        def ready() -> bool:
            return starts() is not None and not purchasing.holds_billing(s, self._today())

        while not ready() and not s.closed:
            await self._until(may_start, unless=lambda: ready() or s.closed)
        if (first := starts()) and s.billed_elsewhere:
            outcomes.billed_elsewhere(s, name, first)
        elif first:
            await self._do(lambda: plan.start_billing(s, name, first))

    async def _keep_term(self) -> None:
        """Serve, open the renewal window, renew or end: term after term."""
        s = self._state
        while not s.closed:
            if s.ends_by_itself:
                await self._until(lambda: Due(s.term_over(), "it has been delivered"), unless=self._ending)
                if not self._ending():
                    reactions.decide_by_terms(s, self._today())
            else:
                await self._until(lambda: Due(s.window_opens(), "the renewal window opens"), unless=self._settled)
            if not self._settled():
                await self._renewal.open()
                await self._renewal.decision()
            if s.decision is not None and s.decision.outcome == "renew":
                await self._renew()
            if s.ends_on is not None:
                await self._end()

    def _settled(self) -> bool:
        """It ends, or it was decided before the window opened that it goes on."""
        s = self._state
        return s.ends_on is not None or (s.decision is not None and s.window_opened < s.term)

    async def _renew(self) -> None:
        """The next term in the ERP, with what changes then; it begins on its day. A renewal that the ERP refuses may
        yet become an end, and one that it does not hold yet may be taken back, and decided again at once."""
        s = self._state
        await workflow.wait_condition(lambda: not s.between_legs)
        if not await self._finance.next_term_is_covered():
            return

        def settled() -> bool:
            return s.renewed or self._ending() or s.decision is None

        while not settled():
            step = plan.renew_subscription(s)
            self._lanes.ask(step)
            key = step.key
            await workflow.wait_condition(lambda: settled() or not self._lanes.holds(key))  # noqa: B023
        if s.renewed and (changes := plan.amend_with_renewal(s)):
            self._lanes.ask(changes)
        if s.renewed:
            await self._until(lambda: Due(s.term_over(), "the next term begins"), unless=self._ending)
            if not self._ending():
                reactions.begin_next_term(s)

    async def _end(self) -> None:
        """End the subscription on its day, unless the notice is withdrawn. CRM and CS are told by their levels."""
        s = self._state
        await self._until(lambda: Due(s.end_instant(), "the contract ends"), unless=lambda: not self._ending())
        await workflow.wait_condition(lambda: not s.between_legs)
        if self._ending():
            await self._do(lambda: plan.end_subscription(s, self._today()))
            if s.mode == "shadow":  # what a shadow ends may live on outside: see its report
                await workflow.wait_condition(lambda: s.mode == "live")
            outcomes.closed(s)

    async def _undo_order(self) -> None:
        """Undo what was done for a cancelled order. The customer stays: other contracts may use it."""
        s = self._state
        made = keys.subscription(s.contract)
        await workflow.wait_condition(lambda: not self._lanes.busy("erp") and not self._lanes.holds(made))
        if s.subscription is not None:
            undo = plan.cancel_subscription(s)
            self._lanes.ask(undo)
            await workflow.wait_condition(lambda: undo.key in s.effects)

    async def _resume_in_time(self) -> None:
        """A pause that has a last day is over by itself."""
        s = self._state
        while True:
            await workflow.wait_condition(lambda: s.paused_until is not None)
            await until(self._now, lambda: Due(s.resumes(), "the pause is over"), unless=lambda: s.paused_until is None)
            s.paused = s.paused_until = None

    # ── waiting ─────────────────────────────────────────────────────────────────────────────────────────────────

    async def _do(self, make: Callable[[], Step], *, on_credit: bool = False) -> None:
        """Have a step done, once. A corrected order drops its steps: they are made anew, from what is valid now.

        `on_credit`: not while the customer is on credit hold."""
        s = self._state
        while True:
            await self._unless_cancelled(lambda: s.cleared and not (on_credit and s.hold))
            step = make()
            self._lanes.ask(step)
            key = step.key
            await self._unless_cancelled(lambda: key in s.effects or not self._lanes.holds(key))  # noqa: B023
            if key in s.effects:
                return

    async def _unless_cancelled(self, ready: Callable[[], bool]) -> None:
        await workflow.wait_condition(lambda: ready() or self._state.cancelled is not None)
        if self._state.cancelled is not None:
            raise OrderCancelled

    async def _until(self, due: Callable[[], Due], *, unless: Callable[[], bool]) -> None:
        await until(self._now, due, unless=unless, held=lambda: self._state.held)

    def _ending(self) -> bool:
        return self._state.ends_on is not None

    def _outcome(self) -> LifecycleOutcome:
        s = self._state
        return LifecycleOutcome(
            outcome="cancelled" if s.cancelled else "ended",
            reason=s.cancelled or s.end_reason,
            terms=0 if s.cancelled else s.term,
            effects=s.effects,
        )

    def _must_continue(self) -> bool:
        info = workflow.info()
        moves = self._begins_anew or info.is_target_worker_deployment_version_changed()
        return moves or info.is_continue_as_new_suggested()
