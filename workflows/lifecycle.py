"""The life of one contract, from the won order to its end: one durable workflow, for years."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from datetime import date, datetime

from temporalio import workflow
from temporalio.exceptions import ApplicationError

from workflows.desk import Desk
from workflows.lanes import SYSTEMS, Lanes
from workflows.messages import LifecycleMessages
from workflows.readings import assemble_readiness

with workflow.unsafe.imports_passed_through():
    from domain import billing, calendar, keys, outcomes
    from domain.messages import LifecycleOutcome
    from domain.state import Decision, LifecycleState
    from domain.steps import (
        ActivateOrder,
        CancelSubscription,
        CreateCustomer,
        CreateRenewalOpportunity,
        CreateSubscription,
        EndSubscription,
        EnsureCompany,
        LaunchOnboarding,
        PostNote,
        RenewSubscription,
        StartBilling,
        StartPlaybook,
        Step,
    )
    from domain.terms import LineTerms


class OrderCancelled(Exception):
    """The order was cancelled while it was being activated."""


@workflow.defn(name="CustomerLifecycle")
class CustomerLifecycle(LifecycleMessages):
    """Tracks decide, lanes perform, the desk keeps people informed. Every step is guarded by a recorded fact, so that
    `run` falls through to where it stood after continue-as-new."""

    @workflow.init
    def __init__(self, state: LifecycleState) -> None:
        self._state = state
        self._lanes = Lanes(state, self._now, self._row)
        self._desk = Desk(self._lanes, self._view, self._row)

    @workflow.run
    async def run(self, state: LifecycleState) -> LifecycleOutcome:
        life = asyncio.create_task(self._live())
        crew = [asyncio.create_task(self._lanes.serve(system)) for system in SYSTEMS]
        crew.append(asyncio.create_task(self._desk.serve()))
        await workflow.wait_condition(lambda: life.done() or self._must_continue())
        continues = not life.done()
        if continues:
            life.cancel()  # tracks only wait and decide: nothing is lost with them
        self._lanes.leaving = self._desk.leaving = True
        await asyncio.gather(*crew)
        await workflow.wait_condition(workflow.all_handlers_finished)
        if continues:
            workflow.continue_as_new(self._state)
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
        await workflow.wait_condition(lambda: self._lanes.drained)

    # ── the tracks ──────────────────────────────────────────────────────────────────────────────────────────────

    async def _activate_order(self) -> None:
        """Validate the order, then customer, subscription and activation in the ERP."""
        s = self._state
        if s.sheet is None:
            self._validate()
        await self._unless_cancelled(lambda: s.sheet is not None)
        await self._do(
            lambda: CreateCustomer(key=keys.customer(s.account, s.known.selling_entity), revision=s.order_revision)
        )
        subscription = await self._do(self._new_subscription)
        await self._do(lambda: self._new_activation(subscription))

    async def _engage(self) -> None:
        """Customer success: the company, its onboarding, and for each renewal a playbook and a word to the CSM."""
        s = self._state
        company = await self._do(lambda: EnsureCompany(key=keys.company(s.account), revision=s.order_revision))
        await self._do(lambda: LaunchOnboarding(key=keys.onboarding(s.contract), company=company, starts=self._today()))
        while await self._renewal_to_prepare():
            term, due = s.term, self._term().ends or self._today()
            self._lanes.ask(StartPlaybook(key=keys.playbook(s.contract, term), company=company, due=due))
            note = s.readiness.summary() if s.readiness else ""
            self._lanes.ask(PostNote(key=keys.readiness_note(s.contract, term), company=company, text=note))
            s.prepared = term

    async def _bill(self) -> None:
        """Start billing of each line when its own rule allows it, never earlier."""
        async with asyncio.TaskGroup() as lines:
            for line in self._state.known.lines:
                lines.create_task(self._bill_line(line))

    async def _bill_line(self, line: LineTerms) -> None:
        s = self._state

        def starts() -> date | None:
            return billing.billing_starts(line.billing_start, s.billing_facts, self._today())

        while starts() is None and not self._over():
            await self._until(lambda: self._next_date(line), unless=lambda: starts() is not None or self._over())
        first = starts()
        if first is None or s.subscription is None:
            return
        subscription, accepted = s.subscription, self._today()
        await self._do(
            lambda: StartBilling(
                key=keys.billing_start(s.contract, line.id, 1),
                subscription=subscription,
                line=line.id,
                starts=first,
                accepted_on=min(first, accepted),
            )
        )

    async def _renewal_to_prepare(self) -> bool:
        """Wait for a readiness that CS has not been told of; False when the contract is over."""
        s = self._state
        await workflow.wait_condition(lambda: self._over() or (s.readiness is not None and s.prepared < s.term))
        return not self._over()

    async def _keep_term(self) -> None:
        """Serve, open the renewal window, renew or end: term after term."""
        s = self._state
        while not self._ending():
            await self._until(s.window_opens, unless=self._ending)
            if self._ending():
                break
            await self._open_renewal()
            await self._await_decision()
            if self._ending():
                break
            await self._renew()
            await self._until(s.term_over, unless=self._ending)
            if not self._ending():
                s.term, s.decision, s.readiness = s.term + 1, None, None
        await self._end()

    async def _open_renewal(self) -> None:
        """Have an opportunity in the CRM for the decision, and assemble the readiness view."""
        s = self._state
        s.window_opened = s.term
        opportunity = CreateRenewalOpportunity(
            key=keys.renewal_opportunity(s.contract, s.term),
            account=s.account,
            renews_deal=s.deal,
            close_by=self._term().ends or self._today(),
        )
        self._lanes.ask(opportunity)
        # the view shows the opportunity's stage; a CRM that is down does not hold it up
        await workflow.wait_condition(lambda: opportunity.key in s.effects or opportunity.key in s.cases)
        if s.readiness is None:
            s.readiness = await assemble_readiness(s, self._now())

    async def _await_decision(self) -> None:
        """The CRM's opportunity, a command, or the auto-renew clause decides. Silence is a case, never an end."""
        s = self._state

        def decided() -> bool:
            return s.decision is not None or self._ending()

        if s.known.terms.auto_renew:
            await self._until(s.cut_off, unless=decided)
            if not decided():
                s.decision = Decision(outcome="renew", by="auto-renew clause", on=self._today())
        else:
            await self._until(s.term_over, unless=decided)
            if not decided():
                outcomes.out_of_term(s, self._now())
                await workflow.wait_condition(decided)
        s.cases.pop(outcomes.OUT_OF_TERM_CASE, None)

    async def _renew(self) -> None:
        s = self._state
        subscription, following = s.subscription or "", s.term_number(s.term + 1)
        if following is None or following.ends is None:
            raise ApplicationError("a term that was renewed has no next one", type="INTERNAL")
        starts, ends = following.starts, following.ends
        await self._do(
            lambda: RenewSubscription(
                key=keys.renewal(s.contract, s.term + 1),
                subscription=subscription,
                term=s.term + 1,
                starts=starts,
                ends=ends,
            )
        )

    async def _end(self) -> None:
        """End the subscription on the right day. CRM and CS are told by their levels."""
        s = self._state
        await self._until(s.end_instant, unless=lambda: False)
        subscription, ends = s.subscription or "", s.ends_on or self._today()
        await self._do(
            lambda: EndSubscription(
                key=keys.ending(s.contract), subscription=subscription, ends=ends, reason=s.end_reason
            )
        )
        s.closed = True

    def _new_subscription(self) -> CreateSubscription:
        s = self._state
        term = s.term_now()
        return CreateSubscription(
            key=keys.subscription(s.contract),
            revision=s.order_revision,
            customer=s.customer or "",
            starts=term.starts if term else None,
            ends=term.ends if term else None,
        )

    def _new_activation(self, subscription: str) -> ActivateOrder:
        s, today = self._state, self._today()
        # where activation anchors the first term, this day is the anchor
        first = s.first_term(today)
        return ActivateOrder(
            key=keys.activation(s.contract), subscription=subscription, on=today, starts=first.starts, ends=first.ends
        )

    async def _undo_order(self) -> None:
        """Undo what was done for a cancelled order. The customer stays: other contracts may use it."""
        s = self._state
        made = keys.subscription(s.contract)
        await workflow.wait_condition(lambda: not self._lanes.busy("erp") and not self._lanes.holds(made))
        if subscription := s.subscription:
            key, reason = keys.cancellation(s.contract), s.cancelled or ""
            self._lanes.ask(CancelSubscription(key=key, subscription=subscription, reason=reason))
            await workflow.wait_condition(lambda: key in s.effects)

    # ── waiting ─────────────────────────────────────────────────────────────────────────────────────────────────

    async def _do(self, make: Callable[[], Step]) -> str:
        """Have a step done, once, and return its id outside. A corrected order drops its steps: they are made anew."""
        s = self._state
        while True:
            # a correction may have taken the valid order away again
            await self._unless_cancelled(lambda: s.sheet is not None)
            step = make()
            self._lanes.ask(step)
            key = step.key
            await self._unless_cancelled(lambda: key in s.effects or not self._lanes.holds(key))  # noqa: B023
            if key in s.effects:
                return s.effects[key]

    async def _unless_cancelled(self, ready: Callable[[], bool]) -> None:
        await workflow.wait_condition(lambda: ready() or self._state.cancelled is not None)
        if self._state.cancelled is not None:
            raise OrderCancelled

    async def _until(self, due: Callable[[], datetime | None], *, unless: Callable[[], bool]) -> None:
        """Wait until a date that may move. The timer is armed again only when the date does: an unrelated event costs
        nothing. A `due` of None waits for `unless` alone."""
        while not unless() and ((armed := due()) is None or armed > self._now()):
            with suppress(TimeoutError):
                await self._armed(due, armed, unless)

    async def _armed(
        self, due: Callable[[], datetime | None], armed: datetime | None, unless: Callable[[], bool]
    ) -> None:
        await workflow.wait_condition(
            lambda: unless() or due() != armed,
            timeout=armed - self._now() if armed else None,
            timeout_summary=f"wait until {armed:%Y-%m-%d}" if armed else None,
        )

    def _next_date(self, line: LineTerms) -> datetime | None:
        """The next fixed date in a line's billing rule."""
        days = [day for day in billing.awaited_dates(line.billing_start) if day > self._today()]
        return calendar.start_of_day(min(days), self._state.zone) if days else None

    def _ending(self) -> bool:
        return self._state.ends_on is not None

    def _over(self) -> bool:
        return self._state.closed

    def _term(self) -> calendar.Term:
        term = self._state.term_now()
        if term is None:
            raise ApplicationError("a live contract has no term", type="INTERNAL")
        return term

    def _outcome(self) -> LifecycleOutcome:
        s = self._state
        return LifecycleOutcome(
            outcome="cancelled" if s.cancelled else "ended",
            reason=s.cancelled or s.end_reason,
            terms=0 if s.cancelled else s.term,
            effects=s.effects,
        )

    def _must_continue(self) -> bool:
        return workflow.info().is_continue_as_new_suggested()
