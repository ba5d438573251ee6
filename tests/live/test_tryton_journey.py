"""A contract's life with the live Tryton as its ERP: the real Temporal, the real store, everything else in the box."""

import random
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, LiteralString

import pytest
from stdnum.de import vat
from stdnum.iso7064 import mod_11_10
from temporalio.client import Client

from domain import calendar, keys
from domain.messages import AmendmentWon, MilestoneReached, RenewalWon, RetryStep
from domain.order import Address
from domain.ports import NewCustomer
from domain.view import CaseView, LifecycleView, Stage
from store.lifecycles import Lifecycles
from tests.house import House, Life, open_house
from tests.live.tryton import Tryton
from tests.live.worlds.tryton import TrytonWorld, tryton_world
from tests.workflow.lives import clock, done, opportunity, prepared, rests, to_day, to_term_end
from workflows.lifecycle import CustomerLifecycle

PATIENCE = 90  # seconds: each lost answer costs a second before it is asked again


@asynccontextmanager
async def at_home(temporal: Client, home: Path, tryton: Tryton) -> AsyncIterator[tuple[House, TrytonWorld]]:
    async with tryton_world(tryton) as world, open_house(temporal, home, instead={"erp": world.port}) as house:
        yield house, world


@pytest.fixture
async def home(temporal: Client, tmp_path: Path, tryton: Tryton) -> AsyncIterator[tuple[House, TrytonWorld]]:
    async with at_home(temporal, tmp_path, tryton) as opened:
        yield opened


def an_order(house: House, payload: str) -> dict[str, Any]:
    """A won deal of an account that Tryton has never heard of."""
    mark, record = uuid.uuid4().hex[:8], house.payload(payload)
    record["AccountId"] = f"001{mark}"
    account = record["Account"]
    account["Name"] = f"Hooli {mark} GmbH"
    account["Billing_Email__c"] = f"ap@{mark}.example"
    if account["VAT_Id__c"] is not None:
        account["VAT_Id__c"] = german_tax_id()
    return record


def german_tax_id() -> str:
    number = f"1{random.randrange(10**7):07d}"
    return f"DE{vat.compact(number + mod_11_10.calc_check_digit(number))}"


def one(world: TrytonWorld, statement: LiteralString, *values: Any) -> Any:
    """The one value that the one row has."""
    [(value,)] = world.tryton.sql(statement, *values)
    return value


def parties(world: TrytonWorld, name: str) -> int:
    return int(one(world, "SELECT count(*) FROM party_party WHERE name = %s", name))


def subscriptions(world: TrytonWorld, life: Life) -> int:
    return int(one(world, "SELECT count(*) FROM sale_subscription WHERE tenure_contract = %s", life.contract))


def live(view: LifecycleView) -> bool:
    return all(line.billing_starts for line in view.lines) and rests(view)


async def served(house: House) -> tuple[Life, LifecycleView]:
    """A contract that has gone live."""
    life = await house.start(an_order(house, "salesforce_new_hooli"))
    await life.until(lambda view: done(view, "onboarding") and done(view, "billing-start") and rests(view), PATIENCE)
    await life.tell(MilestoneReached(milestone="go-live", on=(await clock(life)).date()))
    return life, await life.until(live, PATIENCE)


@pytest.mark.parametrize(
    ("payload", "entity", "currency"),
    [("salesforce_new_us", "ACME-US", "USD"), ("salesforce_new_hooli", "ACME-DE", "EUR")],
)
async def test_once_though_every_answer_is_lost(
    home: tuple[House, TrytonWorld], payload: str, entity: str, currency: str
) -> None:
    house, world = home
    world.proxy.lose_every_answer = True
    record = an_order(house, payload)
    life = await house.start(record)
    await life.until(lambda view: done(view, "onboarding") and done(view, "billing-start") and rests(view), PATIENCE)
    await life.tell(MilestoneReached(milestone="go-live", on=(await clock(life)).date()))
    view = await life.until(live, PATIENCE)

    assert parties(world, record["Account"]["Name"]) == 1
    assert subscriptions(world, life) == 1
    [(subscription, state, company, money, party)] = world.tryton.sql(
        "SELECT s.id, s.state, c.tenure_code, k.code, p.name FROM sale_subscription s"
        " JOIN company_company c ON c.id = s.company JOIN currency_currency k ON k.id = s.currency"
        " JOIN party_party p ON p.id = s.party WHERE s.tenure_contract = %s",
        life.contract,
    )
    assert (state, company, money, party) == ("running", entity, currency, record["Account"]["Name"])
    assert view.effects[keys.subscription(life.contract)] == str(subscription)
    started = world.tryton.sql(
        "SELECT tenure_line, tenure_billed_from FROM sale_subscription_line WHERE subscription = %s ORDER BY 1",
        subscription,
    )
    assert started == sorted((line.id, line.billing_starts) for line in view.lines)
    erp_keys = {keys.customer(record["AccountId"], entity), keys.subscription(life.contract)}
    erp_keys |= {keys.activation(life.contract)}
    erp_keys |= {keys.billing_start(life.contract, line.id, 1) for line in view.lines}
    assert sorted(world.proxy.lost) == sorted(erp_keys), "every effect lost its first answer"
    performed = world.tryton.sql("SELECT key FROM tenure_request WHERE key = ANY(%s)", sorted(erp_keys))
    assert sorted(key for (key,) in performed) == sorted(erp_keys)


async def test_a_term_amended_and_renewed_once_though_every_answer_is_lost(home: tuple[House, TrytonWorld]) -> None:
    house, world = home
    world.proxy.lose_every_answer = True
    life, view = await served(house)
    activated = view.term_starts
    assert activated is not None
    assert view.window_opens is not None
    won = AmendmentWon(deal="UP-1", mode="difference", changes={"PLATFORM": Decimal(25)})
    assert await life.tell(won) == ["applied"]
    await life.until(lambda view: done(view, "amendment") and rests(view), PATIENCE)
    await to_day(life, view.window_opens)
    view = await life.until(prepared, PATIENCE)
    assert await life.tell(RenewalWon(opportunity=opportunity(view))) == ["applied"]
    await life.until(lambda view: rests(view) and view.decision is not None, PATIENCE)
    await to_term_end(life)
    view = await life.until(lambda view: view.term == 2 and rests(view), PATIENCE)

    second = calendar.add_months(activated, 12), calendar.add_months(activated, 24)
    assert (view.term_starts, view.term_ends, view.stage) == (*second, Stage.SERVING)
    [(term, ends, last)] = world.tryton.sql(
        "SELECT tenure_term, tenure_ends, end_date FROM sale_subscription WHERE tenure_contract = %s", life.contract
    )
    assert (term, ends, last) == (2, second[1], second[1] - timedelta(days=1))
    quantities = world.tryton.sql(
        "SELECT q.quantity FROM tenure_subscription_quantity q JOIN sale_subscription_line l ON l.id = q.line"
        " JOIN sale_subscription s ON s.id = l.subscription WHERE s.tenure_contract = %s ORDER BY q.id",
        life.contract,
    )
    assert quantities == [(50.0,), (75.0,)]
    assert {keys.amendment(life.contract, "UP-1"), keys.renewal(life.contract, 2)} <= set(world.proxy.lost)


async def test_what_is_renewed_as_a_new_subscription_goes_on_with_that_one(home: tuple[House, TrytonWorld]) -> None:
    house, world = home
    world.port.renews_as_new = True
    world.proxy.lose_every_answer = True
    life, view = await served(house)
    former = view.subscription
    assert view.window_opens is not None
    await to_day(life, view.window_opens)
    view = await life.until(prepared, PATIENCE)
    await life.tell(RenewalWon(opportunity=opportunity(view)))
    await life.until(lambda view: rests(view) and view.decision is not None, PATIENCE)
    await to_term_end(life)
    view = await life.until(lambda view: view.term == 2 and rests(view), PATIENCE)

    rows = world.tryton.sql(
        "SELECT id::text, tenure_term, tenure_renews::text FROM sale_subscription"
        " WHERE tenure_contract = %s ORDER BY id",
        life.contract,
    )
    assert rows == [(former, 1, None), (view.subscription, 2, former)]
    assert view.subscription is not None
    assert await Lifecycles(house.database).find("erp", "subscription", view.subscription) == life.contract
    won = AmendmentWon(deal="UP-2", mode="difference", changes={"PLATFORM": Decimal(25)})
    assert await life.tell(won) == ["applied"]
    await life.until(lambda view: done(view, "amendment") and rests(view), PATIENCE)
    changed = world.tryton.sql(
        "SELECT l.subscription::text FROM tenure_subscription_quantity q"
        " JOIN sale_subscription_line l ON l.id = q.line JOIN sale_subscription s ON s.id = l.subscription"
        " WHERE s.tenure_contract = %s AND q.effective > '1900-01-01'",
        life.contract,
    )
    assert changed == [(view.subscription,)]


async def test_a_refused_subscription_goes_on_with_the_customer_that_exists(home: tuple[House, TrytonWorld]) -> None:
    house, world = home
    world.tryton.sql("UPDATE product_product SET code = 'WITHDRAWN' WHERE code = 'ONBOARDING' RETURNING id")
    try:
        record = an_order(house, "salesforce_new_hooli")
        life = await house.start(record)
        view = await life.until(lambda view: view.cases, PATIENCE)
    finally:
        world.tryton.sql("UPDATE product_product SET code = 'ONBOARDING' WHERE code = 'WITHDRAWN' RETURNING id")
    [case] = view.cases
    assert case.id == keys.subscription(life.contract)
    assert "the ERP has no such product" in case.reasons[0]
    assert (parties(world, record["Account"]["Name"]), subscriptions(world, life)) == (1, 0)
    customer = view.effects[keys.customer(record["AccountId"], "ACME-DE")]

    await life.handle.execute_update(CustomerLifecycle.retry_step, RetryStep(case=case.id, by="ops"))
    view = await life.until(lambda view: done(view, "activation") and rests(view), PATIENCE)
    assert view.effects[keys.customer(record["AccountId"], "ACME-DE")] == customer
    assert (parties(world, record["Account"]["Name"]), subscriptions(world, life)) == (1, 1)


async def test_a_customer_that_bears_the_cross_reference_is_the_customer(home: tuple[House, TrytonWorld]) -> None:
    house, world = home
    record = an_order(house, "salesforce_new_hooli")
    known = customer_of(record)
    key = keys.customer(known.account, "ACME-DE")
    made = await world.perform("create_customer", {**known.model_dump(mode="json"), "external_id": key}, "made earlier")
    life = await house.start(record)
    view = await life.until(lambda view: done(view, "activation") and rests(view), PATIENCE)
    assert view.effects[key] == made["id"]
    assert parties(world, known.name) == 1


async def test_a_customer_that_the_tax_id_names_is_adopted(home: tuple[House, TrytonWorld]) -> None:
    house, world = home
    record = an_order(house, "salesforce_new_hooli")
    by_hand = customer_of(record).model_copy(update={"name": f"Hooli as accounting calls it {uuid.uuid4().hex[:6]}"})
    there = await world.put_customer(by_hand)
    already = await world.count("create_customer")
    life = await house.start(record)
    view = await life.until(lambda view: done(view, "activation") and rests(view), PATIENCE)
    assert view.effects[keys.customer(record["AccountId"], "ACME-DE")] == there
    assert await world.count("create_customer") == already


async def test_one_that_looks_alike_is_proposed_and_a_person_takes_it(home: tuple[House, TrytonWorld]) -> None:
    house, world = home
    life, case, there = await alike(house, world)
    already = await world.count("create_customer")
    word = RetryStep(case=case.id, by="ops", done_as=there)
    await life.handle.execute_update(CustomerLifecycle.retry_step, word)
    view = await life.until(lambda view: done(view, "activation") and rests(view), PATIENCE)
    assert view.effects[case.id] == there
    assert await world.count("create_customer") == already
    party = one(world, "SELECT party FROM sale_subscription WHERE tenure_contract = %s", life.contract)
    assert party == int(there.partition("-")[0])


async def test_one_that_looks_alike_and_is_another_makes_a_new_customer(home: tuple[House, TrytonWorld]) -> None:
    house, world = home
    life, case, there = await alike(house, world)
    already = await world.count("create_customer")
    await life.handle.execute_update(CustomerLifecycle.retry_step, RetryStep(case=case.id, by="ops"))
    view = await life.until(lambda view: done(view, "activation") and rests(view), PATIENCE)
    assert view.effects[case.id] != there
    assert await world.count("create_customer") == already + 1


async def alike(house: House, world: TrytonWorld) -> tuple[Life, CaseView, str]:
    """A lifecycle that waits for a word: Tryton has a customer of its domain, put in by hand without a tax id."""
    record = an_order(house, "salesforce_new_hooli")
    by_hand = customer_of(record).model_copy(update={"tax_id": None, "name": f"By hand {uuid.uuid4().hex[:8]}"})
    there = await world.put_customer(by_hand)
    already = await world.count("create_customer")
    life = await house.start(record)
    view = await life.until(lambda view: view.cases, PATIENCE)
    [case] = view.cases
    assert (case.kind, case.id) == ("in_doubt", keys.customer(record["AccountId"], "ACME-DE"))
    assert there in case.reasons[0]
    assert await world.count("create_customer") == already
    return life, case, there


def customer_of(record: dict[str, Any]) -> NewCustomer:
    account = record["Account"]
    address = Address(street=account["BillingStreet"], city=account["BillingCity"], country="DE")
    return NewCustomer(
        account=record["AccountId"], selling_entity="ACME-DE", name=account["Name"], currency="EUR",
        billing_address=address, shipping_address=address, email=account["Billing_Email__c"],
        tax_id=account["VAT_Id__c"],
    )  # fmt: skip
