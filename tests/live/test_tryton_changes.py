"""A contract's changes with the live Tryton as its ERP: lines that come and go, another end, a month that is closed."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
from temporalio.client import Client

from domain.changes.kinds import Amend, Change, ChangeContract, Extend, Undo
from domain.messages import MilestoneReached, RetryStep
from starter.changing import sell_lines
from store.orders import SqlOrders
from tests.house import House, Life
from tests.live.test_tryton_journey import PATIENCE, an_order, at_home, live
from tests.live.tryton import Tryton
from tests.live.worlds.tryton import TrytonWorld
from tests.workflow.lives import clock, done, rests
from workflows.lifecycle import CustomerLifecycle

NEW = {"product": "ANALYTICS", "quantity": "10", "unit_price": "90.00", "charge": "recurring", "frequency": "annual"}


@pytest.fixture
async def home(temporal: Client, tmp_path: Path, tryton: Tryton) -> AsyncIterator[tuple[House, TrytonWorld]]:
    async with at_home(temporal, tmp_path, tryton) as opened:
        yield opened


async def give(life: Life, change: Change, name: str) -> None:
    command = ChangeContract(id=name, by="csm", change=change)
    await life.handle.execute_update(CustomerLifecycle.change, command)
    await life.until(rests, PATIENCE)


async def test_lines_and_end_change_once_though_every_answer_is_lost(home: tuple[House, TrytonWorld]) -> None:
    house, world = home
    world.proxy.lose_every_answer = True
    life = await house.start(an_order(house, "salesforce_new_hooli"))
    await life.until(lambda view: done(view, "onboarding") and done(view, "billing-start") and rests(view), PATIENCE)
    today = (await clock(life)).date()
    await life.tell(MilestoneReached(milestone="go-live", on=today))
    ends = (await life.until(live, PATIENCE)).term_ends
    assert ends is not None

    asked = Amend(removed=("SUPPORT-PREMIUM",), effective=today + timedelta(days=30))
    swap = await sell_lines(SqlOrders(house.database), house.company, life.contract, asked, [NEW], "csm")
    await give(life, swap, "swap")
    await give(life, Extend(ends=ends + timedelta(days=90)), "longer")
    assert ends_of(world, life) == ends + timedelta(days=90)
    gone = today + timedelta(days=30)
    assert days(world, life) == {
        "PLATFORM": (None, None),
        "ONBOARDING": (None, None),
        "SUPPORT-PREMIUM": (None, gone),
        "ANALYTICS": (gone, None),
    }
    await give(life, Undo(change="longer"), "shorter")
    await give(life, Undo(change="swap"), "back")
    assert ends_of(world, life) == ends
    assert days(world, life)["SUPPORT-PREMIUM"] == (None, None)
    assert days(world, life)["ANALYTICS"] == (gone, gone)
    changed = {key for key in world.proxy.lost if key.startswith(("amendment:", "term-change:"))}
    assert len(changed) == 4, "every change lost its first answer"


async def test_a_month_that_finance_has_closed_is_a_case_and_dated_anew(home: tuple[House, TrytonWorld]) -> None:
    house, world = home
    closed, opens = await world.close_books()
    changes = {"signed_on": closed.isoformat(), "terms.start": "on_signature"}  # one line is billed from the signature
    life = await house.start(an_order(house, "salesforce_new_hooli"), **changes)
    view = await life.until(lambda view: view.cases, PATIENCE)
    [case] = view.cases
    assert (case.kind, case.actor) == ("period_closed", "finance")
    assert f"open from {opens} on" in case.reasons[0]
    await life.handle.execute_update(CustomerLifecycle.retry_step, RetryStep(case=case.id, by="finance", on=opens))
    await life.until(lambda view: done(view, "billing-start") and rests(view), PATIENCE)
    assert world.tryton.sql(
        "SELECT l.tenure_billed_from FROM sale_subscription_line l JOIN sale_subscription s ON s.id = l.subscription"
        " WHERE s.tenure_contract = %s AND l.tenure_billed_from < %s",
        life.contract,
        opens + timedelta(days=1),
    ) == [(opens,)]


def ends_of(world: TrytonWorld, life: Life) -> object:
    [(ends,)] = world.tryton.sql("SELECT tenure_ends FROM sale_subscription WHERE tenure_contract = %s", life.contract)
    return ends


def days(world: TrytonWorld, life: Life) -> dict[str, tuple[object, object]]:
    """The own days of each product's line."""
    rows = world.tryton.sql(
        "SELECT p.code, l.tenure_starts, l.tenure_ends FROM sale_subscription_line l"
        " JOIN sale_subscription s ON s.id = l.subscription JOIN sale_subscription_service v ON v.id = l.service"
        " JOIN product_product p ON p.id = v.product WHERE s.tenure_contract = %s",
        life.contract,
    )
    return {code: (starts, ends) for code, starts, ends in rows}
