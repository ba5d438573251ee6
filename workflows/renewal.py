"""The renewal of the term that runs: its window opens, its readiness is read, and somebody or something decides. An
evergreen contract has a yearly review instead."""

from collections.abc import Callable
from datetime import date, datetime

from temporalio import workflow
from temporalio.exceptions import ApplicationError

from workflows import options
from workflows.lanes import Lanes
from workflows.readings import Seen, look, look_again
from workflows.waiting import Due, until

with workflow.unsafe.imports_passed_through():
    from domain import calendar, plan, reactions, renewals, reviews
    from domain.policies.stages import policy
    from domain.renewals import Matter
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
        watched = self._watched()
        if s.readiness is None:
            seen = await look(s, self._now(), renewals.WINDOW)
            if watched:
                self._see(seen)
                self._tell(f"{renewals.WINDOW}:{self._today()}")  # a window that has opened before in this term
            else:
                s.readiness = seen.readiness

    async def decision(self) -> None:
        """The CRM's opportunity, a command, or the contract's own terms decide. Silence is a case, never an end."""
        s = self._state
        if self._is_off():
            await self._somebody_elses()
        if self._watched():
            await self._watch()
        else:
            await self._wait()
        renewals.settled(s)

    async def reviews(self) -> None:
        """Look at an evergreen contract every year. Nothing needs to be decided: it goes on until it is ended."""
        s = self._state
        await workflow.wait_condition(lambda: s.closed or reviews.evergreen(s))
        if s.closed or not (s.thrifty or workflow.patched("an evergreen contract is reviewed every year")):
            return

        def agenda() -> list[Matter]:
            return [] if self._is_off() else reviews.agenda(s)

        while not s.closed:
            await self._until(lambda: _first(agenda()), unless=lambda: s.closed)
            if not s.closed and agenda()[0].kind == "review":
                await self._review()
            elif not s.closed:
                await self._ask_again(review=True)

    async def prepare(self) -> None:
        """For each renewal and each review: a playbook in CS and a word to the CSM, until the contract is over."""
        s = self._state
        while not s.closed:
            await workflow.wait_condition(lambda: s.closed or self._unprepared() or reviews.to_prepare(s) is not None)
            if s.closed:
                return
            term, review = running_term(s), reviews.to_prepare(s)
            self._lanes.ask(plan.start_playbook(s, term, review))
            if review is None:
                self._lanes.ask(plan.post_note(s, term))
                s.prepared = term.number
            else:
                self._lanes.ask(plan.post_note(s, term, reviews.name(review), reviews.note(s, review)))
                s.review_prepared = s.reviewed_on
            s.noted = s.readiness if s.look else None

    def _unprepared(self) -> bool:
        """The readiness of a renewal is known, and CS has not been told of it."""
        s = self._state
        return s.readiness is not None and s.prepared < s.term and not reviews.evergreen(s)

    def _watched(self) -> bool:
        """Whether this renewal has checkpoints. Asked by term: a contract that has run for long has them from its next
        one on."""
        return self._state.thrifty or workflow.patched(f"checkpoints, term {self._state.term}")

    # ── until it is decided ─────────────────────────────────────────────────────────────────────────────────────

    async def _watch(self) -> None:
        """Look at it again at each checkpoint, ask again who was silent, escalate. At the last word the terms decide,
        or it is out of term."""
        s = self._state
        while not self._settled():
            await self._until(lambda: _first(renewals.agenda(s)), unless=self._settled)
            if not self._settled():
                await self._meet(renewals.agenda(s)[0])

    async def _meet(self, matter: Matter) -> None:
        s = self._state
        match matter.kind:
            case "terms":
                reactions.decide_by_terms(s, self._today())
            case "over":
                renewals.out_of_term(s, self._now())
            case "undecided":
                renewals.undecided(s, self._now())
            case "checkpoint":
                occasion = renewals.checkpoint_reached(s, self._today())
                self._see(await look(s, self._now(), occasion))
                self._tell(occasion)
            case _:
                await self._ask_again()

    async def _wait(self) -> None:
        """As renewals were before they had checkpoints."""
        s = self._state
        clause = s.if_undecided is calendar.Undecided.RENEWS
        last = "the auto-renew clause decides" if clause else "the term is over, decided or not"

        def last_month() -> Due:
            coming = [at for at in (s.last_month(), s.last_word()) if at is not None]
            return Due(min(coming, default=None), "the last month of the term")

        await self._until(last_month, unless=self._settled)  # for the priority that CS shows
        await self._until(lambda: Due(s.last_word(), last), unless=self._settled)
        if not self._settled() and not reactions.decide_by_terms(s, self._today()):
            renewals.out_of_term(s, self._now())
            await workflow.wait_condition(self._settled)

    async def _somebody_elses(self) -> None:
        """The stage is off: nobody here decides, and a term that was not ended is taken to be followed by another."""
        s = self._state
        over = "the term is over; its renewal is somebody else's"
        await until(self._now, lambda: Due(s.term_over(), over), unless=lambda: self._settled() or not self._is_off())
        if self._settled():
            return
        if self._is_off():
            s.decision = Decision(outcome="renew", by="somebody else, the stage is off here", on=self._today())
        else:
            await self.open()

    def _is_off(self) -> bool:
        return policy("renewal", self._state.stages, self._state.mode) == "off"

    # ── readings ────────────────────────────────────────────────────────────────────────────────────────────────

    async def _review(self) -> None:
        s = self._state
        review = reviews.last_review(s, self._today()) or reviews.next_review(s)
        self._see(await look(s, self._now(), reviews.name(review), review=True))
        s.reviewed_on = max(self._today(), review.opens)

    async def _ask_again(self, *, review: bool = False) -> None:
        """Ask the silent sources again. When one answers, view and score follow, and the CSM hears what has changed."""
        s, former = self._state, self._state.look
        if former is None:
            return
        if seen := await look_again(s, self._now(), former, review=review):
            self._see(seen)
            self._tell(f"{former.occasion}:{self._today()}")
        else:
            former.again_at = self._now() + options.ask_again(former.tries + 1)
            former.tries += 1

    def _see(self, seen: Seen) -> None:
        s = self._state
        s.look, s.readiness = seen
        if entitlement := seen.readiness.entitlement:
            s.erp_status, s.erp_entitled = entitlement.status, entitlement.entitled

    def _tell(self, occasion: str) -> None:
        """A word to the CSM, where enough has changed since the last one. The first one is `prepare`'s."""
        s = self._state
        known = s.review_prepared is not None if reviews.evergreen(s) else s.prepared == s.term
        if known and s.readiness is not None and (s.noted is None or s.readiness.differs(s.noted)):
            self._lanes.ask(plan.post_note(s, running_term(s), occasion, renewals.note(s, self._today())))
            s.noted = s.readiness

    # ── waiting ─────────────────────────────────────────────────────────────────────────────────────────────────

    async def _until(self, due: Callable[[], Due], *, unless: Callable[[], bool]) -> None:
        await until(self._now, due, unless=unless, held=lambda: self._state.held)

    def _settled(self) -> bool:
        """Decided; or the term has been made so much longer that its window is closed again."""
        s = self._state
        return s.decision is not None or s.ends_on is not None or s.window_opened < s.term

    def _today(self) -> date:
        return calendar.civil_date(self._now(), self._state.zone)


def _first(agenda: list[Matter]) -> Due:
    return Due(agenda[0].at, agenda[0].what) if agenda else Due(None, "a decision")


def running_term(state: LifecycleState) -> calendar.Term:
    """The term of a contract that lives."""
    term = state.term_now()
    if term is None:
        raise ApplicationError("a live contract has no term", type="INTERNAL")
    return term
