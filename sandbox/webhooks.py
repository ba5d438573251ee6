"""Webhooks out of the box: an outbox in its database, signed by Standard Webhooks, sent at least once, in any order."""

import asyncio
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import httpx
from standardwebhooks import Webhook

from sandbox.store import Store

_TRIES_WHEN_REFUSED = 5
_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 5.0


@dataclass(frozen=True)
class WebhookTarget:
    """Events go to `{url}/webhooks/{system}`. `transport` lets a test receive them in-process."""

    url: str
    secret: str
    transport: httpx.AsyncBaseTransport | None = None


class Outbox:
    """A target that is down or answers 5xx is tried until it is back; one answered 4xx five times is given up.

    `traceparent`: that of the call whose work is being done, if it came with one; its events are sent with the same.
    """

    def __init__(self, store: Store, target: WebhookTarget | None) -> None:
        self._store = store
        self._target = target
        self._sender: asyncio.Task[None] | None = None
        self._news = asyncio.Event()
        self.traceparent = ""

    def add(self, event_id: str, system: str, kind: str, subject: str, time: datetime, data: dict[str, Any]) -> None:
        """Part of the caller's transaction. Without a target it is kept for the change feed alone."""
        event = {
            "specversion": "1.0",
            "id": event_id,
            "source": f"/sandbox/{system}",
            "type": kind,
            "subject": subject,
            "time": time.isoformat().replace("+00:00", "Z"),
            "datacontenttype": "application/json",
            "data": data,
        }
        self._store.db.execute(
            "INSERT INTO outbox (id, system, body, state) VALUES (?, ?, ?, ?)",
            (event_id, system, json.dumps(event), "kept" if self._target is None else "pending"),
        )
        if self.traceparent:
            self._store.db.execute("INSERT OR IGNORE INTO traces VALUES (?, ?)", (event_id, self.traceparent))

    def wake(self) -> None:
        """Send what is pending. Called after each commit, at start-up, and needs a running event loop."""
        if self._target is None or not self._pending():
            return
        self._news.set()
        if self._sender is None or self._sender.done():
            self._sender = asyncio.create_task(self._send_all(self._target))

    def again(self, event_id: str) -> bool:
        """Send a delivered event once more, as real senders do now and then. False: no such event."""
        found = self._store.db.execute(
            "UPDATE outbox SET state = 'pending', attempts = 0 WHERE id = ?", (event_id,)
        ).rowcount
        self.wake()
        return found > 0

    def all(self) -> list[dict[str, Any]]:
        rows = self._store.db.execute("SELECT * FROM outbox ORDER BY n")
        return [{**dict(row), "body": json.loads(row["body"])} for row in rows]

    def after(self, system: str, number: int, limit: int) -> list[tuple[int, dict[str, Any]]]:
        """The change feed: a system's events in the order of their commits."""
        rows = self._store.db.execute(
            "SELECT n, body FROM outbox WHERE system = ? AND n > ? ORDER BY n LIMIT ?", (system, number, limit)
        )
        return [(row["n"], json.loads(row["body"])) for row in rows]

    def last(self, system: str, *, but: int = 0) -> int:
        """The number of a system's last event, or of the last before its newest `but`; 0 when there is none."""
        row = self._store.db.execute(
            "SELECT n FROM outbox WHERE system = ? ORDER BY n DESC LIMIT 1 OFFSET ?", (system, but)
        ).fetchone()
        return int(row["n"]) if row else 0

    async def close(self) -> None:
        if self._sender is not None:
            self._sender.cancel()
            await asyncio.gather(self._sender, return_exceptions=True)

    def _pending(self) -> list[dict[str, Any]]:
        return [dict(row) for row in self._store.db.execute("SELECT * FROM outbox WHERE state = 'pending' ORDER BY n")]

    async def _send_all(self, target: WebhookTarget) -> None:
        # Nothing may be awaited between the last look and the end: `wake` starts no second sender while this one lives.
        pause = _FIRST_PAUSE
        while self._pending():
            async with httpx.AsyncClient(timeout=5, transport=target.transport) as client:
                while pending := self._pending():
                    self._news.clear()
                    if all([await self._send(client, target, row) for row in pending]):
                        pause = _FIRST_PAUSE
                    else:
                        await self._rest(pause)
                        pause = min(pause * 2, _LONGEST_PAUSE)

    async def _rest(self, seconds: float) -> None:
        """The back-off, cut short when there is something new to send."""
        try:
            async with asyncio.timeout(seconds):
                await self._news.wait()
        except TimeoutError:
            return

    async def _send(self, client: httpx.AsyncClient, target: WebhookTarget, row: dict[str, Any]) -> bool:
        now = datetime.now(UTC)
        headers = {
            "content-type": "application/cloudevents+json",
            "webhook-id": row["id"],
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": Webhook(target.secret).sign(row["id"], now, row["body"]),
        }
        trace = self._store.db.execute("SELECT traceparent FROM traces WHERE event = ?", (row["id"],)).fetchone()
        if trace is not None:
            headers["traceparent"] = trace["traceparent"]
        try:
            url = f"{target.url.rstrip('/')}/webhooks/{row['system']}"
            status = (await client.post(url, content=row["body"], headers=headers)).status_code
        except httpx.HTTPError:
            status = 0
        attempts = row["attempts"] + 1
        if 200 <= status < 300:
            state = "delivered"
        elif 400 <= status < 500 and status != 429 and attempts >= _TRIES_WHEN_REFUSED:
            state = "given up"
        else:
            state = "pending"
        self._store.db.execute(
            "UPDATE outbox SET state = ?, attempts = ?, answered = ? WHERE id = ?", (state, attempts, status, row["id"])
        )
        return state != "pending"
