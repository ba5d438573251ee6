"""The test's hand in the box: faults, outages between business dates, limits, clock, due dates, the record of calls."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.kits.box import BoxClient

CASE = {"account": "001", "severity": 1}


async def fault(box: BoxClient, **details: Any) -> None:
    await box.do("POST", "/admin/faults", {"system": "support", **details})


async def status(box: BoxClient) -> int:
    return (await box.ask("POST", "/support/cases", CASE)).status_code


async def test_a_fault_ends_after_its_times(box: BoxClient) -> None:
    await fault(box, kind="error", status=502, times=2)
    assert [await status(box) for _ in range(3)] == [502, 502, 201]


async def test_a_fault_without_times_lasts_until_cleared(box: BoxClient) -> None:
    await fault(box, kind="down")
    assert [await status(box) for _ in range(3)] == [503] * 3
    await box.do("DELETE", "/admin/faults")
    assert await status(box) == 201


async def test_a_fault_hits_its_operation_and_its_system_only(box: BoxClient) -> None:
    await fault(box, kind="down", operation="close_case")
    assert await status(box) == 201
    await fault(box, kind="down")
    assert (await box.ask("POST", "/crm/accounts", {"Name": "Hooli"})).status_code == 201


@pytest.mark.parametrize("wrong", [{"kind": "explode"}, {"kind": "down", "times": 0}, {"kind": "down", "tmies": 1}])
async def test_a_misspelt_fault_is_refused(box: BoxClient, wrong: dict[str, Any]) -> None:
    assert (await box.ask("POST", "/admin/faults", {"system": "support", **wrong})).status_code == 422
    assert await status(box) == 201


async def test_a_lost_answer_was_work_done_and_an_error_was_not(box: BoxClient) -> None:
    await fault(box, kind="lose_answer", times=1)
    await fault(box, kind="error", times=1)
    assert [await status(box), await status(box)] == [504, 500]
    assert (await box.counts("support"))["cases"] == 1


async def test_late_work_is_done_late(box: BoxClient) -> None:
    await fault(box, kind="commit_late", seconds=0.1, times=1)
    assert await status(box) == 504
    assert await box.counts("support") == {}
    await asyncio.sleep(0.3)
    assert await box.counts("support") == {"cases": 1}


async def test_an_outage_between_two_business_dates(box: BoxClient) -> None:
    await fault(box, kind="down", **{"from": "2027-03-01", "until": "2027-03-03"})
    seen = []
    for day in ("2027-02-28T23:59:58Z", "2027-03-01T00:00:00Z", "2027-03-02T23:59:58Z", "2027-03-03T00:00:00Z"):
        await box.do("POST", "/admin/clock", {"now": day})
        seen.append(await status(box))
    assert seen == [201, 503, 503, 201]


async def test_due_goes_from_edge_to_edge_to_the_invoice(box: BoxClient) -> None:
    made = await box.subscription()
    assert (await box.do("GET", "/admin/due"))["next"] is None
    await box.do("POST", "/admin/clock", {"now": "2027-01-01T00:00:00Z"})
    await fault(box, kind="down", **{"from": "2027-03-01", "until": "2027-03-03"})
    invoice = {"customer": made["customer"], "subscription": made["id"], "amount": "1", "due_on": "2027-03-01"}
    posted = await box.do("POST", "/erp/invoices", invoice)
    visited = []
    while (due := (await box.do("GET", "/admin/due"))["next"]) is not None:
        visited.append(due)
        await box.do("POST", "/admin/clock", {"now": due})
    assert visited == ["2027-03-01T00:00:00Z", "2027-03-02T00:00:00Z", "2027-03-03T00:00:00Z"]
    await box.do("POST", f"/erp/invoices/{posted['id']}/pay")
    await box.do("POST", "/admin/clock", {"now": "2027-01-01T00:00:00Z"})
    assert (await box.do("GET", "/admin/due"))["next"] == "2027-03-01T00:00:00Z"


async def test_the_clock_is_the_machines_until_it_is_moved(box: BoxClient) -> None:
    def shift(answer: dict[str, str]) -> timedelta:
        return datetime.fromisoformat(answer["now"]) - datetime.now(UTC)

    assert abs(shift(await box.do("GET", "/admin/clock"))) < timedelta(seconds=5)
    await box.do("POST", "/admin/clock", {"advance_seconds": 86400})
    moved = shift(await box.do("POST", "/admin/clock", {"advance_seconds": 86400}))
    assert abs(moved - timedelta(days=2)) < timedelta(seconds=5)


@pytest.mark.parametrize("wrong", [{}, {"now": "2027-01-01T00:00:00Z", "advance_seconds": 1}, {"now": "2027-01-01"}])
async def test_an_unclear_clock_is_refused(box: BoxClient, wrong: dict[str, Any]) -> None:
    before = (await box.do("GET", "/admin/clock"))["now"]
    assert (await box.ask("POST", "/admin/clock", wrong)).status_code in (400, 422)
    after = (await box.do("GET", "/admin/clock"))["now"]
    assert datetime.fromisoformat(after) - datetime.fromisoformat(before) < timedelta(seconds=5)


async def test_a_true_rate_limit_says_when_to_come_back(box: BoxClient) -> None:
    await box.do("POST", "/admin/limits", {"system": "support", "per_second": 2})
    answers = [await box.ask("POST", "/support/cases", CASE) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [201, 201, 429]
    await asyncio.sleep(float(answers[-1].headers["retry-after"]))
    assert await status(box) == 201


async def test_every_call_is_recorded_also_those_that_failed(box: BoxClient) -> None:
    await box.do("POST", "/admin/clock", {"now": "2027-01-01T00:00:00Z"})
    await box.ask("POST", "/support/cases", CASE, key="case:1")
    await fault(box, kind="rate_limit", times=1)
    await box.ask("POST", "/support/cases", CASE)
    await box.http.post("/support/cases", json=CASE, headers={"authorization": "Bearer wrong"})
    await box.ask("GET", "/support/cases?account=001")
    calls = await box.do("GET", "/admin/calls?system=support&operation=open_case")
    assert [call["status"] for call in calls] == [201, 429, 401]
    first = calls[0]
    assert (first["method"], first["path"], first["key"], first["body"]) == ("POST", "/support/cases", "case:1", CASE)
    assert first["at"].startswith("2027-01-01")
    assert len(await box.do("GET", "/admin/calls")) == 4


async def test_a_call_that_hangs_is_on_record_without_an_answer(box: BoxClient) -> None:
    await fault(box, kind="hang", seconds=30, times=1)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1):
            await status(box)
    [call] = await box.do("GET", "/admin/calls")
    assert call["status"] is None
    assert await box.counts("support") == {}


async def test_reset_empties_heals_and_forgets_late_work(box: BoxClient) -> None:
    await box.do("POST", "/admin/clock", {"now": "2030-01-01T00:00:00Z"})
    await box.do("POST", "/admin/limits", {"system": "support", "per_second": 1})
    await fault(box, kind="commit_late", seconds=0.1)
    await status(box)
    await box.do("POST", "/admin/reset")
    await asyncio.sleep(0.2)
    assert (await box.do("GET", "/admin/state"))["counts"] == {}
    assert await box.do("GET", "/admin/calls") == []
    assert [await status(box) for _ in range(2)] == [201, 201]
    assert not (await box.do("GET", "/admin/clock"))["now"].startswith("2030")
