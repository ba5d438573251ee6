"""A journey with everything that can go wrong, and not one secret in what anybody can read afterwards."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn
from google.protobuf.json_format import MessageToDict
from sqlalchemy import MetaData, make_url
from sqlmodel import select
from starlette.types import ASGIApp, Receive, Scope, Send

import wiring
from sandbox.app import create_app
from sandbox.webhooks import WebhookTarget
from starter.settings import Settings, load_settings
from starter.stack import LocalStack
from starter.stack_specs import ProcessSpec, local_specs
from store.database import Database
from store.tables import CaseRow
from tests.planted import Planted, configuration, decoded, environment, everything, plant, whsec
from tests.ports import free_port
from tests.postgres import Postgres
from tests.stack import ROOT, RunningStack
from tests.subscriber import open_subscriber
from tests.workflow.lives import eventually

US = "006US"
TROUBLES = {"auth", "rejected", "contract_broken", "AUTH", "SOURCE_UNAVAILABLE"}
"""Of lifecycles, and of feeds."""


@dataclass
class Heard:
    """What the box was asked for: every URL, whole."""

    app: ASGIApp
    urls: list[str] = field(default_factory=list)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            self.urls.append(f"{scope['path']}?{scope['query_string'].decode()}")
        await self.app(scope, receive, send)


@dataclass
class House:
    stack: RunningStack
    heard: Heard
    planted: Planted
    home: Path
    said: list[str] = field(default_factory=list)
    """What was answered to people and senders."""

    async def gateway(self, method: str, path: str, **request: Any) -> int:
        async with httpx.AsyncClient(base_url=self.stack.settings.gateway_url, trust_env=False) as client:
            answer = await client.request(method, path, **request)
        self.said.append(f"{answer.headers} {answer.text}")
        return answer.status_code

    async def tenure(self, *arguments: str) -> str:
        command = [sys.executable, "-c", "from starter.cli import main; main()", *arguments]
        variables = os.environ | {"TENURE_CONFIG": str(self.home / "tenure.toml"), "PYTHONPATH": str(ROOT)}
        done = await asyncio.to_thread(
            subprocess.run, command, env=variables, cwd=self.home, capture_output=True, text=True, timeout=60
        )
        self.said.append(done.stdout + done.stderr)
        return done.stdout


@asynccontextmanager
async def serving(app: ASGIApp, port: int) -> AsyncIterator[None]:
    config = uvicorn.Config(app, host="127.0.0.1", port=port, log_config=None, timeout_graceful_shutdown=1)
    server = uvicorn.Server(config)
    running = asyncio.create_task(server.serve())
    async with asyncio.timeout(20):
        while not server.started:  # noqa: ASYNC110 (it has no event)
            await asyncio.sleep(0.01)
    try:
        yield
    finally:
        server.should_exit = True
        await running


def specs(settings: Settings, *, time_travel: bool) -> list[ProcessSpec]:
    """The stack without its box: this one listens to whole URLs."""
    return [spec for spec in local_specs(settings, time_travel=time_travel) if spec.name != "sandbox"]


@pytest.fixture
async def house(tmp_path: Path, postgres: Postgres, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[House]:
    for name in list(os.environ):
        if name.startswith(("TENURE_", "TEMPORAL_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("TEMPORAL_CONFIG_FILE", str(tmp_path / "no-such-profile.toml"))
    url = make_url(postgres.fresh())
    password = url.password or plant("store")
    variables = environment(url.set(password=password).render_as_string(hide_password=False))
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    ports = {name: free_port() for name in ("temporal", "ui", "gateway", "experience", "box")}
    async with AsyncExitStack() as stack:
        subscriber = await stack.enter_async_context(open_subscriber())
        (tmp_path / "tenure.toml").write_text(configuration(ROOT, subscriber=subscriber.url, **ports))
        settings = load_settings(tmp_path / "tenure.toml")
        target = WebhookTarget(settings.gateway_url, whsec("webhook"))
        heard = Heard(create_app(str(tmp_path / "box.db"), target, token=plant("box")))
        await stack.enter_async_context(serving(heard, ports["box"]))
        local = LocalStack(settings, specs)
        stack.push_async_callback(asyncio.to_thread, local.down)
        await asyncio.to_thread(local.up)
        database = wiring.open_store(settings)
        stack.callback(database.close)
        token = {"Authorization": f"Bearer {plant('box')}"}
        box = await stack.enter_async_context(
            httpx.AsyncClient(base_url=settings.sandbox_url, headers=token, trust_env=False, timeout=30)
        )
        running = RunningStack(settings, local, box, database)
        yield House(running, heard, everything(variables, password), tmp_path)
    postgres.drop(url.render_as_string(hide_password=False))


async def live_through(house: House) -> None:
    """Two orders: one that is broken off, lost, refused and answered with garbage; one whose ERP lets nobody in."""
    town = house.stack
    await town.fault("erp", "create_customer", "error", seconds=0, times=1)
    await town.fault("erp", "create_subscription", "lose_answer", seconds=0, times=1)
    await town.fault("erp", "activate_order", "refuse", seconds=0, times=1)
    await town.fault("crm", "update_opportunity", "garbage", seconds=0, times=1)
    [contract] = await town.win("006DE")
    record = json.loads((ROOT / "examples" / "payloads" / "salesforce_new_us.json").read_text())
    await town.post("/crm/opportunities", record | {"Id": US})
    await town.until(lambda: town.count(contract, "erp", "customers"), 1)

    async def troubles() -> list[str]:
        rows = await town.database.read(lambda session: session.exec(select(CaseRow.kind)).all())
        return sorted({kind for kind in rows if kind in TROUBLES})

    await town.until(troubles, sorted(TROUBLES), 90)


async def ask_everybody(house: House) -> None:
    """What people and senders are answered: mistakes, figures, documents, lists."""
    headers = {"webhook-id": "1", "webhook-timestamp": "1", "webhook-signature": f"v1,{plant('box')[:8]}"}
    assert await house.gateway("POST", "/webhooks/crm", json={"a": 1}, headers=headers) in (400, 401)
    assert await house.gateway("POST", "/webhooks/nobody", json={}) == 404
    assert await house.gateway("POST", "/webhooks/erp", content=b"\xff{") in (400, 401)
    for path in ("/metrics", "/readyz", "/openapi.json"):
        assert await house.gateway("GET", path) == 200
    others = (["status"], ["subscribers"], ["show", US], ["cases", "list"], ["nonsense"])
    answers = await asyncio.gather(
        *(house.tenure(*command) for command in (["connections", "check", "--json"], *others))
    )
    tried = json.loads(answers[0])
    wrong = {each["name"] for each in tried if not each["fine"]}
    assert {"locked-books", "bills", "old-books", "support", "usage"} <= wrong
    assert all(problem["what"] and problem["mend"] for each in tried for problem in each["problems"])


async def histories(house: House) -> AsyncIterator[bytes]:
    client = await house.stack.client()
    async for found in client.list_workflows():
        history = await client.get_workflow_handle(found.id, run_id=found.run_id).fetch_history()
        for event in history.events:
            for text in decoded(MessageToDict(event)):
                yield text


def tables(database: Database) -> dict[str, list[str]]:
    """Every row of every table, as text."""
    metadata = MetaData()
    with database.engine.connect() as connection:
        metadata.reflect(connection)
        return {
            table.name: [json.dumps(list(row), default=str) for row in connection.execute(table.select())]
            for table in metadata.sorted_tables
        }


@pytest.mark.timeout(400)  # a stack of its own, and a command line for every question
async def test_no_secret_is_to_be_found_anywhere(house: House) -> None:
    planted = house.planted
    await live_through(house)
    await ask_everybody(house)
    texts = [text async for text in histories(house)]
    assert len(texts) > 1000
    assert planted.found_in(b"\n".join(texts)) == []
    rows = tables(house.stack.database)
    assert {"effects", "cases", "inbox", "outgoing_deliveries"} <= {name for name, found in rows.items() if found}
    assert {name: hits for name, found in rows.items() if (hits := planted.found_in("\n".join(found)))} == {}
    assert planted.found_in("\n".join(house.said)) == []
    assert len(house.heard.urls) > 50
    assert planted.found_in("\n".join(house.heard.urls)) == []
    # all that the processes wrote: logs, run files, Temporal's own database
    state = house.stack.settings.state_path
    logs = {path.stem: path.read_text() for path in (state / "logs").glob("*.log")}
    assert {"worker", "dispatcher", "gateway"} <= {name for name, log in logs.items() if "debug" in log}
    assert planted.in_files(state) == {}
    # the same search does find what is there
    client = await house.stack.client()
    leak = await client.start_workflow("Nobody", f"a {plant('box')}", id="leak", task_queue="nobody")

    async def leaks() -> list[str]:
        return planted.found_in(b"\n".join([text async for text in histories(house)]))

    await eventually(leaks)  # Temporal's list is a moment late
    await leak.terminate()
