"""From the inbox into the lifecycle: in order, once each, whatever dies on the way."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sqlmodel import col, update
from temporalio.api.enums.v1 import EventType
from temporalio.client import Client, WorkflowExecutionStatus

from domain.messages import CancelOrder
from domain.view import Stage
from starter.delivery import Deliverer, Unreachable
from starter.dispatcher import CASE_AFTER
from starter.routing import begin_lifecycle
from store.database import Database, change
from store.tables import DeliveryRow
from tests.dispatch import Post
from tests.house import House, open_house
from tests.workflow.lives import today
from workflows.lifecycle import CustomerLifecycle

DAY = timedelta(days=1)
UPDATED = EventType.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_ACCEPTED


class Died(Exception):
    """The dispatcher was killed before it could remember what it had done."""


class DiesBeforeSettling(Deliverer):
    def _settle(self, *_: Any) -> None:
        raise Died


@pytest.fixture
def post(house: House) -> Post:
    return Post(house)


async def counts(house: House, system: str = "erp") -> dict[str, int]:
    found: dict[str, int] = (await house.box())["counts"].get(system, {})
    return found


async def amended(house: House) -> list[str]:
    """The quantities of the amendments that the ERP holds, in order."""
    box = await house.box()
    return [next(iter(each["quantities"].values())) for each in box["records"]["erp"].get("amendments", [])]


async def die(post: Post, stream: str) -> None:
    with pytest.raises(Died):
        await post.deliverer(kind=DiesBeforeSettling).deliver(stream)


async def test_a_won_deal_in_the_inbox_becomes_a_customer(post: Post) -> None:
    life = await post.win("006-a")
    assert (await life.view()).stage is Stage.ONBOARDING
    assert {kind: n for kind, n in (await counts(post.house)).items() if n} == {
        "customers": 1, "subscriptions": 1, "activations": 1, "billing_starts": 2,
    }  # fmt: skip
    row = await post.lifecycles.get(life.contract)
    assert row is not None
    assert row.started
    assert await post.states(life) == ["delivered"]


async def test_a_dispatcher_that_dies_after_the_start_starts_nothing_twice(post: Post) -> None:
    await post.hear_of("006-b")
    await post.desk.route()
    await die(post, "crm/006-b/1")
    life = await post.life("006-b")
    await life.until(lambda view: view.stage is Stage.ONBOARDING)
    assert await post.states(life) == ["pending"]
    assert await post.settle() == 1
    assert await post.states(life) == ["delivered"]
    assert (await counts(post.house))["subscriptions"] == 1


async def test_a_lifecycle_that_ended_before_its_start_was_remembered_stays_ended(post: Post) -> None:
    await post.hear_of("006-r", Selling_Entity__c="NOBODY")
    await post.desk.route()
    await die(post, "crm/006-r/1")
    life = await post.life("006-r")
    await life.until(lambda view: view.cases)
    await life.handle.execute_update(CustomerLifecycle.cancel, CancelOrder(by="ops", reason="sold twice"))
    await life.handle.result()
    await post.settle()
    assert (await life.handle.describe()).status is WorkflowExecutionStatus.COMPLETED
    assert await post.states(life) == ["delivered"]


async def test_an_upsell_told_by_a_dispatcher_that_died_is_applied_once(post: Post) -> None:
    life = await post.win("006-c")
    await post.upsell("006-up", 25, to="006-c")
    await post.desk.route()
    await die(post, life.contract)
    await life.until(lambda view: view.lines[1].quantity == "75")
    await post.settle()
    assert set(await post.states(life)) == {"delivered"}
    await life.until(lambda view: not view.pending)
    assert await amended(post.house) == ["75"]


async def test_a_payment_after_a_level_that_nobody_remembers_telling_still_lowers_the_risk(post: Post) -> None:
    life = await post.win("006-d")
    await post.invoice(life, "overdue", 1, today() - 3 * DAY)
    await post.desk.route()
    await die(post, life.contract)
    await life.until(lambda view: view.risk == "medium")
    await post.invoice(life, "paid", 2, today() - 3 * DAY)
    await post.settle()
    await life.until(lambda view: view.risk == "low")
    [health] = (await post.house.box())["records"]["cs"]["health"]
    assert health["risk"] == "low"


async def test_a_level_told_twice_under_one_number_is_settled(post: Post) -> None:
    life = await post.win("006-e")
    await post.invoice(life, "overdue", 1, today() - 3 * DAY)
    await post.desk.route()
    await die(post, life.contract)
    await die(post, life.contract)
    assert await post.settle() == 1
    assert await post.sweep() == 0, "the lifecycle knows it: there is nothing to look at"
    assert (await life.view()).last_seq == 2


async def test_a_level_that_changed_meanwhile_under_its_number_is_told_anew(post: Post) -> None:
    life = await post.win("006-f")
    await post.invoice(life, "overdue", 1, today() - 3 * DAY)
    await post.desk.route()
    await die(post, life.contract)
    await post.lifecycles.shift_clock(life.contract, (40 * DAY).total_seconds())
    await post.settle()
    assert (await life.view()).last_seq == 3
    assert await post.sweep() == 0, "the lifecycle knows it: there is nothing to look at"


async def test_two_dispatchers_deliver_in_order_and_once_without_a_gap(post: Post) -> None:
    life = await post.win("006-g")
    names = [f"step-{n:02}" for n in range(60)]
    for n, name in enumerate(names):
        await post.milestone(life, name)
        if n % 12 == 0:
            await post.upsell(f"006-up-{n}", 1, to="006-g")
    await asyncio.gather(*(post.settle(post.dispatcher(owner)) for owner in ("one", "two", "three")))
    await post.settle()
    rows = await post.deliveries(life)
    assert {row.state for row in rows} == {"delivered"}
    assert [row.seq for row in rows] == list(range(1, 67)), "the start, sixty milestones, five upsells"
    assert [row.inbox_id for row in rows] == sorted(row.inbox_id for row in rows)
    view = await life.until(lambda view: not view.pending)
    assert set(names) <= set(view.milestones)
    assert view.last_seq == 66
    assert await amended(post.house) == ["51", "52", "53", "54", "55"]


async def test_a_refused_event_is_a_case_and_holds_up_nobody_behind_it(post: Post) -> None:
    life = await post.win("006-h")
    refused = await post.upsell("006-up", 5, to="006-h", product="ANALYTICS")
    await post.milestone(life, "kick-off")
    await post.settle()
    assert await post.states(life) == ["delivered", "refused", "delivered"]
    assert "kick-off" in (await life.view()).milestones
    [case] = await post.cases.list()
    assert (case.contract, case.kind) == (life.contract, "refused_event")
    assert "no line for ANALYTICS" in case.reasons[0]
    assert await amended(post.house) == []

    row = await post.desk.row(refused)
    await post.desk.inbox.replay(row.id or 0, payload=row.payload.replace("ANALYTICS", "PLATFORM"))
    await post.settle()
    await life.until(lambda view: view.lines[1].quantity == "55" and not view.pending)
    assert await post.cases.list() == []
    assert await amended(post.house) == ["55"]


async def test_a_refusal_that_nobody_remembers_is_refused_again_and_becomes_a_case(post: Post) -> None:
    life = await post.win("006-s")
    await post.upsell("006-up", 5, to="006-s", product="ANALYTICS")
    await post.desk.route()
    await die(post, life.contract)
    assert await post.cases.list() == []
    await post.settle()
    assert await post.states(life) == ["delivered", "refused"]
    [case] = await post.cases.list()
    assert "no line for ANALYTICS" in case.reasons[0]


async def test_a_fact_that_nobody_can_reckon_with_is_a_case_and_holds_up_nothing_behind_it(post: Post) -> None:
    life = await post.win("006-t")
    usage = {"account": "acc-006-t", "active": "1e11", "entitled": "1e-30", "as_of": today().isoformat()}
    await post.desk.receive("usage.reported", usage)
    await post.milestone(life, "kick-off")
    await post.settle()
    assert await post.states(life) == ["delivered", "refused", "delivered"]
    assert "kick-off" in (await life.view()).milestones
    [case] = await post.cases.list()
    assert (case.kind, "can't be reckoned with" in case.reasons[0]) == ("refused_event", True)
    later = {**usage, "active": "1", "entitled": "10", "as_of": (today() + DAY).isoformat()}
    await post.desk.receive("usage.reported", later)
    await post.settle()
    await life.until(lambda view: view.risk == "high")


async def test_a_contract_that_temporal_does_not_take_is_a_case_and_its_stream_goes_on(post: Post) -> None:
    number = "006-" + "x" * 1500
    document = {"deal_id": number, "account": {"id": "acc-006-u"}}
    add = partial(begin_lifecycle, tenant="acme", crm="crm", document=document)
    contract = await post.house.database.write(add)
    await post.settle()
    life = await post.life(number)
    assert await post.states(life) == ["refused"]
    [case] = await post.cases.list(contract=contract)
    assert "Temporal does not take it" in case.reasons[0]
    await post.milestone(life, "kick-off")
    await post.settle()
    assert await post.states(life) == ["refused", "refused"]


async def test_what_waited_for_the_contract_comes_after_its_start_however_much_it_is(post: Post) -> None:
    for n in range(60):
        data = {"contract": "crm/006-i/1", "milestone": f"step-{n}", "completed_on": "2026-12-24"}
        await post.desk.receive("milestone.completed", data)
    await post.desk.route()
    await post.hear_of("006-i")
    for _ in range(2):
        await post.desk.route()  # nobody could be reached meanwhile: now all of it is to be delivered at once
    await post.settle()
    life = await post.life("006-i")
    assert set(await post.states(life)) == {"delivered"}
    await life.until(lambda view: len(view.milestones) == 60)
    assert [row.seq for row in await post.deliveries(life)] == list(range(1, 62))
    assert await post.cases.list() == []


async def test_an_invoice_paid_on_time_wakes_nobody(post: Post) -> None:
    life = await post.win("006-j")
    await post.invoice(life, "posted", 1, today() + 30 * DAY)
    await post.settle()
    await post.invoice(life, "paid", 2, today() + 30 * DAY)
    await post.settle()
    assert await post.sweep() == 0
    assert await post.states(life) == ["delivered", "recorded", "recorded"]
    told = [event async for event in life.handle.fetch_history_events() if event.event_type == UPDATED]
    assert told == []


async def test_a_due_date_that_passes_unannounced_raises_the_risk_once(post: Post) -> None:
    life = await post.win("006-k")
    await post.invoice(life, "posted", 1, today() + 5 * DAY)
    await post.settle()
    assert await post.sweep() == 0
    await post.lifecycles.shift_clock(life.contract, (8 * DAY).total_seconds())
    assert await post.sweep() == 1
    assert await post.sweep() == 0, "the first look is still on its way"
    await post.settle()
    assert await post.sweep() == 0
    await life.until(lambda view: view.risk == "medium")
    await post.invoice(life, "paid", 2, today() + 5 * DAY)
    await post.settle()
    await life.until(lambda view: view.risk == "low")
    assert (await life.view()).last_seq == 4


async def test_a_closed_lifecycle_is_told_nothing_and_a_person_hears_of_it(post: Post) -> None:
    life = await post.win("006-l", Selling_Entity__c="NOBODY")
    opened = {"case": "c1", "account": "acc-006-l", "severity": 1, "version": 1}
    await post.desk.receive("support_case.opened", opened)
    await post.desk.route()
    await life.handle.execute_update(CustomerLifecycle.cancel, CancelOrder(by="ops", reason="sold twice"))
    assert (await life.handle.result()).outcome == "cancelled"
    await post.milestone(life, "kick-off")
    await post.settle()
    assert await post.states(life) == ["delivered", "recorded", "refused"]
    assert [(case.kind, case.reasons) for case in await post.cases.list(contract=life.contract)] == [
        ("refused_event", ["the lifecycle is closed"])
    ]
    assert not any((await counts(post.house)).values())


async def test_while_the_workers_are_away_events_wait(temporal: Client, tmp_path: Path) -> None:
    async with open_house(temporal, tmp_path) as house:
        life = await Post(house).win("006-m")
    away = replace(house, database=Database(house.database.url))
    post = Post(away, lease=2)
    await post.milestone(life, "kick-off")
    await post.desk.route()
    with pytest.raises(Unreachable):
        await post.deliverer().deliver(life.contract)
    assert await post.settle() == 0, "a dispatcher waits as well, and lives"
    assert await post.states(life) == ["delivered", "pending"]
    away.database.close()
    async with open_house(temporal, tmp_path, task_queue=house.task_queue) as back:
        post = Post(back)
        assert await post.settle() == 1
        assert "kick-off" in (await life.view()).milestones


async def test_a_lifecycle_that_does_not_answer_holds_up_its_own_events_alone(post: Post) -> None:
    life = await post.win("006-n")
    await post.hear_of("006-o")
    nobody = replace(post.house, task_queue="nobody-works-here")
    await Post(nobody).settle()
    stuck = await post.life("006-o")
    dispatcher, stop = Post(nobody).dispatcher(), asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(dispatcher.run(stop))
        await post.milestone(stuck, "kick-off")
        await asyncio.sleep(0.5)
        await post.milestone(life, "kick-off")
        await life.until(lambda view: "kick-off" in view.milestones, seconds=3)
        assert await post.states(stuck) == ["delivered", "pending"]
        await stuck.handle.terminate()
        stop.set()
    assert await post.states(life) == ["delivered", "delivered"]


async def test_events_that_cannot_be_delivered_hold_up_nobody_else(post: Post) -> None:
    broken, sound = await post.win("006-p"), await post.win("006-q")
    await post.milestone(broken, "kick-off")
    await post.desk.route()
    spoil = update(DeliveryRow).where(col(DeliveryRow.stream) == broken.contract).values(payload={"kind": "nonsense"})
    await post.house.database.write(lambda session: change(session, spoil.where(col(DeliveryRow.state) == "pending")))
    await post.milestone(sound, "kick-off")
    await post.settle()
    assert sorted(await post.states(broken)) == ["delivered", "pending"]
    assert await post.states(sound) == ["delivered", "delivered"]


async def test_events_that_can_not_be_delivered_again_and_again_are_a_case_until_they_are(
    post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("starter.dispatcher.CALL_AGAIN_AFTER", 0.0)
    life = await post.win("006-again")
    await post.milestone(life, "kick-off")
    await post.desk.route()
    [row] = [each for each in await post.deliveries(life) if each.state == "pending"]

    async def say(payload: dict[str, Any]) -> None:
        said = update(DeliveryRow).where(col(DeliveryRow.id) == row.id).values(payload=payload)
        await post.house.database.write(lambda session: change(session, said))

    await say({"kind": "nonsense"})
    dispatcher = post.dispatcher()
    seen = []
    for _ in range(CASE_AFTER):
        seen.append([case.kind for case in await post.cases.list()])
        await dispatcher.route_and_deliver()
        await dispatcher.finish()
    assert seen == [[]] * CASE_AFTER
    assert [case.kind for case in await post.cases.list()] == ["undeliverable"]
    await say(row.payload)
    await post.settle(dispatcher)
    assert await post.cases.list() == []
