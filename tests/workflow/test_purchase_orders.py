"""A customer that needs a purchase order: the order goes on, its billing and its renewal wait for it."""

from datetime import timedelta
from typing import Any

from domain.finance.purchasing import PURCHASE_ORDER_CASE
from domain.messages import EndContract, PurchaseOrderReceived, RenewContract, RetryStep
from domain.view import LifecycleView, Stage
from tests.dispatch import Post
from tests.house import House, Life
from tests.workflow.lives import (
    HOOLI,
    calls,
    clock,
    done,
    go_live,
    open_window,
    records,
    refusal,
    rests,
    serving,
    to_day,
    to_end,
)
from workflows.lifecycle import CustomerLifecycle

DAY = timedelta(days=1)
NONE = {"purchase_order": None}


async def waiting(house: House, **changes: Any) -> Life:
    """An activated contract that needs a purchase order and has none."""
    life = await house.start(house.payload(HOOLI), **NONE, **changes)
    await life.until(lambda view: done(view, "onboarding") and rests(view))
    return life


def asked(view: LifecycleView) -> bool:
    return PURCHASE_ORDER_CASE in [case.id for case in view.cases]


async def renew(life: Life) -> None:
    await life.handle.execute_update(CustomerLifecycle.renew, RenewContract(by="csm"))


async def test_the_order_activates_and_its_billing_waits(house: House) -> None:
    life = await waiting(house)
    view = await life.view()
    assert len(await records(house, "erp", "activations")) == 1
    assert [line.waits_for for line in view.lines] == [
        "the customer's purchase order",
        None,
        "the customer's purchase order",
    ]
    assert "waits for the customer's purchase order" in view.next_step
    await life.travel(6)
    assert not asked(await life.view())
    await life.travel(2)
    view = await life.until(asked)
    assert view.cases[0].actor == "finance"
    assert await calls(house, "erp", "start_billing") == []
    away = RetryStep(case=PURCHASE_ORDER_CASE, by="ops")
    assert "tenure po" in await refusal(life.handle.execute_update(CustomerLifecycle.retry_step, away))

    activated = view.term_starts
    assert await life.tell(PurchaseOrderReceived(number="PO-9")) == ["applied"]
    view = await life.until(lambda view: done(view, "billing-start") and rests(view))
    started = {each["line"]: each["starts"] for each in await records(house, "erp", "billing_starts")}
    assert len(started) == 2, "go-live is still to come"
    assert str(activated) in started.values(), "billing starts on the day of its rule, not on the one of the number"
    [subscription] = await records(house, "erp", "subscriptions")
    assert subscription["purchase_order"] == "PO-9"
    await go_live(life)
    assert len(await records(house, "erp", "billing_starts")) == 3


async def test_a_contract_that_ends_is_billed_without_on_its_last_day(house: House) -> None:
    life = await waiting(house)
    ends = (await clock(life)).date() + 20 * DAY
    await life.handle.execute_update(CustomerLifecycle.end, EndContract(by="csm", reason="moved away", on=ends))
    await to_day(life, ends - 2 * DAY)
    assert await calls(house, "erp", "start_billing") == []
    await to_day(life, ends - DAY)
    await life.until(lambda view: done(view, "billing-start") and not view.pending)
    assert len(await records(house, "erp", "billing_starts")) == 2
    await to_end(life, ends)


async def test_a_renewal_that_is_not_covered_waits_for_the_next_purchase_order(house: House) -> None:
    life = await serving(house, purchase_order={"number": "PO-1", "expires_on": "2027-12-31"})
    await open_window(life)
    await renew(life)
    view = await life.until(asked)
    assert "PO-1 expires on 2027-12-31" in view.cases[0].reasons[0]
    assert view.stage is Stage.RENEWAL
    assert await calls(house, "erp", "renew_subscription") == []
    assert await life.tell(PurchaseOrderReceived(number="PO-2")) == ["applied"]
    await life.until(lambda view: done(view, "renewal") and rests(view))
    assert len(await records(house, "erp", "renewals")) == 1
    [subscription] = await records(house, "erp", "subscriptions")
    assert subscription["purchase_order"] == "PO-2"


async def test_one_that_only_changes_what_is_billed_already_is_told_to_the_erp_by_a_person(house: House) -> None:
    life = await serving(house)
    assert await life.tell(PurchaseOrderReceived(number="PO-2")) == ["applied"]
    [case] = (await life.until(lambda view: view.cases)).cases
    assert (case.kind, case.actor) == ("purchase_order_changed", "finance")
    assert await life.tell(PurchaseOrderReceived(number="PO-2")) == ["applied"]
    await life.handle.execute_update(CustomerLifecycle.retry_step, RetryStep(case=case.id, by="fin"))
    await life.until(rests)


async def test_a_renewal_never_costs_the_customer_its_service(house: House) -> None:
    """On the term's last day it goes to the ERP without one, and the case goes on asking."""
    life = await serving(house, purchase_order={"number": "PO-1", "expires_on": "2027-12-31"})
    view = await open_window(life)
    await renew(life)
    assert view.term_ends is not None
    await to_day(life, view.term_ends - 2 * DAY)
    assert await calls(house, "erp", "renew_subscription") == []
    await to_day(life, view.term_ends - DAY)
    view = await life.until(lambda view: done(view, "renewal"))
    assert asked(view)
    assert len(await records(house, "erp", "renewals")) == 1
    await to_day(life, view.term_ends or view.term_starts)
    view = await life.until(lambda view: view.term == 2)
    assert asked(view)


async def test_an_event_tells_it_before_and_after_the_activation(house: House) -> None:
    post = Post(house)
    life = await post.win("006-pa", Purchase_Order__c=None)
    assert [line.waits_for is not None for line in (await life.view()).lines] == [True, False, True]
    data = {"contract": life.contract, "number": "PO-9", "limit": "90000", "expires_on": "2029-12-31"}
    await post.desk.receive("purchase_order.received", data)
    await post.settle()
    view = await life.until(lambda view: done(view, "billing-start") and rests(view))
    assert view.purchase_order is not None
    assert (view.purchase_order.number, str(view.purchase_order.limit)) == ("PO-9", "90000")
    assert len(await records(house, "erp", "billing_starts")) == 2

    await house.fault(system="erp", operation="create_customer", kind="refuse", reason="blocked", times=1)
    await post.hear_of("006-pb", Purchase_Order__c=None)
    await post.settle()
    early = await post.life("006-pb")
    await early.until(lambda view: view.cases)
    await post.desk.receive("purchase_order.received", {"contract": early.contract, "number": "PO-8"})
    await post.settle()
    await early.until(lambda view: done(view, "billing-start") and rests(view))
    named = {each["contract"]: each["purchase_order"] for each in await records(house, "erp", "subscriptions")}
    assert named[early.contract] == "PO-8", "the ERP hears of it with the subscription"
