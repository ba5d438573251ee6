"""How a term ends: decided, by clause, by nobody, late, early, and what the ERP holds afterwards."""

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest

from domain import calendar
from domain.messages import EndContract, RenewalLost, RenewalWon, RenewContract, SupportChanged
from domain.renewals import OUT_OF_TERM_CASE
from domain.view import Stage
from tests.house import House, Life
from tests.workflow.lives import (
    HOOLI,
    ZONE,
    calls,
    clock,
    counts,
    deal,
    done,
    go_live,
    health,
    onboarding,
    open_window,
    opportunity,
    prepared,
    records,
    renewing,
    rests,
    serving,
    to_day,
    to_end,
    to_instant,
    to_term_end,
)
from workflows.lifecycle import CustomerLifecycle


async def renew(life: Life) -> None:
    await life.handle.execute_update(CustomerLifecycle.renew, RenewContract(by="csm"))


async def end(life: Life, on: date | None = None) -> None:
    await life.handle.execute_update(CustomerLifecycle.end, EndContract(by="csm", reason="moved away", on=on))


async def term_dates(life: Life) -> tuple[date, date]:
    view = await life.view()
    assert view.term_starts is not None
    assert view.term_ends is not None
    return view.term_starts, view.term_ends


async def erp_renewals(house: House) -> list[tuple[Any, ...]]:
    return [(each["term"], each["starts"], each["ends"]) for each in await records(house, "erp", "renewals")]


async def erp_ending(house: House) -> tuple[str, str]:
    """The status and last date of the one subscription, which was ended once at most."""
    [subscription] = await records(house, "erp", "subscriptions")
    assert (await counts(house, "erp")).get("endings", 0) <= 1
    return subscription["status"], subscription["ends"]


async def test_the_auto_renew_clause_decides_when_the_last_day_of_notice_is_over(house: House) -> None:
    life = await renewing(house, **{"terms.auto_renew": True})
    starts, ends = await term_dates(life)
    cut_off = calendar.start_of_day(ends - timedelta(days=29), ZONE)  # 30 days of notice
    await to_instant(life, cut_off - timedelta(minutes=1))
    assert (await life.view()).decision is None
    assert await erp_renewals(house) == []
    await to_instant(life, cut_off)
    view = await life.until(lambda view: done(view, "renewal"))
    assert view.decision == "renew (auto-renew clause)"
    assert view.term == 1
    second = calendar.add_months(starts, 24)
    assert await erp_renewals(house) == [(2, ends.isoformat(), second.isoformat())]


async def test_a_notice_in_time_beats_the_auto_renew_clause(house: House) -> None:
    life = await renewing(house, **{"terms.auto_renew": True})
    _, ends = await term_dates(life)
    await life.tell(RenewalLost(opportunity=opportunity(await life.view())))
    await to_end(life, ends)
    assert await erp_renewals(house) == []
    assert await erp_ending(house) == ("ended", ends.isoformat())


async def test_what_nobody_decided_is_out_of_term_and_can_still_be_renewed(house: House) -> None:
    life = await renewing(house)
    starts, ends = await term_dates(life)
    await to_instant(life, calendar.start_of_day(ends, ZONE) + timedelta(days=9))
    view = await life.until(lambda view: view.stage is Stage.OUT_OF_TERM)
    [case] = view.cases
    assert (case.id, case.actor) == (OUT_OF_TERM_CASE, "finance")
    assert await erp_ending(house) == ("active", ends.isoformat())
    await renew(life)
    view = await life.until(lambda view: view.term == 2)
    assert view.cases == []
    # the second term begins where the first ended, not when somebody decided
    assert await erp_renewals(house) == [(2, ends.isoformat(), calendar.add_months(starts, 24).isoformat())]


async def test_what_nobody_decided_can_be_ended_on_the_day_of_the_decision(house: House) -> None:
    life = await renewing(house)
    _, ends = await term_dates(life)
    await to_instant(life, calendar.start_of_day(ends, ZONE) + timedelta(days=4, hours=12))
    await life.until(lambda view: view.cases)
    await end(life)
    await life.handle.result()
    assert await erp_ending(house) == ("ended", (ends + timedelta(days=4)).isoformat())
    assert (await life.view()).cases == []


async def test_a_lost_renewal_ends_the_contract_with_its_term(house: House) -> None:
    life = await renewing(house)
    _, ends = await term_dates(life)
    assert await life.tell(RenewalLost(opportunity=opportunity(await life.view()))) == ["applied"]
    view = await life.until(lambda view: view.stage is Stage.ENDING)
    assert view.decision is not None
    await to_instant(life, calendar.start_of_day(ends, ZONE) - timedelta(minutes=5))
    assert (await erp_ending(house))[0] == "active"
    outcome = await to_end(life, ends)
    assert (outcome.outcome, outcome.terms) == ("ended", 1)
    assert "lost" in outcome.reason
    assert await erp_ending(house) == ("ended", ends.isoformat())
    assert (await deal(life))["Tenure_Status__c"] == "ended"
    [shown] = await records(house, "cs", "health")
    assert shown["lifecycle_stage"] == "ended"


async def test_a_contract_ended_with_its_term_before_the_window_never_opens_it(house: House) -> None:
    life = await serving(house)
    _, ends = await term_dates(life)
    await end(life)
    await to_end(life, ends)
    assert await erp_ending(house) == ("ended", ends.isoformat())
    assert "playbooks" not in await counts(house, "cs")


async def test_a_contract_can_end_on_a_day_in_the_middle_of_its_term(house: House) -> None:
    life = await serving(house)
    day = (await clock(life)).date() + timedelta(days=40)
    await end(life, on=day)
    assert (await life.until(lambda view: view.stage is Stage.ENDING)).stage is Stage.ENDING
    outcome = await to_end(life, day)
    assert outcome.reason == "moved away (csm)"
    assert await erp_ending(house) == ("ended", day.isoformat())


async def test_a_late_onboarding_does_not_swallow_the_renewal_window(house: House) -> None:
    life = await onboarding(house)
    view = await open_window(life)
    assert view.stage is Stage.RENEWAL
    assert view.milestones == {}
    view = await go_live(life)
    assert view.stage is Stage.RENEWAL
    assert len(await records(house, "erp", "billing_starts")) == 3
    await life.tell(RenewalWon(opportunity=opportunity(view)))
    await to_term_end(life)
    await life.until(lambda view: view.term == 2)
    assert len(await erp_renewals(house)) == 1


async def test_a_term_shorter_than_its_window_opens_it_at_once(house: House) -> None:
    life = await house.start(house.payload(HOOLI), **{"terms.initial_months": 2, "terms.renewal_months": 2})
    view = await life.until(lambda view: prepared(view) and rests(view))
    assert view.stage is Stage.RENEWAL
    assert (await counts(house, "cs"))["playbooks"] == 1
    await go_live(life)
    await renew(life)
    await to_term_end(life)
    await life.until(lambda view: view.term == 2 and prepared(view) and rests(view))
    assert (await counts(house, "cs"))["playbooks"] == 2
    assert len(await erp_renewals(house)) == 1


async def test_three_terms_are_counted_from_the_first_day(house: House) -> None:
    """31 January, monthly: the terms end on the last of each month and come back to the 31st."""
    terms = {"terms.initial_months": 1, "terms.renewal_months": 1, "terms.auto_renew": True, "terms.notice_days": 7}
    start = {"terms.start": "on_date", "terms.starts_on": "2027-01-31"}
    life = await house.start(house.payload(HOOLI), **terms, **start)
    await life.until(lambda view: view.term_ends == date(2027, 2, 28) and rests(view))
    await to_day(life, date(2027, 3, 31))
    await life.until(lambda view: view.term == 3)
    renewals = await erp_renewals(house)
    assert renewals[:2] == [(2, "2027-02-28", "2027-03-31"), (3, "2027-03-31", "2027-04-30")]


async def test_a_renewal_won_with_other_quantities_changes_them_with_the_next_term(house: House) -> None:
    life = await renewing(house)
    _, ends = await term_dates(life)
    won = RenewalWon(opportunity=opportunity(await life.view()), quantities={"PLATFORM": Decimal(75)})
    assert await life.tell(won) == ["applied"]
    view = await life.until(lambda view: done(view, "amendment") and rests(view))
    [amendment] = await records(house, "erp", "amendments")
    assert (list(amendment["quantities"].values()), amendment["effective"]) == (["75"], ends.isoformat())
    told = [each["operation"] for each in await calls(house, "erp")]
    assert told.index("renew_subscription") < told.index("amend_subscription")
    assert view.lines[1].quantity == "50", "the first term runs as it was"
    await to_term_end(life)
    view = await life.until(lambda view: view.term == 2)
    assert view.lines[1].quantity == "75"
    assert len(await erp_renewals(house)) == 1


async def test_a_renewal_that_the_erp_refuses_can_be_ended_instead(house: House) -> None:
    life = await renewing(house)
    _, ends = await term_dates(life)
    await house.fault(system="erp", operation="renew_subscription", kind="refuse", reason="customer blocked")
    await renew(life)
    await life.until(lambda view: view.cases)
    await end(life)
    view = await life.until(rests)
    assert view.stage is Stage.ENDING
    await to_end(life, ends)
    assert await erp_renewals(house) == []
    assert await erp_ending(house) == ("ended", ends.isoformat())


async def test_a_contract_out_of_term_can_end_on_a_day_to_come(house: House) -> None:
    life = await renewing(house)
    _, ends = await term_dates(life)
    await to_instant(life, calendar.start_of_day(ends, ZONE) + timedelta(days=3, hours=12))
    await life.until(lambda view: view.cases)
    day = ends + timedelta(days=5)
    await end(life, on=day)
    view = await life.until(rests)
    assert view.stage is Stage.ENDING
    await to_end(life, day)
    assert await erp_ending(house) == ("ended", day.isoformat())


@pytest.mark.parametrize(
    "terms", [{}, {"terms.auto_renew": True, "terms.notice_days": 7}], ids=["decided", "by clause"]
)
async def test_in_the_last_month_a_concern_becomes_urgent_by_time_alone(house: House, terms: dict[str, Any]) -> None:
    life = await renewing(house, **terms)
    _, ends = await term_dates(life)
    await life.tell(SupportChanged(severities={2: 1}))
    await health(house, risk="medium", renewal_priority="raised")
    await to_instant(life, calendar.start_of_day(ends - timedelta(days=30), ZONE) - timedelta(minutes=1))
    await health(house, renewal_priority="raised")
    await to_instant(life, calendar.start_of_day(ends - timedelta(days=30), ZONE))
    await health(house, risk="medium", renewal_priority="urgent")
