"""A company's day, and a picture of each page of the console into docs/images. `make pictures` takes them."""

from datetime import timedelta
from typing import Any

from tests.browser.company import add_past
from tests.browser.house import DESK, PHONE, Console
from tests.house import EXAMPLES
from tests.workflow.lives import records, today

IMAGES = EXAMPLES.parent / "docs" / "images"
CUSTOMERS = {
    "PIC-1": "Hooli GmbH",
    "PIC-2": "Pied Piper SE",
    "PIC-3": "Initech AG",
    "PIC-4": "Globex GmbH",
    "PIC-5": "Umbrella Labs",
    "PIC-6": "Stark Foods SE",
}


async def test_take_pictures(console: Console) -> None:
    await _play(console)
    case = await _first(console, "/console/cases?kind=dead_letter")
    shots: dict[str, tuple[str, dict[str, Any]]] = {
        "console-portfolio": ("/console", {}),
        "console-portfolio-dark": ("/console", {"color_scheme": "dark"}),
        "console-portfolio-phone": ("/console", {"viewport": PHONE}),
        "console-lifecycle": ("/console/lifecycles/crm/PIC-1/1", {}),
        "console-command": (f"/console/do/extend/crm/PIC-1/1?ends={await _later(console)}&preview=1", {}),
        "console-renewals": ("/console/renewals", {}),
        "console-renewal": ("/console/renewals/crm/PIC-1/1", {}),
        "console-cases": (case, {}),
        "console-reconciliation": ("/console/reconciliation", {}),
        "console-leakage": ("/console/leakage", {}),
        "console-sla": ("/console/sla", {}),
        "console-backlog": ("/console/backlog", {}),
        "console-leaders": ("/console/leaders", {}),
    }
    ahead = console.ahead
    for name, (path, options) in shots.items():
        # only what is about that contract is seen as on its day: the other pages are about this one
        console.ahead = ahead if "PIC-1" in path else timedelta()
        async with console.open(path, **{"viewport": DESK, **options}) as page:
            await page.wait_for_load_state("networkidle")
            await page.screenshot(path=IMAGES / f"{name}.png")
    assert all((IMAGES / f"{name}.png").exists() for name in shots)


async def _play(console: Console) -> None:
    """Customers in every stage; one order is wrong, one event is of no use, one invoice is late."""
    for number, name in CUSTOMERS.items():
        changes: dict[str, Any] = {"CurrencyIsoCode": "XYZ"} if number == "PIC-4" else {}
        account = {**console.house.payload("salesforce_new_hooli")["Account"], "Name": name, "Id": f"acc-{number}"}
        await console.win(number, Account=account, **changes)
    for number in ("PIC-1", "PIC-2", "PIC-3"):
        await console.go_live(await console.post.life(number))
    await console.post.invoice(await console.post.life("PIC-3"), "overdue", 1, today() - timedelta(days=20))
    await console.to_renewal(await console.post.life("PIC-1"))
    told = {
        "contract": "crm/PIC-2/1",
        "milestone": "go-live",
        "completed_on": "someday",
        "contact_email": "a@b.example",
    }
    await console.post.desk.receive("milestone.completed", told, source="cs")
    await _differ(console)
    await add_past(console.house.database, today())


async def _differ(console: Console) -> None:
    """Somebody changes what the ERP holds of two contracts, and the systems are compared."""
    contracts = ("crm/PIC-2/1", "crm/PIC-3/1")
    kept = await records(console.house, "erp", "subscriptions")
    for subscription in (one for one in kept if one["contract"] in contracts):
        line = subscription["lines"][1]["id"]
        changed = {"lines": {line: {"billing_starts": None, "accepted_on": None, "quantity": "49"}}}
        path = f"/erp/records/subscriptions/{subscription['id']}"
        (await console.house.http.patch(path, json=changed)).raise_for_status()
    await console.reconciler.run()


async def _first(console: Console, path: str) -> str:
    async with console.open(path) as page:
        found = page.locator("[data-row] a.title").first
        return str(await found.get_attribute("href"))


async def _later(console: Console) -> str:
    ends = (await (await console.post.life("PIC-1")).view()).term_ends
    assert ends is not None
    return str(ends + timedelta(days=31))
