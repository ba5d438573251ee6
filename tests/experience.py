"""The capability API and the console over a store of a test's own, asked as a browser or a program would ask."""

import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
from fastapi import FastAPI
from temporalio.client import Client
from temporalio.contrib.pydantic import pydantic_data_converter

from domain.books import ViewRow
from domain.company import load_company
from domain.mapping import load_mapping
from domain.view import LifecycleView
from experience.app import create_app
from experience.services import Services
from starter.office import Office
from starter.reaching import Reaching
from starter.settings import Settings, load_settings
from starter.sources.reading import Sources
from store.database import Database
from store.tables import LifecycleRow
from store.views import SqlViews
from tests.house import EXAMPLES
from tests.stores import lay

RUN = datetime(2027, 1, 31, 8, tzinfo=UTC)
NOBODY = "127.0.0.1:1"


@dataclass
class Experience:
    """`http` asks the app; `publish` puts lifecycles into the store as the dispatcher and the ledger do."""

    services: Services
    http: httpx.AsyncClient
    sequences: dict[str, int] = field(default_factory=dict)

    @property
    def database(self) -> Database:
        return self.services.database

    @property
    def app(self) -> FastAPI:
        found: FastAPI = self.http._transport.app  # type: ignore[attr-defined]  # it is an ASGITransport
        return found

    async def publish(self, view: LifecycleView, **row: Any) -> None:
        """A lifecycle that is there, or its next view. `row`: what else its row in the store says."""
        if view.contract not in self.sequences:
            named = {"deal": view.deal or view.contract.split("/")[1], "account": view.account or "ACC-1"}
            values = {**named, "selling_entity": view.selling_entity, "started": True, **row}
            life = LifecycleRow(
                tenant="acme", contract=view.contract, workflow_id=f"lifecycle/acme/{view.contract}", **values
            )
            await self.database.write(lambda session: session.add(life))
        number = self.sequences[view.contract] = self.sequences.get(view.contract, 0) + 1
        await SqlViews(self.database).publish(
            ViewRow(contract=view.contract, run_started=RUN, sequence=number, view=view.model_dump(mode="json"))
        )

    def look_later(self) -> None:
        """Have the app's clock go two minutes ahead: what was written just now is settled for it, as exports want."""
        ahead = replace(self.services, clock=lambda: datetime.now(UTC) + timedelta(minutes=2))
        self.app.state.services = ahead

    async def post(self, path: str, body: Any = None, key: str | None = None) -> httpx.Response:
        """A command; without a key, under one of its own."""
        headers = {"Idempotency-Key": key or uuid.uuid4().hex}
        return await self.http.post(f"/api/v1{path}", json=body or {}, headers=headers)

    async def get(self, path: str, **asked: Any) -> Any:
        """The JSON of a 200."""
        answer = await self.http.get(f"/api/v1{path}", params=asked)
        assert answer.status_code == httpx.codes.OK, answer.text
        return answer.json()


@asynccontextmanager
async def open_experience(
    url: str, settings: Settings | None = None, client: Client | None = None
) -> AsyncIterator[Experience]:
    """Over the database at `url`. Without a client of Temporal nobody answers there, which no read may notice."""
    lay(url)
    database = Database(url, lasting=False)
    try:
        async with over(database, settings, client) as opened:
            yield opened
    finally:
        database.close()


@asynccontextmanager
async def over(
    database: Database, settings: Settings | None = None, client: Client | None = None, **outside: Any
) -> AsyncIterator[Experience]:
    """The same, over a database that is somebody else's. `outside`: what the services reach the outside with."""
    settings = settings or load_settings(EXAMPLES.parent / "tenure.toml")
    nobody = client or await Client.connect(
        NOBODY, data_converter=pydantic_data_converter, lazy=True, interceptors=[Reaching()]
    )
    company = load_company((EXAMPLES / "company.toml").read_text())
    mapping = load_mapping((EXAMPLES / "mappings" / "salesforce.toml").read_text())
    office = Office(database, nobody, company, mapping, "crm", Sources(settings))
    services = Services(database, office, settings, **outside)
    transport = httpx.ASGITransport(create_app(services), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8704") as http:
        yield Experience(services, http)


def sqlite_url(home: Path) -> str:
    return f"sqlite:///{home / 'store.db'}"
