"""What finance decides while a contract lives: its commands, as Updates. What they do is in `domain/finance/`."""

from collections.abc import Callable
from datetime import date, datetime
from typing import TYPE_CHECKING

from temporalio import workflow

from workflows.refusing import refuse
from workflows.waiting import Due, until

with workflow.unsafe.imports_passed_through():
    from domain.finance import approval, credit, dues, price_notice, purchasing
    from domain.finance.commands import ApproveOrder, HoldCredit, PriceNoticeGiven, RejectOrder, ReleaseCredit
    from domain.messages import CommandAnswer
    from domain.state import LifecycleState


class Finance:
    """What of finance's falls due by itself, and what the renewal waits for. All that it knows stands in the state."""

    def __init__(self, state: LifecycleState, now: Callable[[], datetime]) -> None:
        self._state = state
        self._now = now

    async def mind(self) -> None:
        """Do what falls due, day after day, until the contract is over."""
        s = self._state

        def due() -> Due:
            first = next(iter(dues.coming(s)), None)
            return Due(first.at, first.what) if first else Due(None, "")

        while not s.closed:
            await self._until(due, unless=lambda: s.closed)
            if not s.closed:
                dues.come(s, self._now())

    async def next_term_is_covered(self) -> bool:
        """Wait for the purchase order that the next term needs, as long as that can be waited for. False: the renewal
        is not wanted any more."""
        s = self._state

        def unwanted() -> bool:
            return s.decision is None or s.ends_on is not None

        if not purchasing.covers_next_term(s):
            purchasing.ask_for_renewal(s, self._now())
            await self._until(
                lambda: Due(purchasing.renewed_without(s), "the term's last day, with or without a purchase order"),
                unless=lambda: unwanted() or purchasing.covers_next_term(s),
            )
            if unwanted():
                purchasing.settled(s)
        return not unwanted()

    async def _until(self, due: Callable[[], Due], *, unless: Callable[[], bool]) -> None:
        await until(self._now, due, unless=unless, held=lambda: self._state.held)


class FinanceMessages:
    """Handlers beside `LifecycleMessages`, whose state and clock they use."""

    _state: LifecycleState

    if TYPE_CHECKING:

        def _answer(self, message: str) -> CommandAnswer: ...
        def _now(self) -> datetime: ...
        def _today(self) -> date: ...

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

    @workflow.update
    def price_notice_given(self, command: PriceNoticeGiven) -> CommandAnswer:
        """The customer was told of the price increase for the next term."""
        price_notice.given(self._state, command, self._today())
        return self._answer(f"the increase for term {self._state.term + 1} was told in time")

    @price_notice_given.validator
    def _check_price_notice(self, command: PriceNoticeGiven) -> None:
        refuse(lambda: price_notice.check(self._state, command, self._today()))
