"""What holds of any contract: its days, its billing and its cut-offs, in every zone and however its terms are moved."""

from datetime import date, timedelta
from itertools import pairwise

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from domain import billing, calendar
from domain.calendar import Term
from domain.terms import ChargeType, ContractKind
from tests.contracts import ACTIVE, CONTRACTS, RUNNING_ON, Drawn

DAY = timedelta(days=1)


def terms_of(drawn: Drawn, count: int) -> list[Term]:
    """The first terms, as many as the contract has."""
    anchor, found = drawn.anchor, []
    assert anchor is not None
    for number in range(1, count + 1):
        try:
            found.append(calendar.term(drawn.terms, anchor, number, drawn.moved))
        except ValueError:
            break
        if found[-1].ends is None:
            break
    return found


def months_between(earlier: date, later: date) -> int:
    return (later.year - earlier.year) * 12 + later.month - earlier.month


def is_last_of_month(day: date) -> bool:
    return (day + DAY).month != day.month


@settings(max_examples=400)
@given(drawn=ACTIVE)
def test_dates_never_drift_from_their_anchor(drawn: Drawn) -> None:
    found = terms_of(drawn, 12)
    anchored = [found[0], *(term for term in found[1:] if term.number in drawn.moved)]
    if len(found) > 1 and 2 not in drawn.moved and calendar_second(drawn):
        anchored.append(found[1])
    for term in found:
        base = max((one for one in anchored if one.number <= term.number), key=lambda one: one.number)
        assert term.starts.day == base.starts.day or (
            term.starts.day < base.starts.day and is_last_of_month(term.starts)
        )
        assert term.starts == calendar.add_months(base.starts, months_between(base.starts, term.starts))


def calendar_second(drawn: Drawn) -> bool:
    """Whether the second term has a day of its own: after a trial in days, or with another contract."""
    return drawn.terms.trial_days is not None or drawn.terms.coterm_ends is not None


@settings(max_examples=400)
@given(drawn=ACTIVE, offset=st.integers(0, 4000))
def test_every_day_of_a_contract_is_in_exactly_one_term(drawn: Drawn, offset: int) -> None:
    found = terms_of(drawn, 140)
    assert found[0].starts == drawn.anchor
    assert all(before.ends == after.starts for before, after in pairwise(found))
    assert all(term.ends is None or term.starts < term.ends for term in found)
    day = found[0].starts + timedelta(days=offset)
    holding = [term for term in found if term.starts <= day and (term.ends is None or day < term.ends)]
    over = found[-1].ends is not None and day >= found[-1].ends
    assert len(holding) == (0 if over else 1)
    if holding:
        assert calendar.term_on(drawn.terms, found[0].starts, day, drawn.moved) == holding[0]


@settings(max_examples=600)
@given(drawn=CONTRACTS, days=st.integers(0, 1500))
def test_no_line_is_billed_before_all_that_holds_it_back_allows(drawn: Drawn, days: int) -> None:
    state, today = drawn.state(), drawn.signed + timedelta(days=days)
    for line in drawn.lines:
        starts = state.line_starts(line, today)
        if starts is None:
            continue
        assert starts <= today
        own = billing.billing_starts(line.billing_start, state.billing_facts, today)
        assert own is not None
        assert starts >= own
        assert line.starts is None or starts >= line.starts
        assert line.ends is None or starts < line.ends
        if line.charge is ChargeType.RECURRING and drawn.terms.free_months:
            assert drawn.anchor is not None
            assert starts >= calendar.add_months(drawn.anchor, drawn.terms.free_months)
        if drawn.terms.kind is ContractKind.TRIAL:
            assert line.charge is ChargeType.ONE_TIME
        # the first such day, and the same one whenever it is asked for
        assert state.line_starts(line, starts) == starts
        assert state.line_starts(line, starts - DAY) is None


@settings(max_examples=600)
@given(drawn=CONTRACTS)
def test_no_line_is_forgotten(drawn: Drawn) -> None:
    """Going from one next date to the next, a line is billed, or is over, or waits for a fact that can be named."""
    state = drawn.state()
    for line in drawn.lines:
        today, steps = drawn.signed, 0
        while state.line_starts(line, today) is None and (coming := state.next_date(line, today)):
            following = calendar.civil_date(coming, drawn.terms.zone)
            assert following > today
            today, steps = following, steps + 1
            assert steps < 20
        rule = billing.rule_of(line, drawn.terms, state.billing_facts)
        over = billing.is_over(line, today) or _never(drawn, line.id)
        assert state.line_starts(line, today) or billing.awaited_facts(rule, state.billing_facts) or over


def _never(drawn: Drawn, line_id: str) -> bool:
    """Whether a line's rule is met on a day on which the line has ended already."""
    [line] = [line for line in drawn.lines if line.id == line_id]
    rule, facts = billing.rule_of(line, drawn.terms, drawn.state().billing_facts), drawn.state().billing_facts
    met = billing.billing_starts(rule, facts, date.max)
    return met is not None and line.ends is not None and line.ends <= met


@settings(max_examples=400)
@given(drawn=ACTIVE, number=st.integers(1, 6))
def test_the_cut_offs_of_a_term_come_in_order_in_every_zone(drawn: Drawn, number: int) -> None:
    found = terms_of(drawn, number)
    term, terms = found[-1], drawn.terms
    opens, notice = calendar.window_opens(terms, term), calendar.notice_cut_off(terms, term)
    price, points = calendar.price_cut_off(terms, term), calendar.checkpoints(terms, term)
    if opens is None or notice is None or term.ends is None:
        assert term.ends is None or terms.kind is ContractKind.ONE_OFF
        assert (notice, price, points) == (None, None, ())
        return
    assert opens <= term.ends
    assert opens <= notice or (terms.renewal_window_days, terms.notice_days, terms.renewal_lead_days) == (0, 0, 0)
    assert notice < term.ends
    assert all(max(opens, term.starts) <= point.on < term.ends for point in points)
    assert all(before.on < after.on for before, after in pairwise(points))
    in_trial = terms.kind is ContractKind.TRIAL and term.number == 1
    assert price is None or in_trial or price <= notice
    days = sorted({opens, notice, term.ends, *(point.on for point in points)})
    instants = [calendar.start_of_day(day, terms.zone) for day in days]
    assert instants == sorted(instants)


@settings(max_examples=400)
@given(drawn=ACTIVE, given_after=st.integers(0, 3000))
def test_notice_ends_a_contract_neither_too_early_nor_never(drawn: Drawn, given_after: int) -> None:
    assert drawn.anchor is not None
    terms, given_on = drawn.terms, drawn.anchor + timedelta(days=given_after)
    found = terms_of(drawn, 200)
    last = found[-1]
    assume(last.ends is None or given_on < last.ends)
    ends = calendar.earliest_end(terms, drawn.anchor, drawn.moved, given_on)
    assert ends > drawn.anchor
    if terms.kind is ContractKind.ONE_OFF:
        assert ends == found[0].ends
        return
    assert ends > given_on
    assert ends >= calendar.add_months(drawn.anchor, terms.minimum_months or 0)
    served = (ends - given_on).days
    trial_end = terms.kind is ContractKind.TRIAL and ends == found[0].ends
    assert served >= (1 if trial_end else max(terms.notice_days, 1))
    breaks = terms.minimum_months is not None and terms.minimum_months < terms.initial_months
    runs_on = last.ends is None and ends > last.starts
    assert breaks or runs_on or ends in {term.ends for term in found}


@settings(max_examples=200)
@given(drawn=RUNNING_ON, number=st.integers(1, 12))
def test_the_reviews_of_what_runs_on_come_once_a_year(drawn: Drawn, number: int) -> None:
    last = terms_of(drawn, 200)[-1]
    review, following = (calendar.review(drawn.terms, last.starts, each) for each in (number, number + 1))
    assert last.starts <= review.opens <= review.on <= following.opens <= following.on
    assert months_between(last.starts, review.on) == 12 * number
