"""The box's own signed webhooks arrive at the gateway and end in the lifecycle, also while Temporal is away."""

from datetime import UTC, datetime, timedelta

from tests.stack import RunningStack

LAST_WEEK = (datetime.now(UTC) - timedelta(days=7)).date().isoformat()
ACTIVE = {
    "customers": 1, "subscriptions": 1, "activations": 1, "billing_starts": 2, "companies": 1, "plans": 1,
    "opportunities": 1,
}  # fmt: skip


async def test_what_happens_in_the_systems_reaches_the_lifecycle(town: RunningStack) -> None:
    [contract] = await town.win("006W1")
    await town.until_holds(contract, ACTIVE)

    await town.reach(contract)
    await town.until_holds(contract, {**ACTIVE, "billing_starts": 3})

    [subscription] = await town.of(contract, "erp", "subscriptions")
    bill = {"customer": subscription["customer"], "subscription": subscription["id"], "amount": "100.00"}
    invoice = await town.post("/erp/invoices", {**bill, "due_on": LAST_WEEK})
    await town.until(lambda: town.risk(contract), "medium")
    await town.post(f"/erp/invoices/{invoice['id']}/pay")
    await town.until(lambda: town.risk(contract), "low")

    await town.upsell("006W1UP", of="006W1")
    done = {**ACTIVE, "billing_starts": 3, "amendments": 1, "opportunities": 2}
    await town.until_holds(contract, done)
    [subscription] = await town.of(contract, "erp", "subscriptions")
    assert [line["quantity"] for line in subscription["lines"] if line["product"] == "PLATFORM"] == ["75"]

    # real senders send again now and then
    for webhook in (await town.box.get("/admin/webhooks")).json():
        await town.post(f"/admin/webhooks/{webhook['id']}/again")
    await town.until(town.unsent, 0)
    await town.until(town.waiting, 0)
    assert await town.holds(contract) == done


async def test_while_temporal_is_stopped_webhooks_are_taken_and_delivered_later(town: RunningStack) -> None:
    await town.kill("temporal")
    contracts = await town.win("006W2", "006W3")
    await town.until(town.unsent, 0)
    told = [
        each for each in (await town.box.get("/admin/webhooks")).json() if each["body"]["subject"] in ("006W2", "006W3")
    ]
    assert [(each["state"], each["answered"], each["attempts"]) for each in told] == [("delivered", 202, 1)] * 2
    for contract in contracts:
        assert await town.holds(contract) == {"opportunities": 1}

    await town.start("temporal")
    for contract in contracts:
        await town.until_holds(contract, ACTIVE)
    await town.until(town.waiting, 0)
