"""The notice of a price increase in a life: reminded of, told, and too late."""

from datetime import timedelta
from typing import Any

from domain.finance.commands import PriceNoticeGiven
from domain.view import PriceNoticeView
from tests.house import House, Life
from tests.workflow.lives import refusal, rests, serving, to_day
from workflows.lifecycle import CustomerLifecycle

AGREED: dict[str, Any] = {"terms.uplift_reference": "CPI-2027", "terms.price_notice_days": 120}
DAY = timedelta(days=1)


async def notice(life: Life) -> PriceNoticeView:
    shown = (await life.view()).price_notice
    assert shown is not None
    return shown


async def tell(life: Life) -> None:
    await life.handle.execute_update(CustomerLifecycle.price_notice_given, PriceNoticeGiven(by="fin"))


async def test_finance_is_reminded_and_the_increase_told_in_time_may_apply(house: House) -> None:
    life = await serving(house, **AGREED)
    due = (await notice(life)).due
    await to_day(life, due - 30 * DAY)
    [case] = (await life.until(lambda view: view.cases)).cases
    assert (case.kind, case.actor) == ("price_notice", "finance")
    assert f"by {due}" in case.title
    await tell(life)
    await life.until(rests)
    assert (await notice(life)).applies is True
    await to_day(life, due + DAY)
    assert (await life.until(rests)).cases == []


async def test_after_the_cut_off_it_can_t_apply_to_this_renewal(house: House) -> None:
    life = await serving(house, **AGREED)
    due = (await notice(life)).due
    await to_day(life, due - DAY)
    await life.until(lambda view: view.cases)
    await to_day(life, due + DAY)
    await life.until(lambda view: view.cases and "can't apply" in view.cases[0].title)
    assert (await notice(life)).applies is False
    assert "the last day to tell it was" in await refusal(tell(life))
