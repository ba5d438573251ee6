"""A contract's life with Stripe in the place of an ERP: real Temporal, ledger and lanes, everything else in the box."""

from collections.abc import AsyncIterator
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pytest
import stripe
from temporalio.client import Client

from domain import calendar, keys
from domain.messages import AmendmentWon, EndContract, RenewalWon
from domain.view import Stage
from tests.house import House, Life, open_house
from tests.stripe.routes import Route
from tests.stripe.server import Instead
from tests.stripe.shop import Record
from tests.stripe.world import StripeWorld, stripe_world
from tests.workflow.lives import (
    HOOLI,
    ZONE,
    clock,
    done,
    go_live,
    opportunity,
    prepared,
    rests,
    to_day,
    to_end,
    to_term_end,
)
from workflows.lifecycle import CustomerLifecycle

PATIENCE = 60  # seconds: each lost answer costs one before it is asked again
PLATFORM, SUPPORT = "00kDn000001LiNfIAK", "00kDn000001LiNgIAK"


class _LosesAnswers:
    """What makes something, and what records it, is done, and its first answer lost. Each time costs a second or more
    before it is asked again, so the small steps between are spared; test_stripe_once.py loses those."""

    def __init__(self, world: StripeWorld) -> None:
        self._world = world
        self.lost: set[str] = set()

    async def __call__(self, route: Route, asked: tuple[dict[str, str], Any, str | None]) -> Instead | None:
        key = asked[2]
        if key is None or key in self.lost or ("#" in key and "#record" not in key):
            return None
        self.lost.add(key)
        self._world.stand_in.perform(route, *asked)
        raise httpx.ReadError("lost")


@pytest.fixture
async def home(temporal: Client, tmp_path: Path) -> AsyncIterator[tuple[House, StripeWorld]]:
    async with stripe_world(zone=ZONE) as world:
        for product in ("ONBOARDING", "PLATFORM", "SUPPORT-PREMIUM"):
            world.shop.put(stripe.Product, product, name=product, active=True)
        async with open_house(temporal, tmp_path, instead={"erp": world.port}) as house:
            yield house, world


def _schedule(world: StripeWorld, line: str) -> Record:
    [found] = [each for each in world.shop.all("subscription_schedule") if each["metadata"].get("tenure_line") == line]
    return found


async def _follow(life: Life, world: StripeWorld) -> None:
    """Stripe's clock, up to the lifecycle's."""
    ahead = await clock(life) - world.shop.now
    world.shop.advance(max(ahead, timedelta(0)))


async def test_from_the_won_order_to_the_end_once_though_answers_are_lost(home: tuple[House, StripeWorld]) -> None:
    house, world = home
    lossy = _LosesAnswers(world)
    world.stand_in.disturb = lossy
    life = await house.start(house.payload(HOOLI))
    await life.until(lambda view: done(view, "onboarding") and done(view, "billing-start") and rests(view), PATIENCE)
    view = await go_live(life)
    assert view.term_starts is not None
    assert view.window_opens is not None

    [customer] = world.shop.all("customer")
    assert customer["metadata"]["tenure_key"] == keys.customer(view.account, "ACME-DE")
    record = view.effects[keys.subscription(life.contract)]
    assert world.shop.get("product", record)["metadata"]["tenure_contract"] == life.contract
    [invoice] = world.shop.all("invoice")
    assert (invoice["total"], invoice["auto_advance"], len(invoice["lines"]["data"])) == (600_000, True, 1)
    platform, support = _schedule(world, PLATFORM), _schedule(world, SUPPORT)
    price = world.shop.get("price", support["phases"][0]["items"][0]["price"])
    assert (price["unit_amount"], price["recurring"]["interval_count"]) == (480_000, 3)
    assert (platform["status"], platform["phases"][0]["items"][0]["quantity"]) == ("active", 50)

    won = AmendmentWon(deal="UP-1", mode="difference", changes={"PLATFORM": Decimal(25)})
    assert await life.tell(won) == ["applied"]
    await life.until(lambda view: done(view, "amendment") and rests(view), PATIENCE)
    assert platform["phases"][0]["items"][0]["quantity"] == 75

    await to_day(life, view.window_opens)
    await _follow(life, world)
    view = await life.until(prepared, PATIENCE)
    assert await life.tell(RenewalWon(opportunity=opportunity(view))) == ["applied"]
    await life.until(lambda view: rests(view) and view.decision is not None, PATIENCE)
    await to_term_end(life)
    await _follow(life, world)
    view = await life.until(lambda view: view.term == 2 and rests(view), PATIENCE)
    second = calendar.add_months(view.term_starts, 12) if view.term_starts else None
    state = await world.port.subscription_state(record)
    assert (view.stage, state.status, state.entitled, state.ends) == (Stage.SERVING, "active", True, second)
    assert _schedule(world, PLATFORM)["phases"][-1]["items"][0]["quantity"] == 75

    assert state.ends is not None
    command = EndContract(by="ops", reason="churn")
    await life.handle.execute_update(CustomerLifecycle.end, command)
    await to_end(life, state.ends)
    world.shop.advance(timedelta(days=400))
    state = await world.port.subscription_state(record)
    assert (state.status, state.entitled) == ("ended", False)
    assert {each["status"] for each in world.shop.all("subscription")} == {"canceled"}

    assert len(world.shop.all("customer")) == 1
    assert len([each for each in world.shop.all("product") if "tenure_contract" in each["metadata"]]) == 1
    assert len(world.shop.all("invoice")) == 1
    assert len(lossy.lost) >= 10
