"""A customer that the ERP has already: found by tax id, or taken by a word of a person, and never made twice."""

import json
from typing import Any

import pytest

from domain import keys
from domain.messages import RetryStep
from domain.view import CaseView
from store.ledger import SqlLedger
from tests.house import House, Life
from tests.workflow.lives import HOOLI, calls, done, records, refusal, rests
from tests.workflow.test_orders import active, fix
from workflows.lifecycle import CustomerLifecycle


async def put_customer(house: House, **fields: Any) -> str:
    """What somebody typed into the ERP by hand."""
    by_hand = {"account": "by hand", "selling_entity": "ACME-DE", "name": "HOOLI", "currency": "EUR", **fields}
    return str((await house.http.post("/erp/customers", json=by_hand)).raise_for_status().json()["id"])


def another_deal(house: House) -> dict[str, Any]:
    """One more contract of the same account."""
    record = house.payload(HOOLI)
    record["Id"] = record["Id"][:-3] + "XXX"
    return record


async def in_doubt(life: Life) -> CaseView:
    view = await life.until(lambda view: view.cases)
    [case] = view.cases
    assert (case.kind, case.id.split(":")[0]) == ("in_doubt", "customer"), case
    return case


async def say(life: Life, case: CaseView, done_as: str | None = None, *, by: str = "ops") -> None:
    command = RetryStep(case=case.id, by=by, done_as=done_as)
    await life.handle.execute_update(CustomerLifecycle.retry_step, command)


async def ledger_state(house: House, life: Life, key: str) -> str:
    return next(row.state for row in await SqlLedger(house.database).rows(life.contract) if row.key == key)


async def test_one_that_looks_alike_is_a_case_that_names_it_and_nothing_is_sent(house: House) -> None:
    there = await put_customer(house, name="Hooli, GmbH", email="finance@hooli.example")
    before = len(await calls(house, "erp", "create_customer"))
    life = await house.start(house.payload(HOOLI))
    case = await in_doubt(life)
    assert case.reasons == [f"the ERP has customers that may be this one: {there} (Hooli, GmbH, same domain)"]
    assert f"--retry '{case.id}' --done-as ID" in case.mend
    assert len(await calls(house, "erp", "create_customer")) == before
    assert await ledger_state(house, life, case.id) == "RELEASED"


async def test_taken_by_a_persons_word_it_is_the_customer_of_every_contract(house: House) -> None:
    there = await put_customer(house)
    life = await house.start(house.payload(HOOLI))
    case = await in_doubt(life)
    await say(life, case, done_as=there)
    await life.until(active)
    assert await ledger_state(house, life, case.id) == "DONE"
    second = await house.start(another_deal(house))
    await second.until(active)
    [customer] = await records(house, "erp", "customers")
    assert customer["id"] == there
    assert {each["customer"] for each in await records(house, "erp", "subscriptions")} == {there}
    assert len(await records(house, "erp", "subscriptions")) == 2


async def test_said_to_be_another_one_a_new_customer_is_made_once(house: House) -> None:
    there = await put_customer(house)
    life = await house.start(house.payload(HOOLI))
    await say(life, await in_doubt(life))
    await life.until(active)
    second = await house.start(another_deal(house))
    await second.until(active)
    by_hand, ours = await records(house, "erp", "customers")
    assert by_hand["id"] == there
    assert ours["external_id"]
    assert {each["customer"] for each in await records(house, "erp", "subscriptions")} == {ours["id"]}


async def test_two_contracts_that_wait_for_the_same_word_make_one_customer(house: House) -> None:
    there = await put_customer(house)
    first = await house.start(house.payload(HOOLI))
    second = await house.start(another_deal(house))
    for_first, for_second = await in_doubt(first), await in_doubt(second)
    await say(first, for_first, done_as=there)
    await first.until(active)
    await say(second, for_second)  # it is none of them, says somebody else: too late, it is known by now
    await second.until(active)
    [customer] = await records(house, "erp", "customers")
    assert {each["customer"] for each in await records(house, "erp", "subscriptions")} == {customer["id"]}


async def test_an_id_that_is_not_there_is_asked_for_again(house: House) -> None:
    there = await put_customer(house)
    life = await house.start(house.payload(HOOLI))
    await say(life, await in_doubt(life), done_as="cus_999999")
    view = await life.until(lambda view: view.cases and view.cases[0].kind == "not_found")
    assert view.cases[0].reasons == ["the ERP has no customer cus_999999; say --done-as with another id"]
    await say(life, view.cases[0], done_as=there)
    await life.until(active)
    [subscription] = await records(house, "erp", "subscriptions")
    assert subscription["customer"] == there


async def test_plainly_tried_again_after_a_wrong_id_it_is_a_doubt_as_before(house: House) -> None:
    await put_customer(house)
    life = await house.start(house.payload(HOOLI))
    await say(life, await in_doubt(life), done_as="cus_999999")
    view = await life.until(lambda view: view.cases and view.cases[0].kind == "not_found")
    await say(life, view.cases[0])
    await life.until(lambda view: view.cases and view.cases[0].kind == "in_doubt")
    assert len(await records(house, "erp", "customers")) == 1


async def test_a_failure_on_the_way_to_the_question_is_not_its_answer(house: House) -> None:
    """What is refused for good raises the generation, too; nobody has said a word about the likeness by that."""
    await put_customer(house)
    await house.fault(system="erp", operation="similar_customers", kind="error", status=403, times=1)
    life = await house.start(house.payload(HOOLI))
    view = await life.until(lambda view: view.cases)
    assert view.cases[0].kind == "auth"
    await say(life, view.cases[0])
    await life.until(lambda view: view.cases and view.cases[0].kind == "in_doubt")
    assert len(await records(house, "erp", "customers")) == 1


async def test_a_tax_id_needs_nobodys_word(house: House) -> None:
    there = await put_customer(house, tax_id="DE 123.456.788")
    life = await house.start(house.payload(HOOLI))
    await life.until(active)
    [customer] = await records(house, "erp", "customers")
    assert (customer["id"], bool(customer["external_id"])) == (there, True)


async def test_one_that_bears_our_id_is_taken_though_no_ledger_knows_of_it(house: House) -> None:
    record = house.payload(HOOLI)
    there = await put_customer(house, external_id=keys.customer(record["AccountId"], "ACME-DE"))
    life = await house.start(record)
    await life.until(active)
    [customer] = await records(house, "erp", "customers")
    assert customer["id"] == there
    assert len(await calls(house, "erp", "create_customer")) == 1, "the one by hand"


async def test_a_corrected_order_asks_anew(house: House) -> None:
    there = await put_customer(house, tax_id="DE136695976")
    life = await house.start(house.payload(HOOLI))
    await in_doubt(life)
    await fix(life, **{"sold_to.tax_id": "DE136695976"})
    await life.until(active)
    [customer] = await records(house, "erp", "customers")
    assert customer["id"] == there


async def test_a_frozen_erp_is_told_nothing_and_the_word_waits(house: House) -> None:
    there = await put_customer(house)
    life = await house.start(house.payload(HOOLI))
    case = await in_doubt(life)
    ledger = SqlLedger(house.database)
    await ledger.freeze("erp")
    await say(life, case, done_as=there)
    view = await life.until(lambda view: view.cases and view.cases[0].kind == "frozen")
    assert await ledger_state(house, life, case.id) == "RELEASED"
    await ledger.thaw("erp")
    await say(life, view.cases[0], by="frozen")  # as the thaw does: now, and nothing of an id
    await life.until(active)
    [customer] = await records(house, "erp", "customers")
    [subscription] = await records(house, "erp", "subscriptions")
    assert subscription["customer"] == customer["id"] == there


async def test_a_thaw_is_no_word_of_a_person(house: House) -> None:
    """It may come late, when the step has gone on by itself and is in doubt."""
    await put_customer(house)
    life = await house.start(house.payload(HOOLI))
    case = await in_doubt(life)
    assert "a doubt is a person's" in await refusal(say(life, case, by="frozen"))
    assert len(await records(house, "erp", "customers")) == 1


@pytest.mark.parametrize("name", ["Erika Musterfrau", "erika@hooli.example GmbH"])
async def test_a_persons_name_enters_no_history(house: House, name: str) -> None:
    there = await put_customer(house, name=name, email="erika@hooli.example")
    life = await house.start(house.payload(HOOLI))
    case = await in_doubt(life)
    assert there in case.reasons[0]
    history = json.dumps((await life.handle.fetch_history()).to_json_dict())
    assert "erika" not in f"{case} {history}".lower()


async def test_a_subscription_done_by_hand_is_known_to_the_ledger(house: House) -> None:
    await house.fault(system="erp", operation="create_subscription", kind="refuse", reason="no price list", times=1)
    life = await house.start(house.payload(HOOLI))
    view = await life.until(lambda view: view.cases)
    [customer] = await records(house, "erp", "customers")
    [step] = await calls(house, "erp", "create_subscription")
    by_hand = (await house.http.post("/erp/subscriptions", json={**step["body"], "customer": customer["id"]})).json()
    await say(life, view.cases[0], done_as=by_hand["id"])
    await life.until(lambda view: done(view, "onboarding") and rests(view))
    assert await ledger_state(house, life, view.cases[0].id) == "DONE"
    assert [each["id"] for each in await records(house, "erp", "subscriptions")] == [by_hand["id"]]
