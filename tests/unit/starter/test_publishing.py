"""The publisher and real subscribers: order, at least once, and nobody delayed by somebody else."""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from fastapi.responses import Response
from pydantic import SecretStr
from sqlmodel import col, select

from domain.books import ViewRow
from domain.view import CaseView, LifecycleView, Stage
from starter import sections
from starter.publishing import Patience, Publisher
from starter.settings import Settings
from store.cases import Cases
from store.database import Database
from store.outgoing import retry_held
from store.tables import OutgoingDeliveryRow, OutgoingRow
from store.views import SqlViews
from tests.stores import lay
from tests.subscriber import NEXT_SECRET, SECRET, Got, Subscriber, open_subscriber

RUN = datetime(2027, 1, 31, 8, tzinfo=UTC)
QUICK = Patience(timeout=5.0, first=0.02, longest=0.05, look=0.05)


@pytest.fixture
def database(tmp_path: Any) -> Iterator[Database]:
    url = f"sqlite:///{tmp_path / 'store.db'}"
    lay(url)
    database = Database(url)
    yield database
    database.close()


@pytest.fixture
async def subscriber() -> AsyncIterator[Subscriber]:
    async with open_subscriber() as opened:
        yield opened


def told_to(settings: Settings, *urls: str, **changes: Any) -> Settings:
    """The settings with a subscriber at each address: `s0`, `s1`…"""
    secrets = (sections.Secret(value=SecretStr(SECRET)),)
    subscribers = {f"s{n}": sections.Subscriber(url=url, secrets=secrets) for n, url in enumerate(urls)}
    return settings.model_copy(
        update={"subscribers": {name: each.model_copy(update=changes) for name, each in subscribers.items()}}
    )


async def say(database: Database, contract: str, count: int) -> None:
    """So many views of a life, each of which tells something."""
    for n in range(count):
        cases = [CaseView(id=f"{n}", kind="order", title="t", opened_at=RUN)]
        view = LifecycleView(contract=contract, stage=Stage.SERVING, as_of=RUN, cases=cases)
        row = ViewRow(contract=contract, run_started=RUN, sequence=n, view=view.model_dump(mode="json"))
        await SqlViews(database).publish(row)


async def said(database: Database, contract: str) -> list[str]:
    """The ids of what a contract told, in order."""
    query = select(OutgoingRow.event_id).where(OutgoingRow.contract == contract).order_by(col(OutgoingRow.id))
    return list(await database.read(lambda session: session.exec(query).all()))


async def states(database: Database, subscriber: str = "s0") -> set[str]:
    query = select(OutgoingDeliveryRow.state).where(OutgoingDeliveryRow.subscriber == subscriber).distinct()
    return set(await database.read(lambda session: session.exec(query).all()))


async def until_states(database: Database, wanted: set[str], subscriber: str = "s0") -> None:
    found: set[str] = set()
    for _ in range(600):
        if (found := await states(database, subscriber)) == wanted:
            return
        await asyncio.sleep(0.02)
    raise AssertionError(f"{subscriber}: {found}")


async def undelivered(database: Database) -> list[str]:
    return [case.id for case in await Cases(database).list() if case.kind == "undelivered"]


@asynccontextmanager
async def publishing(
    database: Database, settings: Settings, *, owner: str = "one", patience: Patience = QUICK
) -> AsyncIterator[asyncio.Task[None]]:
    """A publisher at work; it is stopped as SIGTERM does, unless it was cancelled before."""
    stop = asyncio.Event()
    task = asyncio.create_task(Publisher(database, settings, owner=owner, patience=patience).run(stop))
    try:
        yield task
    finally:
        stop.set()
        with suppress(asyncio.CancelledError):
            await task


async def test_events_arrive_signed_as_cloud_events_in_order(
    settings: Settings, database: Database, subscriber: Subscriber
) -> None:
    await say(database, "a", 5)
    async with publishing(database, told_to(settings, subscriber.url)):
        await subscriber.until(lambda: len(subscriber.taken) == 11)
    assert subscriber.order("a") == await said(database, "a")
    first = subscriber.taken[0]
    assert first.by == (SECRET,)
    assert first.headers["content-type"] == "application/cloudevents+json"
    assert first.headers["webhook-id"] == first.event["id"]
    assert first.event["type"] == "tenure.lifecycle.started.v1"
    assert first.event["data"]["contract"] == "a"
    assert len(subscriber.got) == 11, "each once, when nothing fails"
    assert await states(database) == {"delivered"}


async def test_while_a_secret_is_changed_both_verify(
    settings: Settings, database: Database, subscriber: Subscriber
) -> None:
    both = tuple(sections.Secret(value=SecretStr(secret)) for secret in (NEXT_SECRET, SECRET))
    await say(database, "a", 1)
    async with publishing(database, told_to(settings, subscriber.url, secrets=both)):
        await subscriber.until(lambda: len(subscriber.taken) == 3)
    assert all(got.by == (SECRET, NEXT_SECRET) for got in subscriber.taken)


async def test_one_of_a_contract_at_a_time_and_contracts_at_once(
    settings: Settings, database: Database, subscriber: Subscriber
) -> None:
    chance = random.Random(7)

    async def moody(got: Got) -> int:
        await asyncio.sleep(chance.uniform(0, 0.02))
        return chance.choice([200, 200, 200, 500, 302, 429])

    subscriber.answer = moody
    contracts = [f"c{n}" for n in range(12)]
    for contract in contracts:
        await say(database, contract, 4)
    async with AsyncExitStack() as stack:
        for owner in ("one", "two"):  # only one of them sends
            await stack.enter_async_context(publishing(database, told_to(settings, subscriber.url), owner=owner))
        await until_states(database, {"delivered"})
    for contract in contracts:
        assert subscriber.order(contract) == await said(database, contract)
        assert subscriber.most[contract] == 1
    assert 4 <= subscriber.most["all"] <= 16


async def test_what_is_down_or_hangs_delays_only_itself(
    settings: Settings, database: Database, subscriber: Subscriber
) -> None:
    over = asyncio.Event()
    async with open_subscriber() as hanging:

        async def hang(_: Got) -> int:
            await over.wait()
            return 500

        hanging.answer = hang
        for n in range(20):
            await say(database, f"c{n}", 2)
        nobody = "http://127.0.0.1:9/discard"
        impatient = replace(QUICK, timeout=1.0)
        async with publishing(database, told_to(settings, hanging.url, nobody, subscriber.url), patience=impatient):
            await subscriber.until(lambda: len(subscriber.taken) == 20 * 5)
            assert not hanging.taken
            assert await states(database, "s1") == {"pending"}
        over.set()
    for n in range(20):
        assert subscriber.order(f"c{n}") == await said(database, f"c{n}")


async def test_a_contract_that_is_refused_does_not_delay_the_others(
    settings: Settings, database: Database, subscriber: Subscriber
) -> None:
    async def picky(got: Got) -> int:
        return 400 if got.event["subject"] == "bad" else 200

    subscriber.answer = picky
    for contract in ("bad", "good", "fine"):
        await say(database, contract, 3)
    impatient = replace(QUICK, give_up=0.3)
    async with publishing(database, told_to(settings, subscriber.url), patience=impatient):
        await until_states(database, {"delivered", "held", "pending"})
        await subscriber.until(lambda: len(subscriber.taken) == 2 * 7)
        assert await undelivered(database) == ["outgoing:s0:bad"]
        assert {got.event["id"] for got in subscriber.got if got.event["subject"] == "bad"} == {
            (await said(database, "bad"))[0]
        }, "nothing later of the contract was sent"
        subscriber.answer = subscriber.take
        await database.write(lambda session: retry_held(session, "s0"))
        await until_states(database, {"delivered"})
    assert subscriber.order("bad") == await said(database, "bad")
    assert await undelivered(database) == []


async def test_what_dies_between_the_post_and_its_mark_is_sent_again(
    settings: Settings, database: Database, subscriber: Subscriber
) -> None:
    """The process is gone at any moment, again and again: every event arrives, in order, under the same id."""
    chance = random.Random(3)
    contracts = [f"c{n}" for n in range(5)]
    for contract in contracts:
        await say(database, contract, 6)
    configured = told_to(settings, subscriber.url)
    brief = replace(QUICK, timeout=1.0)  # a lease that was asked for at the end stays taken for as long
    for life in range(6):
        async with publishing(database, configured, owner=f"life {life}", patience=brief) as task:
            await asyncio.sleep(chance.uniform(0.02, 0.12))
            task.cancel()
    async with publishing(database, configured, owner="last"):
        await until_states(database, {"delivered"})
    for contract in contracts:
        assert subscriber.order(contract) == await said(database, contract)


async def test_an_answer_that_nobody_marked_is_asked_for_again(
    settings: Settings, database: Database, subscriber: Subscriber
) -> None:
    await say(database, "a", 1)
    arrived = asyncio.Event()

    async def die(_: Got) -> int:
        arrived.set()
        await asyncio.sleep(0.1)
        return 200

    subscriber.answer = die
    async with publishing(database, told_to(settings, subscriber.url)) as task:
        await arrived.wait()
        task.cancel()
    assert await states(database) == {"pending"}
    subscriber.answer = subscriber.take
    async with publishing(database, told_to(settings, subscriber.url), owner="two"):
        await until_states(database, {"delivered"})
    assert [got.event["id"] for got in subscriber.got[:2]] == [subscriber.got[0].event["id"]] * 2


@pytest.mark.parametrize("status", [429, 503])
async def test_a_subscriber_that_says_when_is_left_alone_until_then(
    settings: Settings, database: Database, subscriber: Subscriber, status: int
) -> None:
    tried: list[float] = []

    async def busy(_: Got) -> Response | int:
        tried.append(time.monotonic())
        return Response(status_code=status, headers={"Retry-After": "1"}) if len(tried) == 1 else 200

    subscriber.answer = busy
    await say(database, "a", 1)
    patient = replace(QUICK, longest=5.0)
    async with publishing(database, told_to(settings, subscriber.url), patience=patient):
        await subscriber.until(lambda: len(tried) >= 2)
        await say(database, "b", 1)
        await until_states(database, {"delivered"})
    assert tried[1] - tried[0] >= 1.0


async def test_a_subscriber_that_is_gone_is_asked_no_more(
    settings: Settings, database: Database, subscriber: Subscriber
) -> None:
    async def gone(_: Got) -> int:
        return 410

    subscriber.answer = gone
    await say(database, "a", 3)
    async with publishing(database, told_to(settings, subscriber.url)):
        await until_states(database, {"held"})
        await say(database, "b", 1)
        await asyncio.sleep(0.3)
    assert len(subscriber.got) == 1
    assert await undelivered(database) == ["outgoing:s0"]


async def test_a_redirect_is_not_followed(settings: Settings, database: Database, subscriber: Subscriber) -> None:
    async with open_subscriber() as elsewhere:

        async def away(_: Got) -> Response:
            return Response(status_code=307, headers={"Location": elsewhere.url})

        subscriber.answer = away
        await say(database, "a", 1)
        async with publishing(database, told_to(settings, subscriber.url)):
            await subscriber.until(lambda: len(subscriber.got) >= 3)
        assert not elsewhere.got
    assert await states(database) == {"pending"}


async def test_a_paused_subscriber_gets_it_later(
    settings: Settings, database: Database, subscriber: Subscriber
) -> None:
    await say(database, "a", 1)
    async with publishing(database, told_to(settings, subscriber.url, paused=True)):
        await until_states(database, {"pending"})
        await asyncio.sleep(0.2)
        assert not subscriber.got
    async with publishing(database, told_to(settings, subscriber.url)):
        await until_states(database, {"delivered"})


def test_tries_are_further_and_further_apart() -> None:
    patience = Patience()
    waits: Callable[[int], list[float]] = lambda n: [patience.wait(n, None) for _ in range(50)]  # noqa: E731
    assert all(5 <= wait <= 6.25 for wait in waits(1))
    assert all(40 <= wait <= 50 for wait in waits(4))
    assert all(wait == 3600 for wait in waits(500))
    assert patience.wait(1, 7200.0) == 7200
    assert patience.wait(1, 10**8) == patience.give_up
