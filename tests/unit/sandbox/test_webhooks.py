"""The outbox of the box: what it tells, signed, and how it goes on telling when the target is down or says no."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
import pytest
from standardwebhooks import Webhook

from domain.events import read_event
from sandbox.app import create_app
from sandbox.webhooks import WebhookTarget
from tests.kits.box import BoxClient

SECRET = "whsec_c2FuZGJveC10ZXN0LXNlY3JldA=="


class Target:
    """Answers with `status`; None: no connection."""

    def __init__(self) -> None:
        self.status: int | None = 202
        self.tried: list[tuple[str, Any]] = []

    @property
    def received(self) -> list[Any]:
        return [event for _, event in self.tried]

    def answer(self, request: httpx.Request) -> httpx.Response:
        event = Webhook(SECRET).verify(request.content, dict(request.headers))
        self.tried.append((request.url.path, event))
        if self.status is None:
            raise httpx.ConnectError("refused")
        return httpx.Response(self.status)


@pytest.fixture
def target() -> Target:
    return Target()


@pytest.fixture
async def told(target: Target) -> AsyncIterator[BoxClient]:
    """A box that tells `target`."""
    app = create_app(":memory:", WebhookTarget("http://gateway", SECRET, httpx.MockTransport(target.answer)))
    headers = {"authorization": "Bearer sandbox"}
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://box", headers=headers) as http:
        yield BoxClient(http)
    for event in target.received:
        read_event(event)  # whatever was told keeps the event contracts
    await app.state.box.close()


async def until(true: Callable[[], bool]) -> None:
    for _ in range(1000):
        if true():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it did not come to pass")


async def settled(told: BoxClient) -> list[str]:
    """The state of each event once none is pending."""
    for _ in range(1000):
        states = [event["state"] for event in await told.do("GET", "/admin/webhooks")]
        if "pending" not in states:
            return states
        await asyncio.sleep(0.01)
    raise AssertionError("events are still pending")


async def deal(told: BoxClient, stage: str = "Proposal", **more: Any) -> str:
    body = {"AccountId": "001A", "Name": "Hooli", "StageName": stage, "CloseDate": "2026-11-20", **more}
    return str((await told.do("POST", "/crm/opportunities", {**body, "Account": {"Name": "Hooli GmbH"}}))["Id"])


async def test_a_deal_is_told_when_it_is_won_and_only_then(told: BoxClient, target: Target) -> None:
    await told.do("POST", "/admin/clock", {"now": "2026-11-20T09:00:00Z"})
    made = await deal(told)
    await told.do("PATCH", f"/crm/opportunities/{made}", {"Amount": 60000})
    await told.do("PATCH", f"/crm/opportunities/{made}", {"StageName": "Closed Won"})
    await told.do("PATCH", f"/crm/opportunities/{made}", {"Tenure_Status__c": "live", "StageName": "Closed Won"})
    assert await settled(told) == ["delivered"]
    [(path, event)] = target.tried
    assert path == "/webhooks/crm"
    assert (event["specversion"], event["source"], event["subject"]) == ("1.0", "/sandbox/crm", made)
    assert event["type"] == "tenure.deal.closed_won.v1"
    assert event["time"].startswith("2026-11-20T09:00:0")
    assert (event["data"]["record"]["Amount"], event["data"]["record"]["IsWon"]) == (60000, True)


async def test_a_deal_born_won_and_a_deal_lost_are_told(told: BoxClient, target: Target) -> None:
    await deal(told, "Closed Won")
    lost = await deal(told)
    await told.do("PATCH", f"/crm/opportunities/{lost}", {"StageName": "Closed Lost"})
    await settled(told)
    assert [event["type"] for event in target.received] == ["tenure.deal.closed_won.v1", "tenure.deal.lost.v1"]


async def test_the_life_of_an_invoice_is_told_in_versions(told: BoxClient, target: Target) -> None:
    made = await told.subscription()
    await told.do("POST", "/admin/clock", {"now": "2027-01-10T12:00:00Z"})
    invoice = {"customer": made["customer"], "subscription": made["id"], "amount": "100.50", "due_on": "2027-01-09"}
    posted = await told.do("POST", "/erp/invoices", invoice)
    await told.do("POST", f"/erp/invoices/{posted['id']}/remind")
    await told.do("POST", f"/erp/invoices/{posted['id']}/pay")
    await settled(told)
    invoices = [event for event in target.received if event["type"].startswith("tenure.invoice.")]
    kinds = [event["type"].split(".")[2] for event in invoices]
    assert list(zip(kinds, [event["data"]["version"] for event in invoices], strict=True)) == [
        ("posted", 1),
        ("overdue", 2),
        ("paid", 3),
    ]
    assert target.received[-1]["data"] == {
        "invoice": posted["id"], "subscription": made["id"], "customer": made["customer"], "amount": "100.50",
        "currency": "EUR", "due_on": "2027-01-09", "paid_on": "2027-01-10", "version": 3,
    }  # fmt: skip


async def test_milestones_cases_and_usage_are_told_each_by_its_system(told: BoxClient, target: Target) -> None:
    company = await told.do("POST", "/cs/companies", {"external_id": "001", "name": "Hooli GmbH"})
    tasks = [{"name": "Kick-off"}, {"name": "Go live", "milestone": "go-live"}]
    plan = {"company": company["id"], "contract": "crm/1/1", "template": "standard", "starts": "2026-12-01"}
    await told.do("POST", "/cs/plans", {**plan, "tasks": tasks})
    for task in (await told.do("GET", f"/cs/companies/{company['id']}/tasks"))["tasks"]:
        await told.do("POST", f"/cs/tasks/{task['id']}/complete", {"completed_on": "2027-01-04"})
    case = await told.do("POST", "/support/cases", {"account": "001", "severity": 2})
    for _ in range(2):
        await told.do("POST", f"/support/cases/{case['id']}/close")
    await told.do("PUT", "/usage/accounts/001", {"active": 40, "entitled": 50, "as_of": "2027-01-05"})
    await settled(told)
    assert [(path, event["type"], event["data"]) for path, event in target.tried] == [
        ("/webhooks/cs", "tenure.milestone.completed.v1",
         {"contract": "crm/1/1", "milestone": "go-live", "completed_on": "2027-01-04"}),
        ("/webhooks/support", "tenure.support_case.opened.v1",
         {"case": case["id"], "account": "001", "severity": 2, "version": 1}),
        ("/webhooks/support", "tenure.support_case.closed.v1",
         {"case": case["id"], "account": "001", "severity": 2, "version": 2}),
        ("/webhooks/usage", "tenure.usage.reported.v1",
         {"account": "001", "active": "40", "entitled": "50", "as_of": "2027-01-05"}),
    ]  # fmt: skip


@pytest.mark.parametrize("outage", [None, 503, 429])
async def test_a_target_that_was_away_is_told_when_it_is_back(
    told: BoxClient, target: Target, outage: int | None
) -> None:
    target.status = outage
    await deal(told, "Closed Won")
    await until(lambda: len(target.tried) >= 3)
    target.status = 202
    assert await settled(told) == ["delivered"]
    assert len({event["id"] for event in target.received}) == 1


async def test_a_target_that_says_no_five_times_is_left_alone(told: BoxClient, target: Target) -> None:
    target.status = 401
    await deal(told, "Closed Won")
    assert await settled(told) == ["given up"]
    assert len(target.tried) == 5


async def test_an_event_can_be_sent_again_unchanged(told: BoxClient, target: Target) -> None:
    await deal(told, "Closed Won")
    await settled(told)
    [event] = await told.do("GET", "/admin/webhooks")
    await told.do("POST", f"/admin/webhooks/{event['id']}/again")
    await settled(told)
    first, second = target.received
    assert first == second
    assert (await told.ask("POST", "/admin/webhooks/no-such/again")).status_code == 404


async def test_what_was_not_done_is_not_told(told: BoxClient, target: Target) -> None:
    await told.do("POST", "/admin/faults", {"system": "crm", "kind": "error", "times": 1})
    assert (await told.ask("POST", "/crm/opportunities", {})).status_code == 500
    assert (await told.ask("POST", "/crm/opportunities", {"StageName": "Closed Won"})).status_code == 400
    assert await told.do("GET", "/admin/webhooks") == []
    assert target.tried == []
