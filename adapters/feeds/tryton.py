"""Tryton's change feed: the outbox that the module `tenure` writes in the transaction of each fact."""

from datetime import datetime

import httpx

from adapters.http import Json
from adapters.tryton import TrytonLogin, TrytonRpc
from domain.errors import CursorExpired
from domain.events import CATALOG
from domain.feeds import ChangePage


class TrytonFeed:
    """`client`: the server's base URL. `database`, `user`, `password`: the technical user of one of its databases.

    The module tells facts as `{id, cursor, kind, at, data}`. Those for which there is no contract of ours are passed
    over. A cursor is the module's (transaction, row): what commits late, under a lower transaction, is not skipped.
    """

    def __init__(self, client: httpx.AsyncClient, *, database: str, user: str, password: str) -> None:
        self._rpc = TrytonRpc(client, "erp", TrytonLogin(database, user, password), {})
        self._source = f"/tryton/{database}"

    async def changes(self, cursor: str, limit: int) -> ChangePage:
        answer = await self._rpc.read("changes", {"cursor": cursor, "limit": limit + 1})
        with self._rpc.shape("changes"):
            if answer["expired"]:
                raise CursorExpired("erp.changes: the cursor is unknown, or what came after it is forgotten")
            return self._page(answer, limit)

    async def head(self) -> str:
        answer = await self._rpc.read("head", {})
        with self._rpc.shape("head"):
            return str(answer["cursor"])

    async def back_fill(self, since: datetime | None, position: str, limit: int) -> ChangePage:
        began = None if since is None else since.isoformat()
        answer = await self._rpc.read("back_fill", {"since": began, "position": position, "limit": limit + 1})
        with self._rpc.shape("back_fill"):
            return self._page(answer, limit)

    def _page(self, answer: Json, limit: int) -> ChangePage:
        """One more than wanted was asked for: it says whether there is more, and each fact has its own cursor."""
        told, more = answer["events"][:limit], len(answer["events"]) > limit
        events = tuple(self._event(fact) for fact in told if f"tenure.{fact['kind']}.v1" in CATALOG)
        return ChangePage(events=events, cursor=str(told[-1]["cursor"] if more else answer["cursor"]), more=more)

    def _event(self, fact: Json) -> Json:
        data = fact["data"]
        return {
            "specversion": "1.0",
            "id": fact["id"],
            "source": self._source,
            "type": f"tenure.{fact['kind']}.v1",
            "subject": data["invoice"],
            "time": fact["at"],
            "datacontenttype": "application/json",
            "data": data,
        }
