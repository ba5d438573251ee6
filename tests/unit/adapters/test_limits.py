"""The transport that asks for a turn before each call, over a real store."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping
from datetime import timedelta
from typing import Any

import httpx
import pytest

from adapters.http import JsonApi
from adapters.limits import LimitedTransport
from adapters.turns import Limiter, Limits
from domain.effects import EffectClass, Guarantee
from domain.errors import RateLimited, SourceUnavailable
from domain.limits import STALE, Limit, Standing, Taken, in_spare_time
from store.database import Database
from store.limits import SqlLimits, give_limit, reset_limit
from tests.doors import most_in_a_second


class Vendor:
    """Counts calls at its door. `busy`: how many it had at once, at most."""

    def __init__(self, answer: Callable[[], httpx.Response] = lambda: httpx.Response(200, json={})) -> None:
        self.answer = answer
        self.slow = 0.0
        self.calls: list[float] = []
        self.now = self.busy = 0

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        self.calls.append(time.time())
        self.now += 1
        self.busy = max(self.busy, self.now)
        try:
            await asyncio.sleep(self.slow)
        finally:
            self.now -= 1
        return self.answer()


class Counting(SqlLimits):
    """How often the store is asked."""

    taken = looked = 0

    async def take(self, *args: Any, **given: Any) -> Taken:
        self.taken += 1
        return await super().take(*args, **given)

    async def standings(self) -> Mapping[str, Standing]:
        self.looked += 1
        return await super().standings()


class Away(SqlLimits):
    """A store that does not answer."""

    async def take(self, *args: Any, **given: Any) -> Taken:
        raise SourceUnavailable("the store does not answer")

    async def standings(self) -> Mapping[str, Standing]:
        raise SourceUnavailable("the store does not answer")


@pytest.fixture
async def database(sqlite_url: str) -> AsyncIterator[Database]:
    database = Database(sqlite_url)
    yield database
    database.close()


@pytest.fixture
async def book(database: Database) -> Counting:
    return Counting(database)


@pytest.fixture
async def limits(book: Counting) -> AsyncIterator[Limits]:
    limits = Limits(book)
    yield limits
    await limits.close()


def client(limiter: Limiter, vendor: Vendor) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=LimitedTransport(httpx.MockTransport(vendor), limiter), base_url="http://v")


async def test_many_at_once_are_spread_and_none_is_lost(limits: Limits) -> None:
    vendor = Vendor()
    http = client(limits.of("erp", Limit(per_second=10)), vendor)
    began = time.monotonic()
    await asyncio.gather(*(http.get("/") for _ in range(20)))
    assert len(vendor.calls) == 20
    assert most_in_a_second(vendor.calls) <= 10
    assert time.monotonic() - began < 6


async def test_no_more_at_once_than_the_limit_says(limits: Limits) -> None:
    vendor = Vendor()
    vendor.slow = 0.05
    http = client(limits.of("erp", Limit(concurrent=2)), vendor)
    await asyncio.gather(*(http.get("/") for _ in range(8)))
    assert (len(vendor.calls), vendor.busy) == (8, 2)


async def test_a_call_that_is_given_up_frees_its_place(limits: Limits) -> None:
    vendor = Vendor()
    vendor.slow = 60
    http = client(limits.of("erp", Limit(concurrent=1)), vendor)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.2):
            await http.get("/")
    vendor.slow = 0
    async with asyncio.timeout(5):
        assert (await http.get("/")).status_code == 200


async def test_without_a_limit_the_store_is_looked_at_once_for_all_calls(limits: Limits, book: Counting) -> None:
    http = client(limits.of("erp", Limit()), Vendor())
    for _ in range(50):
        await http.get("/")
    assert (book.taken, book.looked) == (0, 1)


async def test_a_limit_that_is_given_is_kept_within_seconds(limits: Limits, database: Database) -> None:
    vendor = Vendor()
    http = client(limits.of("erp", Limit()), vendor)
    await http.get("/")
    await database.write(lambda session: give_limit(session, "erp", {"per_second": 2.0}))
    await asyncio.sleep(2.1)
    vendor.calls.clear()
    await asyncio.gather(*(http.get("/") for _ in range(4)))
    assert most_in_a_second(vendor.calls) <= 2
    await database.write(lambda session: reset_limit(session, "erp"))
    await asyncio.sleep(2.1)
    began = time.monotonic()
    await asyncio.gather(*(http.get("/") for _ in range(20)))
    assert time.monotonic() - began < 8  # limited it would be ten


async def test_who_would_wait_too_long_is_told_when_to_come_back_and_sends_nothing(limits: Limits) -> None:
    limiter, vendor = limits.of("erp", Limit(per_second=0.1)), Vendor()
    http = client(limiter, vendor)
    await http.get("/")
    with pytest.raises(RateLimited) as raised:
        async with limiter.ahead(0.2):
            pytest.fail("there is no turn")
    assert raised.value.retry_after is not None
    assert raised.value.retry_after >= timedelta(seconds=1)
    assert str(raised.value) == "erp: no call is free within its limit (0.1/s)"
    assert len(vendor.calls) == 1


async def test_a_turn_taken_ahead_is_used_by_the_first_call_only(limits: Limits) -> None:
    limiter, vendor = limits.of("erp", Limit(per_second=0.01, burst=2)), Vendor()
    http = client(limiter, vendor)
    async with limiter.ahead(1, later=0.1):
        await http.get("/")
        await http.get("/")
        with pytest.raises(RateLimited):
            await http.get("/")
    assert len(vendor.calls) == 2


async def test_a_turn_that_nobody_used_is_given_back(limits: Limits) -> None:
    limiter = limits.of("erp", Limit(per_second=0.01))
    for _ in range(3):
        async with limiter.ahead(2):
            pass
    http = client(limiter, Vendor())
    async with limiter.ahead(2):
        assert (await http.get("/")).status_code == 200


async def test_a_turn_that_is_stale_is_not_used(limits: Limits) -> None:
    limiter, vendor = limits.of("erp", Limit(per_second=0.01, burst=1)), Vendor()
    http = client(limiter, vendor)
    async with limiter.ahead(1):
        await asyncio.sleep(STALE + 0.1)
        assert (await http.get("/")).status_code == 200  # it gave that one back, and has got another
    with pytest.raises(RateLimited):
        async with limiter.ahead(0.1):
            pass


async def test_who_is_in_the_middle_of_something_goes_first(limits: Limits) -> None:
    limiter = limits.of("erp", Limit(per_second=10))
    order: list[str] = []

    async def begin(name: str) -> None:
        async with limiter.ahead(10):
            order.append(name)
            await client(limiter, Vendor()).get("/")

    async def go_on() -> None:
        await asyncio.sleep(0.15)
        await client(limiter, Vendor()).get("/")
        order.append("second call")

    await asyncio.gather(*(begin(f"new {n}") for n in range(8)), go_on())
    assert order.index("second call") <= 4
    assert [name for name in order if name != "second call"] == [f"new {n}" for n in range(8)]


async def test_a_429_pauses_that_connection_for_every_process_and_no_other(book: Counting, limits: Limits) -> None:
    answers = iter([httpx.Response(429, headers={"retry-after": "2"}), *(httpx.Response(200) for _ in range(9))])
    vendor, other = Vendor(lambda: next(answers)), Vendor()
    http = client(limits.of("erp", Limit()), vendor)
    elsewhere = Limits(book)  # another process
    beside = client(elsewhere.of("crm", Limit()), other)
    assert (await http.get("/")).status_code == 429
    with pytest.raises(RateLimited) as raised:
        async with limits.of("erp", Limit()).ahead(0.1):
            pass
    assert raised.value.retry_after is not None
    assert 0 < raised.value.retry_after.total_seconds() <= 2
    await asyncio.gather(http.get("/"), client(elsewhere.of("erp", Limit()), vendor).get("/"), beside.get("/"))
    assert min(vendor.calls[1:]) - vendor.calls[0] > 1.9
    assert other.calls[0] < min(vendor.calls[1:])
    await elsewhere.close()


async def test_waiting_is_not_the_calls_own_time(limits: Limits) -> None:
    vendor, deadline = Vendor(), timedelta(seconds=0.5)
    http = client(limits.of("erp", Limit(per_second=1)), vendor)
    effects = {"make": EffectClass(guarantee=Guarantee.KEY, deadline=deadline)}
    api = JsonApi(http, "erp", effects, read_deadline=deadline)
    await asyncio.gather(*(api.read("look", "things") for _ in range(3)))
    assert len(vendor.calls) == 3
    await asyncio.sleep(1.1)
    vendor.slow = 2
    with pytest.raises(SourceUnavailable, match=r"no answer within 0\.5 s"):
        await api.read("look", "things")


async def test_with_the_store_away_only_what_has_no_limit_is_called(limits: Limits, database: Database) -> None:
    away, vendor = Limits(Away(database)), Vendor()
    assert (await client(away.of("crm", Limit()), vendor).get("/")).status_code == 200
    with pytest.raises(SourceUnavailable, match="the store"):
        await client(away.of("erp", Limit(per_second=5)), vendor).get("/")
    assert len(vendor.calls) == 1
    await away.close()


async def test_of_those_who_wait_the_more_urgent_go_first(limits: Limits) -> None:
    limiter, gone = limits.of("erp", Limit(per_second=5)), list[int]()

    async def go(urgency: int) -> None:
        async with limiter.ahead(60, urgency=urgency):
            gone.append(urgency)

    await limiter.turn(60)  # nobody else may go before all of them wait
    await asyncio.gather(*(go(urgency) for urgency in (4, 3, 4, 1, 2)))
    assert gone == [1, 2, 3, 4, 4]


async def test_a_call_in_spare_time_goes_after_all_others_of_another_process_too(
    limits: Limits, database: Database
) -> None:
    slow, gone = Limit(per_second=5), list[str]()
    spare, ours = Limits(SqlLimits(database)).of("erp", slow), limits.of("erp", slow)

    async def go(limiter: Limiter, name: str) -> None:
        in_spare_time.set(name == "spare")
        turn = await limiter.now()
        gone.append(name)
        assert turn is not None
        limiter.over(turn, "answered")

    await ours.turn(60)  # nobody else may go before all of them wait
    await asyncio.gather(go(spare, "spare"), *(go(ours, "ours") for _ in range(3)))
    assert gone == ["ours", "ours", "ours", "spare"]
    await spare.close()
