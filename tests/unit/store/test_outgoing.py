"""The outbox: written with the view, relayed to subscribers, sent in order per contract, held for people."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlmodel import Session, col, select, update

from domain.books import ViewRow
from domain.view import CaseView, LifecycleView, Stage
from store.cases import Cases
from store.database import Database, change
from store.lifecycles import Lifecycles
from store.outgoing import (
    Letter,
    Result,
    backlog,
    drop,
    heads,
    held_contracts,
    outdated,
    outdated_events,
    relay,
    retry_held,
    settle,
    skip_held,
    unrelayed,
)
from store.streams import Streams
from store.tables import LifecycleRow, OutgoingDeliveryRow, OutgoingRow
from store.views import SqlViews

RUN = datetime(2027, 1, 31, 8, tzinfo=UTC)
DAY = 86_400.0
ALL: dict[str, tuple[str, ...]] = {"crm": ("tenure.lifecycle.*",)}


def view(sequence: int, *, contract: str = "a", stage: Stage = Stage.SERVING, cases: tuple[str, ...] = ()) -> ViewRow:
    open_cases = [CaseView(id=id, kind="order", title=id, opened_at=RUN) for id in cases]
    shown = LifecycleView(contract=contract, stage=stage, as_of=RUN + timedelta(days=sequence), cases=open_cases)
    return ViewRow(contract=contract, run_started=RUN, sequence=sequence, view=shown.model_dump(mode="json"))


class Outbox:
    """The store functions, each in a transaction of its own, as one dispatcher calls them."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.views = SqlViews(database)
        self.cases = Cases(database)
        self.fence = 0

    async def publish(self, *rows: ViewRow) -> None:
        for row in rows:
            await self.views.publish(row)

    async def relay(self, subscribers: dict[str, tuple[str, ...]] = ALL) -> int:
        return await self.database.write(lambda session: relay(session, subscribers))

    async def lease(self, seconds: float = 30) -> None:
        fence = await Streams(self.database).lease("subscriber/crm", "me", seconds)
        assert fence is not None
        self.fence = fence

    async def heads(self, **options: Any) -> list[Letter]:
        return await self.database.read(lambda session: heads(session, "crm", 50, **options))

    async def settle(self, *results: Result, give_up: float = DAY) -> bool:
        return await self.database.write(lambda session: settle(session, "crm", self.fence, results, give_up))

    async def all(self, row: Any) -> list[Any]:
        return await self.database.read(lambda session: list(session.exec(select(row).order_by(col(row.id))).all()))

    async def states(self) -> list[str]:
        return [row.state for row in await self.all(OutgoingDeliveryRow)]

    async def now_due(self) -> None:
        """As if the back-off were over."""
        due = update(OutgoingDeliveryRow).values(next_try_at=0.0)
        await self.database.write(lambda session: change(session, due))

    async def fail_for_good(self, letter: Letter) -> None:
        await self.settle(Result(letter, "failed", "it answered 500"), give_up=0.0)


def types(rows: list[Any]) -> list[str]:
    return [row.type.split(".")[2] for row in rows]


@pytest.fixture
async def outbox(database: Database) -> Outbox:
    return Outbox(database)


async def test_a_view_writes_its_turns_once(outbox: Outbox) -> None:
    life = LifecycleRow(
        contract="a", tenant="acme", account="acme", deal="d", selling_entity="DE", workflow_id="lifecycle/acme/a"
    )
    await Lifecycles(outbox.database).add(life)
    await outbox.publish(view(2), view(2), view(1, cases=("1",)), view(3, cases=("1",)))
    rows = await outbox.all(OutgoingRow)
    assert types(rows) == ["started", "stage_changed", "case_opened"], "older views and repeats tell nothing"
    assert [row.body["id"] for row in rows] == [row.event_id for row in rows]
    assert rows[2].body["source"] == "/tenure/acme"
    assert rows[2].body["time"] == "2027-02-03T08:00:00+00:00", "business time"
    assert rows[2].body["data"]["case"] == "1"


async def test_a_view_that_is_rolled_back_tells_nothing(outbox: Outbox) -> None:
    def broken(session: Session) -> None:
        from store.views import publish_view

        publish_view(session, view(1))
        raise RuntimeError("the effect that it came with was not written")

    with pytest.raises(RuntimeError):
        await outbox.database.write(broken)
    assert await outbox.all(OutgoingRow) == []
    await outbox.publish(view(1))
    assert types(await outbox.all(OutgoingRow)) == ["started", "stage_changed"]


async def test_each_subscriber_gets_what_its_types_match(outbox: Outbox) -> None:
    await outbox.publish(view(1))
    both = {"crm": ("*.started.*", "*.ended.*"), "bi": ("tenure.lifecycle.*",)}
    assert await outbox.relay(both) == 2
    assert await outbox.relay(both) == 0
    assert await outbox.database.read(unrelayed) == 0
    rows = await outbox.all(OutgoingDeliveryRow)
    assert sorted((row.subscriber, row.outgoing_id) for row in rows) == [("bi", 1), ("bi", 2), ("crm", 1)]


async def test_only_the_oldest_event_of_a_contract_is_sent(outbox: Outbox) -> None:
    await outbox.publish(view(1), view(1, contract="b"))
    await outbox.relay()
    await outbox.lease()
    first, other = await outbox.heads()
    assert (first.contract, other.contract) == ("a", "b")
    assert first.body["type"] == "tenure.lifecycle.started.v1"
    assert [letter.contract for letter in await outbox.heads(busy=["a"])] == ["b"]
    assert await outbox.settle(Result(first, "delivered"), Result(other, "failed", "it answered 500", 60))
    [second] = await outbox.heads()
    assert (second.contract, second.body["type"]) == ("a", "tenure.lifecycle.stage_changed.v1")
    await outbox.now_due()
    again = (await outbox.heads())[1]
    assert (again.event_id, again.attempts) == (other.event_id, 1), "the same event, under the same id"


async def test_after_a_day_of_failures_a_person_decides(outbox: Outbox) -> None:
    await outbox.publish(view(1), view(1, contract="b"))
    await outbox.relay()
    await outbox.lease()
    letter = (await outbox.heads())[0]
    await outbox.settle(Result(letter, "failed", "it answered 500", 10 * DAY))
    [row] = [row for row in await outbox.all(OutgoingDeliveryRow) if row.problem]
    assert row.next_try_at == pytest.approx(row.first_try_at + DAY), "the last try is when the day is over"
    assert await outbox.cases.list() == []
    yesterday = update(OutgoingDeliveryRow).where(col(OutgoingDeliveryRow.id) == row.id)
    aged = yesterday.values(first_try_at=row.first_try_at - DAY, next_try_at=0.0)
    await outbox.database.write(lambda session: change(session, aged))
    await outbox.settle(Result(letter, "failed", "it answered 502", 5))
    assert await outbox.states() == ["held", "pending", "pending", "pending"]
    [case] = await outbox.cases.list()
    assert (case.id, case.kind, case.problem, case.actor) == ("outgoing:crm:a", "undelivered", "subscriber", "engineer")
    assert case.reasons == ["it answered 502, 2 times"]
    assert [each.contract for each in await outbox.heads()] == ["b"], "nothing later of that contract is sent"
    assert await outbox.database.read(lambda session: held_contracts(session, "crm")) == ["a"]


async def test_what_is_held_is_retried_in_order(outbox: Outbox) -> None:
    await outbox.publish(view(1))
    await outbox.relay()
    await outbox.lease()
    [letter] = await outbox.heads()
    await outbox.fail_for_good(letter)
    assert await outbox.database.write(lambda session: retry_held(session, "crm", "b")) == 0
    assert await outbox.database.write(lambda session: retry_held(session, "crm", "a")) == 1
    [again] = await outbox.heads()
    assert (again.event_id, again.attempts) == (letter.event_id, 0)
    assert len(await outbox.cases.list()) == 1, "it is not settled before it is taken"
    await outbox.settle(Result(again, "delivered"))
    assert await outbox.cases.list() == []


async def test_what_is_skipped_lets_the_next_go(outbox: Outbox) -> None:
    await outbox.publish(view(1))
    await outbox.relay()
    await outbox.lease()
    [letter] = await outbox.heads()
    await outbox.fail_for_good(letter)
    assert await outbox.database.write(lambda session: skip_held(session, "crm")) == 1
    assert await outbox.cases.list() == []
    assert await outbox.states() == ["skipped", "pending"]
    assert (await outbox.heads())[0].body["type"] == "tenure.lifecycle.stage_changed.v1"


async def test_for_a_subscriber_that_is_gone_everything_is_held_also_what_is_new(outbox: Outbox) -> None:
    await outbox.publish(view(1), view(1, contract="b"))
    await outbox.relay()
    await outbox.lease()
    [letter, other] = await outbox.heads()
    await outbox.settle(Result(letter, "gone", "it answered 410"), Result(other, "delivered"))
    assert await outbox.states() == ["held", "held", "delivered", "held"]
    await outbox.publish(view(1, contract="c"))
    await outbox.relay({"crm": ALL["crm"], "bi": ("*.started.*",)})
    assert await outbox.states() == ["held", "held", "delivered", "held", "held", "pending", "held"]
    [case] = await outbox.cases.list()
    assert case.id == "outgoing:crm"
    assert await outbox.heads() == []
    assert await outbox.database.write(lambda session: retry_held(session, "crm")) == 5
    assert await outbox.cases.list() == []
    assert [letter.contract for letter in await outbox.heads()] == ["a", "b", "c"]


async def test_who_lost_the_lease_marks_nothing(outbox: Outbox) -> None:
    await outbox.publish(view(1))
    await outbox.relay()
    await outbox.lease(seconds=0)
    [letter] = await outbox.heads()
    stale = outbox.fence
    await outbox.lease()
    assert outbox.fence > stale
    late = [Result(letter, "delivered")]
    assert not await outbox.database.write(lambda session: settle(session, "crm", stale, late, DAY))
    assert await outbox.states() == ["pending", "pending"]


async def test_the_backlog_counts_what_a_subscriber_has_not_got(outbox: Outbox) -> None:
    empty = await outbox.database.read(lambda session: backlog(session, "crm"))
    assert (empty.pending, empty.held, empty.oldest, empty.problem) == (0, 0, None, "")
    await outbox.publish(view(1), view(1, contract="b"))
    await outbox.relay()
    await outbox.lease()
    await outbox.fail_for_good((await outbox.heads())[0])
    old = update(OutgoingDeliveryRow).where(col(OutgoingDeliveryRow.contract) == "a")
    aged = old.values(created_at=OutgoingDeliveryRow.created_at - 90)
    await outbox.database.write(lambda session: change(session, aged))
    found = await outbox.database.read(lambda session: backlog(session, "crm"))
    assert (found.pending, found.held, found.problem) == (3, 1, "it answered 500")
    assert found.oldest == pytest.approx(90, abs=5)


async def test_what_everybody_got_is_deleted_when_it_is_old(outbox: Outbox) -> None:
    await outbox.publish(view(1), view(1, contract="b"))
    await outbox.relay({**ALL, "former": ("*.started.*",)})
    await outbox.lease()
    first, _ = await outbox.heads()
    await outbox.settle(Result(first, "delivered"))

    async def clean(keep: float) -> int:
        read = outbox.database.read
        deliveries = await read(lambda session: outdated(session, ("crm",), keep))
        events = await read(lambda session: outdated_events(session, keep))
        return await outbox.database.write(lambda session: drop(session, deliveries, events))

    assert await clean(keep=60) == 0
    assert await clean(keep=-60) == 3, "what was delivered, and both of a subscriber that is not configured any more"
    assert await clean(keep=-60) == 1, "the event that nobody waits for any more"
    assert len(await outbox.all(OutgoingRow)) == 3
    assert await outbox.states() == ["pending"] * 3


async def test_relays_at_the_same_time_keep_the_order_and_make_each_delivery_once(outbox: Outbox, url: str) -> None:
    other = Outbox(Database(url))
    for n in range(10):
        risen = [view(n + 1, contract=contract, cases=(f"{n}",)) for contract in "abc"]
        await asyncio.gather(outbox.publish(*risen), outbox.relay(), other.relay())
    await asyncio.gather(outbox.relay(), other.relay())
    other.database.close()
    rows = await outbox.all(OutgoingDeliveryRow)
    assert len(rows) == len(await outbox.all(OutgoingRow))
    for contract in "abc":
        order = [row.outgoing_id for row in rows if row.contract == contract]
        assert order == sorted(order)
