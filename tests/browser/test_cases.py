"""The error queue in the browser: a payload is mended beside its schema, several are settled at once, by keys."""

import json
from typing import Any

from playwright.async_api import expect

from tests.browser.house import Console
from tests.workflow.lives import clock


async def dead(console: Console, number: int, **data: Any) -> str:
    """A milestone that is no use as it is: its day is none. Returns its event's id."""
    told = {"contract": "crm/BR-CASE/1", "milestone": "go-live", "completed_on": f"someday {number}", **data}
    return await console.post.desk.receive("milestone.completed", told, source="cs")


async def test_ops_mends_a_payload_beside_its_schema_and_it_is_used(console: Console) -> None:
    life = await console.win("BR-CASE")
    event = await dead(console, 0, contact_email="ada@hooli.example")
    async with console.open("/console/cases") as page:
        await page.get_by_role("link", name="milestone").first.click()
        await expect(page.get_by_role("region", name="What tenure.milestone.completed.v1 holds")).to_contain_text(
            "data.completed_on"
        )
        payload = page.get_by_label("Payload")
        shown = json.loads(await payload.input_value())
        assert shown["data"]["contact_email"] == "•••"
        await payload.fill(json.dumps(shown | {"data": shown["data"] | {"completed_on": "soon"}}))
        await page.get_by_role("button", name="Save and try again").click()
        await expect(page.get_by_role("alert")).to_contain_text("completed_on")
        assert "soon" in await payload.input_value()

        today = str((await clock(life)).date())
        await payload.fill(json.dumps(shown | {"data": shown["data"] | {"completed_on": today}}))
        await page.get_by_role("button", name="Save and try again").click()
        await expect(page.get_by_role("status")).to_contain_text("is used")
    await life.until(lambda view: "go-live" in view.milestones)
    assert "ada@hooli.example" in (await console.post.desk.row(event)).payload, "what was hidden stays what it was"


async def test_several_are_assigned_tagged_and_resolved_at_once_by_keys_alone(console: Console) -> None:
    for number in range(3):
        await dead(console, 10 + number)
    async with console.open("/console/cases?kind=dead_letter") as page:
        rows = page.locator("[data-row]")
        await expect(rows).to_have_count(3)
        keys = page.keyboard
        for key in ("j", "Space", "j", "Space"):
            await keys.press(key)
        await expect(page.get_by_text("2 chosen")).to_be_visible()
        await page.get_by_label("Tags", exact=True).fill("sender-bug")
        await page.get_by_role("button", name="Tag").click()
        await expect(page.get_by_role("status")).to_have_text("2 tagged")
        await page.get_by_role("link", name="sender-bug").first.click()
        await expect(page.locator("[data-row]")).to_have_count(2)

        await page.get_by_label("all", exact=True).check()
        await page.get_by_label("Reason", exact=True).fill("the sender tells them anew")
        await page.get_by_role("button", name="Resolve").click()
        await expect(page.get_by_role("status")).to_have_text("2 resolved")
        await page.goto("/console/cases?kind=dead_letter")
        await expect(page.locator("[data-row]")).to_have_count(1)

        await keys.press("j")
        await page.evaluate("document.getElementById('queue').dataset.old = ''; htmx.trigger(document.body, 'changed')")
        await expect(page.locator("#queue:not([data-old])")).to_be_visible()
        await expect(page.locator("[data-row] a.title")).to_be_focused()
        await keys.press("Enter")
        await expect(page.get_by_role("heading", name="History")).to_be_visible()
        await keys.press("a")
        await expect(page.get_by_role("status")).to_have_text("demo has it now")
        await keys.press("e")
        await expect(page.get_by_label("Payload")).to_be_focused()
        await keys.press("Escape")
        await keys.press("t")
        await expect(page.get_by_role("status")).to_contain_text("still of no use")
        await keys.press("Escape")
        await expect(page.get_by_role("heading", name="History")).to_be_hidden()
        await keys.press("?")
        await expect(page.get_by_role("dialog", name="Keys")).to_be_visible()
