"""What a lifecycle is told and asked while it lives: events and commands as Updates, events as Signals too, queries.

Handlers only mutate state; the tracks see it. Validators refuse with the reason, which writes no history.
"""

from datetime import date, datetime, timedelta
from typing import Any

from temporalio import workflow

from workflows.finance import FinanceMessages
from workflows.lanes import Lanes
from workflows.refusing import refuse, vets
from workflows.waiting import after_everybody

with workflow.unsafe.imports_passed_through():
    from pydantic import ValidationError

    from domain import calendar, commands, corrections, moving, outcomes, projection, reactions
    from domain.books import VIEWS_PER_TASK, ViewRow
    from domain.changes import applying, vetting
    from domain.changes.applying import ChangePreview
    from domain.changes.kinds import ChangeContract
    from domain.finance import periods
    from domain.messages import (
        BatchAnswer,
        CancelOrder,
        CommandAnswer,
        EndContract,
        EventBatch,
        FixOrder,
        MoveAccount,
        RenewContract,
        RetryStep,
    )
    from domain.refused import Refused
    from domain.showing import face
    from domain.state import Decision, LifecycleState
    from domain.view import LifecycleView


class LifecycleMessages(FinanceMessages):
    """The handlers, and how the state is read."""

    _state: LifecycleState
    _lanes: Lanes
    _begins_anew: bool = False
    _views: tuple[int, int] = (0, 0)  # the history's length, and how many views were made at it

    # ── events ──────────────────────────────────────────────────────────────────────────────────────────────────

    @workflow.update
    async def deliver(self, batch: EventBatch) -> BatchAnswer:
        """Mediated events, in order, with an answer for each. At least once: `seq` makes a repeat harmless."""
        making = self._lanes.busy("erp")
        answer = BatchAnswer(answers=reactions.receive(self._state, batch, self._today(), making=making, vets=vets))
        if batch.keeps and self._state.thrifty:
            await after_everybody(thrifty=True)
            if self._lanes.quiet:
                answer.row = self._row()
                self._lanes.shown = face(self._view())
        return answer

    @deliver.validator
    def _check_deliver(self, batch: EventBatch) -> None:
        refuse(lambda: commands.check_open(self._state))

    @workflow.signal
    def tell(self, event: Any) -> None:
        """One event, as an engineer sends it by CLI or UI. It takes any payload: one that can't be used opens a case,
        where a typed signal would be dropped in silence."""
        s = self._state
        try:
            commands.check_open(s)
            reactions.receive_one(s, event, self._today(), making=self._lanes.busy("erp"), vets=vets)
        except (Refused, ValidationError) as error:
            outcomes.unusable_signal(s, error, self._now())

    @workflow.signal
    def begin_anew(self) -> None:
        """Go on as a new run, with the same state, once what is under way is done: so it moves to the version that is
        current (starter/deploying)."""
        self._begins_anew = True

    # ── commands ────────────────────────────────────────────────────────────────────────────────────────────────

    @workflow.update
    def fix_order(self, command: FixOrder) -> CommandAnswer:
        """A corrected revision of the order is checked, and the activation goes on from where it stood."""
        corrections.correct(self._state, command.revision)
        return self._answer(f"revision {command.revision} is being checked")

    @fix_order.validator
    def _check_fix(self, command: FixOrder) -> None:
        refuse(lambda: commands.check_fix(self._state, command, making=self._lanes.busy("erp")))

    @workflow.update
    def retry_step(self, command: RetryStep) -> CommandAnswer:
        """Try a failed step now, take it as done outside, or give it up."""
        if command.drop:
            outcomes.dropped(self._state, command.case, self._now())
            return self._answer("given up")
        if command.on is not None:
            periods.redate(self._state, command.case, command.on, command.by)
        recorded = self._state.thrifty or workflow.patched("the ledger hears of what was done by hand")
        outcomes.retried(self._state, command.case, command.done_as, self._now(), recorded=recorded)
        again = f"dated {command.on}, trying again" if command.on else "trying again"
        return self._answer("taken as done" if command.done_as else again)

    @retry_step.validator
    def _check_retry(self, command: RetryStep) -> None:
        under_way = command.case in self._lanes.performing
        refuse(lambda: commands.check_retry(self._state, command, under_way=under_way))

    @workflow.update
    def renew(self, command: RenewContract) -> CommandAnswer:
        """Decide that the running term is followed by another."""
        decision = Decision(outcome="renew", by=command.by, on=self._today())
        refuse(lambda: reactions.decide(self._state, decision))
        return self._answer(f"term {self._state.term} will be renewed")

    @renew.validator
    def _check_renew(self, command: RenewContract) -> None:
        refuse(lambda: commands.check_renew(self._state, command, self._today()))

    @workflow.update
    def end(self, command: EndContract) -> CommandAnswer:
        """End the contract on a day, or with its term."""
        outcomes.ended(self._state, command.on, self._today(), f"{command.reason} ({command.by})")
        return self._answer(f"the contract ends on {self._state.ends_on}")

    @end.validator
    def _check_end(self, command: EndContract) -> None:
        refuse(lambda: commands.check_end(self._state, command, self._today()))
        refuse(lambda: vetting.check_day(self._state, command.on, self._today()))

    @workflow.update
    def cancel(self, command: CancelOrder) -> CommandAnswer:
        """Cancel an order before its activation, and undo what was done for it."""
        outcomes.cancelled(self._state, f"{command.reason} ({command.by})")
        return self._answer("the order is cancelled; what was done for it is being undone")

    @cancel.validator
    def _check_cancel(self, command: CancelOrder) -> None:
        refuse(lambda: commands.check_cancel(self._state, command, under_way=self._lanes.busy("erp")))

    @workflow.update
    def move_account(self, command: MoveAccount) -> CommandAnswer:
        """Belong to another account: its accounts were merged or split, or that is taken back. Again, it changes
        nothing."""
        moving.move(self._state, command)
        return self._answer(f"it belongs to the account {self._state.account}")

    @move_account.validator
    def _check_move(self, command: MoveAccount) -> None:
        if command.back:
            refuse(lambda: moving.check_back(self._state, command.account, command.into))

    @workflow.update
    def change(self, command: ChangeContract) -> CommandAnswer:
        """Change the running contract: amend, extend, renew early, give notice, pause, undo … (domain/changes). One at
        a time, each against the state that the former left; the same id again changes nothing."""
        refuse(lambda: applying.check(self._state, command, self._today(), self._lanes.performing))
        return self._answer(applying.apply(self._state, command, self._today(), self._lanes.performing))

    @change.validator
    def _check_change(self, command: ChangeContract) -> None:
        refuse(lambda: vetting.check(self._state, command, self._now(), self._lanes.performing))

    # ── reading ─────────────────────────────────────────────────────────────────────────────────────────────────

    @workflow.query
    def view(self) -> LifecycleView:
        """Where the lifecycle stands."""
        return self._view()

    @workflow.query
    def state(self) -> LifecycleState:
        """The whole state, as continue-as-new would hand it on: what a fork of this lifecycle begins with."""
        return self._state

    @workflow.query
    def preview(self, command: ChangeContract) -> ChangePreview:
        """What a change would do. It changes nothing and writes no history."""
        return vetting.preview(self._state, command, self._now(), self._lanes.performing)

    def _view(self) -> LifecycleView:
        return projection.view(self._state, self._now())

    def _row(self) -> ViewRow:
        """The view as the store keeps it: a newer run, or a longer history, wins; within one task, the later view."""
        info = workflow.info()
        length = info.get_current_history_length()
        self._views = (length, self._views[1] + 1 if self._views[0] == length else 0)
        return ViewRow(
            contract=self._state.contract,
            run_started=info.start_time,
            sequence=length * VIEWS_PER_TASK + min(self._views[1], VIEWS_PER_TASK - 1),
            view=self._view().model_dump(mode="json"),
        )

    def _answer(self, message: str) -> CommandAnswer:
        return CommandAnswer(message=message, view=self._view())

    def _now(self) -> datetime:
        """Business time."""
        return workflow.now() + timedelta(seconds=self._state.shift_seconds)

    def _today(self) -> date:
        return calendar.civil_date(self._now(), self._state.zone)
