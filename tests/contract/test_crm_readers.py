"""Every reader of a CRM passes the kit, each with its own vendor's shapes and mapping."""

from collections.abc import AsyncIterator

import pytest

from adapters.crm.hubspot import HubSpotReader
from adapters.crm.salesforce import SalesforceReader
from adapters.crm.sandbox import SandboxCrm
from tests.kits.crm_reader import (
    ASKED_OF_HUBSPOT,
    ASKED_OF_SALESFORCE,
    DEADLINE,
    HUBSPOT,
    SALESFORCE,
    CrmReaderContract,
)
from tests.kits.sandbox import SandboxWorld, sandbox_world


class TestSandboxCrm(CrmReaderContract):
    mapping = SALESFORCE

    @pytest.fixture
    async def world(self) -> AsyncIterator[SandboxWorld[SandboxCrm]]:
        names = {"read_deal": "read_opportunity", "changed_deals": "find_renewal_opportunity"}
        async with sandbox_world("crm", SandboxCrm, names) as world:
            yield world


class TestSalesforce(CrmReaderContract):
    mapping = SALESFORCE

    @pytest.fixture
    async def world(self) -> AsyncIterator[SandboxWorld[SalesforceReader]]:
        names = {"read_deal": "query", "changed_deals": "query"}
        async with sandbox_world(
            "salesforce", lambda client: SalesforceReader(client, ASKED_OF_SALESFORCE, deadline=DEADLINE), names
        ) as world:
            yield world


class TestHubSpot(CrmReaderContract):
    mapping = HUBSPOT

    @pytest.fixture
    async def world(self) -> AsyncIterator[SandboxWorld[HubSpotReader]]:
        names = {"changed_deals": "search"}
        async with sandbox_world(
            "hubspot", lambda client: HubSpotReader(client, ASKED_OF_HUBSPOT, deadline=DEADLINE), names
        ) as world:
            yield world
