"""Lines that come and go, and a change that the ERP refuses, on the real server: what the ERP holds afterwards."""

import asyncio
from datetime import timedelta
from typing import Any

from domain.changes.kinds import Amend, Change, ChangeContract, Extend, Undo
from domain.messages import CreditHoldChanged, RetryStep
from starter.changing import sell_lines
from store.orders import SqlOrders
from tests.house import House, Life
from tests.workflow.lives import clock, records, rests, serving
from workflows.lifecycle import CustomerLifecycle

NEW = {"product": "ANALYTICS", "quantity": "10", "unit_price": "90.00", "charge": "recurring", "frequency": "annual"}


async def give(life: Life, change: Change, name: str) -> None:
    command = ChangeContract(id=name, by="csm", change=change)
    await life.handle.execute_update(CustomerLifecycle.change, command)


async def lines(house: House) -> dict[str, dict[str, Any]]:
    [subscription] = await records(house, "erp", "subscriptions")
    return {line["product"]: line for line in subscription["lines"]}


async def held(house: House, wanted: bool) -> None:
    """Wait until the ERP's customer is on credit hold, or is not any more."""
    for _ in range(200):
        [customer] = await records(house, "erp", "customers")
        if customer.get("credit_hold", {}).get("held") is wanted:
            return
        await asyncio.sleep(0.05)
    raise AssertionError(f"held never was {wanted}")


async def test_a_product_is_swapped_at_the_price_that_a_person_wrote(house: House) -> None:
    life = await serving(house)
    day = (await clock(life)).date()
    asked = Amend(removed=("SUPPORT-PREMIUM",), effective=day)
    change = await sell_lines(SqlOrders(house.database), house.company, life.contract, asked, [NEW], "csm")
    await give(life, change, "swap")
    view = await life.until(lambda view: all(line.billing_starts for line in view.lines) and rests(view))
    assert len(view.lines) == 4
    held = await lines(house)
    assert held["SUPPORT-PREMIUM"]["ends"] == held["ANALYTICS"]["starts"] == day.isoformat()
    assert (held["ANALYTICS"]["unit_price"], held["ANALYTICS"]["billing_starts"]) == ("90.00", day.isoformat())
    history = [event.SerializeToString() async for event in life.handle.fetch_history_events()]
    assert not any(b"90.00" in event for event in history), "a price is no business of the lifecycle's"


async def test_a_removal_that_the_erp_has_is_taken_back(house: House) -> None:
    life = await serving(house)
    gone = (await clock(life)).date() + timedelta(days=20)
    await give(life, Amend(removed=("SUPPORT-PREMIUM",), effective=gone), "out")
    await life.until(rests)
    before = (await lines(house))["SUPPORT-PREMIUM"]
    assert before["ends"] == gone.isoformat()
    await give(life, Undo(change="out"), "back")
    await life.until(rests)
    assert (await lines(house))["SUPPORT-PREMIUM"] == {**before, "ends": None}
    assert len(await records(house, "erp", "amendments")) == 2


async def test_an_end_that_the_erp_refuses_is_given_up_and_nothing_waits_behind_it(house: House) -> None:
    life = await serving(house)
    ends = (await life.view()).term_ends
    assert ends is not None
    await house.fault(system="erp", operation="change_term", kind="refuse", reason="billed already")
    await give(life, Extend(ends=ends + timedelta(days=90)), "longer")
    await give(life, Amend(quantities={"PLATFORM": 60}), "more")
    view = await life.until(lambda view: view.cases)
    [case] = view.cases
    assert (case.kind, view.term_ends) == ("rejected", ends + timedelta(days=90))
    await life.handle.execute_update(CustomerLifecycle.retry_step, RetryStep(case=case.id, by="finance", drop=True))
    view = await life.until(rests)
    assert view.term_ends == ends
    [subscription] = await records(house, "erp", "subscriptions")
    assert subscription["ends"] == ends.isoformat()
    assert (await lines(house))["PLATFORM"]["quantity"] == "60"
    assert await records(house, "erp", "term_changes") == []


async def test_a_credit_hold_does_not_wait_behind_what_the_erp_refuses(house: House) -> None:
    life = await serving(house)
    await house.fault(system="erp", operation="amend_subscription", kind="refuse", reason="blocked")
    await give(life, Amend(quantities={"PLATFORM": 60}), "more")
    await life.until(lambda view: view.cases)
    assert await life.tell(CreditHoldChanged(invoices=("INV-7",))) == ["applied"]
    await life.until(lambda view: view.hold is not None)
    await held(house, True)
    await life.tell(CreditHoldChanged())
    await held(house, False)
    assert len((await life.view()).cases) == 1
