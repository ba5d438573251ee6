"""From the ERP and the lifecycles' views to findings, snapshots and first steps: on SQLite and on PostgreSQL."""

from collections.abc import AsyncIterator
from datetime import date, timedelta
from decimal import Decimal
from functools import partial

import pytest
from sqlmodel import select

from domain.ports import Amendment
from domain.urgency import AT_RISK, USUAL
from domain.view import Stage
from starter.erp_reading import ErpReading
from starter.measuring import measure
from store.cases import Cases
from store.database import Database
from store.erp_states import freshness
from store.snapshots import beginnings, snapshots_on
from store.tables import LifecycleRow
from tests.figures import BEGIN, GO_LIVE, Books, open_books, platform


@pytest.fixture
async def books(either_url: str) -> AsyncIterator[Books]:
    database = Database(either_url)
    async with open_books(database) as opened:
        yield opened
    database.close()


def after(days: int) -> date:
    return BEGIN + timedelta(days=days)


async def test_what_goes_as_the_terms_say_is_no_finding(books: Books) -> None:
    contract = await books.win("FINE", [platform(), platform(id="2", billing_start=GO_LIVE)], billed={"1": BEGIN})
    await books.on(after(40))
    await books.change(contract, milestones={"go-live": after(40)})
    await books.bill(books.subscription(contract), "2", after(40))
    await books.sweep()
    assert await books.leaks() == []


async def test_billing_that_was_forgotten_is_found_priced_and_recovered(books: Books) -> None:
    contract = await books.win("FORGOTTEN", [platform(billing_start=GO_LIVE)], billed={})
    await books.on(after(10))
    await books.change(contract, milestones={"go-live": after(10)})
    await books.sweep()
    assert await books.leaks() == [], "on its own day it is not late"

    await books.on(after(30))
    await books.sweep()
    [leak] = await books.leaks()
    assert (leak.kind, leak.since, leak.found_on, leak.currency) == ("not_started", after(10), after(30), "EUR")
    assert leak.amount == "200.00", "20 days of 3650 a year"
    assert leak.sentence == f"PLATFORM could be billed since {after(10)}, and the ERP does not bill it"

    await books.on(after(32))
    await books.sweep()
    [leak] = await books.leaks()
    assert (leak.amount, leak.counted_on, leak.found_on) == ("220.00", after(32), after(30))

    await books.bill(books.subscription(contract), "1", after(20))
    await books.on(after(40))
    await books.sweep()
    [leak] = await books.leaks()
    assert (leak.closed_on, leak.amount, leak.recovered) == (after(40), "300.00", "200.00"), "10 days are lost"


async def test_the_reason_that_is_known_is_told(books: Books) -> None:
    contract = await books.win("HELD", [platform()], billed={})
    await books.on(after(3))
    await books.change(contract, hold="60 days overdue")
    await books.sweep()
    assert [leak.because for leak in await books.leaks()] == ["credit hold: 60 days overdue"]


async def test_billing_before_the_rule_allows_is_found_with_its_rule(books: Books) -> None:
    early = await books.win("EARLY", [platform(billing_start=GO_LIVE)], billed={"1": BEGIN})
    await books.on(after(20))
    await books.sweep()
    [leak] = await books.leaks()
    assert (leak.kind, leak.amount) == ("too_early", "200.00")
    assert "though the milestone go-live has not come" in leak.sentence

    await books.change(early, milestones={"go-live": after(20)})
    await books.on(after(50))
    await books.sweep()
    [leak] = await books.leaks()
    assert leak.amount == "200.00", "it does not grow once the rule is met"
    assert f"before {after(20)}" in leak.sentence


async def test_a_quantity_that_is_too_low_counts_from_the_day_on_which_it_was_found(books: Books) -> None:
    contract = await books.win("FEW", [platform()], billed={"1": BEGIN})
    line = books.views[contract].lines[0].model_copy(update={"quantity": "15"})
    await books.change(contract, lines=[line])
    await books.sweep()
    await books.on(after(10))
    await books.sweep()
    [leak] = await books.leaks()
    assert (leak.kind, leak.since, leak.amount) == ("under_billed", BEGIN, "50.00"), "5 of 15 seats for 10 days"
    assert leak.sentence == "15 of PLATFORM are agreed, and the ERP has 10"

    amendment = Amendment(subscription=books.subscription(contract), effective=after(4), quantities={"1": Decimal(15)})
    await books.erp.amend_subscription(amendment, key="amendment:x")
    await books.sweep()
    [leak] = await books.leaks()
    assert (leak.closed_on, leak.amount, leak.recovered) == (after(10), "50.00", "30.00"), "4 days are lost"


async def test_less_that_is_agreed_recovers_nothing(books: Books) -> None:
    contract = await books.win("LESS", [platform()], billed={"1": BEGIN})
    line = books.views[contract].lines[0]
    await books.change(contract, lines=[line.model_copy(update={"quantity": "15"})])
    await books.sweep()
    await books.on(after(10))
    await books.sweep()
    await books.change(contract, lines=[line])
    await books.sweep()
    [leak] = await books.leaks()
    assert (leak.closed_on, leak.amount, Decimal(leak.recovered or "1")) == (after(10), "50.00", Decimal(0))


async def test_a_finding_is_told_once_and_settled_once(books: Books) -> None:
    contract = await books.win("TOLD", [platform()], billed={})
    for days in (3, 4, 5):
        await books.on(after(days))
        await books.sweep()
    [case] = await books.cases()
    assert (case.state, case.kind, case.contract, case.actor) == ("open", "leak", contract, "finance")
    assert case.title == f"PLATFORM could be billed since {BEGIN}, and the ERP does not bill it"
    await books.bill(books.subscription(contract), "1", BEGIN)
    await books.sweep()
    await books.on(after(6))
    await books.sweep()
    [case] = await books.cases()
    assert (case.state, case.resolution) == ("resolved", "it is found no more: 50.00 of 50.00 EUR recovered")
    found, settled = await books.said()
    assert (found["type"], found["data"]["amount"]) == ("tenure.lifecycle.leakage_found.v1", "30.00")
    assert (settled["type"], settled["data"]["recovered"]) == ("tenure.lifecycle.leakage_settled.v1", "50.00")
    assert found["data"]["leak"] == settled["data"]["leak"]


async def test_a_finding_that_a_person_has_looked_at_is_not_opened_again(books: Books) -> None:
    await books.win("SEEN", [platform()], billed={})
    await books.on(after(3))
    await books.sweep()
    [case] = await books.cases()
    await Cases(books.database).resolve(case.id, "agreed with the customer")
    await books.on(after(4))
    await books.sweep()
    assert [(each.state, each.resolution) for each in await books.cases()] == [("resolved", "agreed with the customer")]


async def test_what_is_in_shadow_is_counted_and_nobodys_turn(books: Books) -> None:
    contract = await books.win("SHADOW", [platform()], billed={})
    await books.on(after(3))
    await books.change(contract, mode="shadow")
    await books.sweep()
    assert len(await books.leaks()) == 1
    assert await books.cases() == []
    await books.change(contract, mode="live")
    await books.sweep()
    assert [case.state for case in await books.cases()] == ["open"]


async def test_an_amendment_on_its_way_is_no_finding(books: Books) -> None:
    contract = await books.win("GROWS", [platform()], billed={"1": BEGIN})
    line = books.views[contract].lines[0].model_copy(update={"quantity": "15"})
    await books.change(contract, lines=[line], pending=[f"amendment:{contract}:D-2"])
    await books.sweep()
    assert await books.leaks() == []


async def test_what_is_over_and_still_served_is_found(books: Books) -> None:
    contract = await books.win("OVER", [platform()], billed={"1": BEGIN})
    await books.on(after(100))
    await books.change(contract, stage=Stage.ENDED, entitlement="ended", entitlement_since=after(90))
    await books.sweep()
    [leak] = await books.leaks()
    assert (leak.kind, leak.since, leak.amount) == ("expired_served", after(90), "100.00")
    assert leak.sentence == f"it ended on {after(90)}, and the ERP serves it on"


async def test_use_after_the_end_is_service(books: Books) -> None:
    from domain.facts import USAGE, Fact
    from store.facts import learn

    contract = await books.win("USED", [platform()], billed={"1": BEGIN})
    ends = books.views[contract].term_ends
    assert ends is not None
    await books.on(ends + timedelta(days=5))
    await books.change(contract, stage=Stage.OUT_OF_TERM)
    await books.sweep()
    assert await books.leaks() == [], "the ERP ended it by itself"

    used = Fact(USAGE, "ACC-USED", (ends + timedelta(days=2)).isoformat(), {"active": "7", "entitled": "10"})
    await books.database.write(lambda session: learn(session, contract, used))
    await books.on(ends + timedelta(days=6))
    await books.sweep()
    [leak] = await books.leaks()
    assert "it was used on" in leak.sentence


async def test_an_answer_that_is_older_than_the_view_proves_nothing(books: Books) -> None:
    contract = await books.win("STALE", [platform(billing_start=GO_LIVE)], billed={})
    await books.sweep()
    await books.on(after(30))
    await books.change(contract, milestones={"go-live": after(1)})
    await books.sweep(erps={"elsewhere": books.erp})
    assert await books.leaks() == []
    known = await books.database.read(freshness)
    assert known.problems == {"erp": "erp is not configured"}
    await books.sweep()
    assert len(await books.leaks()) == 1
    assert (await books.database.read(freshness)).problems == {}


async def test_first_steps_are_kept_with_the_days_on_which_they_were_made(books: Books) -> None:
    contract = await books.win("STEPS", [platform()], billed={"1": BEGIN}, signed_on=after(-4).isoformat())
    await books.sweep()
    await books.on(after(9))
    await books.invoice(contract, "3650", after(39))
    await books.change(contract, milestones={"go-live": after(8)})
    await books.sweep()
    [begun] = (await books.database.read(lambda session: beginnings(session, after(-4), after(0)))).values()
    assert (begun.signed_on, begun.activated_on, begun.launched_on) == (after(-4), BEGIN, BEGIN)
    assert (begun.live_on, begun.invoiced_on) == (after(8), after(9))


async def test_a_snapshot_is_written_where_something_is_other_than_before(books: Books) -> None:
    contract = await books.win("SNAP", [platform()], billed={"1": BEGIN})
    await books.sweep()
    await books.on(after(20))
    await books.sweep()
    await books.on(after(40))
    await books.change(contract, decision="renew (clause)")
    await books.sweep()

    for day, taken, decision in ((0, 0, None), (39, 0, None), (40, 40, "renew"), (400, 40, "renew")):
        [found] = await books.database.read(partial(snapshots_on, day=after(day)))
        assert (found.day, found.decision, found.annual) == (after(taken), decision, Decimal("3650.00"))
    assert await books.database.read(lambda session: snapshots_on(session, after(-1))) == []


async def test_what_has_changed_a_moment_ago_is_neither_read_nor_measured(books: Books) -> None:
    """In the middle of its steps a contract would look as if something were missing."""
    await books.win("MOVING", [platform(billing_start=GO_LIVE)], billed={})
    a_while = timedelta(hours=1)
    reading = ErpReading(books.database, {"erp": books.erp}, every=timedelta(days=9), rest=a_while)
    assert await reading.read() == 0
    assert await measure(books.database, books.company, rest=a_while) == 0
    reading = ErpReading(books.database, {"erp": books.erp}, every=timedelta(days=9))
    assert await reading.read() > 0
    assert await measure(books.database, books.company) == 1


async def test_who_goes_first_is_measured_too(books: Books) -> None:
    async def urgencies() -> set[int]:
        return set(await books.database.read(lambda session: session.exec(select(LifecycleRow.urgency)).all()))

    contract = await books.win("LATE", [platform()], billed={"1": BEGIN})
    await books.sweep()
    assert await urgencies() == {USUAL}
    await books.change(contract, risk="high")
    await books.sweep()
    assert await urgencies() == {AT_RISK}
