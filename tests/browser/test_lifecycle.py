"""A lifecycle in the browser: an order is corrected and goes on; a change is seen before it is made."""

from playwright.async_api import expect

from tests.browser.house import Console
from tests.workflow.lives import rests


async def test_ops_corrects_a_bad_order_and_it_goes_on(console: Console) -> None:
    async with console.open() as page:
        await expect(page.get_by_text("There is no lifecycle yet")).to_be_visible()
        await console.post.hear_of("BR-FIX", CurrencyIsoCode="XYZ")
        # the page is not loaded again: it follows what changes
        await page.get_by_role("link", name="Hooli GmbH").click()
        await expect(page.get_by_role("heading", level=1)).to_have_text("Hooli GmbH")
        await expect(page.get_by_role("region", name="Needs attention")).to_contain_text("currency")

        await page.get_by_role("link", name="Correct the order").click()
        await page.get_by_label("currency", exact=True).fill("GBP")
        await page.get_by_role("button", name="Preview").click()
        await expect(page.get_by_text("still wrong:")).to_be_visible()
        await page.get_by_label("currency", exact=True).fill("EUR")
        await page.get_by_role("button", name="Preview").click()
        await expect(page.get_by_text("the order is valid then")).to_be_visible()
        assert (await (await console.post.life("BR-FIX")).view()).cases, "a preview corrects nothing"

        await page.get_by_role("button", name="Correct the order").click()
        await expect(page.get_by_role("status")).to_contain_text("goes on")
        await expect(page.locator("[aria-current=step]")).to_have_text("Onboardingterm 1")
    kept = (await console.house.box())["records"]["erp"]["subscriptions"]
    assert [one["currency"] for one in kept if one["contract"] == "crm/BR-FIX/1"] == ["EUR"]


async def test_a_change_is_seen_before_it_is_made_and_made_once(console: Console) -> None:
    life = await console.win("BR-AMEND")
    seats = next(line for line in (await life.view()).lines if line.product == "PLATFORM")
    async with console.open(f"/console/lifecycles/{life.contract}") as page:
        await page.get_by_role("link", name="Change lines").click()
        await page.get_by_label(f"PLATFORM (line {seats.id})").fill("75")
        await page.get_by_role("button", name="Preview").click()
        preview = page.get_by_role("region", name="What it will do")
        await expect(preview).to_contain_text("amend the subscription")
        assert next(line for line in (await life.view()).lines if line.id == seats.id).quantity == seats.quantity
        names = await preview.locator("input").evaluate_all("all => all.map(each => [each.name, each.value])")
        await preview.get_by_role("button", name="Change lines").click()
        await expect(page.get_by_role("status")).to_contain_text("amended with effect from")
        await life.until(lambda view: rests(view) and any(line.quantity == "75" for line in view.lines))
        # the same form once more, as an impatient finger sends it
        again = await page.request.post(
            f"/console/do/amend/{life.contract}", form=dict(names), headers={"Origin": console.url}
        )
        assert "was made already" in await again.text()
    assert len([key for key in (await life.view()).effects if key.startswith("amendment:")]) == 1


async def test_a_refusal_is_one_clear_line_beside_the_form(console: Console) -> None:
    life = await console.win("BR-REFUSE")
    async with console.open(f"/console/do/extend/{life.contract}?ends=2020-01-01&preview=1") as page:
        refused = page.get_by_role("alert")
        await expect(refused).to_be_visible()
        assert "\n" not in (await refused.inner_text()).strip()
        await expect(page.get_by_label("First day not served")).to_have_value("2020-01-01")
