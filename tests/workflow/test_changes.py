"""Changes to a running contract, on the real server: what the outside holds afterwards."""

import asyncio
import inspect
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from temporalio.client import WorkflowUpdateFailedError

from domain.changes.applying import ChangePreview
from domain.changes.kinds import (
    Amend,
    AmendAtRenewal,
    Cancel,
    Change,
    ChangeContract,
    Extend,
    GiveNotice,
    Move,
    Pause,
    Renew,
    Resume,
    Terminate,
    Undo,
    WithdrawNotice,
)
from domain.document import apply_fixes
from domain.messages import AmendmentWon, CollectionsChanged
from tests.house import House, Life
from tests.workflow.lives import (
    HOOLI,
    clock,
    done,
    history_length,
    open_window,
    records,
    renewing,
    rests,
    serving,
    settled_length,
    to_day,
    to_end,
    to_term_end,
)
from workflows.lifecycle import CustomerLifecycle

MOVE = ("end_subscription", "create_subscription", "activate_order", "start_billing")
"""What a move writes in the ERP, in its order."""


async def give(life: Life, change: Change, name: str) -> str:
    command = ChangeContract(id=name, by="csm", change=change)
    answer = await life.handle.execute_update(CustomerLifecycle.change, command)
    return answer.message


async def refused(life: Life, change: Change) -> str:
    with pytest.raises(WorkflowUpdateFailedError) as caught:
        await give(life, change, "refused")
    return str(caught.value.cause)


async def foresee(life: Life, change: Change) -> ChangePreview:
    return await life.handle.query(CustomerLifecycle.preview, ChangeContract(id="dry", by="csm", change=change))


async def subscription(house: House) -> dict[str, Any]:
    [found] = await records(house, "erp", "subscriptions")
    return found


def seats(number: int) -> dict[str, Decimal]:
    return {"PLATFORM": Decimal(number)}


def known(day: date | None) -> date:
    assert day is not None
    return day


async def test_a_preview_says_what_then_happens_and_writes_no_history(house: House) -> None:
    life = await serving(house)
    length = await settled_length(life)
    ends = known((await life.view()).term_ends) + timedelta(days=31)
    seen = await foresee(life, Extend(ends=ends))
    assert await history_length(life) == length
    await give(life, Extend(ends=ends), "dry")
    view = await life.until(lambda view: rests(view) and view.term_ends == ends)
    assert {effect.key for effect in seen.effects} <= view.effects.keys()
    assert (await subscription(house))["ends"] == ends.isoformat()


async def test_two_amendments_in_the_same_second_are_made_one_after_the_other(house: House) -> None:
    life = await serving(house)
    await give(life, Amend(quantities=seats(60)), "a1")
    await give(life, Amend(quantities=seats(70)), "a2")
    await life.until(lambda view: rests(view) and any(key.endswith("a2") for key in view.effects))
    asked = [each["quantities"] for each in await records(house, "erp", "amendments")]
    assert [list(each.values()) for each in asked] == [["60"], ["70"]]
    assert "a2 builds on it" in await refused(life, Undo(change="a1"))
    await give(life, Undo(change="a2"), "u")
    await life.until(lambda view: rests(view) and any(key.endswith("u") for key in view.effects))
    assert [list(each["quantities"].values()) for each in await records(house, "erp", "amendments")][-1] == ["60"]


async def test_of_two_changes_that_exclude_each_other_in_the_same_moment_one_is_refused(house: House) -> None:
    """The SDK runs a change's validator and its handler in one go where the handler never awaits. So the second one is
    vetted against what the first has left, also when both come with one workflow task."""
    assert not inspect.iscoroutinefunction(CustomerLifecycle.change)
    life = await serving(house)
    day = (await clock(life)).date()
    moved = Move(selling_entity="ACME-US", currency="USD", revision=1, on=day + timedelta(days=10))
    later = Amend(quantities=seats(60), effective=day + timedelta(days=20))
    answers = await asyncio.gather(give(life, moved, "m"), give(life, later, "a"), return_exceptions=True)
    [lost] = [each for each in answers if not isinstance(each, str)]
    assert isinstance(lost, WorkflowUpdateFailedError)
    assert "and it would move on" in str(lost.cause)


async def test_for_cause_a_contract_ends_though_the_erp_holds_its_next_term(house: House) -> None:
    life = await renewing(house)
    await give(life, Renew(), "r")
    await life.until(lambda view: done(view, "renewal") and rests(view))
    on = (await clock(life)).date() + timedelta(days=10)
    await give(life, Terminate(ground="cause", reason="breach", on=on), "t")
    outcome = await to_end(life, on)
    assert (outcome.outcome, outcome.terms) == ("ended", 1)
    held = await subscription(house)
    assert (held["status"], held["ends"]) == ("ended", on.isoformat())


async def test_a_day_that_nobody_reaches_wedges_nothing(house: House) -> None:
    life = await serving(house)
    assert "no change names a day after" in await refused(life, Extend(ends=date(9999, 12, 31)))
    assert "no change names a day after" in str((await foresee(life, Extend(ends=date(9999, 12, 31)))).refused)
    deal = AmendmentWon(deal="006-far", mode="target", changes={}, ends=date(9999, 12, 31))
    assert await life.tell(deal) == ["refused"]
    assert rests(await life.view())


async def test_the_same_command_twice_is_one_amendment(house: House) -> None:
    life = await serving(house)
    for _ in range(2):
        await give(life, Amend(quantities=seats(60)), "a1")
    await life.until(rests)
    assert len(await records(house, "erp", "amendments")) == 1


async def test_a_renewal_decided_before_its_window_needs_no_window(house: House) -> None:
    life = await serving(house)
    early = (await clock(life)).date() + timedelta(days=30)
    await give(life, Renew(starts=early, months=6), "early")
    await life.until(lambda view: done(view, "renewal") and rests(view))
    await to_day(life, early)
    view = await life.until(lambda view: view.term == 2 and rests(view))
    assert view.term_starts == early
    assert (await subscription(house))["ends"] == known(view.term_ends).isoformat()
    assert not done(view, "renewal-opportunity")


async def test_a_window_that_closes_again_opens_later(house: House) -> None:
    life = await renewing(house)
    first = await life.view()
    later = known(first.term_ends) + timedelta(days=365)
    await give(life, Extend(ends=later), "x")
    view = await life.until(lambda view: view.stage == "serving" and rests(view))
    assert known(view.window_opens) > (await clock(life)).date()
    view = await open_window(life)
    assert (view.term, view.term_ends) == (1, later)


async def test_a_notice_is_withdrawn_and_the_contract_is_renewed_after_all(house: House) -> None:
    life = await serving(house)
    await give(life, GiveNotice(), "n")
    await life.until(lambda view: view.stage == "ending")
    await give(life, WithdrawNotice(), "w")
    await life.until(lambda view: view.stage == "serving")
    await open_window(life)
    await give(life, Renew(), "r")
    await life.until(lambda view: done(view, "renewal"))
    await to_term_end(life)
    await life.until(lambda view: view.term == 2)
    assert not await records(house, "erp", "endings")


async def test_what_is_agreed_for_the_renewal_is_done_with_it(house: House) -> None:
    life = await renewing(house)
    await give(life, AmendAtRenewal(quantities=seats(30)), "down")
    await give(life, Renew(), "r")
    view = await life.until(lambda view: any("renewal-2" in key for key in view.effects))
    [amended] = await records(house, "erp", "amendments")
    assert amended["effective"] == known(view.term_ends).isoformat()
    await to_term_end(life)
    view = await life.until(lambda view: view.term == 2)
    assert "30" in {line.quantity for line in view.lines}


async def test_a_paused_lifecycle_listens_and_does_nothing_until_it_goes_on(house: House) -> None:
    life = await serving(house)
    await give(life, Pause(reason="dispute"), "p")
    assert await life.tell(CollectionsChanged(delinquent=("INV-1",), overdue_since=(await clock(life)).date())) == [
        "applied"
    ]
    await give(life, Amend(quantities=seats(60)), "a1")
    await to_day(life, known((await life.view()).window_opens) + timedelta(days=3))
    view = await life.view()
    assert (view.paused, view.stage, view.risk) == ("dispute", "serving", "low")
    assert not await records(house, "erp", "amendments")
    await give(life, Resume(), "r")
    view = await life.until(lambda view: view.stage == "renewal" and view.risk != "low" and rests(view))
    assert len(await records(house, "erp", "amendments")) == 1


async def test_a_pause_with_a_last_day_is_over_by_itself(house: House) -> None:
    life = await serving(house)
    day = (await clock(life)).date() + timedelta(days=5)
    await give(life, Pause(reason="holidays", until=day), "p")
    await give(life, Amend(quantities=seats(60)), "a1")
    await to_day(life, day)
    await life.until(lambda view: view.paused is None and rests(view))
    assert len(await records(house, "erp", "amendments")) == 1


async def test_a_paused_contract_that_is_due_to_end_ends_when_it_goes_on(house: House) -> None:
    life = await serving(house)
    await give(life, GiveNotice(), "n")
    await give(life, Pause(reason="dispute"), "p")
    await to_term_end(life)
    assert not await records(house, "erp", "endings")
    await give(life, Resume(), "r")
    outcome = await to_end(life, (await clock(life)).date() + timedelta(days=1))
    assert outcome.outcome == "ended"
    assert len(await records(house, "erp", "endings")) == 1


@pytest.mark.parametrize("lost", [(), MOVE], ids=["answered", "each answer lost"])
async def test_a_contract_moves_to_another_currency_as_one_lifecycle(house: House, lost: tuple[str, ...]) -> None:
    life = await serving(house)
    document = (await life.orders.revisions(life.contract))[-1].document
    there = apply_fixes(document, {"selling_entity": "ACME-DE", "currency": "CHF"})
    revision = await life.orders.add(life.contract, there, "finance")
    before, on = await life.view(), (await clock(life)).date() + timedelta(days=10)
    await give(life, Move(selling_entity="ACME-DE", currency="CHF", revision=revision, on=on), "m")
    await give(life, Amend(quantities=seats(60)), "a")
    await life.until(rests)
    for operation in lost:
        await house.fault(system="erp", operation=operation, kind="lose_answer", times=1)
    await to_day(life, on)
    after = await life.until(lambda view: view.leg == 2 and rests(view), 40)
    assert [fault["times"] for fault in (await house.http.get("/admin/faults")).json()] == [0] * len(lost)
    old, new = await records(house, "erp", "subscriptions")
    assert (old["status"], old["ends"]) == ("ended", on.isoformat())
    assert (new["status"], new["currency"]) == ("active", "CHF")
    assert (new["starts"], new["ends"]) == (on.isoformat(), known(before.term_ends).isoformat())
    assert {line["product"]: line["quantity"] for line in new["lines"]}["PLATFORM"] == "60"
    assert {line["billing_starts"] for line in new["lines"]} == {on.isoformat()}
    assert len(await records(house, "erp", "customers")) == 1, "the customer of the same entity is the same"
    assert (after.term, after.term_ends) == (before.term, before.term_ends)
    await give(life, Amend(quantities=seats(61)), "b")
    await life.until(lambda view: rests(view) and any(key.endswith(":b") for key in view.effects))
    assert (await records(house, "erp", "amendments"))[-1]["subscription"] == new["id"]


async def test_a_move_is_undone_before_its_day(house: House) -> None:
    life = await serving(house)
    on = (await clock(life)).date() + timedelta(days=10)
    await give(life, Move(selling_entity="ACME-US", currency="USD", revision=1, on=on), "m")
    await give(life, Undo(change="m"), "u")
    await to_day(life, on)
    assert (await life.view()).leg == 1
    assert (await subscription(house))["status"] == "active"


async def test_an_order_is_cancelled_by_a_change_too(house: House) -> None:
    await house.fault(system="erp", operation="activate_order", kind="refuse", reason="blocked", times=1)
    life = await house.start(house.payload(HOOLI))
    await life.until(lambda view: any(case.id.startswith("activation:") for case in view.cases))
    seen = await foresee(life, Cancel(reason="wrong customer"))
    assert [effect.key.partition(":")[0] for effect in seen.effects] == ["cancellation"]
    await give(life, Cancel(reason="wrong customer"), "c")
    outcome = await life.handle.result()
    assert outcome.outcome == "cancelled"
    assert (await subscription(house))["status"] == "cancelled"


async def test_a_contract_that_renews_to_evergreen_runs_on_and_is_ended_by_notice(house: House) -> None:
    life = await renewing(house, **{"terms.renew_to_evergreen": True, "terms.renewal_months": None})
    await give(life, Renew(), "r")
    await life.until(lambda view: done(view, "renewal"))
    await to_term_end(life)
    view = await life.until(lambda view: view.term == 2 and rests(view))
    assert view.term_ends is None
    assert (await subscription(house))["ends"] is None
    await give(life, GiveNotice(), "n")
    ends = known(view.term_starts) + timedelta(days=30)
    outcome = await to_end(life, ends + timedelta(days=1))
    assert outcome.outcome == "ended"
    assert (await subscription(house))["ends"] == ends.isoformat()
