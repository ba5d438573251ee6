"""Orders that can't go on as they are: mended, refused by the ERP, cancelled."""

from typing import Any

import pytest

from domain.document import apply_fixes
from domain.messages import CancelOrder, FixOrder, RetryStep
from domain.outcomes import ORDER_CASE
from domain.view import LifecycleView, Stage
from tests.house import House, Life
from tests.workflow.lives import calls, counts, deal, done, eventually, records, refusal, rests
from workflows.lifecycle import CustomerLifecycle

MENDED = {"sold_to.tax_id": "DE123456788", "lines[0].product": "ONBOARDING"}


async def fix(life: Life, **changes: Any) -> int:
    """What `tenure fix` does: the next revision in the store, then the command."""
    revisions = await life.orders.revisions(life.contract)
    document = apply_fixes(revisions[-1].document, changes)
    revision = await life.orders.add(life.contract, document, "ops")
    await life.handle.execute_update(CustomerLifecycle.fix_order, FixOrder(revision=revision, by="ops"))
    return revision


async def cancel(life: Life) -> None:
    await life.handle.execute_update(CustomerLifecycle.cancel, CancelOrder(by="sales", reason="won by mistake"))


def active(view: LifecycleView) -> bool:
    return done(view, "onboarding") and rests(view)


async def test_a_bad_order_waits_as_one_case_with_every_reason_and_nothing_is_done_in_the_erp(house: House) -> None:
    life = await house.start(house.payload("salesforce_new_broken"))
    view = await life.until(lambda view: view.cases)
    [case] = view.cases
    assert (case.id, case.kind, view.stage) == (ORDER_CASE, "invalid_order", Stage.ORDER_ACTIVATION)
    assert len(case.reasons) == 2
    assert any("tax_id" in reason for reason in case.reasons)
    assert any("ONBORDING" in reason for reason in case.reasons)
    assert case.mend.startswith(f"tenure fix {life.contract} --set ")
    assert await calls(house, "erp") == []
    assert await calls(house, "cs") == []

    async def shown() -> bool:
        return bool((await deal(life)).get("Tenure_Status__c") == "needs attention")

    await eventually(shown)


async def test_a_mended_order_goes_on(house: House) -> None:
    life = await house.start(house.payload("salesforce_new_broken"))
    await life.until(lambda view: view.cases)
    await fix(life, **MENDED)
    view = await life.until(active)
    assert view.stage is Stage.ONBOARDING
    [customer] = await records(house, "erp", "customers")
    [subscription] = await records(house, "erp", "subscriptions")
    assert customer["tax_id"] == "DE123456788"
    assert subscription["lines"][0]["product"] == "ONBOARDING"
    assert (await deal(life))["Tenure_Status__c"] == "active"


async def test_half_a_correction_leaves_only_what_is_still_wrong(house: House) -> None:
    life = await house.start(house.payload("salesforce_new_broken"))
    await life.until(lambda view: view.cases)
    await fix(life, **{"lines[0].product": "ONBOARDING"})
    view = await life.until(lambda view: view.cases and len(view.cases[0].reasons) == 1)
    assert "tax_id" in view.cases[0].reasons[0]
    await fix(life, **MENDED)
    await life.until(active)
    assert (await counts(house, "erp"))["subscriptions"] == 1


async def test_an_order_that_the_erp_refuses_half_way_goes_on_with_the_customer_that_exists(house: House) -> None:
    await house.fault(system="erp", operation="create_subscription", kind="refuse", reason="period closed", times=1)
    life = await house.start(house.payload("salesforce_new_hooli"))
    view = await life.until(lambda view: view.cases)
    [case] = view.cases
    assert case.kind == "rejected"
    assert "period closed" in case.reasons[0]
    assert await counts(house, "erp") == {"customers": 1}
    await life.handle.execute_update(CustomerLifecycle.retry_step, RetryStep(case=case.id, by="ops"))
    await life.until(active)
    in_erp = await counts(house, "erp")
    assert (in_erp["customers"], in_erp["subscriptions"], in_erp["activations"]) == (1, 1, 1)


async def test_a_refused_order_that_is_corrected_goes_on_with_its_correction(house: House) -> None:
    await house.fault(system="erp", operation="create_subscription", kind="refuse", reason="no such price", times=1)
    life = await house.start(house.payload("salesforce_new_hooli"))
    await life.until(lambda view: view.cases)
    await fix(life, **{"lines[1].quantity": 40, "purchase_order": "PO-4712"})
    await life.until(active)
    assert (await counts(house, "erp"))["customers"] == 1
    [subscription] = await records(house, "erp", "subscriptions")
    assert subscription["purchase_order"] == "PO-4712"
    assert [line["quantity"] for line in subscription["lines"]] == ["1", "40", "1"]


async def test_a_worse_correction_is_a_case_again_and_never_activated(house: House) -> None:
    """The ERP refused revision 1; revision 2 is invalid: nothing of either may be activated until it is mended."""
    await house.fault(system="erp", operation="create_customer", kind="refuse", reason="blocked", times=1)
    life = await house.start(house.payload("salesforce_new_hooli"))
    await life.until(lambda view: view.cases)
    await fix(life, **{"lines[1].product": "PLATTFORM"})
    await life.until(lambda view: [case.id for case in view.cases] == [ORDER_CASE])
    await life.travel(1)
    view = await life.view()
    assert (view.stage, [case.id for case in view.cases]) == (Stage.ORDER_ACTIVATION, [ORDER_CASE])
    assert "subscriptions" not in await counts(house, "erp")
    await fix(life, **{"lines[1].product": "PLATFORM"})
    await life.until(active)
    assert (await counts(house, "erp"))["subscriptions"] == 1


async def test_a_bad_order_can_be_cancelled_and_the_erp_never_hears_of_it(house: House) -> None:
    life = await house.start(house.payload("salesforce_new_broken"))
    await life.until(lambda view: view.cases)
    await cancel(life)
    outcome = await life.handle.result()
    assert (outcome.outcome, outcome.reason, outcome.terms) == ("cancelled", "won by mistake (sales)", 0)
    assert await calls(house, "erp") == []
    assert (await deal(life))["Tenure_Status__c"] == "cancelled"


async def test_an_order_that_could_not_be_checked_is_never_taken_as_checked(house: House) -> None:
    await house.fault(system="crm", operation="account_exists", kind="garbage")
    life = await house.start(house.payload("salesforce_new_hooli"))
    view = await life.until(lambda view: view.cases)
    by_hand = RetryStep(case=view.cases[0].id, by="ops", done_as="checked by hand")
    reason = await refusal(life.handle.execute_update(CustomerLifecycle.retry_step, by_hand))
    assert "only a step that makes something outside" in reason
    assert await calls(house, "erp") == []
    await house.mend()
    again = RetryStep(case=view.cases[0].id, by="ops")
    await life.handle.execute_update(CustomerLifecycle.retry_step, again)
    await life.until(active)
    assert (await counts(house, "erp"))["activations"] == 1


async def test_an_order_that_the_erp_may_have_activated_is_not_cancelled(house: House) -> None:
    await house.fault(system="erp", operation="activate_order", kind="error", status=500)
    life = await house.start(house.payload("salesforce_new_hooli"))

    async def asked() -> bool:
        return bool(await calls(house, "erp", "activate_order"))

    await eventually(asked)
    assert "the ERP has activated the order, or is at it" in await refusal(cancel(life))
    await house.mend()
    await life.until(active)
    assert [each["status"] for each in await records(house, "erp", "subscriptions")] == ["active"]


async def test_a_subscription_that_the_erp_refused_needs_no_undoing(house: House) -> None:
    await house.fault(system="erp", operation="create_subscription", kind="refuse")
    life = await house.start(house.payload("salesforce_new_hooli"))
    await life.until(lambda view: view.cases)
    await cancel(life)
    outcome = await life.handle.result()
    assert outcome.outcome == "cancelled"
    assert await counts(house, "erp") == {"customers": 1}
    assert (await life.view()).cases == []


async def test_a_made_subscription_is_cancelled_with_its_order(house: House) -> None:
    """Cancelled while the ERP makes the subscription: what it has made by then is undone, once."""
    await house.fault(system="erp", operation="create_subscription", kind="slow", seconds=1)
    life = await house.start(house.payload("salesforce_new_hooli"))

    async def asked() -> bool:
        return bool(await calls(house, "erp", "create_subscription"))

    await eventually(asked)
    await cancel(life)
    outcome = await life.handle.result()
    assert outcome.outcome == "cancelled"
    assert [each["status"] for each in await records(house, "erp", "subscriptions")] == ["cancelled"]
    in_erp = await counts(house, "erp")
    assert (in_erp["customers"], in_erp["cancellations"]) == (1, 1)
    assert "activations" not in in_erp
    assert "companies" not in await counts(house, "cs")


async def test_a_subscription_that_may_have_been_made_is_not_left_behind_by_a_cancellation(house: House) -> None:
    """Every answer of the ERP is lost, so nobody knows of the subscription when the order is cancelled."""
    await house.fault(system="erp", operation="create_subscription", kind="lose_answer", times=5)
    life = await house.start(house.payload("salesforce_new_hooli"))
    await life.travel(0.0008)  # past the five attempts, short of the lane's own next try
    view = await life.until(lambda view: view.cases)
    assert view.cases[0].kind == "outcome_unknown"
    await cancel(life)
    await life.handle.result()
    assert [each["status"] for each in await records(house, "erp", "subscriptions")] == ["cancelled"]


async def asked_of_the_erp(house: House, operation: str) -> None:
    async def asked() -> bool:
        return bool(await calls(house, "erp", operation))

    await eventually(asked)


async def test_an_order_is_not_corrected_while_the_erp_makes_its_subscription(house: House) -> None:
    await house.fault(system="erp", operation="create_subscription", kind="slow", seconds=1)
    life = await house.start(house.payload("salesforce_new_hooli"))
    await asked_of_the_erp(house, "create_subscription")
    assert "being asked for the subscription at this moment" in await refusal(fix(life, **{"lines[1].quantity": 40}))
    view = await life.until(active)
    [subscription] = await records(house, "erp", "subscriptions")
    assert [line["quantity"] for line in subscription["lines"]] == [line.quantity for line in view.lines]


@pytest.mark.parametrize("mistake", [{"lines[1].quantity": 999999}, {"lines[1].product": "PLATTFORM"}])
async def test_a_wrong_correction_in_flight_never_reaches_the_erp_and_can_be_mended(
    house: House, mistake: dict[str, Any]
) -> None:
    """The check of the correction is slower than everything that the ERP does."""
    await house.fault(system="erp", operation="create_customer", kind="slow", seconds=0.4)
    life = await house.start(house.payload("salesforce_new_hooli"))
    await asked_of_the_erp(house, "create_customer")
    await house.fault(system="crm", operation="account_exists", kind="slow", seconds=1)
    await fix(life, **mistake)
    view = await life.until(lambda view: view.cases)
    assert (view.stage, [case.id for case in view.cases]) == (Stage.ORDER_ACTIVATION, [ORDER_CASE])
    assert await counts(house, "erp") == {"customers": 1}
    await house.mend()
    await fix(life, **{"lines[1].quantity": 40, "lines[1].product": "PLATFORM"})
    await life.until(active)
    assert await counts(house, "erp") | {"billing_starts": 0} == {
        "customers": 1, "subscriptions": 1, "activations": 1, "billing_starts": 0,
    }  # fmt: skip
    [subscription] = await records(house, "erp", "subscriptions")
    assert [line["quantity"] for line in subscription["lines"]] == ["1", "40", "1"]


async def test_a_corrected_order_does_not_wait_behind_the_check_that_fails(house: House) -> None:
    await house.fault(system="crm", operation="account_exists", kind="garbage")
    life = await house.start(house.payload("salesforce_new_hooli"))
    await life.until(lambda view: view.cases)
    await fix(life, **{"account.parent_id": None})
    await life.until(active)


async def test_an_activation_that_the_erp_refuses_can_be_cancelled_and_its_subscription_is_undone(house: House) -> None:
    await house.fault(system="erp", operation="activate_order", kind="refuse", reason="no tax code")
    life = await house.start(house.payload("salesforce_new_hooli"))
    await life.until(lambda view: view.cases)
    await cancel(life)
    outcome = await life.handle.result()
    assert outcome.outcome == "cancelled"
    assert [each["status"] for each in await records(house, "erp", "subscriptions")] == ["cancelled"]
    assert (await life.view()).cases == []
    assert (await deal(life))["Tenure_Status__c"] == "cancelled"


async def test_an_order_cancelled_while_it_is_checked_keeps_no_case(house: House) -> None:
    await house.fault(system="crm", operation="account_exists", kind="slow", seconds=0.8)
    life = await house.start(house.payload("salesforce_new_broken"))

    async def asked() -> bool:
        return bool(await calls(house, "crm", "account_exists"))

    await eventually(asked)
    await cancel(life)
    assert (await life.handle.result()).outcome == "cancelled"
    assert (await life.view()).cases == []


async def test_one_contract_s_refused_customer_is_no_refusal_of_another_s(house: House) -> None:
    await house.fault(system="erp", operation="create_customer", kind="refuse", reason="address wrong", times=1)
    first = await house.start(house.payload("salesforce_new_hooli"))
    await first.until(lambda view: view.cases)
    await cancel(first)
    await first.handle.result()
    second = await house.start({**house.payload("salesforce_new_hooli"), "Id": "006Dn000009XyZBIA0"})
    view = await second.until(active)
    assert view.cases == []
    assert (await counts(house, "erp"))["customers"] == 1
