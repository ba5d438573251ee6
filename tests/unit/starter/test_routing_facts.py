"""Milestones, invoices, support and usage: which lifecycle they concern, and what waits until that is known."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from starter.routing import FACT, START, TELL, unpark_known
from store.ledger import SqlLedger
from store.lifecycles import Lifecycles
from store.tables import LifecycleRow
from tests.intake import ACCOUNT, CONTRACT, Desk, deal, open_desk

MILESTONE = {"contract": CONTRACT, "milestone": "go-live", "completed_on": "2027-01-15"}
INVOICE = {
    "invoice": "inv_1",
    "subscription": "sub_1",
    "customer": "cus_1",
    "amount": "100.00",
    "currency": "EUR",
    "due_on": "2027-01-15",
    "version": 1,
}
CASE = {"case": "case_1", "account": ACCOUNT, "severity": 1, "version": 1}
USAGE = {"account": ACCOUNT, "active": "10", "entitled": "50", "as_of": "2027-01-15"}
ACCOUNT_EVENTS = [("support_case.opened", CASE), ("support_case.closed", CASE), ("usage.reported", USAGE)]


@pytest.fixture
def desk(either_url: str) -> Iterator[Desk]:
    with open_desk(either_url) as desk:
        yield desk


async def kinds(desk: Desk) -> list[tuple[str, str]]:
    return [(stream, kind) for stream, kind, _ in await desk.deliveries()]


async def subscribe(desk: Desk, subscription: str) -> None:
    """The ledger records that the ERP has made the contract's subscription."""
    ledger, key = SqlLedger(desk.database), f"subscription:{CONTRACT}"
    claim = await ledger.claim(
        key, contract=CONTRACT, operation="erp.create_subscription", arguments="a", lease=5, generation=1
    )
    await ledger.mark_sent(key, fence=claim.fence, deadline=1)
    await ledger.done(key, fence=claim.fence, result={"id": subscription})


async def second_life(desk: Desk, contract: str = "crm/006-second/1", *, closed: bool = False) -> None:
    """Another contract of the same account."""
    row = LifecycleRow(
        contract=contract, tenant="acme", account=ACCOUNT, deal="006-second", selling_entity="", workflow_id=contract
    )
    row.created_at, row.closed = datetime(2099, 1, 1, tzinfo=UTC), closed
    await Lifecycles(desk.database).add(row)


async def test_a_milestone_is_told_to_its_contract(desk: Desk) -> None:
    await desk.arrive("deal.closed_won", deal())
    assert (await desk.arrive("milestone.completed", MILESTONE)).state == "routed"
    stream, kind, told = (await desk.deliveries())[-1]
    assert (stream, kind) == (CONTRACT, TELL)
    assert (told["kind"], told["milestone"], told["on"]) == ("milestone_reached", "go-live", "2027-01-15")


async def test_a_milestone_of_an_unknown_contract_waits_for_it(desk: Desk) -> None:
    early = await desk.arrive("milestone.completed", MILESTONE)
    assert (early.state, early.parked_for) == ("parked", f"tenure:contract:{CONTRACT}")
    await desk.arrive("milestone.completed", {**MILESTONE, "contract": "crm/another/1"})
    await desk.arrive("deal.closed_won", deal())
    await desk.route()
    assert await kinds(desk) == [(CONTRACT, START), (CONTRACT, TELL)]
    assert await desk.inbox.counts() == {"routed": 2, "parked": 1}


@pytest.mark.parametrize("event", ["invoice.posted", "invoice.paid", "invoice.overdue"])
async def test_an_invoice_waits_until_its_subscription_is_known(desk: Desk, event: str) -> None:
    await desk.arrive("deal.closed_won", deal())
    early = await desk.arrive(event, INVOICE)
    assert (early.state, early.parked_for) == ("parked", "erp:subscription:sub_1")
    await subscribe(desk, "sub_1")
    assert await desk.route() == 1
    assert await kinds(desk) == [(CONTRACT, START), (CONTRACT, FACT)]
    assert (await desk.arrive(event, {**INVOICE, "version": 2})).state == "routed"


async def test_the_sweep_frees_what_a_race_left_waiting(desk: Desk) -> None:
    await desk.arrive("deal.closed_won", deal())
    known = await desk.arrive("invoice.posted", INVOICE)
    unknown = await desk.arrive("invoice.posted", {**INVOICE, "subscription": "sub:with:colons"})
    await Lifecycles(desk.database).link("erp", "subscription", "sub_1", CONTRACT)
    assert await desk.database.write(unpark_known) == 1
    assert [(await desk.row(row.event_id)).state for row in (known, unknown)] == ["received", "parked"]
    await Lifecycles(desk.database).link("erp", "subscription", "sub:with:colons", CONTRACT)
    assert await desk.database.write(unpark_known) == 1


@pytest.mark.parametrize(("event", "data"), ACCOUNT_EVENTS)
async def test_an_account_s_event_goes_to_each_open_lifecycle_once(
    desk: Desk, event: str, data: dict[str, Any]
) -> None:
    await desk.arrive("deal.closed_won", deal())
    await second_life(desk)
    await second_life(desk, "crm/ended/1", closed=True)
    row = await desk.arrive(event, data)
    assert (await kinds(desk))[1:] == [(CONTRACT, FACT), ("crm/006-second/1", FACT)]
    await desk.inbox.replay(row.id or 0)
    await desk.route()
    assert len(await kinds(desk)) == 3


@pytest.mark.parametrize(("event", "data"), ACCOUNT_EVENTS)
async def test_an_account_s_event_waits_for_the_account_s_first_contract(
    desk: Desk, event: str, data: dict[str, Any]
) -> None:
    early = await desk.arrive(event, data)
    assert (early.state, early.parked_for) == ("parked", f"crm:account:{ACCOUNT}")
    await desk.arrive("deal.closed_won", deal())
    await desk.route()
    assert await kinds(desk) == [(CONTRACT, START), (CONTRACT, FACT)]


async def test_events_are_routed_in_the_order_in_which_they_came(desk: Desk) -> None:
    await desk.receive("deal.closed_won", deal())
    for day in range(1, 6):
        await desk.receive("milestone.completed", {**MILESTONE, "completed_on": f"2027-01-0{day}"})
    assert await desk.route() == 6
    told = [told["on"] for _, kind, told in await desk.deliveries() if kind == TELL]
    assert told == [f"2027-01-0{day}" for day in range(1, 6)]
    assert await desk.route() == 0


async def test_what_is_no_event_of_ours_is_a_dead_letter_that_can_be_mended(desk: Desk) -> None:
    await desk.arrive("deal.closed_won", deal())
    row = await desk.arrive("milestone.completed", {"contract": CONTRACT})
    assert row.state == "dead"
    assert "milestone: Field required" in row.reason
    mended = row.payload.replace(f'"contract": "{CONTRACT}"', f'"contract": "{CONTRACT}", "milestone": "go-live"')
    await desk.inbox.replay(row.id or 0, payload=mended.replace('"go-live"', '"go-live", "completed_on": "2027-01-15"'))
    await desk.route()
    assert (await kinds(desk))[-1] == (CONTRACT, TELL)


async def test_a_payload_that_is_not_json_is_a_dead_letter(desk: Desk) -> None:
    await desk.inbox.accept("crm", "bad", "t", "", "{")
    await desk.route()
    assert (await desk.row("bad")).state == "dead"


@pytest.mark.parametrize(
    ("type", "data"),
    [
        ("invoice.posted", {**INVOICE, "due_on": "9999-12-31"}),
        ("invoice.paid", {name: value for name, value in INVOICE.items() if name != "version"}),
        ("support_case.opened", {name: value for name, value in CASE.items() if name != "version"}),
        ("usage.reported", {**USAGE, "active": "1e30"}),
        ("usage.reported", {**USAGE, "active": "-1"}),
        ("usage.reported", {**USAGE, "entitled": "1e400"}),
        ("usage.reported", {**USAGE, "entitled": "NaN"}),
        ("usage.reported", {**USAGE, "active": "Infinity"}),
    ],
)
async def test_an_absurd_fact_is_a_dead_letter_and_the_next_one_is_kept(
    desk: Desk, type: str, data: dict[str, Any]
) -> None:
    await desk.arrive("deal.closed_won", deal())
    row = await desk.arrive(type, data)
    assert (row.state, bool(row.reason)) == ("dead", True)
    assert (await desk.arrive("usage.reported", USAGE)).state == "routed"
