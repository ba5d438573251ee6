"""Intake: what a won or lost deal starts, changes or decides; and which deal goes to a person."""

from collections.abc import Iterator
from typing import Any

import pytest

from starter.routing import START, TELL, begin_lifecycle
from store.cases import Cases
from store.ledger import SqlLedger
from store.lifecycles import Lifecycles
from store.orders import SqlOrders
from tests.intake import ACCOUNT, CONTRACT, DEAL, Desk, deal, open_desk


@pytest.fixture
def desk(either_url: str) -> Iterator[Desk]:
    with open_desk(either_url) as desk:
        yield desk


@pytest.fixture
async def customer(desk: Desk) -> Desk:
    """A desk at which the deal of Hooli was won before."""
    assert (await desk.arrive("deal.closed_won", deal())).state == "routed"
    return desk


async def lives(desk: Desk) -> list[str]:
    return [row.contract for row in await Lifecycles(desk.database).list()]


async def test_a_new_deal_begins_one_lifecycle_with_its_order_and_alias(customer: Desk) -> None:
    [life] = await Lifecycles(customer.database).list()
    assert (life.contract, life.account, life.deal, life.selling_entity) == (CONTRACT, ACCOUNT, DEAL, "ACME-DE")
    assert (life.workflow_id, life.started, life.closed) == (f"lifecycle/acme/{CONTRACT}", False, False)
    order = await SqlOrders(customer.database).read(CONTRACT, 1)
    assert (order["deal_id"], order["currency"], len(order["lines"])) == (DEAL, "EUR", 3)
    assert await Lifecycles(customer.database).find("crm", "deal", DEAL) == CONTRACT
    assert [(stream, kind) for stream, kind, _ in await customer.deliveries()] == [(CONTRACT, START)]


async def test_the_same_deal_under_another_event_id_starts_nothing(customer: Desk) -> None:
    again = await customer.arrive("deal.closed_won", deal(SystemModstamp="2026-11-21T09:00:00.000+0000"))
    assert again.state == "ignored"
    assert CONTRACT in again.reason
    assert await lives(customer) == [CONTRACT]
    assert len(await customer.deliveries()) == 1
    assert [row.revision for row in await SqlOrders(customer.database).revisions(CONTRACT)] == [1]


async def test_two_deals_of_one_account_in_one_round_start_one_lifecycle(desk: Desk) -> None:
    first = await desk.receive("deal.closed_won", deal())
    second = await desk.receive("deal.closed_won", deal(Id="006-second"))
    assert await desk.route() == 2
    assert [(await desk.row(event)).state for event in (first, second)] == ["routed", "dead"]
    assert await lives(desk) == [CONTRACT]


async def test_an_unlinked_deal_on_a_live_account_goes_to_a_person(customer: Desk) -> None:
    row = await customer.arrive("deal.closed_won", deal(Id="006-second", Name="Hooli again"))
    assert row.state == "dead"
    assert CONTRACT in row.reason
    assert await lives(customer) == [CONTRACT]
    [case] = await Cases(customer.database).list()
    assert (case.id, case.account, case.kind) == ("deal:006-second", ACCOUNT, "unlinked_deal")
    assert f"tenure event {row.id} --again" in case.mend


async def test_once_linked_and_repeated_it_amends_the_live_contract(customer: Desk) -> None:
    row = await customer.arrive("deal.closed_won", deal(Id="006-second"))
    body = row.payload.replace('"Amends_Deal__c": null', f'"Amends_Deal__c": "{DEAL}"')
    assert await customer.inbox.replay(row.id or 0, payload=body)
    await customer.route()
    assert (await customer.row(row.event_id)).state == "routed"
    assert [kind for _, kind, _ in await customer.deliveries()] == [START, TELL]
    assert await Cases(customer.database).list() == []
    assert await lives(customer) == [CONTRACT]


async def test_an_account_whose_contract_ended_may_buy_anew(customer: Desk) -> None:
    await Lifecycles(customer.database).mark_closed(CONTRACT)
    assert (await customer.arrive("deal.closed_won", deal(Id="006-second"))).state == "routed"
    assert sorted(await lives(customer)) == sorted([CONTRACT, "crm/006-second/1"])


async def test_a_won_upsell_is_told_to_the_contract_that_it_amends(customer: Desk) -> None:
    assert (await customer.arrive("deal.closed_won", deal("salesforce_upsell"))).state == "routed"
    stream, kind, told = (await customer.deliveries())[-1]
    assert (stream, kind, told["kind"]) == (CONTRACT, TELL, "amendment_won")
    assert (told["deal"], told["mode"], told["changes"]) == ("006Dn000009UpSEIA0", "difference", {"PLATFORM": "25"})
    assert await Lifecycles(customer.database).find("crm", "deal", "006Dn000009UpSEIA0") == CONTRACT


async def test_seats_on_two_lines_of_one_product_are_added_up(customer: Desk) -> None:
    record = deal("salesforce_upsell")["record"]
    line = record["OpportunityLineItems"]["records"][0]
    record["OpportunityLineItems"]["records"] = [line, {**line, "Id": "another", "Quantity": 5.0}]
    await customer.arrive("deal.closed_won", {"record": record})
    assert (await customer.deliveries())[-1][2]["changes"] == {"PLATFORM": "30"}


async def test_a_won_renewal_is_told_as_the_decision(customer: Desk) -> None:
    assert (await customer.arrive("deal.closed_won", deal("salesforce_renewal"))).state == "routed"
    stream, kind, told = (await customer.deliveries())[-1]
    assert (stream, kind) == (CONTRACT, TELL)
    assert (told["kind"], told["opportunity"]) == ("renewal_won", "006Dn000009ReNEIA0")


async def test_our_own_renewal_opportunity_is_found_by_its_alias_alone(customer: Desk) -> None:
    await Lifecycles(customer.database).link("crm", "deal", "006-ours", CONTRACT)
    ours: dict[str, Any] = {"Renews_Deal__c": None, "Tenure_External_Id__c": f"renewal-opportunity:{CONTRACT}:1"}
    await customer.arrive("deal.closed_won", deal("salesforce_renewal", Id="006-ours", Type="Existing", **ours))
    assert (await customer.deliveries())[-1][2]["kind"] == "renewal_won"


@pytest.mark.parametrize(("type", "won"), [("deal.closed_won", True), ("deal.lost", False)])
async def test_our_own_opportunity_that_is_decided_before_the_crm_has_answered_is_heard_then(
    customer: Desk, type: str, won: bool
) -> None:
    stage = {"StageName": "Closed Won" if won else "Closed Lost", "IsWon": won, "IsClosed": True}
    ours: dict[str, Any] = {"Renews_Deal__c": None, "Tenure_External_Id__c": f"renewal-opportunity:{CONTRACT}:1"}
    early = await customer.arrive(type, deal("salesforce_renewal", Id="006-ours", **stage, **ours))
    assert early.state == "dead"

    ledger, operation = SqlLedger(customer.database), "crm.create_renewal_opportunity"
    claim = await ledger.claim("k", contract=CONTRACT, operation=operation, arguments="{}", lease=9, generation=1)
    await ledger.mark_sent("k", fence=claim.fence, deadline=1)
    await ledger.done("k", fence=claim.fence, result={"id": "006-ours"})
    await customer.route()
    assert (await customer.row(early.event_id)).state == "routed"
    assert (await customer.deliveries())[-1][2]["kind"] == ("renewal_won" if won else "renewal_lost")
    assert await Cases(customer.database).list() == []


async def test_a_lost_renewal_is_told_and_any_other_lost_deal_is_not(customer: Desk) -> None:
    lost = {"StageName": "Closed Lost", "IsWon": False}
    assert (await customer.arrive("deal.lost", deal("salesforce_renewal", **lost))).state == "routed"
    assert (await customer.deliveries())[-1][2]["kind"] == "renewal_lost"
    assert (await customer.arrive("deal.lost", deal("salesforce_upsell", **lost))).state == "ignored"
    assert (await customer.arrive("deal.lost", deal(Id="006-other", **lost))).state == "ignored"
    assert len(await customer.deliveries()) == 2


async def test_a_deal_linked_to_an_unknown_deal_waits_for_its_contract(desk: Desk) -> None:
    early = await desk.arrive("deal.closed_won", deal("salesforce_upsell"))
    assert (early.state, early.parked_for) == ("parked", f"crm:deal:{DEAL}")
    await desk.arrive("deal.closed_won", deal())
    assert (await desk.row(early.event_id)).state == "received"
    await desk.route()
    assert [kind for _, kind, _ in await desk.deliveries()] == [START, TELL]
    assert await lives(desk) == [CONTRACT]


@pytest.mark.parametrize("name", ["salesforce_upsell", "salesforce_renewal"])
async def test_a_deal_that_must_be_linked_and_is_not_goes_to_a_person(customer: Desk, name: str) -> None:
    row = await customer.arrive("deal.closed_won", deal(name, Amends_Deal__c=None, Renews_Deal__c=None))
    assert (row.state, row.reason.endswith("is linked to no contract")) == ("dead", True)
    assert [case.kind for case in await Cases(customer.database).list()] == ["unlinked_deal"]


@pytest.mark.parametrize("kind", ["One-off", "Internal"])
async def test_kinds_that_concern_no_lifecycle_are_ignored(desk: Desk, kind: str) -> None:
    assert (await desk.arrive("deal.closed_won", deal(Type=kind))).state == "ignored"
    assert await lives(desk) == []


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"Id": None}, "no deal id"),
        ({"AccountId": None}, "names no account"),
        ({"IsWon": False, "IsClosed": False}, "its record says open"),
        ({"AccountId": {"nested": 1}}, "no single value"),
        ({"Tenure_External_Id__c": 7}, "can't be evaluated"),
        ({"OpportunityLineItems": {"records": "none"}}, "no list of lines"),
        ({"Name": "\x00" * 5000, "Account": {"Name": {"a": 1}}}, "no single value"),
    ],
)
async def test_an_unusable_record_is_a_dead_letter_with_its_reason(
    desk: Desk, changes: dict[str, Any], reason: str
) -> None:
    row = await desk.arrive("deal.closed_won", deal(**changes))
    assert row.state == "dead"
    assert reason in row.reason
    assert await lives(desk) == []
    assert await desk.deliveries() == []


@pytest.mark.parametrize(
    "line", [{"Quantity": None}, {"Quantity": "many"}, {"ProductCode": None}, {"Quantity": float("1e400")}]
)
async def test_an_unusable_upsell_stops_nobody_behind_it(customer: Desk, line: dict[str, object]) -> None:
    record = deal("salesforce_upsell")["record"]
    record["OpportunityLineItems"]["records"][0].update(line)
    broken = await customer.receive("deal.closed_won", {"record": record})
    behind = await customer.receive("deal.closed_won", deal("salesforce_renewal"))
    await customer.route()
    row = await customer.row(broken)
    assert (row.state, bool(row.reason)) == ("dead", True)
    assert (await customer.row(behind)).state == "routed"
    assert await Lifecycles(customer.database).find("crm", "deal", "006Dn000009UpSEIA0") is None


LONE = "Hooli \ud83d"


def account_named(name: str) -> dict[str, Any]:
    return {**deal()["record"]["Account"], "Name": name}


@pytest.mark.parametrize(
    "changes",
    [
        {"Account": account_named(LONE)},
        {"Id": f"006{LONE}"},
        {"Id": f"006{LONE}", "AccountId": None},
        {"AccountId": LONE},
        {"Selling_Entity__c": LONE},
        {"Type": "Upsell", "Amends_Deal__c": LONE},
        {"Id": "006-" + "x" * 1200},
    ],
    ids=["account's name", "deal's id", "deal's id in the reason", "account's id", "entity", "link", "too long an id"],
)
async def test_a_deal_that_can_not_be_kept_stops_nobody_behind_it(desk: Desk, changes: dict[str, Any]) -> None:
    broken = await desk.receive("deal.closed_won", deal(**changes))
    behind = await desk.receive("deal.closed_won", deal(Id="006-behind", AccountId="acc-behind"))
    assert await desk.route() == 2
    row = await desk.row(broken)
    assert row.state == "dead" or "Account" in changes, row.reason
    assert bool(row.reason) == (row.state == "dead")
    assert (await desk.row(behind)).state == "routed"
    assert "crm/006-behind/1" in await lives(desk)


async def test_a_won_renewal_says_which_quantities_were_sold(customer: Desk) -> None:
    await customer.arrive("deal.closed_won", deal("salesforce_renewal"))
    _, kind, told = (await customer.deliveries())[-1]
    assert (kind, told["kind"], told["opportunity"]) == (TELL, "renewal_won", "006Dn000009ReNEIA0")
    assert {product: float(quantity) for product, quantity in told["quantities"].items()} == {
        "PLATFORM": 75, "SUPPORT-PREMIUM": 1,
    }  # fmt: skip
    await customer.arrive("deal.closed_won", deal("salesforce_renewal", OpportunityLineItems=None))
    assert (await customer.deliveries())[-1][2]["quantities"] == {}


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"deal_id": "d"},
        {"deal_id": "", "account": {"id": "a"}},
        {"deal_id": "d", "account": {"id": ""}},
        {"deal_id": 7, "account": {"id": "a"}},
        {"deal_id": "d", "account": "a"},
        {"deal_id": "d\n", "account": {"id": "a"}},
        {"deal_id": LONE, "account": {"id": "a"}},
    ],
)
async def test_an_order_without_a_name_of_its_deal_and_account_starts_nothing(
    desk: Desk, document: dict[str, Any]
) -> None:
    with pytest.raises(ValueError, match="an order needs a deal_id"):
        await desk.database.write(lambda session: begin_lifecycle(session, "acme", "crm", document))
    assert await lives(desk) == []
