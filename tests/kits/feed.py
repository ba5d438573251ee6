"""The kit of the port ChangeFeed: in order, nothing lost, nothing twice, and an honest answer when it has forgotten."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Protocol

import pytest

from domain.errors import CursorExpired
from domain.events import read_event
from domain.feeds import ChangePage
from domain.ports import ChangeFeed


class FeedWorld(Protocol):
    """One system with a change feed, for one test. A `fact` is any short name."""

    @property
    def port(self) -> ChangeFeed: ...
    def again(self) -> ChangeFeed:
        """Another adapter on the same system, as after a restart."""
        ...

    async def happen(self, *facts: str) -> list[str]:
        """Each of these facts changes, one after the other; the ids of the events that tell it."""
        ...

    async def forget(self, keep: int) -> None:
        """The feed keeps its newest changes alone."""
        ...


def ids(*pages: ChangePage) -> list[str]:
    return [event["id"] for page in pages for event in page.events]


async def read_to_end(port: ChangeFeed, cursor: str, limit: int = 100) -> Sequence[ChangePage]:
    pages = [await port.changes(cursor, limit)]
    while pages[-1].more:
        pages.append(await port.changes(pages[-1].cursor, limit))
    return pages


async def fill(port: ChangeFeed, since: datetime | None = None, limit: int = 100) -> Sequence[ChangePage]:
    pages = [await port.back_fill(since, "", limit)]
    while pages[-1].more:
        pages.append(await port.back_fill(since, pages[-1].cursor, limit))
    return pages


class FeedContract:
    async def test_changes_come_in_order_each_once(self, world: FeedWorld) -> None:
        await world.happen("before")
        start = await world.port.head()
        told = await world.happen("a", "b", "a", "c", "b")
        pages = await read_to_end(world.port, start, limit=2)
        assert ids(*pages) == told
        assert [len(page.events) for page in pages] == [2, 2, 1]
        for page in pages:
            for event in page.events:
                read_event(event)

    async def test_after_the_end_there_is_nothing_and_then_what_is_new(self, world: FeedWorld) -> None:
        start = await world.port.head()
        await world.happen("a", "b")
        [page] = await read_to_end(world.port, start)
        [nothing] = await read_to_end(world.port, page.cursor)
        assert (ids(nothing), nothing.more) == ([], False)
        told = await world.happen("a")
        assert ids(*await read_to_end(world.port, nothing.cursor)) == told

    async def test_a_page_that_is_just_full_is_the_last(self, world: FeedWorld) -> None:
        start = await world.port.head()
        told = await world.happen("a", "b")
        page = await world.port.changes(start, 2)
        assert (ids(page), page.more) == (told, False)

    async def test_a_cursor_is_text_that_outlives_the_reader(self, world: FeedWorld) -> None:
        start = await world.port.head()
        told = await world.happen("a", "b", "c")
        first = await world.port.changes(start, 1)
        kept = first.cursor.encode().decode()
        assert ids(first, *await read_to_end(world.again(), kept)) == told
        assert ids(*await read_to_end(world.again(), kept)) == told[1:], "it can be asked again"

    async def test_what_was_forgotten_unread_expires_the_cursor(self, world: FeedWorld) -> None:
        start = await world.port.head()
        told = await world.happen("a", "b", "c", "d")
        read = await world.port.changes(start, 2)
        await world.forget(keep=2)
        with pytest.raises(CursorExpired):
            await world.port.changes(start, 100)
        assert ids(*await read_to_end(world.port, read.cursor)) == told[2:], "what came after this one is all there"
        await world.forget(keep=1)
        with pytest.raises(CursorExpired):
            await world.port.changes(read.cursor, 100)

    async def test_an_idle_reader_misses_nothing_when_what_it_read_is_forgotten(self, world: FeedWorld) -> None:
        start = await world.port.head()
        await world.happen("a", "b")
        [page] = await read_to_end(world.port, start)
        await world.forget(keep=0)
        told = await world.happen("c")
        assert ids(*await read_to_end(world.port, page.cursor)) == told

    @pytest.mark.parametrize("cursor", ["", "x", "1:2:3", "another.7", "9" * 40, "0:-1"])
    async def test_a_cursor_of_somebody_else_is_expired(self, world: FeedWorld, cursor: str) -> None:
        with pytest.raises(CursorExpired):
            await world.port.changes(cursor, 100)

    async def test_a_back_fill_tells_what_is_so_now_under_the_same_ids(self, world: FeedWorld) -> None:
        told = await world.happen("a", "b", "a", "c")
        assert sorted(ids(*await fill(world.port))) == sorted(told[1:])
        pages = await fill(world.again(), limit=1)
        assert (len(pages), sorted(ids(*pages))) == (3, sorted(told[1:]))
        for page in pages:
            for event in page.events:
                read_event(event)

    async def test_a_back_fill_can_begin_at_an_instant(self, world: FeedWorld) -> None:
        await world.happen("a", "b")
        since = datetime.now(UTC)
        told = await world.happen("b", "c")
        assert sorted(ids(*await fill(world.port, since))) == sorted(told)
        assert ids(*await fill(world.port, datetime.now(UTC))) == []

    async def test_head_and_back_fill_leave_no_hole(self, world: FeedWorld) -> None:
        """What changes while the query runs is on one of its later pages, or comes after the head, or both."""
        before = await world.happen("a", "b", "c")
        head = await world.port.head()
        first = await world.port.back_fill(None, "", 2)
        meanwhile = await world.happen("a", "d")
        rest = await world.port.back_fill(None, first.cursor, 100)
        seen = set(ids(first, rest, *await read_to_end(world.port, head)))
        assert seen >= {before[1], before[2], *meanwhile}
