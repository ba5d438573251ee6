"""A renewal between its window and its decision: looked at again, asked again, escalated, forecast."""

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from domain import calendar
from domain.messages import (
    AmendmentWon,
    CollectionsChanged,
    ForecastRenewal,
    RenewalLost,
    RenewalWon,
    RenewContract,
)
from domain.renewals import OUT_OF_TERM_CASE, UNDECIDED_CASE
from domain.view import LifecycleView
from tests.house import House, Life
from tests.workflow.lives import (
    calls,
    clock,
    done,
    eventually,
    health,
    open_window,
    opportunity,
    readiness,
    records,
    refusal,
    renewing,
    rests,
    serving,
    to_day,
    to_term_end,
)
from workflows.lifecycle import CustomerLifecycle

CLAUSE = {"terms.auto_renew": True}


async def uses(house: House, life: Life, active: int) -> None:
    """So many of 50 seats are in use."""
    account = (await life.view()).account
    token = {"Authorization": "Bearer sandbox"}
    seats = {"active": active, "entitled": 50}
    (await house.http.put(f"/usage/accounts/{account}", json=seats, headers=token)).raise_for_status()


def stale(view: LifecycleView) -> list[str]:
    sources: Any = view.readiness["sources"] if view.readiness else {}
    return sorted(name for name, source in sources.items() if source["stale"])


async def ends(life: Life) -> date:
    day = (await life.view()).term_ends
    assert day is not None
    return day


async def before_end(life: Life, days: int) -> None:
    await to_day(life, await ends(life) - timedelta(days=days))


async def notes(house: House) -> list[str]:
    return [each["text"] for each in await records(house, "cs", "notes")]


async def lost(life: Life) -> list[str]:
    return await life.tell(RenewalLost(opportunity=opportunity(await life.view())))


async def test_a_source_that_is_down_is_marked_stale_and_fetched_again(house: House) -> None:
    life = await serving(house)
    await uses(house, life, 45)
    await house.fault(system="support", kind="down", retry_after="0")
    view = await open_window(life)
    assert view.readiness is not None
    assert (stale(view), view.readiness["verdict"]) == (["support"], "attention")
    await life.travel(0.1)
    asked = len(await calls(house, "support"))
    await house.mend()
    await life.travel(1)
    view = await life.until(lambda view: not stale(view) and rests(view))
    assert len(await calls(house, "support")) > asked
    assert view.readiness is not None
    assert (view.readiness["verdict"], view.readiness["score"]) == ("ready", 90), "onboarding tasks are open"
    told = await notes(house)
    assert ["attention" in told[0], "ready, 90 of 100" in told[1]] == [True, True]
    await life.travel(5)
    assert len(await notes(house)) == 2


async def test_the_csm_hears_of_a_checkpoint_only_when_enough_has_changed(house: House) -> None:
    life = await serving(house, **{"terms.notice_days": 5})
    await uses(house, life, 45)
    await open_window(life)
    await uses(house, life, 5)
    await before_end(life, 60)
    view = await life.until(lambda view: any(key.endswith(":60-days") for key in view.effects))
    assert any("5 of 50 seats" in reason for reason in readiness(view)["reasons"])
    await before_end(life, 30)
    day = str(await ends(life) - timedelta(days=30))
    await life.until(lambda view: readiness(view)["sources"]["erp"]["as_of"] == day)
    told = await notes(house)
    assert len(told) == 2, "at 30 days nothing was new"
    assert "in 60 days, and is undecided" in told[1]
    assert "Before: ready, 90 of 100." in told[1]


async def test_what_waits_too_long_for_a_decision_is_a_case_with_an_owner_until_it_is_decided(house: House) -> None:
    life = await renewing(house, **{"terms.notice_days": 5})
    await before_end(life, 8)
    await life.until(rests)
    await before_end(life, 7)
    view = await life.until(lambda view: view.cases)
    [case] = view.cases
    assert (case.id, case.actor) == (UNDECIDED_CASE, "csm")
    await health(house, renewal_priority="urgent", risk="low")
    forecast = (await life.view()).forecast
    assert forecast is not None
    assert forecast.category == "at_risk"
    assert "settled by" in await refusal_of_retry(life)
    assert await life.tell(RenewalWon(opportunity=opportunity(view))) == ["applied"]
    view = await life.until(lambda view: done(view, "renewal") and rests(view))
    assert view.forecast is not None
    assert view.forecast.category == "commit"


async def refusal_of_retry(life: Life) -> str:
    from domain.messages import RetryStep

    retry = RetryStep(case=UNDECIDED_CASE, by="csm")
    return await refusal(life.handle.execute_update(CustomerLifecycle.retry_step, retry))


async def test_an_opt_in_that_nobody_decided_goes_from_the_csm_to_finance(house: House) -> None:
    life = await renewing(house)
    await before_end(life, 29)  # the last of 30 days of notice is over
    view = await life.until(lambda view: view.cases)
    assert "the last day of notice was" in view.cases[0].reasons[0]
    await to_term_end(life)
    view = await life.until(lambda view: any(case.id == OUT_OF_TERM_CASE for case in view.cases))
    [case] = view.cases
    assert case.actor == "finance"
    assert (view.entitlement, view.entitlement_since) == ("grace", view.term_ends)
    await life.handle.execute_update(CustomerLifecycle.renew, RenewContract(by="csm"))
    view = await life.until(lambda view: view.term == 2 and rests(view))
    assert view.entitlement == "active"


async def test_after_the_last_day_of_notice_a_clause_stands_and_a_renewal_is_fine(house: House) -> None:
    life = await renewing(house, **CLAUSE)
    last = (await life.view()).notice_cut_off
    assert last == await ends(life) - timedelta(days=30)
    await to_day(life, last + timedelta(days=2))
    await life.until(lambda view: done(view, "renewal"))
    assert await lost(life) == ["refused"]
    assert await life.tell(RenewalWon(opportunity=opportunity(await life.view()))) == ["applied"]
    assert len(await records(house, "erp", "renewals")) == 1


async def test_120_days_of_notice_open_the_window_before_its_90_days(house: House) -> None:
    life = await serving(house, **{"terms.notice_days": 120})
    view = await open_window(life)
    end = await ends(life)
    assert view.window_opens == end - timedelta(days=150)
    assert view.notice_cut_off == end - timedelta(days=120)
    await before_end(life, 120)
    await life.until(rests)
    await before_end(life, 119)
    view = await life.until(lambda view: view.cases)
    assert view.cases[0].id == UNDECIDED_CASE
    await life.tell(RenewalWon(opportunity=opportunity(view)))
    await life.until(lambda view: done(view, "renewal") and rests(view))


async def test_an_invoice_overdue_on_the_renewal_day_renews_and_stays_overdue(house: House) -> None:
    life = await renewing(house, **CLAUSE)
    due = (await clock(life)).date()
    assert await life.tell(CollectionsChanged(delinquent=("INV-1",), overdue_since=due)) == ["applied"]
    view = await life.until(lambda view: view.entitlement == "grace")
    assert view.forecast is not None
    assert view.forecast.category == "best_case"
    await to_term_end(life)
    view = await life.until(lambda view: view.term == 2)
    assert (view.entitlement, view.risk) == ("grace", "high")
    assert len(await records(house, "erp", "renewals")) == 1
    await life.tell(CollectionsChanged())
    await life.until(lambda view: view.entitlement == "active")


async def test_an_amendment_inside_the_window_is_in_what_is_booked(house: House) -> None:
    life = await renewing(house)
    await life.tell(AmendmentWon(deal="UP-1", mode="difference", changes={"PLATFORM": Decimal(25)}))
    view = await life.until(lambda view: done(view, "amendment") and rests(view))
    assert view.forecast is not None
    assert view.forecast.booking is not None
    assert "75" in view.forecast.booking.quantities.values()
    await life.tell(RenewalWon(opportunity=opportunity(view), months=24))
    await to_term_end(life)
    view = await life.until(lambda view: view.term == 2 and rests(view))
    assert view.term_starts is not None
    assert view.term_ends == calendar.add_months(view.term_starts, 24)
    [renewal] = await records(house, "erp", "renewals")
    assert renewal["ends"] == str(view.term_ends)
    assert len(await records(house, "erp", "amendments")) == 1


async def test_a_csm_forecasts_by_hand_and_takes_it_back(house: House) -> None:
    life = await renewing(house)
    said = ForecastRenewal(by="csm", category="churn", reason="the sponsor has left")
    answer = await life.handle.execute_update(CustomerLifecycle.forecast, said)
    assert answer.view.forecast is not None
    assert (answer.view.forecast.category, answer.view.forecast.computed) == ("churn", "best_case")
    answer = await life.handle.execute_update(CustomerLifecycle.forecast, ForecastRenewal(by="csm"))
    assert answer.view.forecast is not None
    assert answer.view.forecast.category == "best_case"
    again = life.handle.execute_update(CustomerLifecycle.forecast, ForecastRenewal(by="csm"))
    assert "nothing to withdraw" in await refusal(again)
    await eventually(lambda: told(life, "forecast_changed"))


async def told(life: Life, turn: str) -> bool:
    from tests.workflow.test_outgoing import told as outgoing

    return any(event["type"] == f"tenure.lifecycle.{turn}.v1" for event in await outgoing(life))
