"""Senders of webhooks, each written from what its vendor publishes, and a gateway to send to."""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import httpx
from sqlmodel import col, select

from starter.gateway import create_app
from starter.settings import Settings
from store.database import Database
from store.inbox import Inbox
from store.tables import InboxRow
from tests.stores import lay

OLD, NEW, FOREIGN = (f"whsec_{base64.b64encode(letter * 24).decode()}" for letter in (b"o", b"n", b"f"))

Headers = dict[str, str]
Sign = Callable[[bytes, str, float], Headers]


def standard(body: bytes, secret: str, at: float, *, message: str = "msg_1") -> Headers:
    """standardwebhooks.com: v1,base64(HMAC-SHA256(base64-decoded key, id.timestamp.body))."""
    key, stamp = base64.b64decode(secret.removeprefix("whsec_")), str(int(at))
    digest = hmac.new(key, f"{message}.{stamp}.".encode() + body, hashlib.sha256).digest()
    signature = f"v1a,bm90IGZvciB1cw== v1,{base64.b64encode(digest).decode()}"
    return {"webhook-id": message, "webhook-timestamp": stamp, "webhook-signature": signature}


def stripe(body: bytes, secret: str, at: float) -> Headers:
    """Stripe-Signature: t=…,v1=hex(HMAC-SHA256(secret, t.body)); v0 is for test events."""
    stamp = str(int(at))
    digest = hmac.new(secret.encode(), stamp.encode() + b"." + body, hashlib.sha256).hexdigest()
    return {"Stripe-Signature": f"t={stamp},v1={digest},v0={'0' * 64}"}


def hubspot(body: bytes, secret: str, at: float, *, url: str = "http://gateway/webhooks/hubspot") -> Headers:
    """X-HubSpot-Signature-v3: base64(HMAC-SHA256(secret, method + URI + body + timestamp in ms))."""
    stamp = str(int(at * 1000))
    digest = hmac.new(secret.encode(), b"POST" + url.encode() + body + stamp.encode(), hashlib.sha256).digest()
    return {"X-HubSpot-Signature-v3": base64.b64encode(digest).decode(), "X-HubSpot-Request-Timestamp": stamp}


def zendesk(body: bytes, secret: str, at: float) -> Headers:
    """X-Zendesk-Webhook-Signature: base64(HMAC-SHA256(secret, timestamp + body))."""
    stamp = datetime.fromtimestamp(int(at), UTC).isoformat().replace("+00:00", "Z")
    digest = hmac.new(secret.encode(), stamp.encode() + body, hashlib.sha256).digest()
    return {
        "X-Zendesk-Webhook-Signature": base64.b64encode(digest).decode(),
        "X-Zendesk-Webhook-Signature-Timestamp": stamp,
    }


SIGN: dict[str, Sign] = {"standard": standard, "stripe": stripe, "hubspot": hubspot, "zendesk": zendesk}


class Gate:
    """A gateway over ASGI with a store of its own, and what it stored."""

    def __init__(self, client: httpx.AsyncClient, database: Database) -> None:
        self.client = client
        self.database = database

    async def post(self, source: str, body: bytes, headers: Headers) -> httpx.Response:
        return await self.client.post(f"/webhooks/{source}", content=body, headers=headers)

    async def send(self, source: str, document: Any, *, secret: str = NEW, at: float | None = None) -> httpx.Response:
        """Signed as the preset of that name has it."""
        body = document if isinstance(document, bytes) else json.dumps(document).encode()
        return await self.post(source, body, SIGN[source](body, secret, time.time() if at is None else at))

    async def rows(self) -> list[InboxRow]:
        query = select(InboxRow).order_by(col(InboxRow.id))
        return list(await self.database.read(lambda session: session.exec(query).all()))

    async def row(self) -> InboxRow:
        (row,) = await self.rows()
        return row


@asynccontextmanager
async def open_gate(settings: Settings) -> AsyncIterator[Gate]:
    settings.state_path.mkdir(parents=True, exist_ok=True)
    lay(settings.database_url)
    database = Database(settings.database_url)
    transport = httpx.ASGITransport(create_app(settings, Inbox(database)), raise_app_exceptions=False)
    try:
        async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as client:
            yield Gate(client, database)
    finally:
        database.close()
