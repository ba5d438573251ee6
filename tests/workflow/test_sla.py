"""SLA clocks of real lifecycles: what the workflow publishes starts and stops them, and it is never woken for them."""

import pytest
from sqlmodel import col, select

from store.clocks import SlaClockRow, clock_of, look_again
from tests.dispatch import Post
from tests.house import House, Life
from tests.workflow.lives import eventually


@pytest.fixture
def post(house: House) -> Post:
    return Post(house)


async def clocks(life: Life) -> dict[str, str]:
    query = select(SlaClockRow).where(col(SlaClockRow.contract) == life.contract)
    rows = await life.house.database.read(lambda session: session.exec(query).all())
    return {f"{row.kind} {row.about}".strip(): clock_of(row).state.value for row in rows}


async def test_a_customer_s_clocks(post: Post) -> None:
    life = await post.win("sla-1")
    await life.until(lambda view: view.renewal_date)
    await post.sweep_clocks()
    found = await clocks(life)
    assert (found["order_activated"], found["onboarding_launched"]) == ("met", "met")
    assert found["milestone_reached go-live"] == "running"
    assert found["readiness_assembled"] == "waiting"
    length = (await life.handle.describe()).history_length
    await post.sweep_clocks()
    assert (await life.handle.describe()).history_length == length, "a clock wakes no workflow"


async def test_onboarding_that_cs_is_away_for_is_late(house: House, post: Post) -> None:
    await house.fault(system="cs", kind="down", retry_after="1")
    await post.hear_of("sla-2")
    await post.settle()
    life = await post.life("sla-2")
    await life.until(lambda view: view.term == 1)

    async def told() -> bool:
        view = await post.views.get(life.contract)
        return view is not None and view.term == 1

    await eventually(told)
    await post.lifecycles.shift_clock(life.contract, 3700.0)
    await post.house.database.write(lambda session: look_again(session, life.contract))
    await post.sweep_clocks()
    assert (await clocks(life))["onboarding_launched"] == "breached"
    titles = [case.title for case in await post.cases.list(contract=life.contract)]
    assert "late: onboarding is launched after activation" in titles
    await post.lifecycles.shift_clock(life.contract, 0.0)
    await house.mend()
