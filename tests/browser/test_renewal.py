"""A CSM in the browser: the renewals ahead, one with its reasons, and the decision, seen before it is made."""

from playwright.async_api import expect

from tests.browser.house import Console
from tests.workflow.lives import records


async def test_a_csm_decides_a_renewal(console: Console) -> None:
    life = await console.live("BR-RENEW")
    await console.to_renewal(life)
    ends = (await life.view()).term_ends
    assert ends is not None
    async with console.open() as page:
        await page.get_by_role("link", name="Renewals").click()
        await page.get_by_role("link", name="Hooli GmbH").first.click()
        await expect(page.get_by_role("region", name="Readiness")).to_contain_text("What it lacks")
        await page.get_by_role("region", name="Decide").get_by_role("button", name="Preview").click()
        foreseen = page.get_by_role("region", name="What would be done")
        await expect(foreseen).to_contain_text("renew the subscription")
        assert (await life.view()).decision is None
        await foreseen.get_by_role("button", name="Renew it").click()
        await expect(page.get_by_role("status")).to_be_visible()
    await life.until(lambda view: view.decision and any(key.startswith("renewal:") for key in view.effects))
    (kept,) = [one for one in await records(console.house, "erp", "subscriptions") if one["contract"] == life.contract]
    assert kept["ends"] == str(ends.replace(year=ends.year + 1))
