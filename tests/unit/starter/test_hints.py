"""Thin events: what they name is read back, once per record and version, whatever happens in between."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest
from sqlmodel import select

from adapters.crm.hubspot import HubSpotReader
from adapters.crm.sandbox import SandboxCrm
from domain.errors import TenureError
from domain.ports import ChangedDeals, CrmReader, DealRecord
from starter.hints import Hints
from starter.routing import START
from starter.settings import Settings
from starter.sources.reading import Hint, Sources, Usable
from store.database import insert_once
from store.lifecycles import Lifecycles
from store.tables import DeliveryRow, InboxRow
from tests.hinting import Bell
from tests.intake import CONTRACT, DEAL, open_desk
from tests.kits.crm_reader import ASKED_OF_HUBSPOT
from tests.kits.sandbox import client, sandbox_world

NAMES = {"read_deal": "read_opportunity"}
CASE = f"unreadable_record:crm:{DEAL}"


@pytest.fixture
async def bell(tmp_path: Path) -> AsyncIterator[Bell]:
    with open_desk(tmp_path) as desk:
        async with sandbox_world("crm", SandboxCrm, NAMES) as world:
            yield Bell(desk, world)


async def test_hints_on_one_record_are_one_read_and_one_fact(bell: Bell) -> None:
    await bell.put_deal()
    await bell.ring(DEAL, DEAL, DEAL)
    assert await bell.hints.read_back() == 3
    assert await bell.world.calls("read_deal") == 1
    assert await bell.facts() == ["tenure.deal.closed_won.v1"]
    assert {row.reason for row in await bell.rows("hint.deal")} == {
        f"read back as {(await bell.world.port.read_deal(DEAL)).version}"
    }
    await bell.desk.route()
    assert [(stream, kind) for stream, kind, _ in await bell.desk.deliveries()] == [(CONTRACT, START)]


async def test_what_was_read_back_is_understood_whatever_its_source_speaks(bell: Bell) -> None:
    await bell.put_deal()
    await bell.ring(source="hubspot")
    await Hints(bell.desk.database, {"hubspot": bell.world.port}).read_back()
    [fact] = await bell.rows("tenure.deal.closed_won.v1")
    declared = {"preset": "hubspot", "connection": "crm", "secrets": [{"value": "s3cret"}]}
    sources = Sources(Settings.model_validate({"webhooks": {"hubspot": declared}}))
    read = sources.read(fact.source, fact.payload)
    assert isinstance(read, Usable)
    assert (fact.source, read.event.type, read.event.id) == ("hubspot", fact.type, fact.event_id)


async def test_nothing_to_read_reads_nothing(bell: Bell) -> None:
    assert await bell.hints.read_back() == 0
    await bell.put_deal()
    await bell.ring()
    assert await bell.read_until_quiet() == 1
    assert await bell.world.calls("read_deal") == 1


async def test_the_same_version_is_one_fact_and_a_later_one_another(bell: Bell) -> None:
    await bell.put_deal()
    for _ in range(2):
        await bell.ring()
        await bell.hints.read_back()
    assert await bell.facts() == ["tenure.deal.closed_won.v1"]
    await bell.world.change_deal(DEAL, Name="Hooli 60 seats")
    await bell.ring()
    await bell.hints.read_back()
    assert await bell.facts() == ["tenure.deal.closed_won.v1"] * 2
    assert await bell.states() == {"routed": 3}


async def test_an_open_deal_without_a_contract_is_nobodys_business(bell: Bell) -> None:
    await bell.put_deal(StageName="Negotiation")
    await bell.ring()
    await bell.hints.read_back()
    assert await bell.states() == {"ignored": 1}
    assert await bell.facts() == []


async def test_lost_and_reopened_deals_are_told_as_such(bell: Bell) -> None:
    await bell.put_deal()
    await bell.ring()
    await bell.hints.read_back()
    await bell.desk.route()
    for stage in ("Negotiation", "Closed Lost"):
        await bell.world.change_deal(DEAL, StageName=stage)
        await bell.ring()
        await bell.hints.read_back()
    assert await bell.facts() == ["tenure.deal.closed_won.v1", "tenure.deal.lost.v1", "tenure.deal.reopened.v1"]


class Through:
    """A reader over another one."""

    def __init__(self, reader: CrmReader) -> None:
        self._reader = reader

    async def read_deal(self, deal: str) -> DealRecord:
        return await self._reader.read_deal(deal)

    async def changed_deals(self, since: datetime, cursor: str | None = None) -> ChangedDeals:
        return await self._reader.changed_deals(since, cursor)


class Held(Through):
    """It has its answer, and does not give it before it is told to."""

    def __init__(self, reader: CrmReader) -> None:
        super().__init__(reader)
        self.has_read, self.go_on = asyncio.Event(), asyncio.Event()

    async def read_deal(self, deal: str) -> DealRecord:
        record = await super().read_deal(deal)
        self.has_read.set()
        await self.go_on.wait()
        return record


class Broken(Through):
    """It has a bug that one record brings out."""

    async def read_deal(self, deal: str) -> DealRecord:
        return await super().read_deal(deal) if deal == DEAL else DealRecord.model_validate({})


async def test_a_crash_between_read_and_write_costs_another_read(bell: Bell) -> None:
    await bell.put_deal()
    await bell.ring()
    held = Held(bell.world.port)
    dying = asyncio.create_task(bell.reading(held).read_back())
    await held.has_read.wait()
    dying.cancel()
    await asyncio.gather(dying, return_exceptions=True)
    assert await bell.states() == {"hint": 1}
    assert await bell.hints.read_back() == 0  # the dead one's lease lives
    assert 0 < await bell.pause() <= 60
    await bell.time_passes()
    assert await bell.hints.read_back() == 1
    assert await bell.facts() == ["tenure.deal.closed_won.v1"]


async def test_a_reader_overtaken_after_its_lease_changes_nothing(bell: Bell) -> None:
    await bell.put_deal()
    await bell.ring()
    held = Held(bell.world.port)
    slow = asyncio.create_task(bell.reading(held).read_back())
    await held.has_read.wait()
    await bell.time_passes()
    await bell.hints.read_back()
    held.go_on.set()
    await slow
    assert await bell.facts() == ["tenure.deal.closed_won.v1"]
    assert await bell.states() == {"routed": 1}


async def test_a_hint_that_comes_during_the_read_is_read_again(bell: Bell) -> None:
    await bell.put_deal()
    await bell.ring()
    held = Held(bell.world.port)
    reading = asyncio.create_task(bell.reading(held).read_back())
    await held.has_read.wait()
    await bell.world.change_deal(DEAL, Name="Hooli 60 seats")
    await bell.ring()
    assert await bell.hints.read_back() == 0
    held.go_on.set()
    await reading
    assert await bell.hints.read_back() == 1
    assert await bell.facts() == ["tenure.deal.closed_won.v1"] * 2


async def test_an_outage_is_waited_out_with_a_case_that_ends_with_it(bell: Bell) -> None:
    await bell.put_deal()
    await bell.ring()
    await bell.world.disturb("*", "error")
    pauses = []
    for attempt in range(1, 12):
        assert await bell.hints.read_back() == 0
        pauses.append(round(await bell.pause()))
        assert (await bell.cases.get(CASE) is not None) == (attempt >= 5)
        await bell.ring()  # one more hint does not make it try sooner
        assert await bell.hints.read_back() == 0
        assert await bell.world.calls("read_deal") == attempt
        await bell.time_passes()
    assert pauses == [2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900]
    case = await bell.cases.get(CASE)
    assert case is not None
    assert (case.state, case.kind, case.problem, case.actor) == ("open", "unreadable_record", "outage", "engineer")
    assert case.reasons == ["crm.read_deal: HTTP 500"]
    assert "webhooks.crm.connection" in case.mend
    await bell.world.heal()
    assert await bell.hints.read_back() == 12
    assert (await bell.cases.get(CASE) or case).state == "resolved"
    assert await bell.facts() == ["tenure.deal.closed_won.v1"]


@pytest.mark.parametrize(("asked", "waits"), [("120", 120), ("7200", 900), ("0", 2)])
async def test_the_server_says_how_long_within_reason(bell: Bell, asked: str, waits: int) -> None:
    await bell.put_deal()
    await bell.ring()
    fault = {"system": "crm", "kind": "rate_limit", "retry_after": asked, "times": 1}
    (await bell.world.http.post("/admin/faults", json=fault)).raise_for_status()
    assert await bell.hints.read_back() == 0
    assert round(await bell.pause()) == waits


async def test_what_can_never_be_read_is_a_dead_letter(bell: Bell) -> None:
    await bell.put_deal()
    await bell.ring("no-such", DEAL)
    await bell.ring(DEAL, source="erp")
    assert await bell.hints.read_back() == 3
    dead = {(row.source, row.subject): row for row in await bell.rows("hint.deal") if row.state == "dead"}
    assert set(dead) == {("crm", "no-such"), ("erp", DEAL)}
    assert {row.problem for row in dead.values()} == {"not_found"}
    assert dead["crm", "no-such"].reason.startswith("no-such can't be read back: crm.read_deal: HTTP 404")


async def test_a_refused_token_is_a_dead_letter_that_a_later_read_makes_moot(bell: Bell) -> None:
    await bell.put_deal()
    await bell.ring()
    await bell.reading(bell.world.stranger).read_back()
    [row] = await bell.rows("hint.deal")
    assert (row.state, row.problem) == ("dead", "auth")
    await bell.ring()
    await bell.hints.read_back()
    assert {row.state for row in await bell.rows("hint.deal")} == {"ignored", "routed"}


async def test_a_reader_that_breaks_holds_up_nobody_else(bell: Bell) -> None:
    await bell.put_deal()
    await bell.ring("006Broken", DEAL)
    assert await bell.reading(Broken(bell.world.port)).read_back() == 2
    assert await bell.facts() == ["tenure.deal.closed_won.v1"]
    [broken] = [row for row in await bell.rows("hint.deal") if row.state == "dead"]
    assert (broken.subject, broken.problem) == ("006Broken", "internal")


async def test_two_at_once_read_every_record_once(bell: Bell) -> None:
    deals = [f"006{n:03d}" for n in range(40)]
    for deal in deals:
        await bell.put_deal(deal, AccountId=f"001{deal}")
    await bell.ring(*deals, *deals)
    one, other = bell.reading(bell.world.port), bell.reading(bell.world.port)
    settled = await asyncio.gather(bell.read_until_quiet(one), bell.read_until_quiet(other))
    assert sum(settled) == 80
    assert await bell.world.calls("read_deal") == 40
    assert await bell.facts() == ["tenure.deal.closed_won.v1"] * 40
    while await bell.desk.route():
        pass
    query = select(DeliveryRow).where(DeliveryRow.kind == START)
    assert len(await bell.desk.database.read(lambda session: session.exec(query).all())) == 40


async def test_a_gap_is_filled_with_what_changed_meanwhile_and_only_once(bell: Bell) -> None:
    await bell.put_deal("006old", AccountId="001old")
    since = await bell.world.pass_time(timedelta(days=1))
    for number in range(205):  # more than a page
        await bell.put_deal(f"006{number:03d}", AccountId=f"001{number:03d}")
    await bell.ring("006000")
    await bell.hints.read_back()
    assert await bell.hints.back_fill("crm", since) == 204
    assert await bell.hints.back_fill("crm", since) == 0
    assert await bell.hints.read_back(limit=20) == 20
    assert await bell.facts() == ["tenure.deal.closed_won.v1"] * 21
    assert await bell.hints.back_fill("crm", since) == 0
    assert {row.subject for row in await bell.rows("hint.deal")} == {f"006{number:03d}" for number in range(205)}


async def test_a_gap_that_the_source_announces_is_filled_by_a_query(bell: Bell) -> None:
    """As in change data capture: one event may name many records, or say that some were lost."""
    declared = {
        "connection": "crm",
        "secrets": [{"value": "s3cret"}],
        "signature": {"kind": "token", "header": "x-token"},
        "each": "ChangeEventHeader.recordIds[].{record: @}",
        "keep": "{header: ChangeEventHeader}",
        "id": "record",
        "type": "header.changeType",
        "dedupe": ["header.commitNumber", "record"],
        "types": [{"type": "GAP_*", "hint": "gap"}, {"type": "*", "hint": "deal", "record": "record"}],
    }
    source = Sources(Settings.model_validate({"webhooks": {"crm": declared}}))["crm"]
    changed, gap = (
        {"ChangeEventHeader": {"entityName": "Opportunity", "recordIds": ids, "changeType": kind, "commitNumber": 7}}
        for kind, ids in (("UPDATE", ["006a", "006b"]), ("GAP_UPDATE", ["006z"]))
    )
    hints = [source.read(event) for body in (changed, gap) for event in source.split(body) or []]
    assert hints == [Hint("deal", "006a"), Hint("deal", "006b"), Hint("gap", "crm")]
    for deal in (DEAL, "006Missed"):
        await bell.put_deal(deal, AccountId=f"acc-{deal}")
    await bell.ring()
    row = InboxRow(source="crm", event_id="gap", type="hint.gap", subject="crm", payload="{}", state="hint")
    await bell.desk.database.write(partial(insert_once, row=row, keys=("source", "event_id")))
    await bell.read_until_quiet()
    assert await bell.facts() == ["tenure.deal.closed_won.v1"] * 2
    [filled] = await bell.rows("hint.gap")
    assert (filled.state, "filled by a query" in filled.reason) == ("routed", True)


async def test_a_source_without_a_crm_can_not_be_filled(bell: Bell) -> None:
    with pytest.raises(TenureError, match="no CRM to read from"):
        await bell.hints.back_fill("erp", datetime(2026, 11, 1, tzinfo=UTC))


# ── merged deals ─────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
async def hubspot(bell: Bell) -> AsyncIterator[Hints]:
    """Hints that are read from the same box, as HubSpot: there, deals are merged."""
    async with client(bell.world.app, "/hubspot") as http:
        yield bell.reading(HubSpotReader(http, ASKED_OF_HUBSPOT))


async def test_a_merged_deal_finds_the_contract_of_the_one_that_is_gone(bell: Bell, hubspot: Hints) -> None:
    await bell.put_deal()
    await bell.ring()
    await bell.hints.read_back()
    await bell.desk.route()
    await bell.put_deal("006Merged")
    await bell.world.change_deal(DEAL, Merged_Into__c="006Merged")
    await bell.ring()
    assert await hubspot.read_back() == 1
    assert await Lifecycles(bell.desk.database).find("crm", "deal", "006Merged") == CONTRACT
    assert await bell.cases.list() == []
    assert await bell.facts() == ["tenure.deal.closed_won.v1"] * 2


async def test_two_contracts_for_one_merged_deal_are_a_persons_decision(bell: Bell, hubspot: Hints) -> None:
    for deal in (DEAL, "006Merged"):
        await bell.put_deal(deal, AccountId=f"001{deal}")
        await bell.ring(deal)
    await bell.hints.read_back()
    await bell.desk.route()
    await bell.world.change_deal(DEAL, Merged_Into__c="006Merged")
    await bell.ring()
    await hubspot.read_back()
    [case] = await bell.cases.list()
    assert (case.kind, case.contract) == ("merged_deals", CONTRACT)
    assert case.reasons == [f"{DEAL} has {CONTRACT}, 006Merged has crm/006Merged/1"]
