"""An ERP whose accounting period is closed: by policy a step is held and dated anew, or a person dates it."""

from collections.abc import AsyncIterator
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from temporalio.client import Client

from domain.company import PeriodsPolicy
from domain.messages import AmendmentWon, EndContract, MilestoneReached, RetryStep
from domain.view import LifecycleView
from tests.house import House, Life, open_house
from tests.workflow.lives import clock, onboarding, records, refusal, rests, serving, to_day
from workflows.lifecycle import CustomerLifecycle

DAY = timedelta(days=1)


@pytest.fixture
async def redating(temporal: Client, tmp_path: Path) -> AsyncIterator[House]:
    """A company whose policy dates what a closed period refuses on the first open day."""
    async with open_house(temporal, tmp_path, rules={"periods": PeriodsPolicy(closed="redate")}) as opened:
        yield opened


async def close_books(house: House, opens_on: date) -> None:
    (await house.http.post("/admin/books", json={"opens_on": opens_on.isoformat()})).raise_for_status()


async def today(life: Life) -> date:
    return (await clock(life)).date()


async def reach_go_live(life: Life, on: date) -> None:
    assert await life.tell(MilestoneReached(milestone="go-live", on=on)) == ["applied"]


async def starts(house: House) -> list[str]:
    return [each["starts"] for each in await records(house, "erp", "billing_starts")]


def platform(view: LifecycleView) -> date | None:
    [line] = [line for line in view.lines if line.product == "PLATFORM"]
    return line.billing_starts


async def retry(life: Life, case: str, **fields: Any) -> None:
    await life.handle.execute_update(CustomerLifecycle.retry_step, RetryStep(case=case, by="fin", **fields))


async def test_by_policy_it_is_dated_on_the_first_open_day_and_the_former_one_is_kept(redating: House) -> None:
    life = await onboarding(redating)
    await life.travel(40)
    reached, opens = await today(life) - 30 * DAY, await today(life) - 3 * DAY
    await close_books(redating, opens)
    await reach_go_live(life, reached)
    view = await life.until(lambda view: platform(view) is not None and rests(view))
    assert platform(view) == opens
    assert opens.isoformat() in await starts(redating)
    [(key, moved)] = view.redated.items()
    assert key.startswith("billing-start:")
    assert (moved.was, moved.on, moved.by) == (reached, opens, "the closed period")


async def test_a_period_that_opens_later_is_waited_for(redating: House) -> None:
    life = await onboarding(redating)
    opens = await today(life) + 10 * DAY
    await close_books(redating, opens)
    await reach_go_live(life, await today(life))
    view = await life.until(lambda view: view.cases)
    assert (view.cases[0].kind, view.cases[0].actor) == ("period_closed", "finance")
    assert f"it is dated {opens} now" in view.cases[0].reasons[-1]
    before = len(await starts(redating))
    await life.travel(5)
    assert len(await starts(redating)) == before
    await to_day(life, opens)
    view = await life.until(lambda view: platform(view) is not None and rests(view))
    assert platform(view) == opens


async def test_an_amendment_is_dated_anew_too(redating: House) -> None:
    life = await serving(redating)
    await life.travel(20)
    opens = await today(life) - DAY
    await close_books(redating, opens)
    upsell = AmendmentWon(
        deal="UP-1", mode="difference", changes={"PLATFORM": Decimal(5)}, effective=await today(life) - 10 * DAY
    )
    assert await life.tell(upsell) == ["applied"]
    await life.until(lambda view: "amendment" in str(view.effects) and rests(view))
    [amended] = await records(redating, "erp", "amendments")
    assert amended["effective"] == opens.isoformat()


async def test_without_the_policy_a_person_dates_it(house: House) -> None:
    life = await onboarding(house)
    await life.travel(40)
    reached, opens = await today(life) - 30 * DAY, await today(life) - 3 * DAY
    await close_books(house, opens)
    await reach_go_live(life, reached)
    [case] = (await life.until(lambda view: view.cases)).cases
    assert "--on DATE" in case.mend
    assert "dated later, not earlier" in await refusal(retry(life, case.id, on=reached - DAY))
    await retry(life, case.id, on=opens + DAY)
    view = await life.until(lambda view: platform(view) is not None and rests(view))
    assert platform(view) == opens + DAY
    assert view.redated[case.id].by == "fin"
    assert view.redated[case.id].was == reached


async def test_an_end_is_never_dated_anew_by_policy(redating: House) -> None:
    life = await serving(redating)
    ends = await today(life)
    await close_books(redating, ends + 5 * DAY)
    await life.handle.execute_update(CustomerLifecycle.end, EndContract(by="csm", reason="moved away", on=ends))
    [case] = (await life.until(lambda view: view.cases)).cases
    assert case.kind == "period_closed"
    await retry(life, case.id, on=ends + 5 * DAY)
    outcome = await life.handle.result()
    assert outcome.outcome == "ended"
    [ended] = await records(redating, "erp", "endings")
    assert ended["ends"] == (ends + 5 * DAY).isoformat()
