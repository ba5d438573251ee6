"""Tryton's change feed: the outbox that the module `tenure` writes in the transaction of each fact."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

import httpx

from adapters.http import Json
from adapters.tryton import TrytonLogin, TrytonRpc
from domain.errors import CursorExpired
from domain.events import CATALOG, SubscriptionChanged
from domain.feeds import ChangePage

_LONGEST_PAGE = 500
"""The module answers with no more rows than this, however many are asked for."""


class TrytonFeed:
    """`client`: the server's base URL. `database`, `user`, `password`: the technical user of one of its databases.

    The module tells invoices and subscriptions; what there is no contract of ours for is passed over, so a page may be
    shorter than asked for. A cursor is the module's (transaction, row): what commits late, under a lower number, is not
    skipped. That a due date passes is no change there: whoever is overdue follows from `due_on`.
    """

    def __init__(self, client: httpx.AsyncClient, *, database: str, user: str, password: str) -> None:
        self._rpc = TrytonRpc(client, "erp", TrytonLogin(database, user, password), {})
        self._source = f"/tryton/{database}"

    async def changes(self, cursor: str, limit: int) -> ChangePage:
        if not cursor:  # to the module the very beginning, which may be forgotten
            raise CursorExpired("erp.changes: there is no cursor")
        wanted = min(limit, _LONGEST_PAGE - 1)
        answer = await self._rpc.read("changes", {"cursor": cursor, "limit": wanted + 1})
        with self._rpc.shape("changes"):
            if answer["expired"]:
                raise CursorExpired("erp.changes: the cursor is unknown, or what came after it is forgotten")
            told = answer["events"]
            more = len(told) > wanted
            end = told[wanted - 1]["cursor"] if more else answer["cursor"]
            return ChangePage(events=tuple(self._events(told[:wanted])), cursor=str(end), more=more)

    async def head(self) -> str:
        answer = await self._rpc.read("head", {})
        with self._rpc.shape("head"):
            return str(answer["cursor"])

    async def back_fill(self, since: datetime | None, position: str, limit: int) -> ChangePage:
        began = None if since is None else since.isoformat()
        answer = await self._rpc.read("back_fill", {"since": began, "position": position, "limit": limit})
        with self._rpc.shape("back_fill"):
            following = answer["cursor"]
            end = position if following is None else str(following)
            return ChangePage(events=tuple(self._events(answer["events"])), cursor=end, more=following is not None)

    def _events(self, facts: Iterable[Json]) -> Iterable[dict[str, Any]]:
        for fact in facts:
            data = fact["data"]
            if fact["kind"].startswith("subscription."):
                # one event of ours for all four of the module's; Tryton itself suspends nobody
                kind, data = SubscriptionChanged.type, {**data, "entitled": data["status"] in ("active", "ended")}
            else:
                kind = f"tenure.{fact['kind']}.v1"
            if kind in CATALOG:
                yield {
                    "specversion": "1.0",
                    "id": fact["id"],
                    "source": self._source,
                    "type": kind,
                    "subject": data["customer"],
                    "time": fact["at"],
                    "datacontenttype": "application/json",
                    "data": data,
                }
