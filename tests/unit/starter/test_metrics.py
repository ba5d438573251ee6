"""What `/metrics` says of the store, as Prometheus reads it."""

import asyncio
import re
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import event

from starter.gateway import create_app
from starter.metrics import StoreCollector
from starter.settings import Settings
from store.cases import Cases
from store.database import Database, now
from store.inbox import Inbox, add_delivery, mark_dead, mark_parked, mark_routed
from store.outgoing import relay
from store.streams import Answer, Streams
from store.tables import CaseRow, FeedRow, InboxRow, OutgoingRow
from tests.stores import lay

Scraped = dict[tuple[str, str], float]


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    url = f"sqlite:///{tmp_path / 'store.db'}"
    lay(url)
    database = Database(url)
    yield database
    database.close()


async def scrape(settings: Settings, database: Database, collector: StoreCollector | None = None) -> Scraped:
    collector = collector or StoreCollector(database, ["crm", "quiet"], ["erp", "new"])
    transport = httpx.ASGITransport(create_app(settings, Inbox(database), collector=collector))
    async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as client:
        text = (await client.get("/metrics")).raise_for_status().text
    return {
        (sample.name, ",".join(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


async def test_an_empty_store_is_told_as_such(settings: Settings, database: Database) -> None:
    found = await scrape(settings, database)
    assert found["tenure_store_up", ""] == 1
    assert found["tenure_parked", ""] == 0
    assert found["tenure_dispatched_total", "delivered"] == 0
    assert found["tenure_outgoing_pending", "quiet"] == 0
    assert not [name for name, _ in found if name == "tenure_inbox_depth"]


async def test_the_inbox_and_its_deliveries(settings: Settings, database: Database) -> None:
    for source, n in (("crm", 1), ("crm", 2), ("erp", 3), ("erp", 4), ("erp", 5), ("cs", 6), ("cs", 7)):
        await Inbox(database).accept(source, f"e{n}", "t", "", "{}")

    def proceed(session: Any) -> None:
        mark_routed(session, 2)
        add_delivery(session, 2, "a", "fact", {})
        add_delivery(session, 2, "b", "fact", {})
        mark_routed(session, 3)
        for stream in "cde":
            add_delivery(session, 3, stream, "fact", {})
        mark_dead(session, 4, "why")
        mark_dead(session, 5, "why")
        session.get_one(InboxRow, 5).problem = "unknown_contract"
        mark_parked(session, 6, parked_for="crm:deal:1")
        session.get_one(InboxRow, 7).state = "hint"

    await database.write(proceed)
    streams = Streams(database)
    for stream, state in (("c", "delivered"), ("d", "recorded"), ("e", "refused")):
        fence = await streams.lease(stream, "me", 10)
        assert fence is not None
        await streams.number(stream, fence)
        await streams.finish(stream, fence, {1: Answer(state)})  # type: ignore[arg-type]  # one of its three words
    found = await scrape(settings, database)
    depth = {label: value for (name, label), value in found.items() if name == "tenure_inbox_depth"}
    assert depth == {"crm": 2, "cs": 1}, "received, a hint, and what is routed but not delivered: each event once"
    assert 0 <= found["tenure_inbox_oldest_seconds", "crm"] < 60
    assert found["tenure_dead_letters", "unknown_contract"] == 1
    assert found["tenure_dead_letters", "unusable"] == 1
    assert found["tenure_parked", ""] == 1
    assert found["tenure_deliveries", "pending"] == 2
    assert found["tenure_deliveries", "refused"] == 1
    assert found["tenure_dispatched_total", "delivered"] == 1
    assert found["tenure_dispatched_total", "recorded"] == 1


async def test_cases_feeds_and_what_goes_out(settings: Settings, database: Database) -> None:
    for n, kind in enumerate(("dead_letter", "dead_letter", "undelivered")):
        await Cases(database).open(CaseRow(id=f"{n}", kind=kind, title="t"))
    await Cases(database).resolve("0")

    def fill(session: Any) -> None:
        moment = now(session)
        session.add(FeedRow(name="erp", cursor="1", read_at=moment - 100, gaps=3))
        session.add(FeedRow(name="new"))
        session.add(FeedRow(name="taken out of the configuration", cursor="1", read_at=moment - 100_000))
        for n, contract in enumerate("aab"):
            body = {"id": f"{n}"}
            session.add(OutgoingRow(event_id=f"{n}", contract=contract, type="t", body=body, created_at=moment - 50))
            session.flush()
            if n == 1:
                relay(session, {"crm": ("*",)})

    await database.write(fill)
    found = await scrape(settings, database)
    assert found["tenure_open_cases", "dead_letter"] == 1
    assert found["tenure_open_cases", "undelivered"] == 1
    assert found["tenure_feed_lag_seconds", "erp"] == pytest.approx(100, abs=5)
    assert found["tenure_feed_lag_seconds", "new"] == float("inf"), "it was never read to its end"
    assert found["tenure_feed_gaps_total", "erp"] == 3
    assert found["tenure_outgoing_unrelayed", ""] == 1
    assert found["tenure_outgoing_pending", "crm"] == 2
    assert found["tenure_outgoing_held", "crm"] == 0
    assert found["tenure_outgoing_oldest_seconds", "crm"] == pytest.approx(50, abs=5)
    assert found["tenure_outgoing_oldest_seconds", "quiet"] == 0


async def test_a_store_that_is_away_takes_no_other_metric_with_it(settings: Settings, tmp_path: Path) -> None:
    away = Database(f"sqlite:///{tmp_path / 'no' / 'such' / 'directory.db'}")
    found = await scrape(settings, away, StoreCollector(away))
    away.close()
    assert found["tenure_store_up", ""] == 0
    assert not [name for name, _ in found if name == "tenure_parked"]


async def test_many_scrapes_ask_the_store_once_and_never_on_the_event_loop(
    settings: Settings, database: Database
) -> None:
    asked: list[int] = []
    event.listen(database.engine, "begin", lambda _: asked.append(threading.get_ident()))
    collector = StoreCollector(database)
    transport = httpx.ASGITransport(create_app(settings, Inbox(database), collector=collector))
    assert asked == [], "nobody asks while the registry is put together"
    async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as client:
        await asyncio.gather(*(client.get("/metrics") for _ in range(20)))
    assert len(asked) == 1
    assert asked[0] != threading.get_ident()


async def test_the_guide_names_every_metric_and_no_other(settings: Settings, database: Database) -> None:
    app = create_app(settings, Inbox(database), collector=StoreCollector(database))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://gateway") as client:
        told = set(re.findall(r"^# TYPE (\w+)", (await client.get("/metrics")).text, re.MULTILINE))
    guide = (Path(__file__).parents[3] / "docs" / "metrics.md").read_text(encoding="utf-8")
    assert set(re.findall(r"^\| `(\w+)", guide, re.MULTILINE)) == told
