"""What a lifecycle is told: commands that are refused, events that are stale, signals, and what people are shown."""

import asyncio
import base64
import json
import re
from collections.abc import Callable, Coroutine
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from temporalio.service import RPCError

from domain.messages import (
    AmendmentWon,
    CancelOrder,
    EndContract,
    EventBatch,
    FixOrder,
    LifecycleEvent,
    MilestoneReached,
    RenewalWon,
    RenewContract,
    RetryStep,
    SupportChanged,
    UsageChanged,
)
from domain.outcomes import SIGNAL_CASE
from domain.view import Stage
from tests.house import House, Life
from tests.workflow.lives import (
    HOOLI,
    clock,
    counts,
    events,
    health,
    history_length,
    onboarding,
    records,
    refusal,
    rests,
    serving,
    to_end,
)
from workflows.desk import ACCOUNT_ID, LEGAL_ENTITY, LIFECYCLE_STAGE, NEEDS_ATTENTION, RENEWAL_DATE
from workflows.lifecycle import CustomerLifecycle

Command = Callable[[Life], Coroutine[Any, Any, Any]]


def renew(life: Life) -> Coroutine[Any, Any, Any]:
    return life.handle.execute_update(CustomerLifecycle.renew, RenewContract(by="csm"))


def end(life: Life, **command: Any) -> Coroutine[Any, Any, Any]:
    asked = EndContract(**{"by": "csm", "reason": "moved away"} | command)
    return life.handle.execute_update(CustomerLifecycle.end, asked)


def fix(life: Life) -> Coroutine[Any, Any, Any]:
    return life.handle.execute_update(CustomerLifecycle.fix_order, FixOrder(revision=2, by="ops"))


def cancel(life: Life) -> Coroutine[Any, Any, Any]:
    return life.handle.execute_update(CustomerLifecycle.cancel, CancelOrder(by="sales", reason="mistake"))


def retry(life: Life) -> Coroutine[Any, Any, Any]:
    return life.handle.execute_update(CustomerLifecycle.retry_step, RetryStep(case="nothing", by="ops"))


async def refused(life: Life, command: Command) -> str:
    """The refusal's reason, having made sure that it changed nothing and wrote no history."""
    await settled(life)
    seen, length = await life.view(), await history_length(life)
    reason = await refusal(command(life))
    assert await history_length(life) == length
    assert (await life.view()).model_dump(exclude={"as_of"}) == seen.model_dump(exclude={"as_of"})
    return reason


async def settled(life: Life) -> None:
    """Wait until the history does not grow any more."""
    length = await history_length(life)
    for _ in range(40):
        await asyncio.sleep(0.3)
        before, length = length, await history_length(life)
        if length == before:
            return
    raise AssertionError("the history does not stop growing")


async def test_impossible_commands_are_refused_before_the_order_is_activated(house: House) -> None:
    life = await house.start(house.payload("salesforce_new_broken"))
    await life.until(lambda view: view.cases)
    assert "not activated yet" in await refused(life, renew)
    assert "use tenure cancel" in await refused(life, end)
    assert "no open case 'nothing'" in await refused(life, retry)
    same = FixOrder(revision=1, by="ops")
    again = await refused(life, lambda life: life.handle.execute_update(CustomerLifecycle.fix_order, same))
    assert "revision 1 is not newer" in again
    order = RetryStep(case="order", by="ops")
    by_hand = await refused(life, lambda life: life.handle.execute_update(CustomerLifecycle.retry_step, order))
    assert "settled by correcting the order" in by_hand


async def test_impossible_commands_are_refused_in_a_live_contract(house: House) -> None:
    life = await serving(house)
    view = await life.view()
    assert view.term_ends is not None
    ends = view.term_ends
    opens = ends - timedelta(days=90)
    assert f"it opens on {opens}" in await refused(life, renew)
    assert "amended, not fixed" in await refused(life, fix)
    assert "use tenure end" in await refused(life, cancel)
    assert "in the past" in await refused(life, lambda life: end(life, on=ends - timedelta(days=500)))
    assert "before" in await refused(life, lambda life: end(life, on=ends + timedelta(days=1)))
    await end(life)
    assert "ends on" in await refused(life, end)
    assert (await records(house, "erp", "subscriptions"))[0]["status"] == "active"


async def test_a_closed_lifecycle_is_told_nothing_more(house: House) -> None:
    life = await serving(house)
    day = (await clock(life)).date() + timedelta(days=3)
    await end(life, on=day)
    await to_end(life, day)
    before = await house.box()
    for command in (renew, end, fix, cancel, retry):
        with pytest.raises(RPCError, match="already completed"):
            await command(life)
    assert await house.box() == before


async def test_what_cannot_be_applied_is_answered_with_its_reason_and_changes_nothing(house: House) -> None:
    life = await serving(house)
    unknown = AmendmentWon(seq=7, deal="UP-1", mode="difference", changes={"ROCKETS": Decimal(1)})
    early = RenewalWon(seq=8, opportunity="006")
    good = AmendmentWon(seq=9, deal="UP-2", mode="difference", changes={"PLATFORM": Decimal(5)})
    batch = EventBatch(events=[unknown, early, good])
    answer = await life.handle.execute_update(CustomerLifecycle.deliver, batch)
    assert [each.outcome for each in answer.answers] == ["refused", "refused", "applied"]
    assert "no line for ROCKETS" in answer.answers[0].reason
    assert "window is not open" in answer.answers[1].reason
    await life.until(rests)
    assert (await counts(house, "erp"))["amendments"] == 1


async def test_stale_events_are_ignored(house: House) -> None:
    life = await serving(house)
    won = AmendmentWon(seq=5, deal="UP-1", mode="difference", changes={"PLATFORM": Decimal(5)})
    late = AmendmentWon(seq=4, deal="UP-0", mode="difference", changes={"PLATFORM": Decimal(1)})
    for batch, outcomes in (([won], ["applied"]), ([late, won], ["stale", "stale"])):
        answer = await life.handle.execute_update(CustomerLifecycle.deliver, EventBatch(events=list(batch)))
        assert [each.outcome for each in answer.answers] == outcomes
    view = await life.until(rests)
    assert view.last_seq == 5
    [amendment] = await records(house, "erp", "amendments")
    assert list(amendment["quantities"].values()) == ["55"]


async def test_the_same_upsell_told_twice_amends_once(house: House) -> None:
    life = await serving(house)
    for _ in range(2):
        won = AmendmentWon(deal="UP-1", mode="difference", changes={"PLATFORM": Decimal(5)})
        assert await life.tell(won) == ["applied"]
        await life.until(rests)
    assert (await counts(house, "erp"))["amendments"] == 1


async def test_an_engineer_can_tell_an_event_by_signal(house: House) -> None:
    life = await onboarding(house)
    milestone = MilestoneReached(milestone="go-live", on=(await clock(life)).date())
    await life.handle.signal(CustomerLifecycle.tell, milestone.model_dump(mode="json"))
    await life.until(lambda view: view.stage is Stage.SERVING and rests(view))
    assert (await counts(house, "erp"))["billing_starts"] == 3


async def test_a_signal_with_a_high_number_does_not_silence_what_the_dispatcher_tells(house: House) -> None:
    life = await onboarding(house)
    await life.handle.signal(CustomerLifecycle.tell, {"kind": "support_changed", "severities": {"2": 1}, "seq": 5000})
    await health(house, risk="medium")
    assert await life.tell(SupportChanged(severities={})) == ["applied"]
    await health(house, risk="low")


@pytest.mark.parametrize("signal", [{"kind": "milestone_reached"}, "go-live", None, [1], {"kind": "no such"}])
async def test_a_signal_that_cannot_be_used_is_a_case_and_never_lost_in_silence(house: House, signal: Any) -> None:
    life = await onboarding(house)
    before = await counts(house, "erp")
    await life.handle.signal("tell", signal)
    view = await life.until(lambda view: view.cases)
    assert [(case.id, case.actor) for case in view.cases] == [(SIGNAL_CASE, "engineer")]
    assert view.cases[0].reasons
    command = RetryStep(case=SIGNAL_CASE, by="engineer")
    await life.handle.execute_update(CustomerLifecycle.retry_step, command)
    await life.until(lambda view: not view.cases)
    assert await counts(house, "erp") == before


async def test_unrelated_events_do_not_arm_the_renewal_timer_again(house: House) -> None:
    life = await serving(house)
    await settled(life)
    before = await events(life)
    told: list[LifecycleEvent] = [
        SupportChanged(severities={2: 1}),
        UsageChanged(adoption=Decimal("0.3")),
        SupportChanged(severities={}),
        UsageChanged(adoption=Decimal("0.9")),
        AmendmentWon(deal="UP-1", mode="difference", changes={"PLATFORM": Decimal(5)}),
    ]
    for event in told:
        assert await life.tell(event) == ["applied"]
        await life.until(rests)
    await health(house, risk="low")
    await settled(life)
    after = await events(life)
    assert after["WORKFLOW_EXECUTION_UPDATE_COMPLETED"] == before["WORKFLOW_EXECUTION_UPDATE_COMPLETED"] + len(told)
    assert before["TIMER_STARTED"] >= 1
    assert (after["TIMER_STARTED"], after["TIMER_CANCELED"]) == (before["TIMER_STARTED"], before["TIMER_CANCELED"])


async def test_people_find_the_lifecycle_and_read_it_in_the_temporal_ui(house: House) -> None:
    life = await serving(house)
    view = await life.view()
    await settled(life)
    described = await life.handle.describe()
    found = described.typed_search_attributes
    assert found.get(LIFECYCLE_STAGE) == "serving"
    assert found.get(NEEDS_ATTENTION) is False
    assert found.get(ACCOUNT_ID) == view.account
    assert found.get(LEGAL_ENTITY) == "ACME-DE"
    renewal = found.get(RENEWAL_DATE)
    assert renewal is not None
    assert renewal.date() == view.term_ends
    metadata: str = await life.handle.query("__temporal_workflow_metadata")
    assert life.contract in str(metadata)
    assert "PLATFORM" in str(metadata)
    assert "renewal window opens" in str(metadata)


async def test_a_broken_order_needs_attention_until_it_is_cancelled(house: House) -> None:
    life = await house.start(house.payload("salesforce_new_broken"))
    await life.until(lambda view: view.cases)
    await settled(life)
    assert (await life.handle.describe()).typed_search_attributes.get(NEEDS_ATTENTION) is True
    metadata = await life.handle.query("__temporal_workflow_metadata")
    assert f"tenure fix {life.contract}" in str(metadata)
    await cancel(life)
    await life.handle.result()
    found = (await life.handle.describe()).typed_search_attributes
    assert (found.get(NEEDS_ATTENTION), found.get(LIFECYCLE_STAGE)) == (False, "cancelled")


async def test_no_personal_data_is_in_the_history(house: House) -> None:
    record = house.payload(HOOLI)
    life = await serving(house)
    await life.handle.signal("tell", {"kind": record["Account"]["Billing_Email__c"]})
    await life.until(lambda view: view.cases)
    await settled(life)
    history = await life.handle.fetch_history()
    payloads = decoded(history.to_json_dict(), skip="workflowExecutionSignaledEventAttributes")
    customer = (await records(house, "erp", "customers"))[0]
    assert customer["name"] == "Hooli GmbH"
    private = ("ap@hooli.example", "Beispielstrasse", "Hooli", "DE123456788", "10117")
    # as a whole word: a postal code may be among the digits of an instant
    assert [word for word in private if re.search(rf"(?<![\w.]){re.escape(word)}(?![\w.])", payloads)] == []
    assert life.contract in payloads


def decoded(node: Any, skip: str) -> str:
    """Everything that a history says, its payloads decoded; `skip` leaves one kind of event's attributes out."""
    if isinstance(node, dict):
        data = node.get("data")
        if isinstance(data, str) and "metadata" in node:
            return base64.b64decode(data).decode()
        return "\n".join(f"{key}: {decoded(value, skip)}" for key, value in node.items() if key != skip)
    if isinstance(node, list):
        return "\n".join(decoded(value, skip) for value in node)
    return json.dumps(node)
