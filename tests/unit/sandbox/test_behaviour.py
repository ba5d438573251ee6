"""What each system of the box does that no adapter's kit asks for."""

from typing import Any

import pytest

from tests.kits.box import BoxClient

DEAL = {"AccountId": "001A", "Name": "Hooli", "StageName": "Proposal", "CloseDate": "2026-11-20"}


@pytest.mark.parametrize("path", ["/crm/opportunities", "/erp/customers", "/cs/companies", "/support/cases"])
async def test_no_token_no_answer(box: BoxClient, path: str) -> None:
    answer = await box.http.get(path, headers={"authorization": ""})
    assert answer.status_code == 401


@pytest.mark.parametrize("body", [b"{", b"[1]", b'{"Name": ""}', b""])
async def test_what_is_malformed_is_a_400_and_leaves_nothing(box: BoxClient, body: bytes) -> None:
    for path in ("/crm/accounts", "/erp/customers", "/cs/companies", "/support/cases"):
        answer = await box.http.post(path, content=body)
        assert answer.status_code == 400
        assert answer.json()["error"]["code"] == "malformed"
    assert (await box.do("GET", "/admin/state"))["counts"] == {}


async def test_a_deal_carries_its_account_and_its_stage(box: BoxClient) -> None:
    account = {"Name": "Hooli GmbH", "ParentId": "001P"}
    made = await box.do("POST", "/crm/opportunities", {**DEAL, "Account": account, "Selling_Entity__c": "acme-at"})
    assert (made["IsClosed"], made["IsWon"]) == (False, False)
    won = await box.do("PATCH", f"/crm/opportunities/{made['Id']}", {"StageName": "Closed Won"})
    assert (won["IsClosed"], won["IsWon"], won["Selling_Entity__c"]) == (True, True, "acme-at")
    assert (won["Account"]["Name"], won["Account"]["ParentId"]) == ("Hooli GmbH", "001P")
    assert (await box.do("GET", "/crm/accounts/001A"))["Name"] == "Hooli GmbH"


async def test_a_deals_stamp_only_grows_even_when_the_clock_goes_back(box: BoxClient) -> None:
    made = await box.do("POST", "/crm/opportunities", {**DEAL, "Account": {"Name": "Hooli"}})
    stamps = [made["SystemModstamp"]]
    for _ in range(3):
        await box.do("POST", "/admin/clock", {"advance_seconds": -3600})
        stamps.append((await box.do("PATCH", f"/crm/opportunities/{made['Id']}", {"Amount": 1}))["SystemModstamp"])
    assert sorted(set(stamps)) == stamps


async def test_the_same_key_replays_the_stored_answer(box: BoxClient) -> None:
    made = await box.subscription()
    path, body = f"/erp/subscriptions/{made['id']}/amend", {"effective": "2027-01-01", "quantities": {"seats": "60"}}
    first = await box.ask("POST", path, body, key="amendment:1")
    again = await box.ask("POST", path, body, key="amendment:1")
    assert (again.status_code, again.json()) == (first.status_code, first.json())
    assert again.headers["idempotent-replayed"] == "true"
    other = await box.ask("POST", path, {**body, "quantities": {"seats": "70"}}, key="amendment:1")
    assert other.status_code == 422
    assert (await box.do("GET", f"/erp/subscriptions/{made['id']}"))["lines"][0]["quantity"] == "60"


async def test_a_refused_request_does_not_use_up_its_key(box: BoxClient) -> None:
    made = await box.subscription()
    path = f"/erp/subscriptions/{made['id']}/amend"
    refused = await box.ask("POST", path, {"effective": "2027-01-01", "quantities": {"unsold": "1"}}, key="amendment:1")
    assert refused.status_code == 422
    await box.do("POST", path, {"effective": "2027-01-01", "quantities": {"seats": "60"}}, key="amendment:1")
    assert (await box.counts("erp"))["amendments"] == 1


async def test_without_a_key_a_repeat_is_a_second_effect(box: BoxClient) -> None:
    made = await box.subscription()
    body = {"starts": "2026-12-01", "accepted_on": "2026-12-01"}
    for _ in range(2):
        await box.do("POST", f"/erp/subscriptions/{made['id']}/lines/seats/billing", body)
    assert (await box.counts("erp"))["billing_starts"] == 2


async def test_a_renewal_extends_and_an_ending_ends(box: BoxClient) -> None:
    made = await box.subscription()
    path = f"/erp/subscriptions/{made['id']}"
    await box.do("POST", f"{path}/renew", {"term": 2, "starts": "2027-12-01", "ends": "2028-12-01"})
    renewed = await box.do("GET", path)
    assert (renewed["term"], renewed["ends"], renewed["status"]) == (2, "2028-12-01", "active")
    await box.do("POST", f"{path}/end", {"ends": "2028-12-01", "reason": "not renewed"})
    assert (await box.do("GET", path))["status"] == "ended"
    assert (await box.ask("POST", f"{path}/cancel", {"reason": "too late"})).status_code == 409


async def test_history_follows_the_business_clock(box: BoxClient) -> None:
    made = await box.subscription()
    await box.do("POST", "/admin/clock", {"now": "2027-01-10T12:00:00Z"})
    invoice = {"customer": made["customer"], "subscription": made["id"], "amount": "100.50", "due_on": "2027-01-31"}
    late, open_ = [await box.do("POST", "/erp/invoices", invoice) for _ in range(2)]
    assert (await _history(box, made))["overdue"] == 0
    assert (await box.ask("POST", f"/erp/invoices/{open_['id']}/remind")).status_code == 409

    await box.do("POST", "/admin/clock", {"now": "2027-02-01T00:00:00Z"})
    assert (await _history(box, made))["overdue_amount"] == "201.00"
    paid = await box.do("POST", f"/erp/invoices/{late['id']}/pay")
    assert (paid["paid_on"], paid["version"]) == ("2027-02-01", 2)
    assert (await box.ask("POST", f"/erp/invoices/{late['id']}/pay")).status_code == 409
    history = await _history(box, made)
    assert (history["invoices"], history["paid_late"], history["overdue"]) == (2, 1, 1)

    await box.do("POST", "/admin/clock", {"now": "2028-03-01T00:00:00Z"})
    history = await _history(box, made)
    assert (history["invoices"], history["paid_late"], history["overdue"]) == (0, 0, 1)


async def _history(box: BoxClient, subscription: dict[str, Any]) -> Any:
    return await box.do("GET", f"/erp/customers/{subscription['customer']}/history")


async def test_a_task_is_completed_once(box: BoxClient) -> None:
    company = await box.do("POST", "/cs/companies", {"external_id": "001", "name": "Hooli GmbH"})
    tasks = [{"name": "Go live", "due_in_days": 30, "milestone": "go-live"}]
    plan = {"company": company["id"], "contract": "crm/1/1", "template": "standard", "starts": "2026-12-01"}
    await box.do("POST", "/cs/plans", {**plan, "tasks": tasks})
    [task] = (await box.do("GET", f"/cs/companies/{company['id']}/tasks?status=open"))["tasks"]
    assert (task["due_on"], task["contract"]) == ("2026-12-31", "crm/1/1")
    await box.do("POST", f"/cs/tasks/{task['id']}/complete", {"completed_on": "2027-01-04"})
    again = await box.do("POST", f"/cs/tasks/{task['id']}/complete", {"completed_on": "2027-02-02"})
    assert again["completed_on"] == "2027-01-04"
    assert (await box.do("GET", f"/cs/companies/{company['id']}/tasks?status=open"))["tasks"] == []
