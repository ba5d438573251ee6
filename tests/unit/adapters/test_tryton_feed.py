"""From the module's facts to our events: pages, cursors, what is passed over, what breaks the contract."""

import json
from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any

import httpx
import pytest

from adapters.feeds.tryton import TrytonFeed
from domain.errors import ContractBroken, CursorExpired
from domain.events import read_event
from domain.events.base import Subject
from domain.events.invoices import InvoicePaid
from domain.events.orders import SubscriptionChanged

DATA = {
    "invoice": "7", "number": "DE-00007", "subscription": "3", "contract": "crm/006/1", "customer": "12-1",
    "selling_entity": "ACME-DE", "amount": "119.00", "open_amount": "0", "currency": "EUR", "issued_on": "2026-12-01",
    "due_on": "2026-12-31", "paid_on": "2026-12-20", "payment": "88", "version": 2,
}  # fmt: skip


def fact(number: int, kind: str = "invoice.paid", **data: Any) -> dict[str, Any]:
    return {
        "id": f"invoice/7/paid/{number}",
        "cursor": f"900:{number}",
        "kind": kind,
        "at": "2026-12-20T10:00:00.5+00:00",
        "data": {**DATA, **data},
    }


class Module:
    """Answers every read with what `answer` says to its operation and arguments."""

    def __init__(self, answer: Callable[[str, dict[str, Any]], object]) -> None:
        self.answer = answer
        self.asked: list[tuple[str, dict[str, Any]]] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        body = json.loads(request.content)
        if body["method"] == "common.db.login":
            return httpx.Response(200, json={"id": body["id"], "result": [1, "key", None]})
        assert body["method"] == "model.tenure.command.read"
        operation, arguments, context = body["params"]
        assert context == {}
        self.asked.append((operation, arguments))
        return httpx.Response(200, json={"id": body["id"], "result": self.answer(operation, arguments)})


def feed(module: Module) -> TrytonFeed:
    client = httpx.AsyncClient(transport=httpx.MockTransport(module), base_url="http://erp/")
    return TrytonFeed(client, database="erp", user="tenure", password="s3cret")


def tells(*facts: dict[str, Any], expired: bool = False) -> Module:
    def answer(operation: str, arguments: dict[str, Any]) -> object:
        told = facts[: arguments["limit"]]
        return {
            "events": told,
            "cursor": told[-1]["cursor"] if told else arguments["cursor"],
            "expired": expired,
        }

    return Module(answer)


async def test_a_fact_is_an_event_of_ours() -> None:
    page = await feed(tells(fact(1))).changes("800:1", 10)
    assert (page.cursor, page.more) == ("900:1", False)
    [told] = page.events
    event = read_event(told)
    assert (event.id, event.source, event.type) == ("invoice/7/paid/1", "/tryton/erp", "tenure.invoice.paid.v1")
    assert isinstance(event.data, InvoicePaid)
    assert (event.data.version, event.data.payment, str(event.data.amount)) == (2, "88", "119.00")
    assert event.data.subjects() == (
        Subject(kind="contract", alias="erp:subscription:3"),
        Subject(kind="bill_to", alias="erp:customer:12-1"),
    )
    assert told["subject"] == "12-1"


@pytest.mark.parametrize(("limit", "sizes"), [(1, [1, 1, 1]), (2, [2, 1]), (3, [3]), (10, [3])])
async def test_pages_end_where_they_end(limit: int, sizes: list[int]) -> None:
    facts = [fact(number) for number in (1, 2, 3)]

    def answer(operation: str, arguments: dict[str, Any]) -> object:
        after = int(arguments["cursor"].partition(":")[2])
        told = facts[after : after + arguments["limit"]]
        return {"events": told, "cursor": told[-1]["cursor"] if told else arguments["cursor"], "expired": False}

    port = feed(Module(answer))
    pages = [await port.changes("900:0", limit)]
    while pages[-1].more:
        pages.append(await port.changes(pages[-1].cursor, limit))
    assert [len(page.events) for page in pages] == sizes
    assert [event["id"] for page in pages for event in page.events] == [each["id"] for each in facts]


async def test_what_has_no_contract_is_passed_over_and_the_cursor_goes_on() -> None:
    page = await feed(tells(fact(1, "order.novel"), fact(2), fact(3, "order.novel"))).changes("1:0", 2)
    assert [event["id"] for event in page.events] == ["invoice/7/paid/2"]
    assert (page.cursor, page.more) == ("900:2", True)


@pytest.mark.parametrize(
    ("kind", "status", "entitled"),
    [("active", "active", True), ("changed", "active", True), ("ended", "ended", True), ("cancelled",) * 2 + (False,)],
)
async def test_whatever_becomes_of_a_subscription_is_one_event(kind: str, status: str, entitled: bool) -> None:
    module = {
        "subscription": "3", "contract": "crm/006/1", "customer": "12-1", "selling_entity": "acme-us",
        "currency": "USD", "status": status, "starts": "2026-12-01", "ends": "2027-12-01",
        "lines": {"seat": {"quantity": "10", "billed_from": None}}, "version": 4,
    }  # fmt: skip
    told = {**fact(1, f"subscription.{kind}"), "data": module}
    [event] = (await feed(tells(told)).changes("1:0", 2)).events
    data = read_event(event).data
    assert isinstance(data, SubscriptionChanged)
    assert (data.status, data.entitled, data.ends, data.version) == (status, entitled, date(2027, 12, 1), 4)
    assert [subject.alias for subject in data.subjects()] == ["tenure:contract:crm/006/1", "erp:subscription:3"]


async def test_more_than_the_module_gives_is_not_asked_for() -> None:
    module = tells(*(fact(number) for number in range(1000)))
    page = await feed(module).changes("1:0", 5000)
    assert module.asked == [("changes", {"cursor": "1:0", "limit": 500})]
    assert (len(page.events), page.cursor, page.more) == (499, "900:498", True)


async def test_a_cursor_that_can_t_be_read_on_is_expired() -> None:
    for cursor, module in (("1:0", tells(expired=True)), ("", tells(fact(1)))):
        with pytest.raises(CursorExpired):
            await feed(module).changes(cursor, 10)


async def test_a_back_fill_goes_on_until_the_module_has_told_all() -> None:
    def answer(operation: str, arguments: dict[str, Any]) -> object:
        last = arguments["position"] == "account.invoice:9"
        return {"events": [fact(2 if last else 1)], "cursor": None if last else "account.invoice:9", "expired": False}

    module = Module(answer)
    since = datetime(2026, 12, 1, 8, tzinfo=UTC)
    first = await feed(module).back_fill(since, "", 50)
    assert (first.cursor, first.more) == ("account.invoice:9", True)
    second = await feed(module).back_fill(None, first.cursor, 50)
    assert (len(second.events), second.more) == (1, False)
    assert module.asked == [
        ("back_fill", {"since": "2026-12-01T08:00:00+00:00", "position": "", "limit": 50}),
        ("back_fill", {"since": None, "position": "account.invoice:9", "limit": 50}),
    ]


async def test_the_head_is_the_module_s() -> None:
    assert await feed(Module(lambda operation, arguments: {"cursor": "899:9"})).head() == "899:9"


@pytest.mark.parametrize("answer", [{}, {"events": None, "expired": False}, {"events": [{}], "expired": False}])
async def test_an_answer_without_what_was_promised_breaks_the_contract(answer: object) -> None:
    port = feed(Module(lambda operation, arguments: answer))
    with pytest.raises(ContractBroken):
        await port.changes("1:0", 10)
    with pytest.raises(ContractBroken):
        await port.back_fill(None, "", 10)
