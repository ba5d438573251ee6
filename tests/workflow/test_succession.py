"""A contract that takes another's place: the former ends on the day on which the new one starts, and no day sooner."""

from dataclasses import replace
from typing import Any

from domain.mapping import load_mapping
from domain.messages import EndContract
from domain.projection import details
from domain.view import Stage
from tests.dispatch import Post
from tests.house import EXAMPLES, House, Life
from tests.intake import deal
from tests.workflow.lives import clock, counts, records, rests
from workflows.lifecycle import CustomerLifecycle

RULE = """
[[intake.rules]]
kind = "replacement"
when = "Type == 'Replacement'"

"""


def tagged(house: House, word: str) -> str:
    return f"{word}-{house.task_queue}"


async def settled(post: Post) -> None:
    """Dispatch, with replacements told from other deals."""
    text = (EXAMPLES / "mappings" / "salesforce.toml").read_text()
    first = text.index("[[intake.rules]]")
    post.house = replace(post.house, mapping=load_mapping(text[:first] + RULE + text[first:]))
    await post.settle()


async def hear_of(post: Post, word: str, account: str, **changes: Any) -> str:
    number = tagged(post.house, word)
    data = deal(Id=number, AccountId=account, **changes)
    await post.house.http.post("/crm/accounts", json={"Id": "001Dn00000PaReNtAA0", "Name": "Hooli Group"})
    (await post.house.http.post("/crm/opportunities", json=data["record"])).raise_for_status()
    await post.desk.receive("deal.closed_won", data)
    return number


async def active(post: Post, number: str) -> Life:
    life = await post.life(number)
    await life.until(lambda view: "onboarding:" in str(view.effects) and rests(view))
    return life


async def test_a_replaced_contract_ends_when_the_new_one_starts(house: House) -> None:
    post, account = Post(house), tagged(house, "acc")
    first = await hear_of(post, "first", account)
    await settled(post)
    former = await active(post, first)
    await hear_of(post, "next", account, Type="Replacement", Renews_Deal__c=first)
    await settled(post)
    new = await active(post, tagged(house, "next"))
    assert (await new.view()).former == {former.contract: "replaces"}
    starts = (await new.view()).term_starts
    assert starts is not None
    await settled(post)
    outcome = await former.handle.result()
    assert outcome.reason == f"replaced by {new.contract} from {starts}"
    ended = [each for each in await records(house, "erp", "subscriptions") if each["contract"] == former.contract]
    assert [(each["status"], each["ends"]) for each in ended] == [("ended", starts.isoformat())]
    assert (await counts(house, "erp"))["customers"] == 1
    await settled(post)
    assert await post.cases.list() == []


async def test_a_replacement_that_is_not_activated_ends_nothing(house: House) -> None:
    post, account = Post(house), tagged(house, "acc")
    first = await hear_of(post, "first", account)
    await settled(post)
    former = await active(post, first)
    await hear_of(post, "next", account, Type="Replacement", Renews_Deal__c=first, Selling_Entity__c="ACME-NO")
    await settled(post)
    new = await post.life(tagged(house, "next"))
    await new.until(lambda view: view.cases)
    await settled(post)
    assert (await former.view()).stage is not Stage.ENDING


async def test_both_parts_of_a_deal_are_begun_in_the_same_second_and_share_customer_and_company(house: House) -> None:
    number, account = tagged(house, "two"), tagged(house, "acc")
    text = (EXAMPLES / "mappings" / "salesforce.toml").read_text()
    own = '"terms.initial_months" = { from = "Months__c", type = "integer" }\n'
    post = Post(replace(house, mapping=load_mapping(text + own)))
    data = deal(Id=number, AccountId=account)
    once, seats, support = data["record"]["OpportunityLineItems"]["records"]
    data["record"]["OpportunityLineItems"]["records"] = [seats, support, {**once, "Months__c": 1}]
    await house.http.post("/crm/accounts", json={"Id": "001Dn00000PaReNtAA0", "Name": "Hooli Group"})
    (await house.http.post("/crm/opportunities", json=data["record"])).raise_for_status()
    await post.desk.receive("deal.closed_won", data)
    await post.settle()
    parts = [await post.life(number, part) for part in (1, 2)]
    for life in parts:
        await life.until(lambda view: "onboarding:" in str(view.effects) and rests(view))
    subscriptions = await records(house, "erp", "subscriptions")
    assert sorted(each["contract"] for each in subscriptions) == [life.contract for life in parts]
    assert len({each["customer"] for each in subscriptions}) == (await counts(house, "erp"))["customers"] == 1
    assert (await counts(house, "cs"))["companies"] == 1
    reached = {"deal": number, "milestone": "go-live", "completed_on": "2026-12-24"}
    await post.desk.receive("milestone.completed", reached)
    await post.settle()
    for life in parts:
        await life.until(lambda view: "go-live" in view.milestones)


async def test_a_customer_that_is_won_back_has_a_contract_that_knows_the_former(house: House) -> None:
    post, account = Post(house), tagged(house, "acc")
    first = await hear_of(post, "first", account)
    await post.settle()
    former = await active(post, first)
    command = EndContract(by="ops", reason="too dear", on=(await clock(former)).date())
    await former.handle.execute_update(CustomerLifecycle.end, command)
    await former.handle.result()
    back = await hear_of(post, "back", account)
    await post.settle()
    new = await active(post, back)
    view = await new.view()
    assert view.former == {former.contract: "wins_back"}
    assert f"**wins back:** {former.contract}" in details(view)
    assert (await counts(house, "erp"))["customers"] == 1
