"""Two contracts that become one at their renewal, and one that becomes two."""

from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from domain.changes.kinds import ChangeContract, Renew, Undo
from domain.mapping import load_mapping
from starter import regrouping
from starter.changing import make
from starter.mistakes import Refusal
from starter.office import Office
from starter.regrouping import consolidate, split_off
from tests.dispatch import CRM, Post
from tests.house import EXAMPLES, House, Life
from tests.intake import deal
from tests.workflow.lives import records, rests, to_day, to_end
from workflows.lifecycle import CustomerLifecycle

OWN = '"bill_to.name" = "Bill_To__c"\n"terms.initial_months" = { from = "Months__c", type = "integer" }\n'


def office(house: House) -> Office:
    return Office(house.database, house.client, house.company, house.mapping, CRM)


async def two(house: House, **second: Any) -> tuple[Post, Life, Life]:
    """A deal in two contracts of one account, both live: seats, and premium support that somebody else pays."""
    number = f"two-{house.task_queue}"
    text = (EXAMPLES / "mappings" / "salesforce.toml").read_text()
    post = Post(replace(house, mapping=load_mapping(text + OWN)))
    data = deal(Id=number, AccountId=f"acc-{number}")
    _, seats, support = data["record"]["OpportunityLineItems"]["records"]
    data["record"]["OpportunityLineItems"]["records"] = [seats, {**support, "Bill_To__c": "Hooli Holding AG", **second}]
    await house.http.post("/crm/accounts", json={"Id": "001Dn00000PaReNtAA0", "Name": "Hooli Group"})
    (await house.http.post("/crm/opportunities", json=data["record"])).raise_for_status()
    await post.desk.receive("deal.closed_won", data)
    await post.settle()
    first, other = await post.life(number, 1), await post.life(number, 2)
    for life in (first, other):
        await life.until(lambda view: "onboarding:" in str(view.effects) and rests(view))
    await post.desk.receive(
        "milestone.completed", {"deal": number, "milestone": "go-live", "completed_on": "2026-12-24"}
    )
    await post.settle()
    return post, first, other


async def row(post: Post, life: Life) -> Any:
    found = await post.lifecycles.get(life.contract)
    assert found is not None
    return found


async def change(life: Life, name: str, made: Any) -> None:
    await life.handle.execute_update(CustomerLifecycle.change, ChangeContract(id=name, by="csm", change=made))


async def lines(house: House, contract: str) -> dict[str, dict[str, Any]]:
    found = [each for each in await records(house, "erp", "subscriptions") if each["contract"] == contract]
    return {line["product"]: line for line in found[0]["lines"]}


@pytest.mark.parametrize("months", [None, 6])
async def test_consolidated_the_one_ends_and_the_other_has_its_lines_from_that_day(
    house: House, months: int | None
) -> None:
    post, first, other = await two(house, **({"Months__c": months} if months else {}))
    ends = (await other.view()).term_ends
    assert ends is not None
    desk, going, into = office(house), await row(post, other), await row(post, first)
    seen = await consolidate(desk, going, into, "csm", dry_run=True)
    assert set(seen.changes) == {other.contract, first.contract}
    assert (await other.view()).stage == "billing_activation" or (await other.view()).term == 1
    assert len((await first.view()).lines) == 1
    await consolidate(desk, going, into, "csm")
    with pytest.raises(Refusal, match="already"):
        await consolidate(desk, going, into, "csm")
    assert (await other.handle.query(CustomerLifecycle.state)).end_reason.startswith(
        f"consolidated into {first.contract}"
    )
    if months is None:
        await change(first, "go-on", Renew(early=True))
    await first.until(lambda view: rests(view))
    support = (await lines(house, first.contract))["SUPPORT-PREMIUM"]
    assert (support["starts"], support["quantity"]) == (ends.isoformat(), "1")
    assert (await to_end(other, ends)).reason.startswith(f"consolidated into {first.contract}")
    await to_day(first, ends)
    view = await first.until(lambda view: all(line.billing_starts for line in view.lines[1:]) and len(view.lines) == 2)
    assert view.lines[1].billing_starts == ends


async def test_a_consolidation_that_broke_off_is_finished_by_a_second_run_and_undone_by_its_changes(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    post, first, other = await two(house)
    desk, going, into = office(house), await row(post, other), await row(post, first)
    before = [(await life.handle.query(CustomerLifecycle.state)).known.lines for life in (first, other)]

    async def dies(_: Office, life: Any, command: ChangeContract) -> Any:
        if life.contract == other.contract:
            raise KeyboardInterrupt
        return await make(desk, life, command)

    with monkeypatch.context() as patched:
        patched.setattr(regrouping, "make", dies)
        with pytest.raises(KeyboardInterrupt):
            await consolidate(desk, going, into, "csm")
    assert (await other.view()).stage != "ending"
    finished = await consolidate(desk, going, into, "csm")
    assert list(finished.changes) == [other.contract]
    assert (await other.view()).stage == "ending"
    name = f"consolidated:{other.contract}"
    for life in (first, other):
        await change(life, "back", Undo(change=name))
    after = [(await life.handle.query(CustomerLifecycle.state)).known.lines for life in (first, other)]
    assert after == before
    assert (await other.view()).stage != "ending"
    await consolidate(desk, going, into, "csm")  # once more, as a change of another name


async def test_contracts_that_are_not_alike_are_not_made_one(house: House) -> None:
    post, first, _ = await two(house)
    stranger = await post.win(f"else-{house.task_queue}")
    desk = office(house)
    with pytest.raises(Refusal, match="one already"):
        await consolidate(desk, await row(post, first), await row(post, first), "csm")
    with pytest.raises(Refusal, match="they can't be one contract: account"):
        await consolidate(desk, await row(post, stranger), await row(post, first), "csm")


async def test_split_off_lines_are_a_contract_of_their_own_from_the_next_term_on(house: House) -> None:
    post = Post(house)
    first = await post.win(f"one-{house.task_queue}")
    await first.until(rests)
    ends = (await first.view()).term_ends
    assert isinstance(ends, date)
    desk, life = office(house), await row(post, first)
    seen = await split_off(desk, life, ["SUPPORT-PREMIUM"], "csm", dry_run=True)
    assert list(seen.changes) == [first.contract]
    with pytest.raises(Refusal, match="no line for ANALYTICS"):
        await split_off(desk, life, ["ANALYTICS"], "csm")
    made = await split_off(desk, life, ["SUPPORT-PREMIUM"], "csm")
    again = await split_off(desk, life, ["SUPPORT-PREMIUM"], "csm")
    assert made.begins == again.begins == first.contract.removesuffix("1") + "2"
    await post.settle()
    new = await post.life(f"one-{house.task_queue}", 2)
    view = await new.until(lambda view: "onboarding:" in str(view.effects) and rests(view))
    assert (view.former, view.term_starts) == ({first.contract: "split_from"}, ends)
    assert [line.product for line in view.lines] == ["SUPPORT-PREMIUM"]
    assert (await first.handle.query(CustomerLifecycle.state)).at_renewal.removed
    customers = {each["customer"] for each in await records(house, "erp", "subscriptions")}
    assert len(customers) == 1
