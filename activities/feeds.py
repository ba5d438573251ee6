"""Activities on change feeds: read what came since, fill a gap by a query, tell that a feed can't be read."""

import time
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

import structlog
from temporalio import activity

from activities.boundary import temporal_failures
from domain.books import FeedBook
from domain.errors import CursorExpired, NotFound, TenureError
from domain.feeds import FeedFailed, FeedRead, ReadFeed, received
from domain.ports import ChangeFeed

log = structlog.get_logger()

PAGE = 200  # events a page, one transaction each
PAGES = 100  # an attempt stops after so many and reports how far it came

# The source's clock may differ from the store's, and a transaction may have been open for a while when it committed.
# What a back-fill tells again is the same event and changes nothing.
FILL_MARGIN = timedelta(hours=1)


@dataclass(frozen=True)
class ConnectedFeed:
    """A feed of the configuration. `source` names its rows in the inbox; `begin` says what its first reading takes in:
    what happens from now on, or everything that is so now as well."""

    name: str
    source: str
    port: ChangeFeed
    begin: Literal["now", "everything"] = "now"


class FeedActivities:
    """Runs on the feeds' task queue."""

    def __init__(self, feeds: Iterable[ConnectedFeed], book: FeedBook) -> None:
        self._feeds = {feed.name: feed for feed in feeds}
        self._book = book

    @activity.defn(name="feeds.read")
    async def read(self, request: ReadFeed) -> FeedRead:
        """Read on to the end of the feed, or a good way. At least once: a page is stored with its cursor, or not at
        all; an attempt that was taken for dead can't move the cursor back."""
        with temporal_failures():
            feed = self._feeds.get(request.feed)
            if feed is None:
                raise NotFound(f"no feed {request.feed!r} is configured here")
            return await _Reading(feed, self._book).read()

    @activity.defn(name="feeds.failed")
    async def failed(self, request: FeedFailed) -> None:
        """Open the feed's case; its next reading to the end resolves it."""
        with temporal_failures():
            await self._book.failed(request.feed, request.kind, request.reason)


async def begin_feeds(feeds: Iterable[ConnectedFeed], book: FeedBook) -> None:
    """Begin those that take in what happens from now on, before anybody relies on them. One whose source does not
    answer begins with its first reading."""
    for feed in feeds:
        if feed.begin == "everything" or (await book.position(feed.name)).cursor:
            continue
        try:
            await _Reading(feed, book).begin()
        except _Overtaken:
            log.info("somebody else began the feed", feed=feed.name)
        except TenureError as error:
            log.warning("a feed can't begin yet", feed=feed.name, error=str(error))


class _Overtaken(Exception):
    """The cursor is not where this attempt left it."""


class _Reading:
    """One attempt."""

    def __init__(self, feed: ConnectedFeed, book: FeedBook) -> None:
        self._feed = feed
        self._book = book
        self._pages = 0
        self._new = 0
        self._gap = False

    async def read(self) -> FeedRead:
        position = await self._book.position(self._feed.name)
        try:
            more = await self._read_on(position.cursor or await self.begin())
        except _Overtaken:
            activity.logger.warning("somebody else reads the feed %s too, leaving it to them", self._feed.name)
            return FeedRead(pages=self._pages, new=self._new, gap=self._gap, overtaken=True)
        return FeedRead(pages=self._pages, new=self._new, gap=self._gap, more=more)

    async def begin(self) -> str:
        """The first reading of all. Nothing was promised before, so nothing was missed."""
        if self._feed.begin == "everything":
            return await self._fill("", None)
        asked = time.monotonic()
        head = await self._feed.port.head()
        await self._commit([], expected="", cursor=head, age=time.monotonic() - asked)
        return head

    async def _read_on(self, cursor: str) -> bool:
        """Whether there is more, when this attempt has done its share."""
        while self._pages < PAGES:
            asked = time.monotonic()
            try:
                page = await self._feed.port.changes(cursor, PAGE)
            except CursorExpired as expired:
                self._gap = True
                activity.logger.warning("a gap in the feed %s, filled by a query: %s", self._feed.name, expired)
                whole = (await self._book.position(self._feed.name)).read_at
                cursor = await self._fill(cursor, whole and whole - FILL_MARGIN, gap=True)
                continue
            # The age counts from before the question: what came while it was answered may not be on the page.
            age = None if page.more else time.monotonic() - asked
            await self._commit(page.events, expected=cursor, cursor=page.cursor, age=age)
            activity.heartbeat()
            cursor = page.cursor
            if not page.more:
                return False
        return True

    async def _fill(self, cursor: str, since: datetime | None, *, gap: bool = False) -> str:
        """Store what is so now. The cursor jumps with the last page alone: a fill that breaks off begins anew, or, for
        the next attempt of this activity, where its last heartbeat says. Returns the new cursor."""
        begun = activity.info().heartbeat_details
        if begun and begun[0] == cursor:
            head, position = str(begun[1]), str(begun[2])
        else:
            # Before the query: what changes while it runs comes after this head.
            head, position = await self._feed.port.head(), ""
        while True:
            page = await self._feed.port.back_fill(since, position, PAGE)
            if not page.more:
                await self._commit(page.events, expected=cursor, cursor=head, gap=gap)
                activity.heartbeat()
                return head
            await self._commit(page.events, expected=cursor, cursor=cursor)
            position = page.cursor
            activity.heartbeat(cursor, head, position)

    async def _commit(
        self,
        events: Iterable[dict[str, Any]],
        *,
        expected: str,
        cursor: str,
        age: float | None = None,
        gap: bool = False,
    ) -> None:
        new = await self._book.commit(
            self._feed.name,
            [received(event) for event in events],
            source=self._feed.source,
            expected=expected,
            cursor=cursor,
            age=age,
            gap=gap,
        )
        if new is None:
            raise _Overtaken
        self._pages += 1
        self._new += new
