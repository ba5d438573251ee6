"""The life of a contract on the real server: from the won order to the second term."""

from datetime import date, timedelta
from decimal import Decimal

from domain.messages import AmendmentWon, CollectionsChanged, MilestoneReached, RenewalWon
from domain.view import LifecycleView, Stage
from tests.house import House


def billed(view: LifecycleView) -> int:
    return sum(line.billing_starts is not None for line in view.lines)


async def test_from_the_won_order_to_the_second_term(house: House) -> None:
    record = house.payload("salesforce_new_hooli")
    life = await house.start(record)

    view = await life.until(lambda view: view.stage is Stage.ONBOARDING and "onboarding" in str(view.effects))
    print(view.model_dump_json(indent=1))
    # the service is billed on signature, the platform waits for go-live
    view = await life.until(lambda view: billed(view) >= 1)
    print([(line.billing_rule, line.billing_starts) for line in view.lines])
    today = view.as_of.date()
    assert await life.tell(MilestoneReached(milestone="go-live", on=today)) == ["applied"]
    view = await life.until(lambda view: view.stage is Stage.SERVING)

    await life.tell(CollectionsChanged(delinquent=("INV-1",), overdue_since=today - timedelta(days=3)))
    await life.until(lambda view: view.risk == "medium")
    await life.tell(CollectionsChanged())
    await life.until(lambda view: view.risk == "low")

    deal = AmendmentWon(deal="UP-1", mode="difference", changes={"PLATFORM": Decimal(25)})
    assert await life.tell(deal) == ["applied"]
    await life.until(lambda view: not view.pending)

    view = await life.view()
    await life.travel((view.window_opens - view.as_of.date()).days + 1)
    view = await life.until(lambda view: view.stage is Stage.RENEWAL and not view.pending)
    print(view.model_dump_json(indent=1))
    opportunity = next(ref for key, ref in view.effects.items() if key.startswith("renewal-opportunity"))
    assert await life.tell(RenewalWon(opportunity=opportunity)) == ["applied"]
    await life.until(lambda view: any(key.startswith("renewal:") for key in view.effects))
    await life.travel(91)
    view = await life.until(lambda view: view.term == 2)
    print(view.model_dump_json(indent=1))
    box = await house.box()
    print(box["counts"])
    print(box["records"]["erp"])
    d = await life.handle.describe()
    print(d.raw_description.workflow_execution_info.history_length)
