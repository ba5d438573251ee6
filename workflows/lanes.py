"""Lanes: one FIFO coroutine per outside system performs what the tracks decided: an outage delays only its own lane."""

from collections.abc import Awaitable, Callable
from datetime import date, datetime
from typing import Any

from temporalio import workflow
from temporalio.exceptions import ActivityError, ApplicationError

from workflows import options
from workflows.waiting import after_everybody

with workflow.unsafe.imports_passed_through():
    from activities.crm import CrmActivities
    from activities.cs import CsActivities
    from activities.desk import DeskActivities
    from activities.erp import ErpActivities
    from domain import projection, withholding
    from domain.books import Shows, ViewRow
    from domain.finance import periods
    from domain.outcomes import done, failed, settle_levels, title
    from domain.showing import packed
    from domain.standins import OFF
    from domain.state import LifecycleState
    from domain.steps import (
        ActivateOrder,
        CancelSubscription,
        CreateCustomer,
        CreateSubscription,
        EndSubscription,
        EnsureCompany,
        Level,
        Perform,
        Performed,
        RenewSubscription,
        SetCreditHold,
        SetHealth,
        StartBilling,
        Step,
        ValidateOrder,
        WriteStatus,
        fingerprint,
    )
    from domain.urgency import urgency

SYSTEMS = ("crm", "erp", "cs")

LEAD_ON = (ValidateOrder, CreateCustomer, CreateSubscription, ActivateOrder, EnsureCompany)
"""Steps that another one follows at once: the view of before goes with them, into the ledger's transaction."""
TURNING = (
    ValidateOrder,
    CreateCustomer,
    CreateSubscription,
    ActivateOrder,
    StartBilling,
    RenewSubscription,
    EndSubscription,
    CancelSubscription,
)
"""Steps by which stage or status become others."""

PERFORMERS: dict[str, Callable[[Any, Perform], Awaitable[Performed]]] = {
    "crm.validate_order": CrmActivities.validate_order,
    "crm.create_renewal_opportunity": CrmActivities.create_renewal_opportunity,
    "crm.write_status": CrmActivities.write_status,
    "erp.create_customer": ErpActivities.create_customer,
    "erp.create_subscription": ErpActivities.create_subscription,
    "erp.activate_order": ErpActivities.activate_order,
    "erp.start_billing": ErpActivities.start_billing,
    "erp.amend_subscription": ErpActivities.amend_subscription,
    "erp.change_term": ErpActivities.change_term,
    "erp.set_credit_hold": ErpActivities.set_credit_hold,
    "erp.renew_subscription": ErpActivities.renew_subscription,
    "erp.end_subscription": ErpActivities.end_subscription,
    "erp.cancel_subscription": ErpActivities.cancel_subscription,
    "cs.ensure_company": CsActivities.ensure_company,
    "cs.launch_onboarding": CsActivities.launch_onboarding,
    "cs.start_playbook": CsActivities.start_playbook,
    "cs.post_note": CsActivities.post_note,
    "cs.set_health": CsActivities.set_health,
}


class Lanes:
    """Performs the queued steps of a lifecycle, and brings the levels that CRM and CS show up to date.

    A step leaves the queue only when it is done, or withheld, or when nobody but a person can know whether it was.
    This is the one place where stages that only observe, and a lifecycle in shadow, are held back.
    """

    def __init__(self, state: LifecycleState, now: Callable[[], datetime], row: Callable[[], ViewRow]) -> None:
        self._state = state
        self._now = now
        self._row = row
        self._busy: set[str] = set()
        self._showing: str | None = None  # the one step in flight whose activity publishes a view of its own
        self.performing: set[str] = set()
        self.shown: str | None = None  # how the view looks that the store has, or is about to have
        self.leaving = False

    def ask(self, step: Step) -> None:
        """Queue a step, once: a fact that is recorded or queued already is left alone."""
        if step.key not in self._state.effects and not self.holds(step.key):
            self._state.queue.append(step)

    def holds(self, key: str) -> bool:
        """Whether a step is still to be done."""
        return key in self._state.doubts or any(queued.key == key for queued in self._state.queue)

    def busy(self, system: str) -> bool:
        return system in self._busy

    @property
    def quiet(self) -> bool:
        """Nothing in flight, and nothing that could go now."""
        return not self._busy and not any(self._ready(system) for system in SYSTEMS)

    @property
    def drained(self) -> bool:
        """Everything decided is done and told, and nothing is in doubt."""
        settled = not self._busy and not self._state.doubts
        return settled and all(self._head(system) is None for system in SYSTEMS)

    async def serve(self, system: str) -> None:
        """Perform this system's steps in order, until told to leave."""
        while True:
            await workflow.wait_condition(lambda: self.leaving or self._head(system) is not None)
            if not any(step.system == system for step in self._state.queue):
                await after_everybody(thrifty=self._state.thrifty)
            if self.leaving:
                return
            if self._state.paused is not None:
                await workflow.wait_condition(lambda: self.leaving or self._state.paused is None)
                continue
            if step := self._ready(system):
                self._busy.add(system)
                self.performing.add(step.key)
                try:
                    await self._perform(step)
                finally:
                    self._busy.discard(system)
                    self.performing.discard(step.key)
            else:
                await self._wait_for_turn(system)
            settle_levels(self._state, self._now())

    def _head(self, system: str) -> Step | None:
        """The next step of a system: the queue first, then a level that is not what was last told. A credit hold goes
        before the queue, which may be waiting for just that."""
        for hold in projection.credit_hold(self._state):
            if hold.system == system and self._untold(hold) and self._may_go(hold):
                return hold
        for step in self._state.queue:
            if step.system == system:
                return step
        for level in projection.levels(self._state, self._now()):
            if level.system == system and self._untold(level) and not self._waits(level):
                return level
        return None

    def _waits(self, level: Level) -> bool:
        """Whether something is about to be done that changes what the level says. What has failed once, and what stands
        behind that, is not waited for: a system that is away holds no news up."""
        if not self._state.thrifty or isinstance(level, SetCreditHold) or level.key in self._state.cases:
            return False
        heads: dict[str, Step] = {}
        for step in self._state.queue:
            heads.setdefault(step.system, step)
        return any(isinstance(step, TURNING) and step.key not in self._state.cases for step in heads.values())

    def _untold(self, level: Level) -> bool:
        return self._state.told.get(level.key) != fingerprint(level)

    def _ready(self, system: str) -> Step | None:
        """The head, unless it has failed and its time has not come again, or the lifecycle is paused."""
        step = self._head(system) if self._state.paused is None else None
        return step if step is not None and self._may_go(step) else None

    def _may_go(self, step: Step) -> bool:
        case = self._state.cases.get(step.key)
        return case is None or (case.retry_at is not None and case.retry_at <= self._now())

    async def _wait_for_turn(self, system: str) -> None:
        """Wait with a failed head until it may be tried again, a person moves it, or something else is first."""
        step = self._head(system)
        case = self._state.cases.get(step.key) if step else None
        if step is None or case is None:
            return
        armed = case.retry_at

        def moved() -> bool:
            current = self._state.cases.get(step.key)
            return self.leaving or self._head(system) != step or current is None or current.retry_at != armed

        try:
            await workflow.wait_condition(
                moved,
                timeout=armed - self._now() if armed else None,
                timeout_summary=f"try again: {title(step)}",
            )
        except TimeoutError:
            return

    async def _perform(self, step: Step) -> None:
        if why := withholding.ruling(self._state, step := withholding.completed(self._state, step)):
            await self._withhold(step, why)
            return
        case = self._state.cases.get(step.key)
        row = self._row()
        shows = self._shows(step, row)
        request = Perform(
            contract=self._state.contract,
            as_of=self._now(),
            step=step,
            generation=self._state.generations.get(step.key, 1),
            view=None if self._showing or (self._state.thrifty and isinstance(step, WriteStatus)) else row,
            shows=shows,
        )
        try:
            performed = await workflow.execute_activity_method(
                PERFORMERS[step.do],
                request,
                **options.at(
                    self._state.connection(step.system),
                    title(step),
                    options.PROBE if case else options.EFFECT,
                    urgency(self._state),
                ),
            )
        except ActivityError as error:
            self.shown = None  # it may have been done and shown all the same
            kind, message = reason_of(error)
            failures = case.failures + 1 if case else 1
            delay = options.WHILE_FROZEN if kind in ("FROZEN", "FENCED") else options.retry_delay(failures)
            failed(self._state, step, kind, message, self._now(), delay)
            if (opens := redate_of(error)) and step.key in self._state.cases:
                periods.redate_by_policy(self._state, step, opens, self._now())
        else:
            self.shown = performed.shown or self.shown
            done(self._state, step, performed, self._now())
        finally:
            if shows:
                self._showing = None

    def _shows(self, step: Step, row: ViewRow) -> Shows | None:
        """What the activity publishes when the step is done. One at a time, and no other step takes a view with it
        meanwhile: what one has shown would be gone in the view of another. A deal's status is in no view."""
        if not self._state.thrifty or self._showing or isinstance(step, (*LEAD_ON, WriteStatus)):
            return None
        self._showing = step.key
        return Shows(run_started=row.run_started, sequence=row.sequence, state=packed(self._state))

    async def _withhold(self, step: Step, why: str) -> None:
        """Decided, not performed. What the risk would be is assessed all the same: that asks nobody outside."""
        request = Perform(contract=self._state.contract, as_of=self._now(), step=step)
        if isinstance(step, SetHealth) and why != OFF:
            performed = await workflow.execute_local_activity_method(
                DeskActivities.assess_risk, request, **options.STORE
            )
            withholding.withhold(self._state, step, why, self._now(), performed)
        else:
            withholding.withhold(self._state, step, why, self._now())


def reason_of(error: ActivityError) -> tuple[str, str]:
    """Kind (domain/errors.py) and message of a failed activity. One that timed out may have done its work."""
    cause = error.cause
    if isinstance(cause, ApplicationError) and cause.type is not None:
        return cause.type, cause.message
    return "OUTCOME_UNKNOWN", f"no answer in time ({cause})"


def redate_of(error: ActivityError) -> date | None:
    """The day on which the company's policy dates what a closed period refused; the activity has decided that."""
    cause = error.cause
    told = cause.details[0] if isinstance(cause, ApplicationError) and cause.details else None
    if not isinstance(told, dict) or told.get("redate") != "yes":
        return None
    return date.fromisoformat(str(told["opens_on"]))
