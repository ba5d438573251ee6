"""SIGKILL of every process with work in flight: nothing is lost, nothing is done twice, and lifecycles go on."""

from datetime import timedelta
from functools import partial

from domain.changes.kinds import ChangeContract, Move
from domain.document import apply_fixes
from domain.keys import lifecycle_id
from starter.handles import lifecycle_handle
from starter.travel import fast_forward
from store.orders import SqlOrders
from tests.stack import RunningStack
from workflows.lifecycle import CustomerLifecycle

ACTIVE = {
    "customers": 1, "subscriptions": 1, "activations": 1, "billing_starts": 2, "companies": 1, "plans": 1,
    "opportunities": 1,
}  # fmt: skip
LIVE = {**ACTIVE, "billing_starts": 3}
RENEWING = {**LIVE, "playbooks": 1, "opportunities": 2}
RENEWED = {**RENEWING, "renewals": 1}
MOVE = ("create_subscription", "end_subscription", "activate_order", "start_billing")
MOVED = {**ACTIVE, "subscriptions": 2, "activations": 2, "billing_starts": 4}


async def quiet(town: RunningStack, *contracts: str) -> None:
    """Everything that came in is settled, gapless, and the ledger has no doubts."""
    await town.until(town.unsent, 0)
    await town.until(town.waiting, 0)
    for contract in contracts:
        rows = await town.deliveries(contract)
        assert [row.seq for row in rows] == list(range(1, len(rows) + 1))
        assert "refused" not in {row.state for row in rows}
        assert await town.unfinished(contract) == []
        assert (await town.view(contract)).cases == []


async def test_a_worker_killed_while_it_writes_does_everything_once(town: RunningStack) -> None:
    """Two lifecycles at each of three places: the ERP's subscription, CS onboarding, the renewal. One of each two
    writes is done without an answer, the other is not."""
    renewing = await town.win("006K1", "006K2")
    for contract in renewing:
        await town.until_holds(contract, ACTIVE)
        await town.reach(contract)
        await town.until_holds(contract, LIVE)
    await town.renewing(*renewing)

    places = ("launch_onboarding", "create_subscription", "renew_subscription")
    for system, operation in zip(("cs", "erp", "erp"), places, strict=True):
        await town.fault(system, operation, "slow", seconds=3, times=1)
        await town.fault(system, operation, "hang", seconds=3, times=1)
        if operation == "launch_onboarding":
            onboarding = await town.win("006K3", "006K4")
            await town.until(partial(town.in_flight, operation), 2)
    for contract in renewing:
        await town.win_renewal(contract)
    new = await town.win("006K5", "006K6")
    for operation in places[1:]:
        await town.until(partial(town.in_flight, operation), 2)
    assert await town.in_flight(places[0]) == 2, "all six writes are under way at once"

    await town.kill("worker")
    for operation in places:
        await town.until(partial(town.in_flight, operation), 0)
    for pair, system, kind in (
        (onboarding, "cs", "plans"),
        (new, "erp", "subscriptions"),
        (renewing, "erp", "renewals"),
    ):
        assert sum([await town.count(contract, system, kind) for contract in pair]) == 1, "done without an answer"
    await town.start("worker")
    for contract in (*onboarding, *new):
        await town.until_holds(contract, ACTIVE)
        await town.reach(contract)
        await town.until_holds(contract, LIVE)
    for contract in renewing:
        await town.until_holds(contract, RENEWED)
    await quiet(town, *renewing, *onboarding, *new)


async def test_dispatcher_and_gateway_killed_with_events_in_flight_lose_and_double_nothing(town: RunningStack) -> None:
    early = await town.win("006K7", "006K8")
    for contract in early:
        await town.until_holds(contract, ACTIVE)
    late = await town.win("006K9", "006KA", "006KB")
    for contract in early:
        await town.reach(contract)
    await town.kill("dispatcher")
    for contract in early:
        await town.upsell(f"{contract.split('/')[1]}UP", of=contract.split("/")[1])
    await town.kill("gateway")
    late += await town.win("006KC", "006KD")
    assert await town.unsent() + await town.waiting() > 0
    await town.start("dispatcher", "gateway")

    for contract in early:
        await town.until_holds(contract, {**LIVE, "amendments": 1, "opportunities": 2})
    for contract in late:
        await town.until_holds(contract, ACTIVE)
    await quiet(town, *early, *late)


async def test_temporal_killed_with_lifecycles_in_flight_goes_on_from_its_file(town: RunningStack) -> None:
    await town.fault("erp", "activate_order", "slow", seconds=2, times=3)
    contracts = await town.win("006KE", "006KF", "006KG")
    await town.until(partial(town.in_flight, "activate_order"), 3)
    await town.kill("temporal")
    await town.until(partial(town.in_flight, "activate_order"), 0)
    await town.start("temporal")
    for contract in contracts:
        await town.until_holds(contract, ACTIVE)
        await town.reach(contract)
        await town.until_holds(contract, LIVE)
    await quiet(town, *contracts)


async def move(town: RunningStack, contract: str) -> None:
    """To another currency, today."""
    orders, handle = SqlOrders(town.database), lifecycle_handle(await town.client(), lifecycle_id("acme", contract))
    there = apply_fixes((await orders.newest(contract)).document, {"currency": "CHF"})
    revision = await orders.add(contract, there, "finance")
    change = Move(selling_entity="ACME-DE", currency="CHF", revision=revision)
    await handle.execute_update(CustomerLifecycle.change, ChangeContract(id="m", by="finance", change=change))


async def moving_at_each_write(town: RunningStack) -> list[str]:
    """Two contracts at each write of a move: one of each two will be done without an answer, the other will not."""
    contracts = await town.win(*(f"006KM{number}" for number in range(2 * len(MOVE))))
    for contract in contracts:
        await town.until_holds(contract, ACTIVE)
        await fast_forward(await town.client(), lifecycle_id("acme", contract), timedelta(days=2))
    for operation, *pair in zip(MOVE, contracts[::2], contracts[1::2], strict=True):
        for kind in ("slow", "hang"):
            await town.fault("erp", operation, kind, seconds=10, times=1)
        for contract in pair:
            await move(town, contract)
        await town.until(partial(town.in_flight, operation), 2)
    return contracts


async def test_the_whole_machine_goes_down_inside_moves_and_orders_and_comes_up_again(town: RunningStack) -> None:
    moving = await moving_at_each_write(town)
    await town.fault("erp", "create_subscription", "slow", seconds=2, times=2)
    contracts = await town.win("006KH", "006KI")
    await town.until(partial(town.in_flight, "create_subscription"), 2 + 2)
    assert [await town.in_flight(operation) for operation in MOVE[1:]] == [2, 2, 2], "all of it is under way at once"
    names = [process.name for process in town.stack.status() if process.name != "sandbox"]
    await town.kill(*names)
    more = await town.win("006KJ")
    await town.start(*names)
    for contract in (*contracts, *more):
        await town.until_holds(contract, ACTIVE)
    for contract in moving:
        await town.until_holds(contract, MOVED)
        assert await town.count(contract, "erp", "endings") == 1
        here, there = await town.of(contract, "erp", "subscriptions")
        assert (here["status"], there["status"], there["currency"]) == ("ended", "active", "CHF")
        assert here["ends"] == there["starts"]
    await quiet(town, *contracts, *more, *moving)
