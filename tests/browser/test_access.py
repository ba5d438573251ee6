"""Every page for everybody: axe finds nothing serious, in light and dark, at a desk and on a phone; nothing scrolls
sideways on a phone, and the menu leads everywhere."""

import pytest
from playwright.async_api import Page

from experience.console.menu import PAGES
from tests.browser.house import DESK, PHONE, Console, barriers

WAYS = [("light", DESK), ("dark", DESK), ("light", PHONE)]


@pytest.fixture(scope="module")
async def pages(console: Console) -> list[str]:
    """One of each kind, with something on it."""
    life = await console.live("BR-A11Y")
    await console.post.hear_of("BR-A11Y-2", CurrencyIsoCode="XYZ")
    told = {"contract": life.contract, "milestone": "go-live", "completed_on": "someday"}
    await console.post.desk.receive("milestone.completed", told, source="cs")
    async with console.open("/console/cases") as page:
        await page.get_by_role("link", name="milestone").first.wait_for()
        cases = await page.locator("[data-row] a.title").evaluate_all("all => all.map(each => each.pathname)")
    return [
        *(entry.href for entry in PAGES),
        "/console?matter=attention",
        f"/console/lifecycles/{life.contract}",
        f"/console/do/amend/{life.contract}?when=day&preview=1",
        f"/console/do/pause/{life.contract}?reason=audit&preview=1",
        *cases,
        "/console/nothing",
    ]


@pytest.mark.parametrize(("scheme", "size"), WAYS, ids=["light", "dark", "phone"])
async def test_axe_finds_nothing_serious(console: Console, pages: list[str], scheme: str, size: dict[str, int]) -> None:
    found: dict[str, list[str]] = {}
    async with console.open(color_scheme=scheme, viewport=size) as page:
        for path in pages:
            await page.goto(path)
            if wrong := [*await barriers(page), *await _sideways(page)]:
                found[path] = wrong
    assert not found


async def _sideways(page: Page) -> list[str]:
    wide = await page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    return [f"it scrolls sideways by {wide} pixels"] if wide > 0 else []


async def test_the_menu_leads_to_pages_that_are_there(console: Console) -> None:
    async with console.open() as page:
        for entry in PAGES:
            answer = await page.goto(entry.href)
            assert answer is not None
            assert answer.ok, entry.href
            assert await page.locator("nav [aria-current=page]").inner_text() != ""
