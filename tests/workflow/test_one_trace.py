"""One trace from the click of a salesperson to the renewal a year later: every hop by what was sent along with it."""

import asyncio
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest
from opentelemetry.trace import format_trace_id
from pydantic import SecretStr
from sqlmodel import select
from temporalio.client import Client, Interceptor

from domain.view import LifecycleView, Stage
from sandbox.webhooks import WebhookTarget
from starter.dispatcher import Dispatcher
from starter.gateway import create_app
from starter.sections import KINDS, Secret, WebhookSource
from starter.settings import Settings
from starter.telling import Telling
from starter.tracing import correlation, span, traceparent
from store.inbox import Inbox
from store.tables import InboxRow, OutgoingRow
from tests.dispatch import Post
from tests.house import House, Life, open_house
from tests.intake import deal
from tests.tracing import Spans, recording
from tests.workflow.lives import eventually, open_window, today

SECRET = "whsec_" + "T" * 32
NUMBER = "006-trace"
JOURNEY = "a customer's journey"
WON = f"{JOURNEY} > webhook crm > inbox tenure.deal.closed_won.v1 > deliver > start CustomerLifecycle"
LIVE = f"{JOURNEY} > webhook cs > inbox tenure.milestone.completed.v1 > deliver > update deliver"
LATE = f"{JOURNEY} > webhook erp > inbox tenure.invoice.posted.v1 > deliver > update deliver"
RENEWED = f"{JOURNEY} > webhook crm > inbox tenure.deal.closed_won.v1 > deliver > update deliver"


class ToGateway(httpx.AsyncBaseTransport):
    """The gateway, as soon as it is there."""

    inner: httpx.ASGITransport

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        return await self.inner.handle_async_request(request)


@dataclass
class Town:
    """A house with its gateway and a dispatcher at work. Whoever works in the outside systems sends `headers` along."""

    house: House
    post: Post
    headers: Mapping[str, str]

    async def click(self, method: str, path: str, body: Any = None, *, traced: bool = True) -> dict[str, Any]:
        headers = self.headers if traced else {}
        answer = await self.house.http.request(method, path, json=body or {}, headers=headers)
        answer.raise_for_status()
        found: dict[str, Any] = answer.json()
        return found

    async def of(self, system: str, kind: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = (await self.house.box())["records"].get(system, {}).get(kind, [])
        return found


@asynccontextmanager
async def open_town(
    temporal: Client, home: Path, headers: Mapping[str, str], *told: Interceptor
) -> AsyncIterator[Town]:
    client = Client(temporal.service_client, data_converter=temporal.data_converter, interceptors=told)
    secrets = (Secret(value=SecretStr(SECRET)),)
    settings = Settings(
        state_dir=home, webhooks={kind: WebhookSource(connection=kind, secrets=secrets) for kind in KINDS}
    )
    way = ToGateway()
    async with open_house(client, home, webhook=WebhookTarget("http://gateway", SECRET, way)) as house:
        way.inner = httpx.ASGITransport(create_app(settings, Inbox(house.database)))
        post, stop = Post(house), asyncio.Event()
        dispatcher: Dispatcher = post.dispatcher()
        working = asyncio.create_task(dispatcher.run(stop))
        try:
            yield Town(house, post, headers)
        finally:
            stop.set()
            await working


async def live(town: Town) -> None:
    """Won, activated, live, billed, late with a payment, renewed, and paid."""
    record = deal(Id=NUMBER, AccountId=f"acc-{NUMBER}")["record"]
    await town.click("POST", "/crm/accounts", {"Id": "001Dn00000PaReNtAA0", "Name": "Hooli Group"})
    await town.click("POST", "/crm/opportunities", record)
    life = await _born(town)
    await life.until(lambda view: view.stage is Stage.ONBOARDING and "onboarding" in str(view.effects))
    [task] = [each for each in await town.of("cs", "tasks") if each["milestone"] == "go-live"]
    await town.click("POST", f"/cs/tasks/{task['id']}/complete")
    await life.until(lambda view: view.stage is Stage.SERVING and not view.pending)
    [subscription] = await town.of("erp", "subscriptions")
    due = {"amount": "100.00", "currency": "EUR", "due_on": (today() - timedelta(days=10)).isoformat()}
    bill = {"customer": subscription["customer"], "subscription": subscription["id"], **due}
    invoice = await town.click("POST", "/erp/invoices", bill)
    await life.until(lambda view: view.risk != "low" and not view.pending)

    async def answered() -> bool:
        return "pending" not in await town.post.states(life)

    await eventually(answered)  # else it is told again, with what comes next
    await open_window(life)
    await life.until(lambda view: "renewal-opportunity" in str(view.effects) and not view.pending)
    [open_one] = [each for each in await town.of("crm", "opportunities") if each["Type"] == "Renewal"]
    await town.click("PATCH", f"/crm/opportunities/{open_one['Id']}", {"StageName": "Closed Won"})
    await life.until(_renewed)
    # the bank that tells the ERP of the payment knows of no trace
    await town.click("POST", f"/erp/invoices/{invoice['id']}/pay", traced=False)
    await life.until(lambda view: view.risk == "low" and not view.pending)


async def _born(town: Town) -> Life:
    for _ in range(400):
        if await town.post.lifecycles.get(f"crm/{NUMBER}/1"):
            return await town.post.life(NUMBER)
        await asyncio.sleep(0.05)
    raise AssertionError("the deal began no lifecycle")


def _renewed(view: LifecycleView) -> bool:
    return any(key.startswith("renewal:") for key in view.effects) and not view.pending


class Seen(NamedTuple):
    """The spans, and the traces that the store names: of what came in from the outside systems, and what goes out."""

    spans: Spans
    journey: str
    received: set[str]
    published: set[str]


@pytest.fixture(scope="module")
async def seen(temporal: Client, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Seen]:
    """The whole journey, lived once; everybody has finished."""
    with recording() as spans:
        with span(JOURNEY, parent=""):
            headers = {"traceparent": traceparent()}
        async with open_town(temporal, tmp_path_factory.mktemp("town"), headers, Telling()) as town:
            await live(town)
            read = town.house.database.read
            received = await read(lambda session: session.exec(select(InboxRow)).all())
            published = await read(lambda session: session.exec(select(OutgoingRow)).all())
        yield Seen(
            spans,
            correlation(headers["traceparent"]),
            {correlation(row.trace) for row in received if row.source in KINDS},
            {correlation(row.trace) for row in published},
        )


def test_the_whole_journey_is_one_trace(seen: Seen) -> None:
    paths = {path for path in seen.spans.paths() if not path.startswith(JOURNEY)}
    assert {path.partition(" > ")[0] for path in paths} == {"webhook erp"}, seen.spans.tree()
    assert len(seen.spans.of(seen.journey)) > 60


def test_what_comes_without_a_trace_begins_one_that_is_linked_to_the_lifecycles(seen: Seen) -> None:
    [other] = seen.spans.traces() - {seen.journey}
    done = {span.name: span for span in seen.spans.of(other)}
    assert {"webhook erp", "inbox tenure.invoice.paid.v1", "deliver", "update deliver", "PUT cs.set_health"} <= set(
        done
    )
    assert {format_trace_id(link.context.trace_id) for link in done["cs.set_health"].links} == {seen.journey}


@pytest.mark.parametrize(
    "path",
    [
        f"{WON} > crm.validate_order",
        f"{WON} > erp.create_customer > POST erp.create_customer",
        f"{WON} > erp.create_subscription > POST erp.create_subscription",
        f"{WON} > cs.launch_onboarding > POST cs.launch_onboarding",
        f"{LIVE} > erp.start_billing > POST erp.start_billing",
        f"{LATE} > cs.set_health > PUT cs.set_health",
        # months later, by its calendar
        f"{WON} > crm.create_renewal_opportunity > POST crm.create_renewal_opportunity",
        f"{RENEWED} > erp.renew_subscription > POST erp.renew_subscription",
    ],
)
def test_what_is_done_hangs_below_what_it_was_done_for(path: str, seen: Seen) -> None:
    assert path in seen.spans.paths(), seen.spans.tree()


def test_what_a_system_answers_to_a_call_comes_back_below_that_call(seen: Seen) -> None:
    back = f"{WON} > erp.activate_order > POST erp.activate_order > webhook erp > inbox tenure.subscription.changed.v1"
    assert f"{back} > deliver" in seen.spans.paths(), seen.spans.tree()


def test_what_is_kept_names_the_trace(seen: Seen) -> None:
    assert seen.received == seen.spans.traces()
    assert seen.journey in seen.published <= seen.spans.traces()


def test_spans_are_short_and_name_the_contract_but_no_person(seen: Seen) -> None:
    told = ""
    for each in seen.spans.all():
        assert each.start_time is not None
        assert each.end_time is not None
        assert each.end_time - each.start_time < 60e9, each.name
        told += f"{each.name} {dict(each.attributes or {})} {each.status.description} {each.events}\n"
    assert f"crm/{NUMBER}/1" in told
    assert not re.search(r"@|hooli|gavin|belson|DE\d{9}", told, re.IGNORECASE)
