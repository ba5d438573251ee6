"""A router over a real store, and what a CRM, an ERP and the others may send to it."""

import json
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlmodel import col, select

from domain.company import load_company
from domain.mapping import load_mapping
from starter.routing import Router
from store.database import Database
from store.inbox import Inbox
from store.tables import DeliveryRow, InboxRow
from tests.stores import lay

EXAMPLES = Path(__file__).parents[1] / "examples"
ACCOUNT, DEAL = "001Dn00000AbCdEIAV", "006Dn000009XyZAIA0"
CONTRACT = f"crm/{DEAL}/1"


def payload(name: str) -> dict[str, Any]:
    read: dict[str, Any] = json.loads((EXAMPLES / "payloads" / f"{name}.json").read_text())
    return read


def deal(name: str = "salesforce_new_hooli", /, **changes: Any) -> dict[str, Any]:
    """The data of a deal's event: an example's record with some fields changed."""
    return {"record": {**payload(name), **changes}}


class Desk:
    """Puts events into the inbox, routes them, and tells what became of each."""

    def __init__(self, database: Database) -> None:
        company = load_company((EXAMPLES / "company.toml").read_text())
        mapping = load_mapping((EXAMPLES / "mappings" / "salesforce.toml").read_text())
        self.database = database
        self.company = company
        self.router = Router(company, mapping, "crm")
        self.inbox = Inbox(database)

    async def receive(
        self,
        type: str,
        data: dict[str, Any],
        *,
        event_id: str | None = None,
        subject: str = "",
        source: str = "test",
    ) -> str:
        """One event, not yet routed; returns its id."""
        event_id = event_id or str(uuid.uuid4())
        body: dict[str, Any] = {
            "specversion": "1.0",
            "id": event_id,
            "source": "/t",
            "type": f"tenure.{type}.v1",
            "data": data,
        }
        await self.inbox.accept(source, event_id, body["type"], subject, json.dumps(body))
        return event_id

    async def route(self) -> int:
        return await self.database.write(self.router.route)

    async def arrive(self, type: str, data: dict[str, Any], *, subject: str = "", source: str = "test") -> InboxRow:
        """One event, routed."""
        event_id = await self.receive(type, data, subject=subject, source=source)
        await self.route()
        return await self.row(event_id)

    async def row(self, event_id: str) -> InboxRow:
        query = select(InboxRow).where(InboxRow.event_id == event_id)
        return await self.database.read(lambda session: session.exec(query).one())

    async def deliveries(self) -> list[tuple[str, str, dict[str, Any]]]:
        """Stream, kind and payload of everything queued, in order."""
        query = select(DeliveryRow).order_by(col(DeliveryRow.id))
        rows = await self.database.read(lambda session: session.exec(query).all())
        return [(row.stream, row.kind, row.payload) for row in rows]


@contextmanager
def open_desk(store: Path | str) -> Iterator[Desk]:
    """A desk with a fresh store in a directory, or with the one that a URL names."""
    url = store if isinstance(store, str) else f"sqlite:///{store / 'store.db'}"
    lay(url)
    database = Database(url)
    yield Desk(database)
    database.close()
