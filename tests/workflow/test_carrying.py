"""A lifecycle exported in the middle of its life goes on in a new house: another Temporal server, another store, and
nothing done twice outside."""

import json
import shutil
import sys
from pathlib import Path

import pytest
from sqlmodel import Session, select
from temporalio.client import Client
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.testing import WorkflowEnvironment

from domain import keys
from domain.messages import MilestoneReached, RetryStep
from starter.importing.carrying import Carrier, exported, exported_all
from starter.mistakes import Mistake
from starter.office import Office
from starter.stack_specs import TEMPORAL_TIME_TRAVEL
from store.lifecycles import Lifecycles
from store.orders import SqlOrders
from store.tables import OutgoingRow
from tests.conftest import FAST
from tests.dispatch import Post
from tests.house import House, Life, open_house
from tests.workflow.lives import clock, rests
from workflows.desk import SEARCH_ATTRIBUTES
from workflows.lifecycle import CustomerLifecycle

OLD_NEWS = ("tenure.lifecycle.started.v1", "tenure.lifecycle.activated.v1")
KEYED = ("customers", "subscriptions", "activations", "billing_starts")


def office(house: House) -> Office:
    return Office(house.database, house.client, house.company, house.mapping, "crm")


def life_of(house: House, contract: str) -> Life:
    workflow = keys.lifecycle_id(house.company.tenant, contract)
    handle = house.client.get_workflow_handle_for(CustomerLifecycle.run, workflow)
    return Life(house, contract, handle, SqlOrders(house.database))


async def held(house: House) -> dict[str, int]:
    counts: dict[str, dict[str, int]] = (await house.box())["counts"]
    return {kind: counts.get("erp", {}).get(kind, 0) for kind in KEYED} | counts.get("cs", {})


async def written(house: House, contract: str | None = None) -> list[tuple[str, str]]:
    found = exported_all(office(house)) if contract is None else exported(office(house), [contract])
    return [("export", json.dumps(each)) async for each in found]


async def test_it_lives_on_in_a_fresh_house_with_its_case_and_its_pending_step_and_repeats_nothing(
    temporal: Client, tmp_path: Path
) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    first.mkdir()
    second.mkdir()
    async with open_house(temporal, first) as house:
        post = Post(house)
        life = await post.win("006CARRY")
        await house.fault(system="erp", operation="start_billing", kind="refuse", reason="closed")
        await post.milestone(life, "go-live", on=(await clock(life)).date().isoformat())
        await post.settle()
        view = await life.until(lambda view: view.cases and view.pending)
        pending = view.pending
        lines = await written(house)
        before = await held(house)
        await house.mend()
    shutil.copy(first / "box0.db", second / "box0.db")

    binary = Path(sys.executable).with_name("temporal")
    async with (
        await WorkflowEnvironment.start_local(
            data_converter=pydantic_data_converter,
            dev_server_existing_path=str(binary if binary.exists() else shutil.which("temporal")),
            dev_server_extra_args=[*FAST, *TEMPORAL_TIME_TRAVEL],
            dev_server_log_level="error",
            search_attributes=SEARCH_ATTRIBUTES,
        ) as other,
        open_house(other.client, second) as house,
    ):
        carrier = Carrier(office(house), task_queue=house.task_queue)
        assert await carrier.bring(lines) == {"the installation": "kept", life.contract: "lives on"}
        again = life_of(house, life.contract)
        view = await again.until(lambda view: view.stage)
        assert set(pending) <= {*view.pending, *view.effects}
        [case] = {each.id for each in view.cases}
        await again.handle.execute_update(CustomerLifecycle.retry_step, RetryStep(case=case, by="ops"))
        view = await again.until(lambda view: rests(view) and set(pending) <= view.effects.keys())
        after = await held(house)
        assert after["billing_starts"] == before["billing_starts"] + len(pending)
        assert {**after, "billing_starts": 0} == {**before, "billing_starts": 0}, "what was done is not done again"
        assert await carrier.bring(lines) == {"the installation": "kept", life.contract: "was here already"}

        again.seq = view.last_seq
        assert await again.tell(MilestoneReached(milestone="trained", on=(await clock(again)).date())) == ["applied"]
        row = await Lifecycles(house.database).get(life.contract)
        assert row is not None
        assert row.started
        assert await house.database.read(told) == [], "subscribers were told all of it before"


def told(session: Session) -> list[str]:
    """What subscribers would hear as if it had just happened."""
    return [each for each in session.exec(select(OutgoingRow.type)).all() if each in OLD_NEWS]


async def test_an_export_that_would_leave_events_behind_is_refused(house: House) -> None:
    post = Post(house)
    life = await post.win("006LEFT")
    await post.milestone(life, "go-live")
    await post.desk.route()
    with pytest.raises(Mistake, match=r"1 events of .* wait to be delivered"):
        await written(house, life.contract)


async def test_what_is_no_export_is_refused_before_anything_is_written(house: House) -> None:
    carrier = Carrier(office(house), task_queue=house.task_queue)
    for line in ("{}", "no json", '{"tenure": 9, "rows": {}}', '{"tenure": 1, "rows": {}, "state": {"tenant": 1}}'):
        with pytest.raises(Mistake, match="export:3"):
            await carrier.bring([("export:3", line)])
