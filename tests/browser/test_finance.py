"""Finance in the browser: a contract whose billing was forgotten is found, explained, and repaired."""

import asyncio
from typing import Any

import httpx
from playwright.async_api import expect

from store.differences import Differences
from tests.browser.house import SLOW, Console, until
from tests.house import Life
from tests.workflow.lives import records


async def test_finance_finds_a_contract_whose_billing_was_forgotten_and_repairs_it(console: Console) -> None:
    life, seats, before = await _forgotten(console, "BR-FORGOT")
    async with console.open(f"/console/reconciliation?contract={life.contract}") as page:
        await page.locator("[data-row] a").first.click()
        await page.get_by_role("link", name="Repair it").click()
        await expect(page.get_by_role("region", name="What it will do")).to_contain_text("bill")
        assert (await _line(console, life, seats))["billing_starts"] is None, "a preview repairs nothing"
        await page.get_by_label("Reason").fill("the terms were met on the day of the go-live")
        await page.get_by_role("button", name="Repair it").click()
        await expect(page.get_by_role("status")).to_be_visible()
    after = await _line(console, life, seats)
    assert (after["billing_starts"], after["accepted_on"]) == (before["billing_starts"], before["accepted_on"])
    await console.reconciler.run()
    async with console.open(f"/console/reconciliation?contract={life.contract}") as page:
        await expect(page.locator("[data-row]")).to_have_count(0)


async def test_a_program_repairs_it_once_by_its_key(console: Console) -> None:
    life, seats, before = await _forgotten(console, "BR-FORGOT-HTTP")
    [difference] = await Differences(console.house.database).list(status=("open",), contract=life.contract)

    wanted = {"remedy": "redrive", "reason": "billing was forgotten"}
    path, key = f"/api/v1/reconciliation/differences/{difference.id}/repair", {"Idempotency-Key": "forgotten"}
    async with httpx.AsyncClient(base_url=console.url, timeout=SLOW) as http:
        answers = [await http.post(path, json=wanted, headers=key) for _ in range(2)]
        other = await http.post(path, json=wanted | {"reason": "another"}, headers=key)
    assert [answer.status_code for answer in answers] == [200, 200], [answer.text for answer in answers]
    assert [answer.json()["repeated"] for answer in answers] == [False, True]
    assert (other.status_code, other.json()["detail"]) == (422, "this Idempotency-Key was given to another command")
    assert await _line(console, life, seats) == before


async def _forgotten(console: Console, number: str) -> tuple[Life, str, dict[str, Any]]:
    """A contract that lives, the line that the ERP does not bill any more, and how it was; a run has found it."""
    life = await console.live(number)
    seats = next(line.id for line in (await life.view()).lines if line.product == "PLATFORM")
    before = await _line(console, life, seats)
    await _forget(console, life, seats)
    async with asyncio.timeout(SLOW):
        # a contract that has just moved is compared with the next run
        await until(lambda: _found(console, life.contract))
    return life, seats, before


async def _found(console: Console, contract: str) -> bool:
    """Whether a run has found a difference of it; the lifecycles of other tests are unknown here, and found too."""
    await console.reconciler.run()
    return bool(await Differences(console.house.database).list(status=("open",), contract=contract))


async def _subscription(console: Console, life: Life) -> dict[str, Any]:
    kept = await records(console.house, "erp", "subscriptions")
    return next(one for one in kept if one["contract"] == life.contract)


async def _line(console: Console, life: Life, line: str) -> dict[str, Any]:
    lines: list[dict[str, Any]] = (await _subscription(console, life))["lines"]
    return next(one for one in lines if one["id"] == line)


async def _forget(console: Console, life: Life, line: str) -> None:
    """Somebody in the ERP takes the billing of a line away."""
    subscription = await _subscription(console, life)
    forgotten = {"lines": {line: {"billing_starts": None, "accepted_on": None}}}
    answer = await console.house.http.patch(f"/erp/records/subscriptions/{subscription['id']}", json=forgotten)
    answer.raise_for_status()
