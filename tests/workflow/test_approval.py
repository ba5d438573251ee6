"""An order above the limit waits for finance, and the ERP hears nothing of it meanwhile."""

from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path

import pytest
from temporalio.client import Client

from domain.company import ApprovalPolicy
from domain.finance.approval import APPROVAL_CASE
from domain.finance.commands import ApproveOrder, RejectOrder
from domain.messages import CancelOrder, RetryStep
from domain.view import Stage
from tests.dispatch import Post
from tests.experience import over
from tests.house import House, Life, open_house
from tests.workflow.lives import HOOLI, calls, counts, deal, done, eventually, records, refusal, rests
from tests.workflow.test_orders import fix
from workflows.lifecycle import CustomerLifecycle

POLICY = ApprovalPolicy(limits={"EUR": Decimal(50000)}, terms={"payment_terms_days": (0, 45)})


@pytest.fixture
async def careful(temporal: Client, tmp_path: Path) -> AsyncIterator[House]:
    """A company whose finance wants to see the order of Hooli."""
    async with open_house(temporal, tmp_path, rules={"approval": POLICY}) as opened:
        yield opened


async def waiting(house: House) -> Life:
    life = await house.start(house.payload(HOOLI))
    await life.until(lambda view: [case.id for case in view.cases] == [APPROVAL_CASE])
    return life


async def approve(life: Life, revision: int = 1) -> None:
    await life.handle.execute_update(CustomerLifecycle.approve, ApproveOrder(revision=revision, by="fin"))


async def test_the_erp_hears_of_the_order_only_after_its_approval(careful: House) -> None:
    life = await waiting(careful)
    await life.travel(3)
    view = await life.view()
    assert (view.stage, view.cases[0].actor) == (Stage.ORDER_ACTIVATION, "finance")
    assert await calls(careful, "erp") == []

    async def shown() -> bool:
        return (await deal(life)).get("Tenure_Status__c") == "needs attention"

    await eventually(shown)
    await approve(life)
    view = await life.until(lambda view: done(view, "onboarding") and rests(view))
    assert view.approval is not None
    assert view.approval.approved_by == "fin"
    in_erp = await counts(careful, "erp")
    assert (in_erp["customers"], in_erp["subscriptions"], in_erp["activations"]) == (1, 1, 1)


async def test_finance_approves_over_http_once(careful: House) -> None:
    life = await Post(careful).win("api-approval")
    assert [case.id for case in (await life.view()).cases] == [APPROVAL_CASE]
    async with over(careful.database, client=careful.client) as experience:
        path, meant = f"/activations/{life.contract}/approval", {"revision": 1}
        stale = await experience.post(path, {"revision": 7}, key="stale")
        assert (stale.status_code, stale.headers["content-type"]) == (409, "application/problem+json"), stale.text
        first, again = [await experience.post(path, meant, key="approved") for _ in range(2)]
        assert (first.status_code, again.json()["repeated"]) == (200, True), first.text
        other = await experience.post(path, {"revision": 2}, key="approved")
        assert other.status_code == 422, other.text
    view = await life.until(lambda view: done(view, "onboarding") and rests(view))
    assert view.approval is not None
    assert view.approval.approved_by == "demo"
    assert (await counts(careful, "erp"))["activations"] == 1


async def test_an_approval_of_what_is_not_the_order_any_more_is_refused(careful: House) -> None:
    life = await waiting(careful)
    await fix(life, **{"terms.payment_terms_days": 60})
    await life.until(lambda view: view.approval is not None and view.approval.revision == 2)
    assert "at revision 2 now" in await refusal(approve(life))
    assert await calls(careful, "erp") == []
    await approve(life, 2)
    await life.until(lambda view: done(view, "onboarding"))
    [subscription] = await records(careful, "erp", "subscriptions")
    assert subscription["payment_terms_days"] == 60


async def test_a_correction_for_which_nothing_must_be_approved_goes_on_by_itself(careful: House) -> None:
    life = await waiting(careful)
    await fix(life, **{"lines[1].quantity": 40})
    await life.until(lambda view: done(view, "onboarding") and rests(view))
    assert "waits for no approval" in await refusal(approve(life, 2))


async def test_a_rejected_order_is_corrected_and_approved(careful: House) -> None:
    life = await waiting(careful)
    rejected = RejectOrder(revision=1, by="fin", reason="no room for 50 seats at this price")
    await life.handle.execute_update(CustomerLifecycle.reject, rejected)
    view = await life.until(lambda view: view.cases)
    assert (view.cases[0].kind, view.cases[0].actor) == ("rejected_by_finance", "ops")
    assert await calls(careful, "erp") == []
    await fix(life, **{"lines[1].quantity": 45})
    await life.until(lambda view: view.cases and view.cases[0].kind == "approval")
    await approve(life, 2)
    await life.until(lambda view: done(view, "onboarding"))
    [subscription] = await records(careful, "erp", "subscriptions")
    assert subscription["lines"][1]["quantity"] == "45"


async def test_an_order_that_waits_can_be_cancelled_and_its_case_can_t_be_retried_away(careful: House) -> None:
    life = await waiting(careful)
    away = life.handle.execute_update(CustomerLifecycle.retry_step, RetryStep(case=APPROVAL_CASE, by="ops"))
    assert "settled by finance" in await refusal(away)
    await life.handle.execute_update(CustomerLifecycle.cancel, CancelOrder(by="sales", reason="lost interest"))
    assert (await life.handle.result()).outcome == "cancelled"
    assert await calls(careful, "erp") == []
