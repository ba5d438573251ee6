"""What the CRM says after the deal was won reaches the waiting order, on the real server."""

import pytest

from domain.view import Stage
from tests.dispatch import Post
from tests.house import House
from tests.intake import deal

LATER = "2026-11-21T09:00:00.000+0000"


@pytest.fixture
def post(house: House) -> Post:
    return Post(house)


async def test_an_order_that_waits_is_mended_in_the_crm_and_an_early_upsell_follows(post: Post) -> None:
    wrong = {"Selling_Entity__c": "NOBODY"}
    life = await post.win("006-mend", **wrong)
    assert [case.kind for case in (await life.view()).cases] == ["invalid_order"]
    await post.upsell("006-up", 25, to="006-mend")
    right = deal(Id="006-mend", AccountId="acc-006-mend", SystemModstamp=LATER)
    await post.desk.receive("deal.corrected", right)
    await post.settle()
    view = await life.until(lambda view: view.stage is Stage.ONBOARDING and not view.pending)
    assert view.cases == []
    assert [line.quantity for line in view.lines if line.product == "PLATFORM"] == ["75"]
    erp = (await post.house.box())["counts"]["erp"]
    assert (erp["subscriptions"], erp["amendments"]) == (1, 1)
    assert await post.states(life) == ["delivered"] * 3


async def test_a_correction_that_comes_with_the_deal_is_what_the_lifecycle_starts_with(post: Post) -> None:
    await post.hear_of("006-both")
    changed = deal(Id="006-both", AccountId="acc-006-both", SystemModstamp=LATER, Purchase_Order__c="PO-8")
    await post.desk.receive("deal.corrected", changed)
    await post.settle()
    life = await post.life("006-both")
    await life.until(lambda view: view.stage is Stage.ONBOARDING and not view.pending)
    assert await post.states(life) == ["delivered"] * 2
    assert await post.cases.list() == []
