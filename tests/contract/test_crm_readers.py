"""Every reader of a CRM passes the kit, each with its own vendor's shapes and mapping."""

import httpx

from adapters.crm.hubspot import HubSpotReader
from adapters.crm.salesforce import SalesforceReader
from adapters.crm.sandbox import SandboxCrm
from tests.kits.contracts import crm_reader_contract
from tests.kits.crm_reader import (
    ASKED_OF_HUBSPOT,
    ASKED_OF_SALESFORCE,
    DEADLINE,
    HUBSPOT,
    SALESFORCE,
)
from tests.kits.sandbox import sandbox_world

IN_THE_BOX = {"read_deal": "read_opportunity", "changed_deals": "find_renewal_opportunity"}
IN_SALESFORCE = {"read_deal": "query", "changed_deals": "query", "probe": "describe"}
IN_HUBSPOT = {"changed_deals": "search", "probe": "pipelines"}


def salesforce(client: httpx.AsyncClient) -> SalesforceReader:
    return SalesforceReader(client, ASKED_OF_SALESFORCE, deadline=DEADLINE)


def hubspot(client: httpx.AsyncClient) -> HubSpotReader:
    return HubSpotReader(client, ASKED_OF_HUBSPOT, deadline=DEADLINE)


TestSandboxCrm = crm_reader_contract(lambda: sandbox_world("crm", SandboxCrm, IN_THE_BOX), mapping=SALESFORCE)
TestSalesforce = crm_reader_contract(lambda: sandbox_world("salesforce", salesforce, IN_SALESFORCE), mapping=SALESFORCE)
TestHubSpot = crm_reader_contract(lambda: sandbox_world("hubspot", hubspot, IN_HUBSPOT), mapping=HUBSPOT)


async def test_a_field_that_nobody_shows_us_is_a_problem() -> None:
    """A reader without rights to a field is told so by name: the describe leaves it out, without a word."""

    def described(request: httpx.Request) -> httpx.Response:
        names = ["Id", "AccountId", "Name", "StageName", "IsClosed", "SystemModstamp"]
        fields: list[dict[str, object]] = [
            {"name": name, "relationshipName": None, "referenceTo": []} for name in names
        ]
        return httpx.Response(200, json={"name": "Opportunity", "fields": fields})

    async with httpx.AsyncClient(transport=httpx.MockTransport(described), base_url="http://org/") as client:
        [problem] = (await salesforce(client).probe()).problems
    assert problem.what == "the CRM shows no Opportunity.IsWon"
    assert "read access to Opportunity.IsWon" in problem.mend


async def test_an_account_without_a_visible_pipeline_has_a_problem() -> None:
    def empty(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, json={"results": []})

    async with httpx.AsyncClient(transport=httpx.MockTransport(empty), base_url="http://api/") as client:
        [problem] = (await hubspot(client).probe()).problems
    assert "no stage of a deal pipeline" in problem.what
