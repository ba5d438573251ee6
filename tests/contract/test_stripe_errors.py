"""Stripe's errors as ours, what leaves the house with a request, and what a probe finds."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import httpx
import pytest
import stripe
from stripe import params

from adapters.billing.stripe import StripeBilling
from adapters.billing.stripe_calls import LONGEST_KEY, idempotency_key
from adapters.http import DEADLINE
from domain.errors import (
    AuthFailed,
    ContractBroken,
    InvalidInput,
    NotFound,
    OutcomeUnknown,
    RateLimited,
    Rejected,
    SourceUnavailable,
    TenureError,
)
from domain.ports import CreditHold
from tests.stripe.routes import Route
from tests.stripe.server import Instead
from tests.stripe.typed import nested, wrong_parameters
from tests.stripe.world import StripeWorld, stripe_world

SECRET = "sk_test_1"
ECHO = "ap@hooli.example"


@pytest.fixture
async def world() -> AsyncIterator[StripeWorld]:
    async with stripe_world() as world:
        yield world


class _Answering:
    """Answers the next write, or read, in Stripe's place."""

    def __init__(self, status: int, error: dict[str, Any] | bytes, headers: dict[str, str]) -> None:
        body = error if isinstance(error, bytes) else json.dumps({"error": error}).encode()
        self._answer = (status, headers, body)

    async def __call__(self, route: Route, asked: tuple[dict[str, str], Any, str | None]) -> Instead | None:
        return self._answer


_INVALID = "invalid_request_error"
_CASES: list[tuple[int, dict[str, Any] | bytes, dict[str, str], type[TenureError], type[TenureError]]] = [
    (400, {"type": _INVALID, "code": "parameter_unknown", "param": "a"}, {}, InvalidInput, InvalidInput),
    (400, {"type": _INVALID, "code": "email_invalid", "message": f"Invalid: {ECHO}"}, {}, InvalidInput, InvalidInput),
    (400, {"type": _INVALID, "message": f"blocked: {ECHO}"}, {}, Rejected, Rejected),
    (400, {"type": _INVALID, "code": "resource_missing", "param": "customer"}, {}, NotFound, NotFound),
    (400, {"type": _INVALID, "code": "rate_limit"}, {}, RateLimited, RateLimited),
    (400, {"type": "idempotency_error", "message": "Keys … tenure:customer:001"}, {}, Rejected, Rejected),
    (401, {"type": _INVALID, "message": f"Invalid API Key provided: {SECRET}"}, {}, AuthFailed, AuthFailed),
    (402, {"type": "card_error", "code": "card_declined", "message": "declined"}, {}, Rejected, Rejected),
    (403, {"type": _INVALID, "message": f"The key {SECRET} may not"}, {}, AuthFailed, AuthFailed),
    (404, {"type": _INVALID, "code": "resource_missing"}, {}, NotFound, NotFound),
    (409, {"type": "idempotency_error", "code": "idempotency_key_in_use"}, {}, OutcomeUnknown, SourceUnavailable),
    (424, {"type": "api_error"}, {}, OutcomeUnknown, SourceUnavailable),
    (429, {"type": _INVALID, "code": "lock_timeout"}, {"retry-after": "3"}, RateLimited, RateLimited),
    (429, b"<html>slow down</html>", {}, RateLimited, RateLimited),
    (500, {"type": "api_error", "message": f"oops {ECHO}"}, {}, OutcomeUnknown, SourceUnavailable),
    (502, b"<html>bad gateway</html>", {}, OutcomeUnknown, SourceUnavailable),
    (503, {"type": "api_error"}, {}, OutcomeUnknown, SourceUnavailable),
    (200, b"not json", {}, ContractBroken, ContractBroken),
    (200, b"[]", {}, ContractBroken, ContractBroken),
    (302, b"", {}, ContractBroken, ContractBroken),
]


@pytest.mark.parametrize(("status", "error", "headers", "of_write", "of_read"), _CASES)
async def test_each_error_has_its_place(
    world: StripeWorld,
    status: int,
    error: dict[str, Any] | bytes,
    headers: dict[str, str],
    of_write: type[TenureError],
    of_read: type[TenureError],
) -> None:
    customer = await world.sample.make_customer(world.port)
    world.stand_in.disturb = _Answering(status, error, headers)
    hold = CreditHold(customer=customer, held=True, reason="long overdue")
    for call, expected in ((world.port.set_credit_hold(hold), of_write), (world.port.balance(customer), of_read)):
        with pytest.raises(TenureError) as raised:
            await call
        assert type(raised.value) is expected
        said = str(raised.value)
        assert said.startswith("stripe.")
        for private in (ECHO, SECRET, "tenure:customer", "<html", customer):
            assert private not in said
        assert raised.value.__cause__ is None
        assert raised.value.__suppress_context__
        wait = timedelta(seconds=3) if "retry-after" in headers else None
        assert raised.value.retry_after == wait


async def test_a_lost_connection_is_no_doubt_before_anything_was_written(world: StripeWorld) -> None:
    """The order's first request only reads; the second writes, and may have been done."""
    order = world.sample.subscription(await world.sample.make_customer(world.port))
    for path, raised, expected in (
        ("GET /v1/customers/{customer}", httpx.ReadError, SourceUnavailable),
        ("POST /v1/products", httpx.ReadError, OutcomeUnknown),
        ("POST /v1/products", httpx.ConnectError, SourceUnavailable),
        ("POST /v1/products", httpx.PoolTimeout, SourceUnavailable),
        ("POST /v1/products", httpx.RemoteProtocolError, OutcomeUnknown),
    ):

        async def lose(route: Route, asked: Any, path: str = path, raised: Any = raised) -> Instead | None:
            if route.name == path:
                raise raised("gone")
            return None

        world.stand_in.disturb = lose
        with pytest.raises(expected):
            await world.port.create_subscription(order, key="subscription:1")
    assert await world.count("create_subscription") == 0


async def test_what_leaves_the_house_is_what_stripe_needs(world: StripeWorld, caplog: pytest.LogCaptureFixture) -> None:
    """No telemetry of the library's, a key of ours with each write, and nothing of a customer in any log."""
    seen: list[httpx.Request] = []

    async def remember(request: httpx.Request) -> None:
        seen.append(request)

    world._client.event_hooks["request"] = [remember]
    new = world.sample.customer()
    with caplog.at_level(logging.DEBUG):
        made = await world.port.create_customer(new, key="customer:1")
        await world.port.create_subscription(world.sample.subscription(made.id), key="subscription:1")
    assert seen
    for request in seen:
        extra = {name for name in request.headers if name.startswith("x-stripe") or "telemetry" in name}
        assert not extra
        assert "stripe-version" in request.headers
        if request.method == "POST":
            assert request.headers["idempotency-key"].startswith("tenure:")
    for private in (new.email or "", new.name, SECRET, "Mendelstraße"):
        assert private not in caplog.text


async def test_the_limits_of_the_connection_are_heard(world: StripeWorld) -> None:
    """A call that gets no turn was not sent: nothing is in doubt. Each call lets its deadline stand while it waits."""
    order = world.sample.subscription(await world.sample.make_customer(world.port))

    async def no_turn(request: httpx.Request) -> None:
        assert isinstance(request.extensions[DEADLINE], asyncio.Timeout)
        if request.method == "POST":
            raise RateLimited("no turn", retry_after=timedelta(seconds=2))

    world._client.event_hooks["request"] = [no_turn]
    with pytest.raises(RateLimited) as raised:
        await world.port.create_subscription(order, key="subscription:1")
    assert raised.value.retry_after == timedelta(seconds=2)
    world._client.event_hooks["request"] = []
    assert await world.count("create_subscription") == 0


def test_a_key_is_as_long_as_stripe_allows_and_still_tells_apart() -> None:
    short = idempotency_key("billing-start:crm/006/1:line/seat 1:1")
    assert short == "tenure:billing-start:crm/006/1:line/seat%201:1"
    long = {idempotency_key("ä" * 200 + str(n), part) for n in range(2) for part in ("", "item")}
    assert len(long) == 4
    assert {len(key) for key in long} == {LONGEST_KEY}
    assert all(key.isascii() for key in long)


async def test_the_stand_in_refuses_what_stripe_does_not_know_however_deep(world: StripeWorld) -> None:
    client = stripe.StripeClient(
        SECRET, base_addresses={"api": "https://stripe.test"}, http_client=world.port._calls._stripe._requestor._client
    )
    wrong: dict[str, Any] = {"name": "Hooli", "address": {"line1": "a", "street": "b"}}
    with pytest.raises(stripe.InvalidRequestError) as raised:
        await client.v1.customers.create_async(wrong)  # type: ignore[arg-type]  # that is the point
    assert (raised.value.code, raised.value.param) == ("parameter_unknown", "address[street]")


@pytest.mark.parametrize(
    ("encoded", "of", "wrong"),
    [
        ("name=a&metadata[x]=1", params.CustomerCreateParams, []),
        ("balance=many", params.CustomerCreateParams, [("balance", "parameter_invalid_integer")]),
        ("tax_id_data[0][type]=at_vat&tax_id_data[0][value]=1", params.CustomerCreateParams,
         [("tax_id_data[0][type]", "parameter_invalid")]),
        ("tax_id_data[0][type]=eu_vat", params.CustomerCreateParams, [("tax_id_data[0][value]", "parameter_missing")]),
        ("start_date=now&phases[0][duration][interval]=month", params.SubscriptionScheduleCreateParams,
         [("phases[0][items]", "parameter_missing")]),
        ("end_behavior=stop", params.SubscriptionScheduleUpdateParams, [("end_behavior", "parameter_invalid")]),
        ("phases[0][items][0][price_data][currency]=eur&phases[0][items][0][price_data][recurring][interval]=year",
         params.SubscriptionScheduleUpdateParams, [("phases[0][items][0][price_data][product]", "parameter_missing")]),
    ],
)  # fmt: skip
def test_parameters_are_held_to_the_librarys_types(encoded: str, of: type, wrong: list[tuple[str, str]]) -> None:
    assert [(name, code) for name, code, _ in wrong_parameters(nested(encoded), of)] == wrong


async def test_a_probe_finds_what_a_restricted_key_may_not(world: StripeWorld) -> None:
    probed = await world.port.probe()
    assert probed.problems == ()
    assert probed.clock is not None
    assert abs(probed.clock - world.shop.now) < timedelta(minutes=1)
    world.stand_in.lacks = {"POST invoices", "POST prices"}
    before = {kind: len(records) for kind, records in world.shop.records.items()}
    found = (await world.port.probe()).problems
    assert [problem.what for problem in found] == ["the key may not write invoices", "the key may not write prices"]
    assert all("dashboard" in problem.mend for problem in found)
    assert {kind: len(records) for kind, records in world.shop.records.items()} == before
    world.stand_in.lacks = {"GET customers"}
    with pytest.raises(AuthFailed):
        await world.port.probe()


@pytest.mark.parametrize(
    ("given", "host"), [("/", "api.stripe.com"), ("https://proxy.example/stripe/", "proxy.example")]
)
async def test_it_knows_where_stripe_is(given: str, host: str) -> None:
    seen: list[httpx.URL] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request.url)
        return httpx.Response(401, json={"error": {"type": _INVALID}})

    async with httpx.AsyncClient(base_url=given, transport=httpx.MockTransport(answer)) as client:
        with pytest.raises(AuthFailed):
            await StripeBilling(client, SECRET).probe()
    assert [url.host for url in seen] == [host]
    assert seen[0].path.endswith("/v1/customers")


async def test_a_connected_account_is_named_with_each_request() -> None:
    world = StripeWorld(account="acct_9")
    seen: list[str | None] = []

    async def remember(request: httpx.Request) -> None:
        seen.append(request.headers.get("stripe-account"))

    world._client.event_hooks["request"] = [remember]
    assert isinstance(world.port, StripeBilling)
    await world.sample.make_customer(world.port)
    await world.close()
    assert set(seen) == {"acct_9"}
