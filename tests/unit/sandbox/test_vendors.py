"""The vendor-shaped faces of the box's CRM, where they say no."""

import pytest

from tests.kits.box import BoxClient

DEAL = {"Id": "006A", "AccountId": "001A", "Name": "Hooli", "StageName": "Proposal", "CloseDate": "2026-11-20"}
QUERY = "/salesforce/services/data/v65.0/query"
SEARCH = "/hubspot/crm/v3/objects/deals/search"


@pytest.fixture
async def deal(box: BoxClient) -> None:
    await box.do("POST", "/crm/opportunities", {**DEAL, "Account": {"Name": "Hooli"}})


@pytest.mark.parametrize(
    ("soql", "code"),
    [
        ("", "MALFORMED_QUERY"),
        ("SELECT Id FROM Opportunity", "MALFORMED_QUERY"),
        ("SELECT Id FROM Opportunity WHERE Id = '006A' OR Id != ''", "MALFORMED_QUERY"),
        ("SELECT Id FROM Opportunity WHERE Id = '006A", "MALFORMED_QUERY"),
        ("SELECT Nothing__c FROM Opportunity WHERE Id = '006A'", "INVALID_FIELD"),
        ("SELECT Id, Account.Nothing__c FROM Opportunity WHERE Id = '006A'", "INVALID_FIELD"),
        ("SELECT Id, (SELECT No__c FROM OpportunityLineItems) FROM Opportunity WHERE Id = '006A'", "INVALID_FIELD"),
    ],
)
async def test_a_query_that_salesforce_would_refuse(box: BoxClient, deal: None, soql: str, code: str) -> None:
    answer = await box.http.get(QUERY, params={"q": soql})
    assert answer.status_code == 400
    assert [each["errorCode"] for each in answer.json()] == [code]


async def test_only_what_was_asked_for_is_told(box: BoxClient, deal: None) -> None:
    soql = "SELECT Id, Account.Name, (SELECT Id FROM OpportunityLineItems) FROM Opportunity WHERE Id = '006A'"
    [record] = (await box.http.get(QUERY, params={"q": soql})).json()["records"]
    assert record.keys() == {"attributes", "Id", "Account", "OpportunityLineItems"}
    assert record["OpportunityLineItems"] is None
    read = await box.do("GET", "/hubspot/crm/v3/objects/deals/006A?properties=dealname,no_such")
    assert read["properties"].keys() == {"dealname", "hs_object_id", "hs_lastmodifieddate"}


async def test_no_token_is_said_in_each_dialect(box: BoxClient) -> None:
    nobody = {"authorization": "Bearer nobody"}
    answer = await box.http.get(QUERY, headers=nobody)
    assert (answer.status_code, answer.json()[0]["errorCode"]) == (401, "INVALID_SESSION_ID")
    answer = await box.http.get("/hubspot/crm/v3/objects/deals/1", headers=nobody)
    assert (answer.status_code, answer.json()["category"]) == (401, "EXPIRED_AUTHENTICATION")


@pytest.mark.parametrize("path", ["/salesforce/services/oauth2/token", "/hubspot/oauth/v1/token"])
@pytest.mark.parametrize(
    "form",
    [
        {"grant_type": "password", "client_id": "x", "client_secret": "sandbox"},
        {"grant_type": "refresh_token", "client_id": "x", "client_secret": "sandbox", "refresh_token": "old"},
        {"grant_type": "client_credentials", "client_id": "x", "client_secret": "wrong"},
        {"grant_type": "client_credentials", "client_id": "x"},
        {},
    ],
)
async def test_a_grant_that_is_refused(box: BoxClient, path: str, form: dict[str, str]) -> None:
    assert (await box.http.post(path, data=form)).status_code == 400


@pytest.mark.parametrize(
    "changes",
    [
        {"filterGroups": []},
        {"filterGroups": [{"filters": [{"propertyName": "dealname", "operator": "GTE", "value": "1"}]}]},
        {"limit": 500},
        {"after": "9999"},
    ],
)
async def test_a_search_that_hubspot_would_refuse(box: BoxClient, changes: dict[str, object]) -> None:
    modified = {"propertyName": "hs_lastmodifieddate", "operator": "GTE", "value": "1"}
    answer = await box.ask("POST", SEARCH, {"filterGroups": [{"filters": [modified]}], "limit": 100, **changes})
    assert answer.status_code == 400
    assert answer.json()["category"] == "VALIDATION_ERROR"
