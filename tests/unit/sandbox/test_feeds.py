"""The box's change feeds: what a careless caller is told, and what stays apart."""

from pathlib import Path

import httpx
import pytest

from sandbox.app import create_app
from sandbox.webhooks import WebhookTarget
from tests.kits.box import BoxClient
from tests.kits.sandbox import client

SECRET = "whsec_c2FuZGJveC10ZXN0LXNlY3JldA=="


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/erp/changes", 410),
        ("/erp/changes?after=x.1", 410),
        ("/erp/records?since=yesterday", 400),
        ("/erp/records?after=x", 400),
        ("/erp/records?limit=0", 400),
        ("/erp/records?limit=1001", 400),
        ("/erp/records?limit=x", 400),
    ],
)
async def test_what_can_not_be_answered_is_refused(box: BoxClient, path: str, status: int) -> None:
    assert (await box.ask("GET", path)).status_code == status


async def test_each_system_tells_its_own(box: BoxClient) -> None:
    start = {system: (await box.do("GET", f"/{system}/changes/head"))["cursor"] for system in ("usage", "support")}
    await box.do("PUT", "/usage/accounts/001", {"active": 1, "entitled": 2})
    await box.do("POST", "/support/cases", {"account": "001", "severity": 1})
    for system, kind in (("usage", "usage.reported"), ("support", "support_case.opened")):
        [event] = (await box.do("GET", f"/{system}/changes?after={start[system]}"))["events"]
        assert (event["type"], event["source"]) == (f"tenure.{kind}.v1", f"/sandbox/{system}")
    await box.do("POST", "/admin/retention", {"system": "usage", "keep": 0})
    assert (await box.ask("GET", f"/usage/changes?after={start['usage']}")).status_code == 410
    assert (await box.ask("GET", f"/support/changes?after={start['support']}")).status_code == 200


async def test_what_was_told_without_a_target_is_not_sent_when_there_is_one(tmp_path: Path) -> None:
    received: list[str] = []

    def target(request: httpx.Request) -> httpx.Response:
        received.append(request.url.path)
        return httpx.Response(202)

    path = str(tmp_path / "box.db")
    app = create_app(path)
    async with client(app) as http:
        await BoxClient(http).do("PUT", "/usage/accounts/001", {"active": 1, "entitled": 2})
    await app.state.box.close()
    app = create_app(path, WebhookTarget("http://gateway", SECRET, httpx.MockTransport(target)))
    async with client(app) as http:
        await BoxClient(http).do("PUT", "/usage/accounts/001", {"active": 2, "entitled": 2})
        states = [event["state"] for event in await BoxClient(http).do("GET", "/admin/webhooks")]
    await app.state.box.close()
    assert states[0] == "kept"
    assert states[1] in ("pending", "delivered")
    assert len(received) <= 1
