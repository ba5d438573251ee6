"""The sandbox as a process of its own, over real sockets: it starts, tells, cuts connections, keeps its state."""

import asyncio
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any

import httpx
import pytest
from standardwebhooks import Webhook

from adapters.erp.sandbox import SandboxErp
from domain.errors import OutcomeUnknown, SourceUnavailable
from domain.order import Address
from domain.ports import NewCustomer

ROOT = Path(__file__).parents[2]
SECRET = "whsec_c2FuZGJveC10ZXN0LXNlY3JldA=="


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def sandbox(port: int, db: Path, webhook_url: str) -> Iterator[subprocess.Popen[bytes]]:
    """A running box that answers; ended with SIGTERM."""
    command = [sys.executable, "-m", "sandbox", "--port", str(port), "--db", str(db)]
    process = subprocess.Popen(
        [*command, "--webhook-url", webhook_url],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), "SANDBOX_WEBHOOK_SECRET": SECRET},
    )
    try:
        _wait_for(port, process)
        yield process
    finally:
        process.terminate()
        process.wait(timeout=10)


def _wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline and process.poll() is None:
        try:
            if httpx.get(f"http://127.0.0.1:{port}/healthz").is_success:
                return
        except httpx.TransportError:
            time.sleep(0.05)
    raise AssertionError(f"the sandbox did not start (return code {process.poll()})")


class Receiver:
    """A webhook target; it keeps what came in."""

    def __init__(self) -> None:
        self._received: asyncio.Queue[tuple[str, dict[str, str], bytes]] = asyncio.Queue()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        request, *lines = head.strip().split("\r\n")
        headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
        body = await reader.readexactly(int(headers["content-length"]))
        await self._received.put((request.split(" ")[1], headers, body))
        writer.write(b"HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
        await writer.drain()
        writer.close()

    async def listen(self, port: int) -> asyncio.Server:
        return await asyncio.start_server(self._serve, "127.0.0.1", port)

    async def first(self) -> tuple[str, dict[str, str], bytes]:
        async with asyncio.timeout(15):
            return await self._received.get()


@pytest.fixture
async def box(tmp_path: Path) -> AsyncIterator[tuple[httpx.AsyncClient, int, int]]:
    """A client of a running box, the box's port, and the port its webhooks go to (nobody listens yet)."""
    port, target = free_port(), free_port()
    with sandbox(port, tmp_path / "box.db", f"http://127.0.0.1:{target}"):
        async with client(port) as http:
            yield http, port, target


def client(port: int, prefix: str = "") -> httpx.AsyncClient:
    headers = {"authorization": "Bearer sandbox"}
    return httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}{prefix}", headers=headers)


async def test_a_deal_won_is_told_signed_as_soon_as_somebody_listens(box: tuple[httpx.AsyncClient, int, int]) -> None:
    http, _, target = box
    won = {"AccountId": "001A", "Name": "Hooli", "StageName": "Proposal", "CloseDate": "2026-11-20"}
    made = await http.post("/crm/opportunities", json={**won, "Account": {"Name": "Hooli GmbH"}})
    await http.patch(f"/crm/opportunities/{made.json()['Id']}", json={"StageName": "Closed Won"})
    receiver = Receiver()
    server = await receiver.listen(target)
    async with server:
        path, headers, body = await receiver.first()
    assert path == "/webhooks/crm"
    event = Webhook(SECRET).verify(body, headers)
    assert event["type"] == "tenure.deal.closed_won.v1"
    assert headers["webhook-id"] == event["id"]
    assert event["data"]["record"]["Account"]["Name"] == "Hooli GmbH"


async def test_a_cut_connection_leaves_the_outcome_unknown_and_the_work_done(
    box: tuple[httpx.AsyncClient, int, int],
) -> None:
    http, port, _ = box
    fault = {"system": "erp", "operation": "create_customer", "kind": "lose_answer", "cut": True, "times": 1}
    await http.post("/admin/faults", json=fault)
    async with client(port, "/erp") as erp_client:
        erp = SandboxErp(erp_client)
        with pytest.raises(OutcomeUnknown):
            await erp.create_customer(_customer(), key="customer:cut")
        assert await erp.find_customer("customer:cut") is not None
    assert (await http.get("/admin/state")).json()["counts"]["erp"]["customers"] == 1


async def test_late_work_is_done_although_nobody_waits(box: tuple[httpx.AsyncClient, int, int]) -> None:
    http, port, _ = box
    fault = {"system": "erp", "operation": "create_customer", "kind": "slow", "seconds": 2.3, "times": 1}
    await http.post("/admin/faults", json=fault)
    async with client(port, "/erp") as erp_client:
        erp = SandboxErp(erp_client)
        with pytest.raises(OutcomeUnknown):
            await erp.create_customer(_customer(), key="customer:slow")
        assert await erp.find_customer("customer:slow") is None
        await asyncio.sleep(1)
        assert await erp.find_customer("customer:slow") is not None


async def test_nobody_at_the_port_is_provably_not_sent() -> None:
    async with client(free_port(), "/erp") as erp_client:
        with pytest.raises(SourceUnavailable):
            await SandboxErp(erp_client).create_customer(_customer(), key="customer:nobody")


async def test_a_restarted_box_remembers(tmp_path: Path) -> None:
    port = free_port()
    for round_ in (1, 2):
        with sandbox(port, tmp_path / "box.db", "http://127.0.0.1:1"):
            async with client(port) as http:
                if round_ == 1:
                    await http.post("/admin/clock", json={"now": "2030-01-01T00:00:00Z"})
                    await http.put("/usage/accounts/001", json={"active": 1, "entitled": 2})
                state: dict[str, Any] = (await http.get("/admin/state")).json()
                now = (await http.get("/admin/clock")).json()["now"]
                pending = [event["state"] for event in (await http.get("/admin/webhooks")).json()]
        assert json.dumps(state["counts"]) == '{"usage": {"reports": 1}}'
        assert date.fromisoformat(now[:10]) == date(2030, 1, 1)
        assert pending == ["pending"]


def _customer() -> NewCustomer:
    address = Address(city="Wien", country="AT")
    return NewCustomer(
        account="001", selling_entity="acme-at", name="Hooli GmbH", currency="EUR",
        billing_address=address, shipping_address=address,
    )  # fmt: skip
