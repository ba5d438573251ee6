"""What the readers of Salesforce and HubSpot owe to those vendors' own ways, beyond the kit."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from adapters.crm.hubspot import HubSpotReader
from adapters.crm.salesforce import SalesforceReader
from adapters.oauth import OAuth
from domain.errors import AuthFailed, ContractBroken, NotFound, RateLimited, SourceUnavailable, TenureError
from domain.mapping import canonical
from domain.ports import CrmReader
from sandbox.app import create_app
from tests.kits.crm_reader import (
    ASKED_OF_HUBSPOT,
    ASKED_OF_SALESFORCE,
    DEADLINE,
    DEAL,
    HUBSPOT,
    deal,
    many_lines,
)
from tests.kits.sandbox import SandboxWorld

SINCE = datetime(2026, 1, 1, tzinfo=UTC)
BOX = "sandbox"  # every secret of the box
TOKEN_URLS = {
    "salesforce": "http://box/salesforce/services/oauth2/token",
    "hubspot": "http://box/hubspot/oauth/v1/token",
}
READS_DEAL = {"salesforce": "query", "hubspot": "read_deal"}
READERS: dict[str, Callable[[httpx.AsyncClient], CrmReader]] = {
    "salesforce": lambda client: SalesforceReader(client, ASKED_OF_SALESFORCE, deadline=DEADLINE),
    "hubspot": lambda client: HubSpotReader(client, ASKED_OF_HUBSPOT, deadline=DEADLINE),
}


class World(SandboxWorld[CrmReader]):
    """A box that speaks one vendor's dialect. What `after` is told happens after the next read of a deal."""

    def __init__(self, app: FastAPI, vendor: str) -> None:
        super().__init__(vendor, READERS[vendor], app)
        self.vendor = vendor
        self.after: Callable[[], Awaitable[object]] | None = None

    @asynccontextmanager
    async def signed_in(self, refresh_token: str | None = BOX, secret: str = BOX) -> AsyncIterator[CrmReader]:
        """A reader that has nothing but OAuth."""
        oauth = OAuth(
            "crm", TOKEN_URLS[self.vendor], client_id="tenure", client_secret=secret, refresh_token=refresh_token
        )
        async with httpx.AsyncClient(
            transport=httpx.ASGITransport(self.app),
            base_url=f"http://box/{self.vendor}/",
            auth=oauth,
            event_hooks={"response": [self._answered]},
        ) as client:
            yield READERS[self.vendor](client)

    async def fault(self, **fault: Any) -> None:
        (await self.http.post("/admin/faults", json={"system": self.vendor, **fault})).raise_for_status()

    async def _answered(self, response: httpx.Response) -> None:
        if self.after is not None and response.request.url.path.endswith(("/query", f"/deals/{DEAL}")):
            happens, self.after = self.after, None
            await happens()


@asynccontextmanager
async def open_world(vendor: str) -> AsyncIterator[World]:
    app = create_app(":memory:", token=BOX)
    world = World(app, vendor)
    try:
        yield world
    finally:
        await world.close()
        await app.state.box.close()


@pytest.fixture(params=["salesforce", "hubspot"])
async def world(request: pytest.FixtureRequest) -> AsyncIterator[World]:
    async with open_world(request.param) as world:
        await world.put_deal(deal())
        yield world


@pytest.fixture
async def salesforce() -> AsyncIterator[World]:
    async with open_world("salesforce") as world:
        yield world


@pytest.fixture
async def hubspot() -> AsyncIterator[World]:
    async with open_world("hubspot") as world:
        yield world


# ── OAuth ────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("refresh_token", ["sandbox", None])
async def test_one_token_is_fetched_when_it_is_needed_for_all_that_read_at_once(
    world: World, refresh_token: str | None
) -> None:
    async with world.signed_in(refresh_token=refresh_token) as port:
        assert await world.calls("token") == 0
        await asyncio.gather(*(port.read_deal(DEAL) for _ in range(5)), port.changed_deals(SINCE))
        assert await world.calls("token") == 1


async def test_a_token_that_ends_in_the_middle_of_a_read_is_renewed_once(world: World) -> None:
    await world.change_deal(DEAL, OpportunityLineItems=many_lines(250))
    async with world.signed_in() as port:
        first = await port.read_deal(DEAL)
        world.after = partial(world.pass_time, timedelta(days=1))
        assert await port.read_deal(DEAL) == first
        assert await world.calls("token") == 2


async def test_an_expired_refresh_token_needs_an_engineer(world: World) -> None:
    async with world.signed_in(refresh_token="0ld-and-secret") as port:
        with pytest.raises(AuthFailed) as raised:
            await port.read_deal(DEAL)
    assert str(raised.value).startswith("crm.token: HTTP 400: ")
    assert "0ld-and-secret" not in str(raised.value)
    assert await world.calls(READS_DEAL[world.vendor]) == 0


async def test_a_refused_client_is_an_auth_failure(world: World) -> None:
    async with world.signed_in(secret="wrong", refresh_token=None) as port:
        with pytest.raises(AuthFailed):
            await port.read_deal(DEAL)


async def test_a_new_token_that_is_refused_too_ends_it(world: World) -> None:
    async with world.signed_in() as port:
        await world.fault(operation=READS_DEAL[world.vendor], kind="error", status=401)
        with pytest.raises(AuthFailed):
            await port.read_deal(DEAL)
    assert await world.calls(READS_DEAL[world.vendor]) == 2
    assert await world.calls("token") == 2


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ({"kind": "error"}, SourceUnavailable),
        ({"kind": "down"}, SourceUnavailable),
        ({"kind": "hang", "seconds": 60}, SourceUnavailable),
        ({"kind": "garbage"}, ContractBroken),
        ({"kind": "garbage", "answer": '{"access_token": ""}'}, ContractBroken),
    ],
)
async def test_a_token_that_does_not_come(world: World, fault: dict[str, Any], error: type[TenureError]) -> None:
    async with world.signed_in() as port:
        await world.fault(operation="token", times=1, **fault)
        with pytest.raises(error):
            await port.read_deal(DEAL)
        assert (await port.read_deal(DEAL)).id == DEAL


async def test_too_many_token_requests_say_how_long(hubspot: World) -> None:
    async with hubspot.signed_in() as port:
        await hubspot.fault(operation="token", kind="rate_limit", retry_after="9", times=1)
        with pytest.raises(RateLimited) as raised:
            await port.read_deal(DEAL)
    assert raised.value.retry_after == timedelta(seconds=9)


async def test_too_many_logins_at_salesforce_pass() -> None:
    refusal = {"error": "invalid_grant", "error_description": "login rate exceeded"}
    transport = httpx.MockTransport(lambda request: httpx.Response(400, json=refusal))
    oauth = OAuth("crm", TOKEN_URLS["salesforce"], client_id="tenure", client_secret=BOX)
    async with httpx.AsyncClient(transport=transport, base_url="http://box/", auth=oauth) as client:
        with pytest.raises(RateLimited):
            await READERS["salesforce"](client).read_deal(DEAL)


# ── deals ────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_an_archived_deal_is_not_found(world: World) -> None:
    await world.change_deal(DEAL, Archived__c=True)
    with pytest.raises(NotFound):
        await world.port.read_deal(DEAL)


async def test_a_read_costs_few_calls(world: World) -> None:
    """What hardly ever changes is asked once: fields, pipelines."""
    for _ in range(3):
        await world.port.read_deal(DEAL)
    calls = (await world.http.get("/admin/calls", params={"system": world.vendor})).json()
    assert len(calls) == {"salesforce": 3 + 3 * 1, "hubspot": 1 + 3 * 3}[world.vendor]


async def test_salesforce_is_not_asked_for_fields_that_an_org_lacks(salesforce: World) -> None:
    await salesforce.put_deal(deal())
    read = await salesforce.port.read_deal(DEAL)
    assert not [name for name in read.record if name.startswith("SBQQ__")]
    assert "Uplift_Reference__c" not in read.record


async def test_the_days_calls_of_salesforce_being_used_up_passes(salesforce: World) -> None:
    await salesforce.put_deal(deal())
    await salesforce.fault(operation="query", kind="rate_limit", times=1)
    with pytest.raises(RateLimited, match="HTTP 403"):
        await salesforce.port.read_deal(DEAL)
    await salesforce.fault(operation="query", kind="error", status=403, times=1)
    with pytest.raises(AuthFailed):
        await salesforce.port.read_deal(DEAL)


async def test_a_next_page_elsewhere_is_never_asked(salesforce: World) -> None:
    stolen = '{"done": false, "records": [], "nextRecordsUrl": "https://evil.example/services/data/v65.0/query/1"}'
    await salesforce.fault(operation="query", kind="garbage", answer=stolen)
    page = await salesforce.port.changed_deals(SINCE)
    with pytest.raises(ContractBroken):
        await salesforce.port.changed_deals(SINCE, page.cursor)


async def test_a_merged_deal_of_hubspot_answers_as_the_one_that_is_left(hubspot: World) -> None:
    await hubspot.put_deal(deal("C"))
    await hubspot.put_deal(deal("A", Merged_Into__c="C"))
    read = await hubspot.port.read_deal("A")
    assert read == await hubspot.port.read_deal("C")
    assert read.id == "C"
    assert read.version.startswith("C@")


async def test_a_line_that_goes_while_hubspot_is_read_makes_no_smaller_order(hubspot: World) -> None:
    await hubspot.put_deal(deal())
    hubspot.after = partial(hubspot.change_deal, DEAL, OpportunityLineItems=many_lines(1))
    async with hubspot.signed_in() as port:
        with pytest.raises(SourceUnavailable, match="2 of the deal's lines"):
            await port.read_deal(DEAL)
    lines = canonical((await hubspot.port.read_deal(DEAL)).record, HUBSPOT)["lines"]
    assert [line["id"] for line in lines] == ["00k000"]


def answering(answers: dict[str, Any]) -> HubSpotReader:
    """HubSpot with these answers by path; whatever else is asked is not found."""

    def answer(request: httpx.Request) -> httpx.Response:
        found = answers.get(request.url.path)
        return httpx.Response(404, json={}) if found is None else httpx.Response(200, json=found)

    client = httpx.AsyncClient(transport=httpx.MockTransport(answer), base_url="https://hubspot.example/")
    return HubSpotReader(client, ASKED_OF_HUBSPOT)


@pytest.mark.parametrize(
    ("won", "closed", "outcome"), [("true", "true", "won"), ("false", "true", "lost"), (None, None, "open")]
)
async def test_a_stage_that_no_pipeline_has_any_more_leaves_what_hubspot_reckoned(
    won: str | None, closed: str | None, outcome: str
) -> None:
    properties = {"dealstage": "7", "pipeline": "gone", "hs_is_closed_won": won, "hs_is_closed": closed}
    read = await answering(
        {
            "/crm/v3/objects/deals/1": {"id": "1", "properties": {**properties, "hs_lastmodifieddate": "2026-11-20"}},
            "/crm/v3/pipelines/deals": {"results": []},
        }
    ).read_deal("1")
    assert (read.outcome, read.version) == (outcome, "1@2026-11-20")
    assert (read.record["company"], read.record["line_items"]) == (None, [])


async def test_the_primary_company_is_the_account() -> None:
    companies = [
        {"id": "8", "type": "deal_to_company_unlabeled"},
        {"id": "9", "type": "deal_to_company"},
        {"id": "9", "type": "deal_to_company_unlabeled"},
    ]
    properties = {"dealstage": "won", "pipeline": "p", "hs_lastmodifieddate": "2026-11-20"}
    stage = {"id": "won", "metadata": {"isClosed": "true", "probability": "1.0"}}
    read = await answering(
        {
            "/crm/v3/objects/deals/1": {
                "id": "1",
                "properties": properties,
                "associations": {"companies": {"results": companies}},
            },
            "/crm/v3/objects/companies/9": {"id": "9", "properties": {"name": "Hooli", "hs_parent_company_id": "5"}},
            "/crm/v3/pipelines/deals": {"results": [{"id": "p", "stages": [stage]}]},
        }
    ).read_deal("1")
    account = canonical(read.record, HUBSPOT)["account"]
    assert account == {"id": "9", "name": "Hooli", "parent_id": "5"}


async def test_a_search_goes_on_past_as_many_deals_of_one_instant_as_there_are() -> None:
    asked: list[tuple[str, str]] = []

    def answer(request: httpx.Request) -> httpx.Response:
        body = json.loads(request.content)
        asked.append((body["filterGroups"][0]["filters"][0]["value"], body["after"]))
        results = [{"id": "1", "properties": {"hs_lastmodifieddate": "2026-01-01T00:00:00.000Z"}}]
        return httpx.Response(200, json={"results": results, "paging": {"next": {"after": str(len(asked) * 100)}}})

    client = httpx.AsyncClient(transport=httpx.MockTransport(answer), base_url="https://hubspot.example/")
    port, cursor = HubSpotReader(client, ASKED_OF_HUBSPOT), None
    for _ in range(3):
        cursor = (await port.changed_deals(SINCE, cursor)).cursor
    start = str(int(SINCE.timestamp() * 1000))
    assert asked == [(start, "0"), (start, "100"), (start, "200")]
