"""Random sequences of changes on random contracts: what holds whatever is done."""

from datetime import date, timedelta
from decimal import Decimal
from itertools import pairwise

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from domain import plan
from domain.calendar import start_of_day
from domain.changes import vetting
from domain.changes.applying import apply
from domain.changes.expected import expected
from domain.changes.facts import facts_of
from domain.changes.kinds import (
    Amend,
    AmendAtRenewal,
    Change,
    ChangeContract,
    CoTerm,
    Extend,
    GiveNotice,
    Pause,
    Renew,
    Resume,
    Terminate,
    Undo,
    WithdrawNotice,
)
from domain.outcomes import done
from domain.reactions import begin_next_term
from domain.refused import Refused
from domain.state import LifecycleState
from domain.steps import Performed
from domain.terms import ChargeType, Frequency, LineTerms, OnActivation
from tests.states import ACTIVE, at, live

DAYS = st.dates(date(2026, 12, 1), date(2033, 12, 31))
SEATS = st.integers(1, 200).map(Decimal)
NAMES = st.sampled_from(["1", "2", "3", "4", "5", "PLATFORM", "ANALYTICS"])


def added(name: str, quantity: Decimal) -> LineTerms:
    return LineTerms(
        id=name,
        product="ANALYTICS",
        charge=ChargeType.RECURRING,
        frequency=Frequency.ANNUAL,
        quantity=quantity,
        billing_start=OnActivation(),
    )


LINES = st.builds(added, st.sampled_from(["4", "5", "6"]), SEATS)
AMENDS = {
    "quantities": st.dictionaries(NAMES, SEATS, max_size=2),
    "added": st.lists(LINES, max_size=1).map(tuple),
    "removed": st.lists(NAMES, max_size=1).map(tuple),
}
CHANGES: st.SearchStrategy[Change] = st.one_of(
    st.builds(Amend, effective=st.none() | DAYS, **AMENDS),
    st.builds(AmendAtRenewal, keep=st.lists(NAMES, max_size=1).map(tuple), **AMENDS),
    st.builds(Extend, ends=DAYS),
    st.builds(CoTerm, contract=st.just("crm/OTHER/1"), ends=DAYS),
    st.builds(Renew, early=st.booleans(), starts=st.none() | DAYS, months=st.none() | st.integers(1, 36)),
    st.builds(GiveNotice, received_on=st.none() | DAYS),
    st.just(WithdrawNotice()),
    st.builds(Terminate, ground=st.sampled_from(["convenience", "cause"]), reason=st.just("why"), on=st.none() | DAYS),
    st.builds(Pause, reason=st.just("why"), until=st.none() | DAYS),
    st.just(Resume()),
    st.builds(Undo, change=st.integers(0, 12).map(lambda n: f"c{n}")),
)
MOVES = st.tuples(CHANGES, st.integers(0, 200), st.booleans())
TERMS = st.fixed_dictionaries(
    {
        "terms.initial_months": st.integers(1, 36),
        "terms.renewal_months": st.integers(1, 24),
        "terms.notice_days": st.integers(0, 20),
        "terms.auto_renew": st.booleans(),
        "terms.zone": st.sampled_from(["Europe/Berlin", "Pacific/Kiritimati", "Etc/GMT+12", "Asia/Kolkata"]),
    }
)


class Lived:
    """A contract through which time passes as the workflow lets it, step by step and without a server."""

    def __init__(self, terms: dict[str, object]) -> None:
        self.state = live(**terms)
        self.today = ACTIVE

    def give(self, change: Change, name: str) -> bool:
        """Make a change as the Update does: refused ones leave the state as it was. What the preview said is compared
        with what happened."""
        command = ChangeContract(id=name, by="csm", change=change)
        before, coming = self.state.model_copy(deep=True), expected(self.state, self.today)
        seen = vetting.preview(self.state, command, start_of_day(self.today, self.state.zone))
        assert self.state == before, "a preview changes nothing"
        if seen.refused is not None:
            with pytest.raises(Refused):
                vetting.check(before, command, start_of_day(self.today, self.state.zone))
            return False
        assert apply(self.state, command, self.today) == seen.message
        after = expected(self.state, self.today)
        assert seen.effects == [effect for effect in after if effect not in coming]
        assert seen.dropped == [effect for effect in coming if effect not in after]
        return True

    def settle(self) -> None:
        """The outside does what is asked of it, and what was decided is asked."""
        s = self.state
        if s.decision is not None and s.decision.outcome == "renew" and not s.renewed and s.ends_on is None:
            s.queue.append(plan.renew_subscription(s))
        for step in list(s.queue):
            done(s, step, Performed(id=f"id of {step.key}", on=self.today), at(self.today))

    def pass_days(self, days: int) -> None:
        """Terms begin on their day, and a contract ends on its."""
        s = self.state
        for _ in range(days):
            self.today += timedelta(days=1)
            if s.ends_on is not None and s.ends_on <= self.today and s.paused is None:
                s.closed = True
            term = s.term_now()
            if not s.closed and s.renewed and term is not None and term.ends is not None and term.ends <= self.today:
                begin_next_term(s)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(TERMS, st.lists(MOVES, min_size=1, max_size=12))
def test_whatever_is_changed_the_contract_stays_whole(
    terms: dict[str, object], moves: list[tuple[Change, int, bool]]
) -> None:
    lived = Lived(terms)
    for number, (change, days, settles) in enumerate(moves):
        lived.give(change, f"c{number}")
        if settles:
            lived.settle()
        lived.pass_days(days)
        state = lived.state
        known = [state.term_number(n) for n in range(1, state.term + 2) if n <= state.term or state.renewed]
        for one, following in pairwise(known):
            assert one is not None
            assert following is not None
            assert one.ends == following.starts, "every day is in exactly one term"
        assert len({line.id for line in state.known.lines}) == len(state.known.lines)
        assert state.quantities.keys() == {line.id for line in state.known.lines}
        assert all(quantity > 0 for quantity in state.quantities.values())
        for line in state.known.lines:
            assert line.starts is None or line.ends is None or line.starts <= line.ends, "no line ends before it begins"
        carried = state.model_dump_json()
        assert LifecycleState.model_validate_json(carried).model_dump_json() == carried, "it survives continue-as-new"


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(TERMS, st.lists(MOVES, max_size=5), CHANGES, st.booleans())
def test_a_change_and_its_inverse_give_the_state_before(
    terms: dict[str, object], moves: list[tuple[Change, int, bool]], change: Change, settles: bool
) -> None:
    lived = Lived(terms)
    for number, (earlier, days, settled) in enumerate(moves):
        lived.give(earlier, f"c{number}")
        if settled:
            lived.settle()
        lived.pass_days(days)
    before, queue = facts_of(lived.state), list(lived.state.queue)
    if not lived.give(change, "change"):
        return
    if settles:
        lived.settle()
    if lived.give(Undo(change="change"), "undo"):
        assert facts_of(lived.state) == before
        if not settles:
            assert lived.state.queue == queue
