"""A deal that changes after it was won, and what else corrects an order: while it may be corrected, and later."""

from collections.abc import Iterator
from typing import Any

import pytest

from starter.routing import START, TELL
from store.cases import Cases
from store.ledger import SqlLedger
from store.orders import SqlOrders
from store.streams import Answer, Streams
from tests.intake import CONTRACT, DEAL, Desk, deal, open_desk

LATER, LATER_STILL = "2026-11-21T09:00:00.000+0000", "2026-11-22T09:00:00.000+0000"


@pytest.fixture
def desk(either_url: str) -> Iterator[Desk]:
    with open_desk(either_url) as desk:
        yield desk


@pytest.fixture
async def customer(desk: Desk) -> Desk:
    """A desk at which the deal of Hooli was won before."""
    assert (await desk.arrive("deal.closed_won", deal())).state == "routed"
    return desk


async def activate(desk: Desk) -> None:
    """The ledger records that the ERP has activated the order."""
    ledger, key = SqlLedger(desk.database), f"activation:{CONTRACT}"
    claim = await ledger.claim(
        key, contract=CONTRACT, operation="erp.activate_order", arguments="a", lease=5, generation=1
    )
    await ledger.mark_sent(key, fence=claim.fence, deadline=1)
    await ledger.done(key, fence=claim.fence, result={"id": "act_1"})


async def order(desk: Desk) -> dict[str, Any]:
    return (await SqlOrders(desk.database).revisions(CONTRACT))[-1].document


async def told(desk: Desk) -> list[dict[str, Any]]:
    return [payload for _, kind, payload in await desk.deliveries() if kind == TELL]


async def cases(desk: Desk) -> list[str]:
    return [case.kind for case in await Cases(desk.database).list()]


@pytest.mark.parametrize("event", ["deal.closed_won", "deal.corrected"])
async def test_a_corrected_deal_is_a_new_revision_that_keeps_what_people_mended(customer: Desk, event: str) -> None:
    mended = {**await order(customer), "selling_entity": "ACME-MENDED"}
    await SqlOrders(customer.database).add(CONTRACT, mended, "ops")
    changed = deal(SystemModstamp=LATER, Purchase_Order__c="PO-7", Notice_Days__c=60)
    assert (await customer.arrive(event, changed)).state == "routed"
    document = await order(customer)
    assert (document["purchase_order"], document["terms"]["notice_days"]) == ("PO-7", 60)
    assert document["selling_entity"] == "ACME-MENDED"
    [correction] = await told(customer)
    assert (correction["kind"], correction["revision"]) == ("order_corrected", 3)


async def test_a_correction_that_is_older_than_what_is_known_changes_nothing(customer: Desk) -> None:
    await customer.arrive("deal.corrected", deal(SystemModstamp=LATER_STILL, Purchase_Order__c="PO-new"))
    stale = await customer.arrive("deal.corrected", deal(SystemModstamp=LATER, Purchase_Order__c="PO-old"))
    assert stale.state == "ignored"
    assert (await order(customer))["purchase_order"] == "PO-new"
    assert len(await told(customer)) == 1


async def test_lines_that_became_fewer_are_taken_whole(customer: Desk) -> None:
    record = deal(SystemModstamp=LATER)["record"]
    lines = record["OpportunityLineItems"]["records"]
    record["OpportunityLineItems"] = {**record["OpportunityLineItems"], "records": lines[:1]}
    await customer.arrive("deal.corrected", {"record": record})
    assert len((await order(customer))["lines"]) == 1


async def test_a_correction_before_the_deal_waits_for_it_and_the_newest_stands(desk: Desk) -> None:
    """Whatever comes first starts the lifecycle; a won record is a won record."""
    await desk.arrive("deal.corrected", deal(SystemModstamp=LATER, Purchase_Order__c="PO-7"))
    await desk.arrive("deal.closed_won", deal())
    assert [kind for _, kind, _ in await desk.deliveries()] == [START]
    assert (await order(desk))["purchase_order"] == "PO-7"


async def test_after_activation_a_changed_deal_is_a_question_and_the_order_stays(customer: Desk) -> None:
    await activate(customer)
    before = await order(customer)
    row = await customer.arrive("deal.corrected", deal(SystemModstamp=LATER, Notice_Days__c=60))
    assert row.state == "routed"
    assert await order(customer) == before
    [case] = await Cases(customer.database).list()
    assert (case.kind, case.contract, case.inbox_id) == ("deal_differs", CONTRACT, row.id)
    assert case.reasons == ["it differs in deal_version", "it differs in terms.notice_days"]
    assert await told(customer) == []


async def test_a_deal_that_is_reopened_or_lost_asks_a_person_until_it_is_won_again(customer: Desk) -> None:
    reopened = deal(SystemModstamp=LATER, StageName="Negotiation", IsWon=False, IsClosed=False)
    assert (await customer.arrive("deal.reopened", reopened)).state == "routed"
    assert await cases(customer) == ["deal_withdrawn"]
    again = await customer.arrive("deal.closed_won", deal(SystemModstamp=LATER_STILL))
    assert again.state == "ignored"
    assert await cases(customer) == []
    lost = deal(SystemModstamp="2026-11-23T09:00:00.000+0000", StageName="Closed Lost", IsWon=False)
    await customer.arrive("deal.lost", lost)
    assert await cases(customer) == ["deal_withdrawn"]


async def test_a_withdrawal_that_is_older_than_what_is_known_is_history(customer: Desk) -> None:
    await customer.arrive("deal.closed_won", deal(SystemModstamp=LATER_STILL))
    late = deal(SystemModstamp=LATER, StageName="Negotiation", IsWon=False, IsClosed=False)
    assert (await customer.arrive("deal.reopened", late)).state == "ignored"
    assert await cases(customer) == []


async def test_a_reopened_deal_that_nobody_knows_waits_for_its_contract(desk: Desk) -> None:
    reopened = deal(SystemModstamp=LATER, StageName="Negotiation", IsWon=False, IsClosed=False)
    early = await desk.arrive("deal.reopened", reopened)
    assert (early.state, early.parked_for) == ("parked", f"crm:deal:{DEAL}")
    await desk.arrive("deal.closed_won", deal())
    await desk.route()
    assert await cases(desk) == ["deal_withdrawn"]


@pytest.mark.parametrize(("stamp", "asked"), [(LATER, ["deal_withdrawn"]), ("2026-11-01T09:00:00.000+0000", [])])
async def test_a_deal_that_was_lost_before_anybody_knew_that_it_was_won_is_asked_about(
    desk: Desk, stamp: str, asked: list[str]
) -> None:
    lost = deal(SystemModstamp=stamp, StageName="Closed Lost", IsWon=False)
    early = await desk.arrive("deal.lost", lost, subject=DEAL)
    assert early.state == "ignored"
    await desk.arrive("deal.closed_won", deal())
    await desk.route()
    assert await cases(desk) == asked


async def test_a_refused_correction_is_told_again_when_it_is_put_back(customer: Desk) -> None:
    row = await customer.arrive("deal.corrected", deal(SystemModstamp=LATER, Purchase_Order__c="PO-7"))
    streams = Streams(customer.database)
    fence = await streams.lease(CONTRACT, "test", 30)
    assert fence is not None
    numbered = await streams.number(CONTRACT, fence)
    await streams.finish(CONTRACT, fence, {each.seq or 0: Answer("refused", "try again") for each in numbered})
    assert await customer.inbox.replay(row.id or 0)
    await customer.route()
    assert (await customer.row(row.event_id)).state == "routed"
    assert [correction["revision"] for correction in await told(customer)] == [2]


async def test_a_purchase_order_completes_the_order_that_waits_for_it(customer: Desk) -> None:
    row = await customer.arrive("purchase_order.received", {"deal": DEAL, "number": "PO-9"})
    assert row.state == "routed"
    assert (await order(customer))["purchase_order"] == "PO-9"
    assert [correction["revision"] for correction in await told(customer)] == [2]
    await customer.arrive("purchase_order.received", {"contract": CONTRACT, "number": "PO-9"})
    assert len(await told(customer)) == 1, "the order has it already"
    await activate(customer)
    await customer.arrive("purchase_order.received", {"contract": CONTRACT, "number": "PO-10"})
    assert (await order(customer))["purchase_order"] == "PO-9"
