"""The renewal of the term that runs: its window opens, its readiness is read, and somebody or something decides."""

from collections.abc import Callable
from datetime import datetime

from temporalio import workflow
from temporalio.exceptions import ApplicationError

from workflows.lanes import Lanes
from workflows.readings import assemble_readiness
from workflows.waiting import Due, until

with workflow.unsafe.imports_passed_through():
    from domain import calendar, outcomes, plan, reactions
    from domain.policies.stages import policy
    from domain.state import Decision, LifecycleState


class Renewal:
    """One for the whole life: what it knows of a term stands in the state."""

    def __init__(self, state: LifecycleState, lanes: Lanes, now: Callable[[], datetime]) -> None:
        self._state = state
        self._lanes = lanes
        self._now = now

    async def open(self) -> None:
        """Have an opportunity in the CRM for the decision, and assemble the readiness view."""
        s = self._state
        s.window_opened = s.term
        if self._is_off():
            return
        opportunity = plan.create_renewal_opportunity(s, running_term(s))
        self._lanes.ask(opportunity)
        # the view shows the opportunity's stage; a CRM that is down does not hold it up
        await workflow.wait_condition(lambda: opportunity.key in s.effects or opportunity.key in s.cases)
        if s.readiness is None:
            s.readiness = await assemble_readiness(s, self._now())

    async def decision(self) -> None:
        """The CRM's opportunity, a command, or the contract's own terms decide. Silence is a case, never an end."""
        s = self._state
        if self._is_off():
            await self._somebody_elses()
        clause = s.if_undecided is calendar.Undecided.RENEWS
        last = "the auto-renew clause decides" if clause else "the term is over, decided or not"

        def last_month() -> Due:
            coming = [at for at in (s.last_month(), s.last_word()) if at is not None]
            return Due(min(coming, default=None), "the last month of the term")

        await self._until(last_month)  # for the priority that CS shows
        await self._until(lambda: Due(s.last_word(), last))
        today = calendar.civil_date(self._now(), s.zone)
        if not self._settled() and not reactions.decide_by_terms(s, today):
            outcomes.out_of_term(s, self._now())
            await workflow.wait_condition(self._settled)
        s.cases.pop(outcomes.OUT_OF_TERM_CASE, None)

    async def _until(self, due: Callable[[], Due]) -> None:
        s = self._state
        await until(self._now, due, unless=self._settled, held=lambda: s.paused is not None)

    def _settled(self) -> bool:
        """Decided; or the term has been made so much longer that its window is closed again."""
        s = self._state
        return s.decision is not None or s.ends_on is not None or s.window_opened < s.term

    async def _somebody_elses(self) -> None:
        """The stage is off: nobody here decides, and a term that was not ended is taken to be followed by another."""
        s = self._state
        over = "the term is over; its renewal is somebody else's"
        await until(self._now, lambda: Due(s.term_over(), over), unless=lambda: self._settled() or not self._is_off())
        if self._settled():
            return
        if self._is_off():
            today = calendar.civil_date(self._now(), s.zone)
            s.decision = Decision(outcome="renew", by="somebody else, the stage is off here", on=today)
        else:
            await self.open()

    def _is_off(self) -> bool:
        return policy("renewal", self._state.stages, self._state.mode) == "off"


def running_term(state: LifecycleState) -> calendar.Term:
    """The term of a contract that lives."""
    term = state.term_now()
    if term is None:
        raise ApplicationError("a live contract has no term", type="INTERNAL")
    return term
