"""Change feeds on the real server: a schedule fires, pages are stored with their cursor, gaps are filled, once each."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from temporalio.client import Client, WorkflowFailureError
from temporalio.testing import ActivityEnvironment

from activities.feeds import ConnectedFeed, FeedActivities, begin_feeds
from adapters.feeds.sandbox import SandboxFeed
from domain.errors import SourceUnavailable
from domain.feeds import ChangePage, ReadFeed
from store.cases import Cases
from store.feeds import SqlFeeds
from store.inbox import Inbox
from store.timeline import Timeline
from tests.dispatch import Post
from tests.feeds import NAME, Ear, open_ear, reader, until
from tests.house import House
from tests.intake import deal


@pytest.fixture
async def ear(temporal: Client, tmp_path: Path) -> AsyncIterator[Ear]:
    async with open_ear(temporal, tmp_path) as opened:
        yield opened


class Disturbed:
    """A feed whose answers to one question are kept back, or lost, as a test says."""

    def __init__(self, feed: SandboxFeed) -> None:
        self._feed = feed
        self.lose: set[int] = set()
        self.asked = 0
        self.head_lost = False
        self.meanwhile: Callable[[], Awaitable[object]] | None = None
        self.answered = asyncio.Event()
        self.gate = asyncio.Event()
        self.gate.set()

    async def head(self) -> str:
        if self.head_lost:
            raise SourceUnavailable("nobody answers")
        return await self._feed.head()

    async def changes(self, cursor: str, limit: int) -> ChangePage:
        page = await self._feed.changes(cursor, limit)
        self.answered.set()
        await self.gate.wait()
        return page

    async def back_fill(self, since: datetime | None, position: str, limit: int) -> ChangePage:
        self.asked += 1
        if self.asked in self.lose:
            raise SourceUnavailable("the answer is lost")
        page = await self._feed.back_fill(since, position, limit)
        if self.meanwhile is not None:
            await self.meanwhile()
        return page


async def test_a_firing_reads_everything_that_came_since_in_order(ear: Ear) -> None:
    await ear.meter.report("before")
    assert (await ear.fire()).new == 0, "nothing was promised of what came before the feed was connected"
    told = await ear.meter.report(*(f"a{number % 90}" for number in range(450)))
    read = await ear.fire()
    assert (read.new, read.pages, read.more, read.gap) == (450, 3, False, False)
    assert await ear.received() == told
    assert (await ear.fire()).new == 0
    row = await ear.row()
    assert abs(row.read_at - datetime.now(UTC).timestamp()) < 10
    assert row.gaps == 0


async def test_what_happens_between_the_beginning_and_the_first_reading_is_taken_in(ear: Ear) -> None:
    await ear.meter.report("before")
    feeds, book = [ConnectedFeed(NAME, NAME, ear.meter.feed)], SqlFeeds(ear.database)
    await begin_feeds(feeds, book)
    told = await ear.meter.report("a")
    await begin_feeds(feeds, book)  # a worker that begins again begins no feed anew
    await ear.fire()
    assert await ear.received() == told


async def test_a_source_that_is_away_holds_no_beginning_up(ear: Ear) -> None:
    away = Disturbed(ear.meter.feed)
    away.head_lost = True
    await begin_feeds([ConnectedFeed(NAME, NAME, away)], SqlFeeds(ear.database))
    assert (await SqlFeeds(ear.database).position(NAME)).cursor == ""
    assert (await ear.fire()).new == 0


async def test_the_first_reading_can_take_in_everything_that_is_so(temporal: Client, tmp_path: Path) -> None:
    async with open_ear(temporal, tmp_path, begin="everything") as ear:
        told = await ear.meter.report("a", "b", "a")
        assert (await ear.fire()).new == 2
        assert sorted(await ear.received()) == sorted(told[1:])
        told += await ear.meter.report("c")
        await ear.fire()
        assert sorted(await ear.received()) == sorted(told[1:])
        assert (await ear.row()).gaps == 0, "what was never promised is no gap"


async def test_the_schedule_fires_by_itself(temporal: Client, tmp_path: Path) -> None:
    async with open_ear(temporal, tmp_path, every=1) as ear:

        async def begun() -> bool:
            return (await SqlFeeds(ear.database).position(NAME)).cursor != ""

        await until(begun)
        told = await ear.meter.report("a")

        async def heard() -> bool:
            return await ear.received() == told

        await until(heard)


async def test_a_run_that_takes_long_is_not_overlapped(ear: Ear) -> None:
    await ear.fire()
    disturbed = Disturbed(ear.meter.feed)
    disturbed.gate.clear()
    ear.port = disturbed
    slow = asyncio.create_task(ear.fire())
    await disturbed.answered.wait()
    await ear.schedule.trigger()

    async def skipped() -> bool:
        return (await ear.schedule.describe()).info.num_actions_skipped_overlap == 1

    await until(skipped)
    disturbed.gate.set()
    await slow
    assert (await ear.schedule.describe()).info.num_actions == 2


async def test_a_gap_is_filled_with_exactly_the_missed_facts(ear: Ear) -> None:
    await ear.fire()
    read = await ear.meter.report("a", "b", "c")
    await ear.fire()
    missed = await ear.meter.report("b", "d", "b", "e")
    await ear.meter.forget()
    filled = await ear.fire()
    assert (filled.gap, filled.new, filled.more) == (True, 3, False)
    received = await ear.received()
    assert received[:3] == read
    assert sorted(received[3:]) == sorted([missed[1], missed[2], missed[3]]), "of two versions the one that is so now"
    [line] = await Timeline(ear.database).of(f"feed/{NAME}")
    assert (line.kind, (await ear.row()).gaps) == ("feed.gap_filled", 1)
    told = await ear.meter.report("a")
    again = await ear.fire()
    assert (again.gap, again.new, (await ear.received())[-1:]) == (False, 1, told)
    assert await Cases(ear.database).list() == [], "it needs nobody"


async def test_what_changes_while_a_gap_is_filled_is_not_lost(ear: Ear) -> None:
    await ear.fire()
    missed = await ear.meter.report(*(f"a{number}" for number in range(250)))
    await ear.meter.forget()
    disturbed = Disturbed(ear.meter.feed)
    changed: list[str] = []

    async def change() -> None:
        changed.extend(await ear.meter.report("a0", "a249"))  # of a page that was asked for, and of one that was not

    disturbed.meanwhile = change
    ear.port = disturbed
    await ear.fire()
    assert disturbed.asked == 2
    assert set(await ear.received()) >= {*missed[:249], *changed}
    assert (await ear.row()).gaps == 1


async def test_a_fill_that_breaks_off_goes_on_where_it_stood(ear: Ear) -> None:
    """The answer to the second page is lost: the next attempt asks for it again, and not for the first."""
    await ear.fire()
    missed = await ear.meter.report(*(f"a{number}" for number in range(450)))
    await ear.meter.forget()
    disturbed = Disturbed(ear.meter.feed)
    disturbed.lose = {2}
    ear.port = disturbed
    heads = await ear.meter.calls("head")
    read = await ear.fire()
    assert (read.gap, sorted(await ear.received())) == (True, sorted(missed))
    assert (disturbed.asked, await ear.meter.calls("head") - heads, (await ear.row()).gaps) == (4, 1, 1)


async def test_a_fill_that_was_given_up_begins_anew_without_doubles(ear: Ear) -> None:
    await ear.fire()
    missed = await ear.meter.report(*(f"a{number}" for number in range(250)))
    await ear.meter.forget()
    disturbed = Disturbed(ear.meter.feed)
    disturbed.lose = {2}
    before = (await ear.row()).cursor
    with pytest.raises(Exception, match="the answer is lost"):
        await ActivityEnvironment().run(reader(ear.database, disturbed).read, ReadFeed(feed=NAME))
    assert ((await ear.row()).cursor, len(await ear.received())) == (before, 200)
    missed += await ear.meter.report("late")
    await ear.fire()
    assert (sorted(await ear.received()), (await ear.row()).gaps) == (sorted(missed), 1)


async def test_runs_at_once_store_each_event_once(ear: Ear) -> None:
    await ear.fire()
    told = await ear.meter.report(*(f"a{number}" for number in range(300)))
    reads = await ear.read_at_once(4)
    assert (sum(read.new for read in reads), await ear.received()) == (300, told)
    [page] = [await ear.meter.feed.changes((await ear.row()).cursor, 10)]
    assert page.events == ()


async def test_an_attempt_taken_for_dead_can_not_move_the_cursor_back(ear: Ear) -> None:
    await ear.fire()
    told = await ear.meter.report("a")
    disturbed = Disturbed(ear.meter.feed)
    disturbed.gate.clear()
    zombie = asyncio.create_task(ActivityEnvironment().run(reader(ear.database, disturbed).read, ReadFeed(feed=NAME)))
    await disturbed.answered.wait()
    told += await ear.meter.report("b")
    assert (await ear.fire()).new == 2
    there = (await ear.row()).cursor
    disturbed.gate.set()
    assert (await zombie).overtaken
    assert ((await ear.row()).cursor, await ear.received()) == (there, told)


async def test_a_feed_that_refuses_us_opens_a_case_and_reading_resolves_it(ear: Ear) -> None:
    await ear.fire()
    ear.port = ear.meter.stranger
    before = await ear.row()
    with pytest.raises(WorkflowFailureError):
        await ear.fire()
    [case] = await Cases(ear.database).list()
    assert (case.id, case.actor) == (f"feed:{NAME}", "engineer")
    assert "401" in case.reasons[0]
    assert (await ear.row()).read_at == before.read_at, "the lag is true while it can't be read"
    ear.port = ear.meter.feed
    await ear.fire()
    assert await Cases(ear.database).list() == []
    assert (await ear.row()).read_at > before.read_at


async def test_an_event_that_can_not_be_used_does_not_hold_the_feed_up(ear: Ear) -> None:
    class Odd:
        def __init__(self, *events: dict[str, Any]) -> None:
            self.page = ChangePage(events=events, cursor="end", more=False)

        async def head(self) -> str:
            return "start"

        async def changes(self, cursor: str, limit: int) -> ChangePage:
            return self.page if cursor == "start" else ChangePage(events=(), cursor=cursor, more=False)

        async def back_fill(self, since: datetime | None, position: str, limit: int) -> ChangePage:
            raise AssertionError("nothing is to be filled in")

    ear.port = Odd({"id": "1", "type": "tenure.no.such.v1"}, {"data": "\0 and \ud800"}, {"id": 7})
    assert (await ear.fire()).new == 3
    assert (await ear.fire()).new == 0
    rows = await Inbox(ear.database).list(state="dead")
    assert [row.event_id[:7] for row in reversed(rows)] == ["1", "sha256:", "sha256:"]
    assert all("not a valid event" in row.reason for row in rows)


async def test_read_at_counts_from_before_the_question(ear: Ear) -> None:
    """What came while the answer was under way may not be in it."""
    await ear.fire()
    disturbed = Disturbed(ear.meter.feed)
    disturbed.gate.clear()
    reading = asyncio.create_task(ActivityEnvironment().run(reader(ear.database, disturbed).read, ReadFeed(feed=NAME)))
    await disturbed.answered.wait()
    await asyncio.sleep(0.5)
    released = datetime.now(UTC) - timedelta(seconds=0.4)
    disturbed.gate.set()
    await reading
    assert (await ear.row()).read_at < released.timestamp()


async def test_a_lost_webhook_is_found_by_the_feed_and_the_others_are_not_doubled(house: House) -> None:
    """Both tell the same events by the same ids, so that a feed may stand behind a webhook source."""
    post = Post(house)
    async with httpx.AsyncClient(
        transport=house.http._transport, base_url="http://box/crm", headers=house.http.headers
    ) as http:
        activities = FeedActivities(
            [ConnectedFeed("deals", "crm", SandboxFeed(http, "crm"), "everything")], SqlFeeds(house.database)
        )
        for number in ("006F1", "006F2"):
            record = deal(Id=number, AccountId=f"acc-{number}")["record"]
            (await house.http.post("/crm/opportunities", json=record)).raise_for_status()
        first, second = (event["body"] for event in (await house.http.get("/admin/webhooks")).json())
        inbox = Inbox(house.database)
        await inbox.accept("crm", first["id"], first["type"], first["subject"], json.dumps(first))
        read = await ActivityEnvironment().run(activities.read, ReadFeed(feed="deals"))
    assert read.new == 1
    assert {row.event_id for row in await inbox.list()} == {first["id"], second["id"]}
    await post.settle()
    for number in ("006F1", "006F2"):
        life = await post.life(number)
        await life.until(lambda view: view.cases or view.effects)
    assert len(await post.lifecycles.list()) == 2
