"""A deal that is split into several contracts, and deals that follow a contract: replacement, conversion, win-back."""

import copy
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from domain.mapping import load_mapping
from starter.routing import START, TELL, begin_lifecycle
from store.cases import Cases
from store.ledger import SqlLedger
from store.lifecycles import Lifecycles, former_of
from store.orders import SqlOrders
from store.tables import LifecycleViewRow, utc_now
from tests.intake import ACCOUNT, CONTRACT, DEAL, EXAMPLES, Desk, deal, open_desk

SECOND = CONTRACT.removesuffix("1") + "2"
LATER = "2026-11-21T09:00:00.000+0000"
RULES = """
[[intake.rules]]
kind = "replacement"
when = "Type == 'Replacement'"

[[intake.rules]]
kind = "conversion"
when = "Type == 'Conversion'"

[[intake.rules]]
kind = "one_off"
when = "Type == 'Project'"

[[intake.rules]]
kind = "amendment"
when = "Type == 'Amendment'"

"""
LINES = """
selling_entity = "Entity__c"
currency = "Currency__c"
"""


@pytest.fixture
def desk(either_url: str) -> Iterator[Desk]:
    with open_desk(either_url) as desk:
        text = (EXAMPLES / "mappings" / "salesforce.toml").read_text()
        first = text.index("[[intake.rules]]")
        text = text[:first] + 'ends = "New_End__c"\n' + RULES + text[first:] + LINES
        desk.router = replace(desk.router, mapping=load_mapping(text))
        yield desk


def two(**changes: Any) -> dict[str, Any]:
    """The deal of Hooli, of which the second line is sold by another entity."""
    data = copy.deepcopy(deal(**changes))
    data["record"]["OpportunityLineItems"]["records"][1] |= {"Entity__c": "ACME-US", "Currency__c": "USD"}
    return data


async def lives(desk: Desk) -> list[str]:
    return sorted(row.contract for row in await Lifecycles(desk.database).list())


async def activated(desk: Desk, contract: str) -> None:
    ledger, key = SqlLedger(desk.database), f"activation:{contract}"
    claim = await ledger.claim(
        key, contract=contract, operation="erp.activate_order", arguments="a", lease=5, generation=1
    )
    await ledger.mark_sent(key, fence=claim.fence, deadline=1)
    await ledger.done(key, fence=claim.fence, result={"id": "act"})


async def ended(desk: Desk, contract: str) -> None:
    await Lifecycles(desk.database).mark_closed(contract)
    view = LifecycleViewRow(
        contract=contract,
        run_started=utc_now(),
        sequence=1,
        stage="ended",
        account=ACCOUNT,
        needs_attention=False,
        view={"contract": contract, "stage": "ended"},
    )

    def add(session: Any) -> None:
        session.add(view)

    await desk.database.write(add)


async def former(desk: Desk, contract: str) -> dict[str, str]:
    found = await desk.database.read(lambda session: former_of(session, contract))
    return {str(each): str(how) for each, how in found.items()}


async def revisions(desk: Desk, contract: str) -> int:
    return len(await SqlOrders(desk.database).revisions(contract))


async def test_each_part_is_a_contract_with_its_own_order_and_one_start(desk: Desk) -> None:
    assert (await desk.arrive("deal.closed_won", two())).state == "routed"
    assert await lives(desk) == [CONTRACT, SECOND]
    orders = SqlOrders(desk.database)
    first, second = await orders.read(CONTRACT, 1), await orders.read(SECOND, 1)
    assert (first["selling_entity"], len(first["lines"])) == ("ACME-DE", 2)
    assert (second["selling_entity"], second["currency"], len(second["lines"])) == ("ACME-US", "USD", 1)
    assert sorted((stream, kind) for stream, kind, _ in await desk.deliveries()) == [(CONTRACT, START), (SECOND, START)]
    again = await desk.arrive("deal.closed_won", two(SystemModstamp=LATER))
    assert (again.state, SECOND in again.reason) == ("ignored", True)


async def test_what_is_said_of_the_deal_reaches_every_part(desk: Desk) -> None:
    await desk.arrive("deal.closed_won", two())
    await desk.arrive("milestone.completed", {"deal": DEAL, "milestone": "go-live", "completed_on": "2026-12-24"})
    told = sorted(stream for stream, kind, _ in await desk.deliveries() if kind == TELL)
    assert told == [CONTRACT, SECOND]


async def test_a_renewal_without_lines_decides_on_all_parts_and_one_with_lines_on_those_that_sell_them(
    desk: Desk,
) -> None:
    await desk.arrive("deal.closed_won", two())
    bare = deal("salesforce_renewal")
    bare["record"]["OpportunityLineItems"] = {"records": []}
    await desk.arrive("deal.closed_won", bare)
    assert sorted(stream for stream, kind, _ in await desk.deliveries() if kind == TELL) == [CONTRACT, SECOND]
    named = deal("salesforce_renewal", Id="006-renews-one")
    line = named["record"]["OpportunityLineItems"]["records"][0]
    named["record"]["OpportunityLineItems"] = {"records": [{**line, "ProductCode": "PLATFORM", "Quantity": 60}]}
    await desk.arrive("deal.closed_won", named)
    (stream, _, told) = (await desk.deliveries())[-1]
    assert (stream, told["quantities"]) == (SECOND, {"PLATFORM": "60"})


async def test_an_upsell_of_a_product_that_no_part_sells_goes_to_a_person(desk: Desk) -> None:
    await desk.arrive("deal.closed_won", two())
    upsell = deal("salesforce_upsell")
    upsell["record"]["OpportunityLineItems"]["records"][0]["ProductCode"] = "API-CALLS"
    row = await desk.arrive("deal.closed_won", upsell)
    assert (row.state, "none of the deal's contracts" in row.reason) == ("dead", True)
    assert [case.kind for case in await Cases(desk.database).list()] == ["unlinked_deal"]


async def test_a_correction_goes_to_the_part_that_it_is_of(desk: Desk) -> None:
    await desk.arrive("deal.closed_won", two())
    corrected = two(SystemModstamp=LATER)
    corrected["record"]["OpportunityLineItems"]["records"][1]["Quantity"] = 7
    assert (await desk.arrive("deal.corrected", corrected)).state == "routed"
    assert (await revisions(desk, CONTRACT), await revisions(desk, SECOND)) == (1, 2)
    assert [stream for stream, kind, _ in await desk.deliveries() if kind == TELL] == [SECOND]


async def test_a_line_that_moves_before_activation_corrects_both_parts(desk: Desk) -> None:
    await desk.arrive("deal.closed_won", two())
    moved = two(SystemModstamp=LATER)
    moved["record"]["OpportunityLineItems"]["records"][2] |= {"Entity__c": "ACME-US", "Currency__c": "USD"}
    await desk.arrive("deal.corrected", moved)
    assert (await revisions(desk, CONTRACT), await revisions(desk, SECOND)) == (2, 2)
    assert len((await SqlOrders(desk.database).read(SECOND, 2))["lines"]) == 2


async def test_a_line_that_would_move_once_a_part_is_live_is_a_case_for_both(desk: Desk) -> None:
    await desk.arrive("deal.closed_won", two())
    await activated(desk, CONTRACT)
    moved = two(SystemModstamp=LATER)
    moved["record"]["OpportunityLineItems"]["records"][2] |= {"Entity__c": "ACME-US", "Currency__c": "USD"}
    await desk.arrive("deal.corrected", moved)
    assert (await revisions(desk, CONTRACT), await revisions(desk, SECOND)) == (1, 1)
    cases = await Cases(desk.database).list()
    assert sorted((case.kind, case.contract) for case in cases) == [
        ("deal_differs", CONTRACT),
        ("deal_differs", SECOND),
    ]


async def test_a_deal_that_becomes_two_contracts_begins_the_second_while_none_is_live(desk: Desk) -> None:
    await desk.arrive("deal.closed_won", deal())
    await desk.arrive("deal.corrected", two(SystemModstamp=LATER))
    assert await lives(desk) == [CONTRACT, SECOND]
    assert (SECOND, START, {}) in await desk.deliveries()
    assert await revisions(desk, CONTRACT) == 2


async def test_and_once_one_is_live_that_is_a_case(desk: Desk) -> None:
    await desk.arrive("deal.closed_won", deal())
    await activated(desk, CONTRACT)
    await desk.arrive("deal.corrected", two(SystemModstamp=LATER))
    assert await lives(desk) == [CONTRACT]
    assert [case.kind for case in await Cases(desk.database).list()] == ["deal_differs"]


async def test_parts_of_a_file_are_started_together(desk: Desk) -> None:
    document = {
        "deal_id": "EX-2",
        "account": {"id": "ACC-2", "name": "Two"},
        "selling_entity": "ACME-DE",
        "lines": [{"id": "1"}, {"id": "2", "selling_entity": "ACME-US"}],
    }
    first = await desk.database.write(lambda session: begin_lifecycle(session, "acme", "crm", document))
    assert first == "crm/EX-2/1"
    assert [(stream, kind) for stream, kind, _ in await desk.deliveries()] == [
        ("crm/EX-2/1", START),
        ("crm/EX-2/2", START),
    ]


@pytest.mark.parametrize(("kind", "how"), [("Replacement", "replaces"), ("Conversion", "converts")])
async def test_a_deal_that_takes_a_contracts_place_begins_one_that_is_linked(desk: Desk, kind: str, how: str) -> None:
    await desk.arrive("deal.closed_won", deal())
    row = await desk.arrive("deal.closed_won", deal(Id="006-next", Type=kind, Renews_Deal__c=DEAL))
    assert row.state == "routed"
    assert await former(desk, "crm/006-next/1") == {CONTRACT: how}
    assert [kind for _, kind, _ in await desk.deliveries()] == [START, START]


async def test_each_part_takes_the_place_of_the_contract_of_its_entity(desk: Desk) -> None:
    await desk.arrive("deal.closed_won", two())
    await desk.arrive("deal.closed_won", two(Id="006-next", Type="Replacement", Renews_Deal__c=DEAL))
    assert await former(desk, "crm/006-next/1") == {CONTRACT: "replaces"}
    assert await former(desk, "crm/006-next/2") == {SECOND: "replaces"}


async def test_a_replacement_that_names_nothing_goes_to_a_person(desk: Desk) -> None:
    await desk.arrive("deal.closed_won", deal())
    row = await desk.arrive("deal.closed_won", deal(Id="006-next", Type="Replacement"))
    assert (row.state, "linked to no contract" in row.reason) == ("dead", True)


async def test_a_won_back_customer_has_a_new_contract_that_knows_the_former(desk: Desk) -> None:
    await desk.arrive("deal.closed_won", deal())
    await ended(desk, CONTRACT)
    await desk.arrive("deal.closed_won", deal(Id="006-back"))
    assert await former(desk, "crm/006-back/1") == {CONTRACT: "wins_back"}
    await desk.arrive("deal.closed_won", deal(Id="006-late", Type="Replacement", Renews_Deal__c=DEAL))
    assert await former(desk, "crm/006-late/1") == {CONTRACT: "wins_back"}


async def test_a_one_off_order_begins_beside_a_live_contract_and_stands_in_nobodys_way(desk: Desk) -> None:
    await desk.arrive("deal.closed_won", deal(Id="006-once", Type="Project"))
    assert (await SqlOrders(desk.database).read("crm/006-once/1", 1))["terms"]["kind"] == "one_off"
    assert (await desk.arrive("deal.closed_won", deal())).state == "routed"
    assert (await desk.arrive("deal.closed_won", deal(Id="006-twice", Type="Project"))).state == "routed"
    assert len(await lives(desk)) == 3
    assert await former(desk, CONTRACT) == {}


async def test_an_amendment_says_how_many_there_are_and_may_move_the_end(desk: Desk) -> None:
    await desk.arrive("deal.closed_won", deal())
    amendment = deal("salesforce_upsell", Type="Amendment", New_End__c="2028-06-30")
    await desk.arrive("deal.closed_won", amendment)
    (_, _, told) = (await desk.deliveries())[-1]
    assert (told["mode"], told["ends"], told["changes"]) == ("target", "2028-06-30", {"PLATFORM": "25"})


async def test_the_parent_of_an_account_corrects_an_order_and_is_told_to_a_live_contract(desk: Desk) -> None:
    await desk.arrive("deal.closed_won", deal())
    await desk.arrive("account.reparented", {"account": ACCOUNT, "parent": "001-group"})
    assert (await SqlOrders(desk.database).read(CONTRACT, 2))["account"]["parent_id"] == "001-group"
    await activated(desk, CONTRACT)
    await desk.arrive("account.reparented", {"account": ACCOUNT, "parent": None})
    (_, kind, told) = (await desk.deliveries())[-1]
    assert (kind, told["kind"], told["parent"]) == (TELL, "parent_changed", None)
