"""A real django-helpdesk sends its webhooks to a real gateway, by the configuration that its README shows."""

import asyncio
import base64
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
import uvicorn
from sqlmodel import col, select

from starter.gateway import create_app
from starter.settings import load_settings
from store.database import Database
from store.inbox import Inbox
from store.migrate import migrate
from store.tables import InboxRow
from tests.contract.helpdesk_readme import shown
from tests.live.helpdesk import Helpdesk, served_helpdesk
from tests.ports import free_port

PASSWORD = "correct-horse"


class Served:
    """A gateway on a port of its own, the help desk that sends to it, and what has come in."""

    def __init__(self, desk: Helpdesk, database: Database) -> None:
        self.desk, self.database = desk, database

    async def came_in(self) -> list[tuple[str, str, str]]:
        query = select(InboxRow).order_by(col(InboxRow.id))
        rows = await self.database.read(lambda session: session.exec(query).all())
        return [(row.event_id, row.type, row.state) for row in rows]


@pytest.fixture
async def served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Served]:
    secret = base64.b64encode(f"desk:{PASSWORD}".encode()).decode()
    monkeypatch.setenv("TENURE_SECRET_HELPDESK_HOOK", secret)
    (tmp_path / "tenure.toml").write_text(shown("webhooks.helpdesk"))
    settings = load_settings(tmp_path / "tenure.toml", state_dir=tmp_path)
    migrate(settings.database_url)
    database, port = Database(settings.database_url), free_port()
    app = create_app(settings, Inbox(database))
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=port, log_level="error", lifespan="off"))
    serving = asyncio.create_task(server.serve())
    address = f"http://desk:{PASSWORD}@127.0.0.1:{port}/webhooks/helpdesk"
    try:
        with served_helpdesk(tmp_path, webhooks=address) as desk:
            yield Served(desk, database)
    finally:
        server.should_exit = True
        await serving
        database.close()


async def test_a_tickets_life_comes_in_by_its_webhooks(served: Served) -> None:
    ticket = await served.desk.open_ticket("001", 1)
    comment = await served.desk.follow_up(ticket, "We are looking into it.")
    solved = await served.desk.follow_up(ticket, "It loads again.", new_status=3)
    again = await served.desk.follow_up(ticket, "It does not.", new_status=2)
    await served.desk.open_ticket("", 1)
    assert await served.came_in() == [
        (f"{ticket}/", "tenure.support_case.opened.v1", "received"),
        (f"{ticket}/{comment}", "tenure.support_case.severity_changed.v1", "received"),
        (f"{ticket}/{solved}", "tenure.support_case.closed.v1", "received"),
        (f"{ticket}/{again}", "tenure.support_case.opened.v1", "received"),
        ("2/", "1", "ignored"),
    ]


async def test_what_its_webhooks_never_tell(served: Served) -> None:
    """As the README says: whoever changes this there, changes it here."""
    ticket = await served.desk.open_ticket("001", 1)
    await served.desk.change_ticket(ticket, priority=2)
    await served.desk.close_ticket(ticket)
    assert len(await served.came_in()) == 1


async def test_a_gateway_that_is_away_costs_the_agent_an_error_but_no_ticket(tmp_path: Path) -> None:
    """Why the README wants a proxy in between."""
    address = f"http://desk:{PASSWORD}@127.0.0.1:{free_port()}/webhooks/helpdesk"
    with served_helpdesk(tmp_path, webhooks=address) as desk:
        with pytest.raises(httpx.HTTPStatusError, match="500"):
            await desk.open_ticket("001", 1)
        assert (await desk.agent("GET", "tickets/"))["count"] == 1
