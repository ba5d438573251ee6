"""Delivering recorded events once more: harmless to what has heard them, and healing for what has not."""

import json
from datetime import timedelta
from typing import Any

import pytest
from sqlmodel import Session, col, select, update

from domain.events import read_event
from domain.facts import facts_of
from domain.mediation import COLLECTIONS
from starter.sweep import sweep
from store.database import change, now
from store.facts import learn, tell, told
from store.replay import Choice, Replayed, replay, replay_last
from store.streams import Answer, finish, lease, number
from store.tables import CaseRow, DeliveryRow, InboxRow, LifecycleRow
from tests.dispatch import Post
from tests.house import House, Life
from tests.workflow.lives import today

DAY = timedelta(days=1)


@pytest.fixture
def post(house: House) -> Post:
    return Post(house)


async def again(post: Post, choice: Choice = Choice(), *, dry_run: bool = False) -> Replayed:  # noqa: B008
    return await post.house.database.write(lambda session: replay(session, choice, dry_run=dry_run))


async def pretend_delivered(post: Post, life: Life) -> None:
    """What a server leaves behind that lost its last acknowledged Update: the store believes that it was told."""
    await post.desk.route()

    def settle(session: Session) -> None:
        fence = lease(session, life.contract, "lost", 0)
        assert fence is not None
        rows = number(session, life.contract, fence)
        answers = {row.seq or 0: Answer("delivered" if row.kind == "tell" else "recorded") for row in rows}
        assert answers
        assert finish(session, life.contract, fence, answers)

    await post.house.database.write(settle)


async def test_everything_replayed_on_a_live_house_changes_nothing(post: Post) -> None:
    life, other = await post.win("006-ra"), await post.win("006-rb")
    await post.milestone(life, "go-live")
    await post.invoice(life, "overdue", 1, today() - 3 * DAY)
    await post.upsell("006-rup", 25, to="006-ra")
    await post.settle()
    await life.until(lambda view: not view.pending and "amendment" in str(view.effects))
    before, seen, calm = await post.house.box(), await life.view(), await other.view()

    assert await again(post, dry_run=True) == Replayed(deliveries=5, contracts=2, routed_anew=0)
    assert "pending" not in await post.states(life), "a dry run changes nothing"
    assert await again(post) == Replayed(deliveries=5, contracts=2, routed_anew=0)
    assert await post.settle() == 6, "and one look at the level that was told"
    await life.until(lambda view: not view.pending)
    after, view = await post.house.box(), await life.view()
    assert after["counts"] == before["counts"]
    assert after["records"] == before["records"]
    assert view.last_seq == seen.last_seq + 1, "the level was told anew"
    assert view.model_copy(update={"as_of": None, "last_seq": 0}) == seen.model_copy(
        update={"as_of": None, "last_seq": 0}
    )
    assert (await other.view()).last_seq == calm.last_seq
    assert await post.cases.list() == []
    assert [row.seq for row in await post.deliveries(life)] == [1, 2, 3, 4, 5]


async def test_what_a_server_forgot_is_told_in_order(post: Post) -> None:
    life = await post.win("006-rc")
    await post.milestone(life, "kick-off")
    await post.milestone(life, "go-live")
    await pretend_delivered(post, life)
    assert await post.settle() == 0, "the store takes it for delivered"
    assert (await life.view()).milestones == {}

    await again(post, Choice(contract=life.contract))
    assert await post.settle() == 3
    assert set((await life.view()).milestones) == {"kick-off", "go-live"}
    assert await post.cases.list() == []


async def test_a_level_that_a_server_forgot_is_told_again(post: Post) -> None:
    life = await post.win("006-rd")
    await post.invoice(life, "overdue", 1, today() - 3 * DAY)
    await post.settle()
    await life.until(lambda view: view.risk != "low")
    paid = await post.desk.row(await post.invoice(life, "paid", 2, today() - 3 * DAY))
    await pretend_delivered(post, life)

    def believe(session: Session) -> None:
        for fact in facts_of(read_event(json.loads(paid.payload)).data):
            learn(session, life.contract, fact)
        calm: dict[str, Any] = {
            "kind": "collections_changed",
            "delinquent": [],
            "overdue_since": None,
            "long_overdue": False,
        }
        tell(session, life.contract, COLLECTIONS, calm)
        assert sweep(session, post.house.company) == 0, "the sweep sees no difference"

    await post.house.database.write(believe)
    assert (await life.view()).risk != "low"
    await again(post, Choice(since=0.0))
    await post.settle()
    await life.until(lambda view: view.risk == "low")
    assert "in_doubt" not in str(
        await post.house.database.read(lambda session: told(session, life.contract, COLLECTIONS))
    )


async def test_only_one_source_is_chosen_and_what_follows_goes_along(post: Post) -> None:
    """A lifecycle that forgot two events must not hear the later one alone: it would take the earlier for stale."""
    life = await post.win("006-re")
    for name, source in (("kick-off", "cs"), ("go-live", "crm")):
        event = await post.milestone(life, name)
        named = update(InboxRow).where(col(InboxRow.event_id) == event).values(source=source)
        await post.house.database.write(lambda session, named=named: change(session, named))  # type: ignore[misc]  # a default holds it
    await pretend_delivered(post, life)
    chosen = await again(post, Choice(source="cs"))
    assert (chosen.deliveries, chosen.contracts) == (2, 1)
    await post.settle()
    assert list((await life.view()).milestones) == ["kick-off", "go-live"]
    assert (await again(post, Choice(source="crm"))).deliveries == 1
    assert (await again(post, Choice(source="nobody"))).deliveries == 0


async def test_a_start_that_the_server_forgot_is_made_again(post: Post) -> None:
    await post.hear_of("006-rf")
    await post.desk.route()

    def believe(session: Session) -> None:
        settled = {"state": "delivered", "seq": 1, "settled_at": now(session)}
        change(session, update(DeliveryRow).values(**settled))
        change(session, update(LifecycleRow).values(started=True))

    await post.house.database.write(believe)
    assert await post.settle() == 0
    await again(post)
    await post.settle()
    life = await post.life("006-rf")
    view = await life.until(lambda view: "onboarding" in str(view.effects))
    assert view.cases == []


async def test_the_last_ten_minutes_before_the_servers_last_answer(post: Post) -> None:
    life = await post.win("006-rg")
    await post.milestone(life, "kick-off")
    await post.settle()

    def long_ago(session: Session) -> None:
        old = now(session) - 7200
        change(session, update(DeliveryRow).where(col(DeliveryRow.seq) == 1).values(settled_at=old - 660))
        change(session, update(DeliveryRow).where(col(DeliveryRow.seq) == 2).values(settled_at=old))

    await post.house.database.write(long_ago)
    asked = await post.house.database.write(lambda session: replay_last(session, 600))
    assert asked == Replayed(deliveries=1, contracts=1, routed_anew=0), "counted from its last answer"
    assert await post.states(life) == ["delivered", "pending"]
    await post.settle()
    assert await post.states(life) == ["delivered", "delivered"]


async def test_dead_letters_and_early_events_are_judged_anew_and_closed_lives_left_alone(post: Post) -> None:
    life = await post.win("006-rh")
    await post.desk.receive("milestone.completed", {"contract": life.contract, "milestone": "go-live"})
    await post.desk.receive(
        "milestone.completed", {"contract": "crm/nobody/1", "milestone": "go-live", "completed_on": "2026-12-24"}
    )
    await post.settle()
    assert (await again(post)).routed_anew == 2
    await post.settle()
    assert sorted((await post.desk.inbox.counts()).items()) == [("dead", 1), ("parked", 1), ("routed", 1)]
    [case] = await post.cases.list()
    attempts = [note.what for note in await post.cases.notes(case.id)]
    assert len(attempts) == 2, "each attempt is in its history"
    assert all("could not be used" in attempt for attempt in attempts)

    await post.lifecycles.mark_closed(life.contract)
    assert (await again(post)).deliveries == 0
    open_ones = await post.house.database.read(
        lambda session: session.exec(select(CaseRow).where(CaseRow.kind == "refused_event")).all()
    )
    assert open_ones == []
