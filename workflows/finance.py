"""What finance decides while a contract lives: its commands, as Updates. What they do is in `domain/finance/`."""

from datetime import date, datetime

from temporalio import workflow

from workflows.refusing import refuse

with workflow.unsafe.imports_passed_through():
    from domain.finance import approval, credit
    from domain.finance.commands import ApproveOrder, HoldCredit, RejectOrder, ReleaseCredit
    from domain.messages import CommandAnswer
    from domain.state import LifecycleState


class FinanceMessages:
    """Handlers beside `LifecycleMessages`, whose state and clock they use."""

    _state: LifecycleState

    def _answer(self, message: str) -> CommandAnswer:
        raise NotImplementedError

    def _now(self) -> datetime:
        raise NotImplementedError

    def _today(self) -> date:
        raise NotImplementedError

    @workflow.update
    def approve(self, command: ApproveOrder) -> CommandAnswer:
        """Finance approves the order as its current revision states it."""
        approval.approve(self._state, command, self._today())
        return self._answer(f"revision {command.revision} is approved, and goes on")

    @approve.validator
    def _check_approve(self, command: ApproveOrder) -> None:
        refuse(lambda: approval.check_approve(self._state, command))

    @workflow.update
    def reject(self, command: RejectOrder) -> CommandAnswer:
        """Finance does not approve the order as it is."""
        approval.reject(self._state, command, self._today(), self._now())
        return self._answer(f"revision {command.revision} is not approved; nothing was done for it in the ERP")

    @reject.validator
    def _check_reject(self, command: RejectOrder) -> None:
        refuse(lambda: approval.check_reject(self._state, command))

    @workflow.update
    def hold(self, command: HoldCredit) -> CommandAnswer:
        """Put the customer on credit hold. The command line gives it to each contract of the customer."""
        credit.hold(self._state, command)
        return self._answer(f"on credit hold: {self._state.hold}")

    @hold.validator
    def _check_hold(self, command: HoldCredit) -> None:
        refuse(lambda: credit.check_hold(self._state, command))

    @workflow.update
    def release(self, command: ReleaseCredit) -> CommandAnswer:
        """Release the hold that was set by hand."""
        credit.release(self._state, command)
        still = self._state.hold
        return self._answer(f"still on credit hold: {still}" if still else "released from the credit hold")

    @release.validator
    def _check_release(self, command: ReleaseCredit) -> None:
        refuse(lambda: credit.check_release(self._state, command))
