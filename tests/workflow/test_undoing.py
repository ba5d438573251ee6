"""What is undone, and what is not any more, while the ERP is held up: the outside holds what the lifecycle says."""

import asyncio
from datetime import timedelta
from decimal import Decimal

import pytest
from temporalio.client import WorkflowUpdateFailedError

from domain.changes.kinds import Amend, Change, ChangeContract, End, Renew, Terminate, Undo, WithdrawNotice
from domain.messages import RetryStep
from store.ledger import SqlLedger
from tests.house import House, Life
from tests.workflow.lives import clock, done, records, refusal, rests, serving, to_day
from workflows.lifecycle import CustomerLifecycle

CAUSE = Terminate(ground="cause", reason="breach")


async def give(life: Life, change: Change, name: str) -> None:
    command = ChangeContract(id=name, by="csm", change=change)
    await life.handle.execute_update(CustomerLifecycle.change, command)


async def refused(life: Life, change: Change) -> str:
    return await refusal(give(life, change, "refused"))


async def held_up(house: House, life: Life, how: str) -> None:
    """An amendment that the ERP does not take stands at the head of the lane."""
    if how == "frozen":
        await SqlLedger(house.database).freeze("erp")
    else:
        await house.fault(system="erp", operation="amend_subscription", kind="refuse", reason="blocked", times=1)
    await give(life, Amend(quantities={"PLATFORM": Decimal(60)}), "a")
    await life.until(lambda view: bool(view.cases) and view.cases[0].id.endswith(":a"))


async def goes_on(house: House, life: Life) -> None:
    await SqlLedger(house.database).thaw("erp")
    case = (await life.view()).cases[0]
    await life.handle.execute_update(CustomerLifecycle.retry_step, RetryStep(case=case.id, by="ops"))


@pytest.mark.parametrize("how", ["frozen", "refusing"])
@pytest.mark.parametrize("ends", ["for cause", "today"])
async def test_an_end_that_waits_in_the_lane_is_made_and_nobody_is_told_that_it_is_undone(
    house: House, how: str, ends: str
) -> None:
    life = await serving(house)
    await held_up(house, life, how)
    await give(life, CAUSE if ends == "for cause" else End(reason="we stop", on=(await clock(life)).date()), "e")
    for taken_back in (Undo(change="e"), WithdrawNotice()):
        assert "the ERP is ending the subscription" in await refused(life, taken_back)
    command = ChangeContract(id="dry", by="csm", change=Undo(change="e"))
    seen = await life.handle.query(CustomerLifecycle.preview, command)
    assert "the ERP is ending the subscription" in (seen.refused or "")
    await goes_on(house, life)
    assert (await life.handle.result()).outcome == "ended"
    assert len(await records(house, "erp", "amendments")) == 1
    assert len(await records(house, "erp", "endings")) == 1


async def test_an_end_that_is_still_ahead_is_undone_while_the_erp_is_frozen_and_never_made(house: House) -> None:
    life = await serving(house)
    await held_up(house, life, "frozen")
    day = (await clock(life)).date() + timedelta(days=10)
    await give(life, CAUSE.model_copy(update={"on": day}), "e")
    await life.until(lambda view: view.stage == "ending")
    await give(life, Undo(change="e"), "u")
    await life.until(lambda view: view.stage == "serving")
    await goes_on(house, life)
    await life.until(rests)
    [subscription] = await records(house, "erp", "subscriptions")
    assert subscription["status"] == "active"
    assert not await records(house, "erp", "endings")


async def test_a_renewal_that_is_undone_and_decided_again_in_one_breath_is_made_once(house: House) -> None:
    life = await serving(house)
    await held_up(house, life, "frozen")
    await give(life, Renew(early=True), "r")
    both = give(life, Undo(change="r"), "u"), give(life, Renew(early=True), "again")
    undone, again = await asyncio.gather(*both, return_exceptions=True)
    assert undone is None
    if isinstance(again, WorkflowUpdateFailedError):  # it has overtaken the undo
        await give(life, Renew(early=True), "again")
    await goes_on(house, life)
    await life.until(lambda view: done(view, "renewal") and rests(view))
    [subscription] = await records(house, "erp", "subscriptions")
    assert subscription["term"] == 2


async def test_an_end_for_cause_sets_a_renewal_aside_and_undone_it_brings_it_back(house: House) -> None:
    life = await serving(house)
    starts = (await clock(life)).date() + timedelta(days=30)
    await give(life, Renew(starts=starts, months=6), "r")
    await life.until(lambda view: done(view, "renewal") and rests(view))
    await give(life, CAUSE.model_copy(update={"on": starts - timedelta(days=10)}), "e")
    await life.until(lambda view: view.stage == "ending")
    assert "tenure undo e brings it back" in await refused(life, WithdrawNotice())
    await give(life, Undo(change="e"), "u")
    await to_day(life, starts)
    await life.until(lambda view: view.term == 2 and rests(view))
    assert not await records(house, "erp", "endings")
    await give(life, CAUSE, "e2")
    assert (await life.handle.result()).outcome == "ended"
    assert len(await records(house, "erp", "endings")) == 1
