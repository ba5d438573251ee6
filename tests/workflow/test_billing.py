"""When billing begins, and when it does not any more: days that come by themselves, and contracts that are over."""

from datetime import timedelta

from domain import calendar
from domain.messages import EndContract, MilestoneReached
from tests.house import House, Life
from tests.workflow.lives import (
    HOOLI,
    ZONE,
    calls,
    clock,
    counts,
    done,
    eventually,
    onboarding,
    records,
    rests,
    to_day,
    to_end,
    today,
)
from tests.workflow.test_outages import retry
from workflows.lifecycle import CustomerLifecycle

SETUP, PLATFORM, SUPPORT = "00kDn000001LiNeIAK", "00kDn000001LiNfIAK", "00kDn000001LiNgIAK"
DAY = timedelta(days=1)


async def billed(house: House) -> dict[str, str]:
    """The first day of each line that the ERP bills."""
    return {start["line"]: start["starts"] for start in await records(house, "erp", "billing_starts")}


async def end(life: Life, on: object) -> None:
    ending = EndContract.model_validate({"by": "csm", "reason": "moved away", "on": on})
    await life.handle.execute_update(CustomerLifecycle.end, ending)


async def test_a_go_live_dated_ahead_starts_billing_on_its_day_by_itself(house: House) -> None:
    life = await onboarding(house)
    day = (await clock(life)).date() + 3 * DAY
    assert await life.tell(MilestoneReached(milestone="go-live", on=day)) == ["applied"]
    view = await life.until(lambda view: rests(view) and view.milestones)
    assert view.next_due == calendar.start_of_day(day, ZONE)
    await to_day(life, day - DAY)
    assert PLATFORM not in await billed(house)
    await to_day(life, day)
    await life.until(lambda view: all(line.billing_starts for line in view.lines) and rests(view))
    assert (await billed(house))[PLATFORM] == day.isoformat()


async def test_a_signature_dated_ahead_starts_billing_on_its_day_by_itself(house: House) -> None:
    day = today() + 3 * DAY
    life = await house.start(house.payload(HOOLI), signed_on=day.isoformat())
    await life.until(lambda view: done(view, "onboarding") and done(view, "billing-start") and rests(view))
    assert list(await billed(house)) == [SUPPORT]
    await to_day(life, day)
    await life.until(lambda view: len([line for line in view.lines if line.billing_starts]) == 2 and rests(view))
    assert (await billed(house))[SETUP] == day.isoformat()


async def test_a_line_whose_day_is_the_end_is_not_billed(house: House) -> None:
    day = today() + 20 * DAY
    life = await onboarding(house, **{"lines[1].billing_start": f"on_date:{day}"})
    await end(life, on=day)
    await to_end(life, day)
    assert set(await billed(house)) == {SETUP, SUPPORT}
    assert [subscription["status"] for subscription in await records(house, "erp", "subscriptions")] == ["ended"]


async def test_a_milestone_while_the_contract_ends_starts_no_billing_and_the_end_comes_through(house: House) -> None:
    life = await onboarding(house)
    await house.fault(system="erp", operation="end_subscription", kind="slow", seconds=1)
    day = (await clock(life)).date()
    await end(life, on=day)

    async def asked() -> bool:
        return bool(await calls(house, "erp", "end_subscription"))

    await eventually(asked)
    reached = [MilestoneReached(milestone=name, on=on) for name, on in (("go-live", day - DAY), ("trained", day))]
    assert await life.tell(*reached) == ["applied", "applied"]
    assert (await life.handle.result()).outcome == "ended"
    assert set(await billed(house)) == {SETUP, SUPPORT}
    assert (await life.view()).cases == []


async def test_an_ended_contract_is_not_onboarded_when_cs_is_back(house: House) -> None:
    await house.fault(system="cs", operation="launch_onboarding", kind="refuse", reason="no plan")
    life = await house.start(house.payload(HOOLI))
    await life.until(lambda view: view.cases and done(view, "billing-start"))
    await end(life, on=(await clock(life)).date())
    assert (await life.handle.result()).outcome == "ended"
    assert "plans" not in await counts(house, "cs")
    [shown] = await records(house, "cs", "health")
    assert shown["lifecycle_stage"] == "ended"


async def test_a_company_that_cs_hears_of_only_after_the_end_is_not_onboarded(house: House) -> None:
    await house.fault(system="cs", operation="ensure_company", kind="refuse", reason="closed")
    life = await house.start(house.payload(HOOLI))
    view = await life.until(lambda view: view.cases and done(view, "billing-start"))
    await end(life, on=(await clock(life)).date())
    await life.until(lambda view: done(view, "ending"))
    await house.mend()
    await retry(life, view.cases[0].id)
    assert (await life.handle.result()).outcome == "ended"
    assert "plans" not in await counts(house, "cs")
