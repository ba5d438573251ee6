"""The life of a contract on the real server: from the won order to the second term."""

import asyncio
from datetime import timedelta
from decimal import Decimal
from typing import Any, cast

from domain import calendar
from domain.messages import AmendmentWon, CollectionsChanged, RenewalWon
from domain.view import Stage
from store.views import SqlViews
from tests.house import House
from tests.workflow.lives import (
    HOOLI,
    ZONE,
    calls,
    clock,
    counts,
    deal,
    eventually,
    go_live,
    health,
    onboarding,
    open_window,
    opportunity,
    prepared,
    records,
    rests,
    serving,
    to_instant,
    to_term_end,
)

PLATFORM = "00kDn000001LiNfIAK"


async def test_from_the_won_order_to_the_second_term(house: House) -> None:
    life = await onboarding(house)
    view = await go_live(life)
    activated = view.term_starts
    assert activated is not None
    assert view.stage is Stage.SERVING

    await life.tell(CollectionsChanged(delinquent=("INV-1",), overdue_since=activated - timedelta(days=3)))
    await health(house, risk="medium", renewal_priority="raised")
    await life.tell(CollectionsChanged())
    await health(house, risk="low", renewal_priority="normal")

    won = AmendmentWon(deal="UP-1", mode="difference", changes={"PLATFORM": Decimal(25)})
    assert await life.tell(won) == ["applied"]
    await life.until(rests)

    view = await open_window(life)
    assert view.stage is Stage.RENEWAL
    await health(house, renewal_priority="raised", lifecycle_stage="renewal")
    assert await life.tell(RenewalWon(opportunity=opportunity(view))) == ["applied"]
    await life.until(lambda view: rests(view) and view.decision is not None)
    await to_term_end(life)
    view = await life.until(lambda view: view.term == 2)

    second = calendar.add_months(activated, 12), calendar.add_months(activated, 24)
    assert (view.term_starts, view.term_ends, view.stage) == (*second, Stage.SERVING)
    [renewal] = await records(house, "erp", "renewals")
    assert (renewal["term"], renewal["starts"], renewal["ends"]) == (2, *(day.isoformat() for day in second))
    [subscription] = await records(house, "erp", "subscriptions")
    quantities = {line["id"]: line["quantity"] for line in subscription["lines"]}
    assert quantities[PLATFORM] == "75"
    assert (subscription["term"], subscription["ends"]) == (2, second[1].isoformat())
    assert await counts(house, "erp") == {
        "customers": 1, "subscriptions": 1, "activations": 1, "billing_starts": 3, "amendments": 1, "renewals": 1,
    }  # fmt: skip
    assert await counts(house, "cs") == {
        "companies": 1, "plans": 1, "tasks": 5, "health": 1, "playbooks": 1, "notes": 1,
    }  # fmt: skip
    [renewing] = [each for each in await records(house, "crm", "opportunities") if each["Type"] == "Renewal"]
    assert renewing["CloseDate"] == second[0].isoformat()
    assert (await deal(life))["Tenure_Status__c"] == "renewed"


async def test_the_order_is_activated_step_by_step_and_the_deal_shows_it(house: House) -> None:
    life = await onboarding(house)
    made = [call["operation"] for call in await calls(house, "erp")]
    asked = ["find_customer", "similar_customers"]
    assert made[:5] == [*asked, "create_customer", "create_subscription", "activate_order"]
    in_cs = [call["operation"] for call in await calls(house, "cs")]
    assert in_cs.index("ensure_company") < in_cs.index("launch_onboarding")
    shown, view = await deal(life), await life.view()
    [customer] = await records(house, "erp", "customers")
    [subscription] = await records(house, "erp", "subscriptions")
    assert (shown["ERP_Customer__c"], shown["ERP_Subscription__c"]) == (customer["id"], subscription["id"])
    assert shown["Tenure_Status__c"] == "active"
    assert shown["Tenure_Renewal_Date__c"] == str(view.term_ends)


async def test_what_is_billed_on_signature_starts_at_once_and_the_platform_only_at_go_live(house: House) -> None:
    life = await onboarding(house)
    before = {start["line"]: start for start in await records(house, "erp", "billing_starts")}
    signed = house.payload(HOOLI)["CloseDate"]
    assert PLATFORM not in before
    assert before["00kDn000001LiNeIAK"]["starts"] == signed
    await life.travel(20)
    assert PLATFORM not in {start["line"] for start in await records(house, "erp", "billing_starts")}
    live_on = (await clock(life)).date()
    await go_live(life)
    starts = [start for start in await records(house, "erp", "billing_starts") if start["line"] == PLATFORM]
    assert [(start["starts"], start["accepted_on"]) for start in starts] == [(str(live_on), str(live_on))]


async def test_the_renewal_window_opens_exactly_on_its_day_in_the_contracts_zone(house: House) -> None:
    life = await serving(house)
    view = await life.view()
    assert view.term_ends is not None
    assert view.window_opens == view.term_ends - timedelta(days=90)
    opens = calendar.start_of_day(view.window_opens, ZONE)
    await to_instant(life, opens - timedelta(minutes=1))
    assert (await life.view()).stage is Stage.SERVING
    assert "playbooks" not in await counts(house, "cs")
    await to_instant(life, opens)
    view = await life.until(prepared)
    assert view.as_of is not None
    assert timedelta(0) <= view.as_of - opens < timedelta(seconds=30)


async def test_the_open_window_shows_readiness_and_prepares_the_renewal(house: House) -> None:
    life = await serving(house)
    [company] = await records(house, "cs", "companies")
    account = company["external_id"]
    await house.http.post("/support/cases", json={"account": account, "severity": 1}, headers=BEARER)
    await house.http.put(f"/usage/accounts/{account}", json={"active": 45, "entitled": 50}, headers=BEARER)
    view = await open_window(life)
    assert view.readiness is not None
    reasons = str(view.readiness["reasons"])
    assert "severity 1: 1" in reasons
    assert "open onboarding tasks: 5" in reasons
    assert "not readable" not in reasons
    shown = cast("dict[str, Any]", view.readiness["entitlement"])
    assert (shown["entitled"], shown["stale"], shown["ends"]) == (True, False, str(view.term_ends))
    assert set(shown["revenue"]) == {line.id for line in view.lines}
    assert set(shown["revenue"].values()) <= {"running", "complete"}, "billed with its acceptance date, line by line"
    [playbook] = await records(house, "cs", "playbooks")
    [note] = await records(house, "cs", "notes")
    assert playbook["due"] == str(view.term_ends)
    assert "Renewal readiness" in note["text"]
    assert "severity 1: 1" in note["text"]


async def test_the_store_shows_what_the_query_answers(house: House) -> None:
    life = await serving(house)
    asked = (await life.view()).model_dump(exclude={"as_of", "last_seq"})
    views = SqlViews(house.database)

    async def published() -> bool:
        kept = await views.get(life.contract)
        return kept is not None and kept.model_dump(exclude={"as_of", "last_seq"}) == asked

    await eventually(published)


async def test_two_contracts_won_in_the_same_moment_share_one_customer_and_one_company(house: House) -> None:
    first, second = house.payload(HOOLI), house.payload(HOOLI)
    second["Id"] = "006Dn000009XyZBIA0"
    lives = await asyncio.gather(house.start(first), house.start(second))
    for life in lives:
        await life.until(lambda view: view.stage is Stage.ONBOARDING and "onboarding:" in str(view.effects), 40)
    assert await counts(house, "erp") | {"billing_starts": 0} == {
        "customers": 1, "subscriptions": 2, "activations": 2, "billing_starts": 0,
    }  # fmt: skip
    in_cs = await counts(house, "cs")
    assert (in_cs["companies"], in_cs["plans"]) == (1, 2)
    customers = {subscription["customer"] for subscription in await records(house, "erp", "subscriptions")}
    assert customers == {(await lives[0].view()).effects["customer:001Dn00000AbCdEIAV:ACME-DE"]}


BEARER = {"Authorization": "Bearer sandbox"}
