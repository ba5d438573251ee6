"""A running lifecycle's two futures: what a change would do, and that the running one never notices."""

import asyncio
import uuid
from collections.abc import Sequence
from datetime import timedelta

import pytest
from sqlmodel import Session, SQLModel, func, select

import wiring
from starter.mistakes import Mistake
from starter.simulation.asking import Asked, Asking, with_asked
from starter.simulation.difference import Difference, difference, unified
from starter.simulation.fork import Running, what_if
from starter.simulation.life import Future
from starter.simulation.lines import Line
from starter.simulation.script import Decider, Script
from store.orders import SqlOrders
from store.tables import LifecycleRow
from tests.house import House, Life
from tests.workflow.lives import history_length, renewing, serving
from workflows.lifecycle import CustomerLifecycle


async def running_of(life: Life) -> Running:
    state, view = await life.handle.query(CustomerLifecycle.state), await life.view()
    assert view.as_of is not None
    row = LifecycleRow(
        contract=state.contract, tenant=state.tenant, account=state.account, deal=state.deal,
        selling_entity=state.selling_entity, workflow_id=life.handle.id,
    )  # fmt: skip
    revisions = await SqlOrders(life.house.database).revisions(life.contract)
    return Running(row, state, view.as_of, [each.document for each in revisions])


def asking(running: Running, house: House, years: int = 2) -> Asking:
    systems = frozenset(house.landscape.connections)
    return Asking(running.state, running.today, running.until(years), house.company.milestones, systems)


async def futures(
    life: Life, asked: Asked, *, decide: Decider = "renew", years: int = 2
) -> tuple[Future, Future, Difference]:
    running, house = await running_of(life), life.house
    entries = asked.entries(asking(running, house, years))
    script = with_asked(Script(decide=decide), entries)
    name = f"fork-{uuid.uuid4().hex[:8]}"
    without, instead = await what_if(
        house.client, wiring.open_simulation, house.company, house.landscape, running, script, years, name=name
    )
    return without, instead, difference(without, instead)


def keys(lines: Sequence[Line]) -> list[str]:
    return [line.key for line in lines]


async def test_an_amendment_is_seen_before_it_is_made(house: House) -> None:
    life = await serving(house)
    running = await running_of(life)
    day = running.today + timedelta(days=30)
    without, instead, found = await futures(life, Asked(amend=("PLATFORM=+25",), dates=(str(day),)))

    assert without.stage == instead.stage
    made = f"amendment:{life.contract}:what-if-amend"
    [amended] = [line for line in found.instead if line.kind == "effect"]
    assert (amended.on, amended.key) == (day, made)
    assert amended.what.endswith("has 75")
    assert not [line for line in found.without if line.kind == "effect"]
    assert found.changed == ()
    assert [line for sign, line in unified(found) if sign == "+"] == list(found.instead)


async def test_an_end_takes_the_renewals_with_it(house: House) -> None:
    life = await serving(house)
    running = await running_of(life)
    over = running.state.term_over()
    assert over is not None
    ends = running.today + timedelta(days=100)
    _, instead, found = await futures(life, Asked(end=str(ends)))
    assert instead.stage == "ended"
    assert f"ending:{life.contract}" in keys(found.instead)
    assert f"renewal:{life.contract}:2" in keys(found.without)
    assert [line.on for line in found.instead if line.key.startswith("ending:")] == [ends]


async def test_an_outage_moves_what_was_due(house: House) -> None:
    life = await serving(house)
    running = await running_of(life)
    opens = running.state.window_opens()
    assert opens is not None
    day = opens.date()
    _, _, found = await futures(life, Asked(outages=("cs=4",), dates=(str(day),)))
    moved = {each.without.key: (each.without.on, each.instead.on) for each in found.changed}
    before, after = moved[f"playbook:{life.contract}:1"]
    assert after > before
    assert f"case:playbook:{life.contract}:1" in keys(found.instead)


async def test_a_decision_in_the_window_is_made_in_one_future(house: House) -> None:
    life = await renewing(house)
    without, instead, found = await futures(life, Asked(renew=True), decide="nobody", years=1)
    assert (without.stage, instead.stage) == ("out_of_term", "renewal")
    assert f"renewal:{life.contract}:2" in keys(found.instead)
    assert "case:out-of-term" in keys(found.without)


async def test_the_running_one_never_notices(house: House) -> None:
    life = await serving(house)
    before = await _trace(life)
    while (now := await _trace(life, after=1.0)) != before:  # what it has just begun to show is shown first
        before = now
    await futures(life, Asked(amend=("PLATFORM=75",), outages=("erp=2",)), years=1)
    assert await _trace(life) == before


async def _trace(life: Life, *, after: float = 0) -> tuple[int, str, dict[str, int], int, object]:
    """The history's length, the state, the store's rows, the calls at the box, and what it holds."""
    await asyncio.sleep(after)
    state = await life.handle.query(CustomerLifecycle.state)
    counts = await life.house.database.read(_counts)
    calls = (await life.house.http.get("/admin/calls")).json()
    box = await life.house.box()
    return await history_length(life), state.model_dump_json(), counts, len(calls), box["counts"]


def _counts(session: Session) -> dict[str, int]:
    """Without how many calls the house made and how long they took, which it writes down now and then."""
    measured = {"call_times", "contract_calls"}
    tables = {name: table for name, table in SQLModel.metadata.tables.items() if name not in measured}
    return {name: session.exec(select(func.count()).select_from(table)).one() for name, table in tables.items()}


@pytest.mark.parametrize(
    ("asked", "reason"),
    [
        (Asked(amend=("PLATFORM",)), "--amend: 'PLATFORM' is no change"),
        (Asked(amend=("PLATFORM=many",)), "--amend: 'PLATFORM=many' is no change"),
        (Asked(amend=("MAINFRAME=3",)), "--amend: the contract has no line for MAINFRAME"),
        (Asked(outages=("erp",)), "--outage: 'erp' is no outage"),
        (Asked(outages=("erp=0",)), "--outage: 'erp=0' is no outage"),
        (Asked(dates=("tomorrow",)), "--date: 'tomorrow' is not a date"),
        (Asked(outages=("sap=2",)), "--outage: unknown system 'sap'; known: crm, cs, erp, support, usage"),
        (Asked(dates=("2020-01-01",)), "--date: 2020-01-01 is before today"),
        (Asked(dates=("2099-01-01",)), "--date: 2099-01-01 is after"),
        (Asked(dates=("go-live=2027-02-01",)), "--date: go-live was reached on"),
        (Asked(dates=("launch=2027-01-01",)), "--date: unknown milestone 'launch'; the plan has go-live"),
        (Asked(dates=("2027-06-01", "2027-07-01")), "--date: give one day for the change"),
        (Asked(end="soon"), "--end: 'soon' is not a date"),
    ],
)
async def test_what_can_t_be_asked_is_told_in_one_line(house: House, asked: Asked, reason: str) -> None:
    life = await serving(house)
    running = await running_of(life)
    with pytest.raises(Mistake) as caught:
        asked.entries(asking(running, house))
    assert str(caught.value).startswith(reason)
    assert "\n" not in str(caught.value)
