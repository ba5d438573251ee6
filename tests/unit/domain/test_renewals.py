"""What comes by itself in a renewal and in a yearly review: the agenda, from the state alone."""

from datetime import date, timedelta
from typing import Any

import pytest

from domain import calendar, renewals, reviews
from domain.messages import RenewalLost, RenewalWon
from domain.policies.readiness import OpportunityOutlook, RenewalReadiness
from domain.reactions import react
from domain.readings import Look
from domain.refused import Refused
from domain.state import Decision, LifecycleState
from tests.states import ACTIVE, ENDS, EVERGREEN, at, live, renewing

CLAUSE = {"terms.auto_renew": True}


def watched(on: date, **changes: Any) -> LifecycleState:
    """In an open window, looked at on a day."""
    state = renewing(**changes)
    state.look = Look(occasion="window", on=on)
    return state


def days(state: LifecycleState) -> list[tuple[str, int]]:
    """Each matter, and how many days before the term's end it comes."""
    return [
        (matter.kind, (ENDS - calendar.civil_date(matter.at, state.zone)).days) for matter in renewals.agenda(state)
    ]


def test_an_opt_in_has_its_next_checkpoint_its_escalation_and_its_end() -> None:
    state = watched(ENDS - timedelta(days=90), **{"terms.auto_renew": False, "terms.notice_days": 5})
    assert days(state) == [("checkpoint", 60), ("undecided", 7), ("over", 0)]


def test_an_opt_in_escalates_as_soon_as_notice_is_too_late() -> None:
    state = watched(ENDS - timedelta(days=60), **{"terms.auto_renew": False, "terms.notice_days": 45})
    assert days(state) == [("undecided", 44), ("checkpoint", 30), ("over", 0)]


def test_a_clause_needs_nobody() -> None:
    state = watched(ENDS - timedelta(days=90), **CLAUSE, **{"terms.notice_days": 45})
    assert days(state) == [("checkpoint", 60), ("terms", 44)]


def test_what_was_dealt_with_is_not_on_the_agenda() -> None:
    state = watched(ENDS - timedelta(days=7), **{"terms.auto_renew": False})
    renewals.undecided(state, at(ENDS - timedelta(days=7)))
    assert days(state) == [("over", 0)]
    renewals.out_of_term(state, at(ENDS))
    assert days(state) == []
    assert list(state.cases) == [renewals.OUT_OF_TERM_CASE]
    renewals.settled(state)
    assert (state.cases, state.escalated) == ({}, 0)


def test_silent_sources_are_asked_again_until_the_decision() -> None:
    state = watched(ENDS - timedelta(days=90))
    assert state.look is not None
    state.look.silent, state.look.again_at = ("erp",), at(ENDS - timedelta(days=89))
    assert days(state)[0] == ("again", 89)
    renewals.settled(state)
    assert all(kind != "again" for kind, _ in days(state))


@pytest.mark.parametrize(("today", "word"), [(60, "60-days"), (31, "60-days"), (29, "30-days"), (2, "7-days")])
def test_one_look_in_time_stands_for_those_that_were_missed(today: int, word: str) -> None:
    state = watched(ENDS - timedelta(days=90))
    assert renewals.checkpoint_reached(state, ENDS - timedelta(days=today)) == word


def test_a_moved_end_moves_its_checkpoints() -> None:
    state = watched(ENDS - timedelta(days=60), **{"terms.auto_renew": False})
    state.moved = {2: ENDS + timedelta(days=10)}
    assert ("checkpoint", 50) in days(state), "60 days before the new end"


@pytest.mark.parametrize("late", [0, 1, 10])
def test_a_non_renewal_after_the_last_day_of_notice_is_refused_before_the_clause_has_acted(late: int) -> None:
    state = watched(ENDS - timedelta(days=90), **CLAUSE)
    last = renewals.notice_day(state)
    assert last is not None
    lost = RenewalLost(opportunity="006-renewal-1")
    if not late:
        react(state, lost, last)
        assert state.ends_on == ENDS
        return
    with pytest.raises(Refused, match=f"notice could be given until {last}"):
        react(state, lost, last + timedelta(days=late))
    react(state, RenewalWon(opportunity="006-renewal-1"), last + timedelta(days=late))
    assert state.decision is not None


def test_after_the_clause_has_decided_the_reason_is_the_notice() -> None:
    state = watched(ENDS - timedelta(days=90), **CLAUSE)
    state.decision = Decision(outcome="renew", by=renewals.CLAUSE, on=ENDS - timedelta(days=29))
    with pytest.raises(Refused, match="notice could be given until"):
        react(state, RenewalLost(opportunity="006-renewal-1"), ENDS - timedelta(days=20))


def test_a_won_renewal_says_how_long_it_is() -> None:
    state = watched(ENDS - timedelta(days=90))
    react(state, RenewalWon(opportunity="006-renewal-1", months=36), ENDS - timedelta(days=80))
    second, third = state.term_number(2), state.term_number(3)
    assert second is not None
    assert third is not None
    assert (second.starts, second.ends) == (ENDS, calendar.add_months(ENDS, 36))
    assert third.ends == calendar.add_months(ENDS, 48), "the ones after it are as long as the terms say"


def readiness(verdict: Any = "ready", score: int = 95, says: Any = "open") -> RenewalReadiness:
    opportunity = OpportunityOutlook(as_of=ACTIVE, stage="any", says=says)
    return RenewalReadiness(
        verdict=verdict, score=score, reasons=(), sources={}, next_steps=(), opportunity=opportunity
    )


@pytest.mark.parametrize(
    ("now", "news"),
    [
        (readiness(), False),
        (readiness(score=86), False),
        (readiness(score=85), True),
        (readiness(score=100), False),
        (readiness(verdict="attention"), True),
        (readiness(says="lost"), True),
    ],
)
def test_only_enough_of_a_change_is_news_to_the_csm(now: RenewalReadiness, news: bool) -> None:
    assert now.differs(readiness()) is news


# ── yearly reviews ───────────────────────────────────────────────────────────────────────────────────────────────


def test_reviews_come_every_year_and_none_once_the_end_is_known() -> None:
    state = live(**EVERGREEN)
    for year in (1, 2, 3):
        [matter] = reviews.agenda(state)
        review = reviews.next_review(state)
        start = state.term_now()
        assert start is not None
        assert (matter.kind, review.number, review.on) == ("review", year, calendar.add_months(start.starts, 12 * year))
        state.reviewed_on = review.opens
        assert reviews.last_review(state, state.reviewed_on) == review
        assert reviews.to_prepare(state) == review
        state.review_prepared = state.reviewed_on
        assert reviews.to_prepare(state) is None
    state.ends_on = ENDS
    assert reviews.agenda(state) == []


def test_of_several_missed_reviews_only_the_latest_is_held() -> None:
    state = live(**EVERGREEN)
    late = calendar.add_months(ACTIVE, 40)
    held = reviews.last_review(state, late)
    assert held is not None
    state.reviewed_on = late
    assert held.number == 3
    assert reviews.next_review(state).number == 4


def test_what_is_renewed_is_not_reviewed() -> None:
    state = renewing()
    assert reviews.agenda(state) == []
    with pytest.raises(ValueError, match="evergreen"):
        reviews.next_review(state)
