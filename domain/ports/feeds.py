"""Change feeds."""

from datetime import datetime
from typing import Protocol

from domain.feeds import ChangePage


class ChangeFeed(Protocol):
    """What a system without webhooks tells when it is asked. It may tell an event again, but not out of order.

    Every event has an id of its own that never changes. A cursor is the source's: nobody else looks into it.
    """

    async def changes(self, cursor: str, limit: int) -> ChangePage:
        """What came after `cursor`, which `head` or an earlier page gave, oldest first, at most `limit` events.

        Nothing that becomes visible later lies before the page's cursor. Raises CursorExpired when the source has
        forgotten what came after it, or does not know it.
        """
        ...

    async def head(self) -> str:
        """The cursor of now. Whatever a back-fill that begins afterwards does not see comes after it."""
        ...

    async def back_fill(self, since: datetime | None, position: str, limit: int) -> ChangePage:
        """What is so now, as snapshots, of what has changed `since` (None: of everything).

        An id names the fact and its version, so that the same fact is the same event in every back-fill, and, where the
        source allows it, in the feed. `position` is empty at first, then the cursor of the page before.
        """
        ...
