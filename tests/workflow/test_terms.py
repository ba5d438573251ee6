"""Contracts whose terms are not the simple ones: trials, what is delivered once, ramps and free months."""

from datetime import date, timedelta

from domain import calendar
from domain.messages import MilestoneReached
from domain.view import Stage
from tests.house import House, Life
from tests.workflow.lives import ZONE, clock, counts, done, onboarding, records, rests, serving, to_day, to_end, today
from tests.workflow.test_billing import PLATFORM, SETUP, SUPPORT, billed
from tests.workflow.test_renewals import erp_ending

TRIAL = {
    "terms.kind": "trial",
    "terms.trial_days": 14,
    "terms.initial_months": None,
    "terms.start": "on_activation",
}
DAY = timedelta(days=1)


async def first_term(life: Life) -> tuple[date, date]:
    view = await life.view()
    assert view.term_starts is not None
    assert view.term_ends is not None
    return view.term_starts, view.term_ends


async def test_a_trial_converts_by_itself_and_is_billed_from_then_on(house: House) -> None:
    life = await onboarding(house, **TRIAL, **{"terms.converts_to": {"months": 12, "auto": True}})
    starts, ends = await first_term(life)
    assert ends == starts + 14 * DAY
    assert await life.tell(MilestoneReached(milestone="go-live", on=starts)) == ["applied"]
    await to_day(life, ends - DAY)
    assert set(await billed(house)) == {SETUP}
    await to_day(life, ends)
    view = await life.until(lambda view: all(line.billing_starts for line in view.lines) and rests(view))
    assert (view.term, view.term_ends) == (2, calendar.add_months(ends, 12))
    assert await billed(house) == {
        SETUP: (await billed(house))[SETUP],
        PLATFORM: ends.isoformat(),
        SUPPORT: ends.isoformat(),
    }
    [renewal] = await records(house, "erp", "renewals")
    assert (renewal["starts"], renewal["ends"]) == (ends.isoformat(), calendar.add_months(ends, 12).isoformat())


async def test_a_trial_that_nobody_converts_ends_with_its_last_day_and_was_never_billed(house: House) -> None:
    life = await onboarding(house, **TRIAL, **{"terms.converts_to": {"months": 12}})
    starts, ends = await first_term(life)
    assert await life.tell(MilestoneReached(milestone="go-live", on=starts)) == ["applied"]
    outcome = await to_end(life, ends)
    assert (outcome.outcome, outcome.reason, outcome.terms) == ("ended", "the trial was not converted", 1)
    assert set(await billed(house)) == {SETUP}
    assert await erp_ending(house) == ("ended", ends.isoformat())


async def test_what_is_delivered_once_ends_with_its_term_and_nobody_is_asked(house: House) -> None:
    terms = {"terms.kind": "one_off", "terms.initial_months": 3, "terms.renewal_months": None}
    life = await serving(house, **terms, **{"terms.start": "on_activation"})
    starts, ends = await first_term(life)
    assert ends == calendar.add_months(starts, 3)
    assert (await life.view()).window_opens is None
    outcome = await to_end(life, ends)
    assert (outcome.outcome, outcome.reason) == ("ended", "delivered once")
    assert "playbooks" not in await counts(house, "cs")


async def test_a_line_of_a_ramp_is_billed_from_its_own_first_day(house: House) -> None:
    later = today() + 40 * DAY
    life = await onboarding(house, **{"lines[2].starts": later.isoformat()})
    assert await life.tell(MilestoneReached(milestone="go-live", on=(await clock(life)).date())) == ["applied"]
    view = await life.until(lambda view: len([line for line in view.lines if line.billing_starts]) == 2 and rests(view))
    assert (view.stage, view.next_due) == (Stage.SERVING, calendar.start_of_day(later, ZONE))
    await to_day(life, later - DAY)
    assert SUPPORT not in await billed(house)
    await to_day(life, later)
    await life.until(lambda view: all(line.billing_starts for line in view.lines) and rests(view))
    assert (await billed(house))[SUPPORT] == later.isoformat()


async def test_recurring_lines_are_not_billed_in_the_free_months(house: House) -> None:
    life = await house.start(house.payload("salesforce_new_hooli"), **{"terms.free_months": 2})
    await life.until(lambda view: done(view, "onboarding") and done(view, "billing-start") and rests(view))
    starts, _ = await first_term(life)
    assert set(await billed(house)) == {SETUP}
    free_until = calendar.add_months(starts, 2)
    await to_day(life, free_until)
    await life.until(lambda view: done(view, "billing-start") and view.lines[2].billing_starts is not None)
    assert (await billed(house))[SUPPORT] == free_until.isoformat()
