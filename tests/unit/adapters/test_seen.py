"""What is seen of a call: a span in the trace of what caused it, the vendor told of it, and how long it took."""

import asyncio
from collections.abc import Mapping
from datetime import timedelta

import httpx
import pytest

from adapters.http import JsonApi
from adapters.seen import SeenTransport
from adapters.timing import Times
from domain.call_times import ABOUT, Calls, CallTimes
from domain.errors import NotFound, SourceUnavailable
from starter.tracing import span
from tests.tracing import recording

TRACE = f"00-{'d' * 32}-{'d' * 16}-01"


class Book:
    """What was told, and the store's outage."""

    def __init__(self) -> None:
        self.told: list[dict[str, CallTimes]] = []
        self.calls: dict[tuple[str, str], Calls] = {}
        self.away = False

    async def add(self, times: Mapping[str, CallTimes], calls: Mapping[tuple[str, str], Calls]) -> None:
        if self.away:
            raise SourceUnavailable("away")
        self.told.append(dict(times))
        self.calls.update(calls)


def answer(request: httpx.Request) -> httpx.Response:
    match request.url.path.rpartition("/")[2]:
        case "here":
            return httpx.Response(200, json={"trace": request.headers.get("traceparent")})
        case "broken":
            return httpx.Response(500)
        case "gone":
            return httpx.Response(404)
        case _:
            raise httpx.ReadError("cut")


@pytest.fixture
def book() -> Book:
    return Book()


def api(times: Times | None = None) -> JsonApi:
    transport = SeenTransport(httpx.MockTransport(answer), "erp-eu", times)
    client = httpx.AsyncClient(transport=transport, base_url="https://jane.doe.example/v1/")
    return JsonApi(client, "erp", {}, read_deadline=timedelta(seconds=5))


async def test_the_vendor_is_told_the_trace_and_the_span_no_url() -> None:
    with recording() as spans, span("cause", parent=TRACE):
        told = await api().read("read_customer", "customers/jane.doe@example.com/here")
    [seen] = [each for each in spans.all() if each.name == "GET erp-eu.read_customer"]
    assert seen.context is not None
    assert told["trace"] == f"00-{'d' * 32}-{seen.context.span_id:016x}-01"
    assert "jane.doe@" not in f"{seen.name}{dict(seen.attributes or {})}"
    assert (seen.attributes or {})["http.response.status_code"] == 200


@pytest.mark.parametrize(
    ("path", "error", "said"), [("gone", NotFound, "404"), ("cut", SourceUnavailable, "ReadError")]
)
async def test_a_failure_is_seen_by_its_kind_alone(path: str, error: type[Exception], said: str) -> None:
    with recording() as spans, span("cause", parent=TRACE), pytest.raises(error):
        await api().read("read_customer", path)
    [seen] = [each for each in spans.all() if each.name.startswith("GET")]
    assert (seen.status.description, list(seen.events)) == (said, [])


async def test_outside_of_a_trace_a_call_begins_none(book: Book) -> None:
    times = Times(book)
    with recording() as spans:
        assert await api(times).read("read_customer", "here") == {"trace": None}
    await times.close()
    assert spans.all() == []
    assert book.told[0]["erp-eu"].count == 1


async def test_the_time_of_each_call_is_told_and_which_failed(book: Book) -> None:
    times = Times(book)
    for path in ("here", "broken", "gone", "cut"):
        await asyncio.gather(api(times).read("x", path), return_exceptions=True)
    await times.close()
    [told] = book.told
    assert (told["erp-eu"].count, told["erp-eu"].failed) == (4, 2), "that something is not there is an answer"


async def test_calls_are_counted_for_the_contract_that_they_are_made_for(book: Book) -> None:
    times = Times(book)

    async def work(contract: str) -> None:
        ABOUT.set(contract)
        for path in ("here", "broken"):
            await asyncio.gather(api(times).read("x", path), return_exceptions=True)

    await asyncio.gather(*(asyncio.create_task(work(contract)) for contract in ("c/1/1", "c/2/1")))
    await api(times).read("x", "here")
    await times.close()
    assert book.calls == {(contract, "erp-eu"): Calls(2, 1) for contract in ("c/1/1", "c/2/1")}
    assert book.told[0]["erp-eu"].count == 5


async def test_a_store_that_is_away_costs_measurements_and_no_call(book: Book) -> None:
    times, book.away = Times(book), True
    assert await api(times).read("x", "here")
    await times.close()
    assert book.told == []
