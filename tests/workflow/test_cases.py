"""The one list on a live house: what lifecycles wait for, refuse, and what dies before it reaches them."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlmodel import Session, col, update

from domain.mapping import load_mapping
from domain.messages import EndContract
from starter.case_desk import CaseDesk
from starter.case_list import Wanted
from starter.case_steps import move_on
from starter.mistakes import Mistake
from starter.office import Office
from store.database import change
from store.inbox import mark_dead
from store.tables import InboxRow, LifecycleRow, utc_now
from store.views import SqlViews
from tests.dispatch import CRM, Post
from tests.house import EXAMPLES, House, Life
from tests.intake import deal
from tests.workflow.lives import eventually, today
from workflows.lifecycle import CustomerLifecycle


@pytest.fixture
def post(house: House) -> Post:
    return Post(house)


@pytest.fixture
def office(house: House) -> Office:
    return Office(house.database, house.client, house.company, house.mapping, CRM)


@pytest.fixture
def desk(house: House) -> CaseDesk:
    return CaseDesk(house.database)


async def listed(desk: CaseDesk, **wanted: Any) -> list[str]:
    return [case.id for case in (await desk.list(Wanted(**wanted))).cases]


async def in_trouble(post: Post, number: str, operation: str) -> Life:
    """A life whose step in CS is refused, and whose case has reached the store."""
    await post.house.fault(system="cs", operation=operation, kind="refuse", reason="no plan", times=1)
    await post.hear_of(number)
    await post.settle()
    life = await post.life(number)
    await life.until(lambda view: view.cases)
    await eventually(lambda: post.cases.list(contract=life.contract))
    return life


@pytest.fixture
def unattended(post: Post, monkeypatch: pytest.MonkeyPatch) -> Post:
    """A post whose lifecycles nobody works on."""
    for patience in ("ANSWER", "COMMANDED"):
        monkeypatch.setattr(f"starter.office.{patience}", timedelta(seconds=0.5))
    return Post(replace(post.house, task_queue=f"{post.house.task_queue}-nobody"))


async def test_where_it_stands_is_told_from_the_store_when_no_worker_answers(
    post: Post, unattended: Post, office: Office
) -> None:
    await post.win("006-seen")
    await unattended.hear_of("006-no")
    await unattended.settle()
    seen, unanswered = await office.find("006-seen"), await office.find("006-no")
    # what the store knows of a contract, whose workflow is one that nobody works on
    left = LifecycleRow.model_validate({**seen.model_dump(), "workflow_id": unanswered.workflow_id})
    await eventually(lambda: SqlViews(office.database).get(seen.contract))
    assert (await office.view(left)).contract == seen.contract
    with pytest.raises(Mistake, match="has not been started yet"):
        await office.view(unanswered)


async def test_a_command_that_no_worker_takes_is_told_and_not_waited_for(unattended: Post, office: Office) -> None:
    await unattended.hear_of("006-unheard")
    await unattended.settle()
    life = await office.find("006-unheard")
    with pytest.raises(Mistake, match="may still be carried out"):
        await office.command(life, CustomerLifecycle.end, EndContract(by="ops", reason="test"))


async def test_a_lifecycles_case_is_handed_on_and_moved_on_by_the_lifecycle(
    post: Post, office: Office, desk: CaseDesk
) -> None:
    life = await in_trouble(post, "006-ca", "launch_onboarding")
    [case] = (await desk.list(Wanted(contract=life.contract))).cases
    assert case.projected
    await desk.assign(case.id, "ann", "bob")
    await desk.tag(case.id, "ann", ["cs"])
    await post.milestone(life, "kick-off")  # another view of the same case
    await post.settle()
    await life.until(lambda view: "kick-off" in view.milestones)
    assert await listed(desk, assignee="bob", tag="cs") == [case.id]

    with pytest.raises(Mistake, match="the contract can't do without this step"):
        await move_on(office, case, "bob", give_up="we don't need it")
    assert await listed(desk, contract=life.contract) == [case.id]
    assert await move_on(office, case, "bob") == "trying again"
    await life.until(lambda view: not view.cases and "onboarding" in str(view.effects))

    async def gone() -> bool:
        return await listed(desk, contract=life.contract) == []

    await eventually(gone)
    history = [(line.by, line.what) for line in (await desk.show(case.id)).history]
    assert history == [("ann", "assigned to bob"), ("ann", "tagged cs"), ("bob", "retried")]
    assert (await post.house.box())["counts"]["cs"]["plans"] == 1


async def test_a_refused_event_remembers_each_refusal_and_goes_through_when_it_is_mended(
    post: Post, desk: CaseDesk
) -> None:
    life = await post.win("006-cb")
    event = await post.desk.receive(
        "milestone.completed", {"contract": life.contract, "milestone": "kick-off", "completed_on": "2001-01-01"}
    )
    await post.settle()
    [case] = (await desk.list(Wanted(contract=life.contract))).cases
    row = await post.desk.row(event)
    assert (case.kind, case.problem, case.inbox_id) == ("refused_event", "refused", row.id)
    await desk.retry(case.id, "ann")
    await post.settle()
    assert await listed(desk, contract=life.contract) == [case.id], "refused again"
    await desk.edit(str(row.id), "ann", fixes={"data.completed_on": "2026-12-24"})
    await desk.retry_like(case.id, "ann")
    await post.settle()
    assert await listed(desk, contract=life.contract) == []
    assert "kick-off" in (await life.view()).milestones
    history = [line.what for line in (await desk.show(case.id)).history]
    assert [what.split(":")[0] for what in history] == [
        "refused",
        "retried",
        "refused",
        "edited data.completed_on",
        "retried",
    ]


async def test_an_upsell_from_before_an_earlier_one_is_a_case_and_goes_through_with_another_day(
    house: House, desk: CaseDesk
) -> None:
    text = (EXAMPLES / "mappings" / "salesforce.toml").read_text()
    dated = text.replace('deal_id = "Id"', 'effective = "CloseDate"\ndeal_id = "Id"', 1)
    post = Post(replace(house, mapping=load_mapping(dated)))
    life = await post.win("006-co")
    for number, day in (("006-co-a", 40), ("006-co-b", 20)):
        await post.upsell(number, 5, to="006-co", CloseDate=str(today() + timedelta(days=day)))
    await post.settle()
    [case] = (await desk.list(Wanted(contract=life.contract))).cases
    assert (case.kind, "006-co-a changes line" in case.reasons[0]) == ("refused_event", True)
    await life.until(lambda view: view.lines[1].quantity == "55" and not view.pending)
    await desk.edit(str(case.inbox_id), "ann", fixes={"data.record.CloseDate": str(today() + timedelta(days=40))})
    await desk.retry(case.id, "ann")
    await post.settle()
    await life.until(lambda view: view.lines[1].quantity == "60" and not view.pending)
    assert await listed(desk, contract=life.contract) == []


async def test_a_corrected_deal_that_is_used_makes_the_broken_one_moot(post: Post, desk: CaseDesk) -> None:
    broken = await post.desk.arrive("deal.closed_won", deal(Id="006-cd", AccountId=None))
    other = await post.desk.arrive("deal.closed_won", deal(Id="006-ce", AccountId=None))
    mended = await post.desk.arrive(
        "deal.closed_won", deal(Id="006-cd", AccountId="acc-cd", SystemModstamp="2026-11-26T09:00:00.000+0000")
    )
    assert (broken.state, mended.state) == ("dead", "routed")
    assert await listed(desk) == [f"event:{other.id}"]
    assert (await post.desk.row(broken.event_id)).state == "ignored"


async def test_the_sweep_retries_what_failed_for_an_outage_and_tells_what_waits_for_days(
    post: Post, desk: CaseDesk
) -> None:
    life = await post.win("006-cf")
    away = await post.desk.row(await post.milestone(life, "kick-off"))
    early = await post.desk.arrive(
        "milestone.completed", {"contract": "crm/nobody/1", "milestone": "go-live", "completed_on": "2026-12-24"}
    )

    def outage(session: Session) -> None:
        mark_dead(session, away.id or 0, "the CRM is away", problem="outage")
        is_early = update(InboxRow).where(col(InboxRow.id) == early.id)
        change(session, is_early.values(received_at=utc_now() - timedelta(days=3, seconds=1), state="parked"))

    await post.house.database.write(outage)
    await post.sweep()
    kinds = {case.kind: case.id for case in (await desk.list(Wanted())).cases}
    assert set(kinds) == {"dead_letter", "early_event"}
    over = update(InboxRow).where(col(InboxRow.id) == away.id).values(next_try_at=1.0)
    await post.house.database.write(lambda session: change(session, over))
    await post.sweep()
    await post.settle()
    assert await listed(desk) == [kinds["early_event"]]
    assert "kick-off" in (await life.view()).milestones
    await desk.resolve(kinds["early_event"], "ann", "nobody knows this contract")
    await post.sweep()
    assert await listed(desk) == []
    assert (await post.desk.row(early.event_id)).state == "ignored"
