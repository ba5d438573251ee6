"""A real django-helpdesk: the kit of the port Support, and what is special to this vendor."""

from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from typing import Any

import httpx
import pytest

from adapters.support.helpdesk import HelpdeskSupport
from domain.errors import AuthFailed, ContractBroken, RateLimited, SourceUnavailable
from tests.kits.support import SupportContract
from tests.kits.wire import FaultyWire
from tests.kits.world import Disturbance
from tests.live.helpdesk import Helpdesk, served_helpdesk
from tests.ports import free_port


class HelpdeskWorld:
    """The adapter as the user `tenure`, with a faulty network between the two."""

    def __init__(self, desk: Helpdesk, **adapter: Any) -> None:
        self.desk = desk
        self.proxy = FaultyWire(httpx.AsyncHTTPTransport(), _operation_of)
        self.client = self.connect(desk.token)
        self.port = HelpdeskSupport(self.client, **adapter)
        self.stranger = HelpdeskSupport(self.connect("wrong"))

    def connect(self, token: str | None = None) -> httpx.AsyncClient:
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        return httpx.AsyncClient(transport=self.proxy, base_url=f"{self.desk.url}/", headers=headers, timeout=30)

    def as_(self, token: str | None = None, **adapter: Any) -> HelpdeskSupport:
        return HelpdeskSupport(self.connect(token), **adapter)

    async def disturb(self, operation: str, how: Disturbance) -> None:
        self.proxy.disturb(operation, how)

    async def heal(self) -> None:
        self.proxy.heal()

    async def calls(self, operation: str) -> int:
        return self.proxy.calls[operation]

    async def open_case(self, account: str, severity: int) -> str:
        return await self.desk.open_ticket(account, severity)

    async def close_case(self, case: str) -> None:
        await self.desk.close_ticket(case)


def _operation_of(request: httpx.Request) -> str:
    return "probe" if request.url.params.get("page_size") == "1" else "open_cases"


@pytest.fixture(scope="module")
def helpdesk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Helpdesk]:
    with served_helpdesk(tmp_path_factory.mktemp("helpdesk")) as desk:
        yield desk


@pytest.fixture
async def world(helpdesk: Helpdesk) -> AsyncIterator[HelpdeskWorld]:
    """A help desk with one ticket, a closed one of somebody else."""
    await helpdesk.clear()
    await helpdesk.close_ticket(await helpdesk.open_ticket("other"))
    opened = HelpdeskWorld(helpdesk)
    yield opened
    await opened.proxy.aclose()


class TestHelpdeskSupport(SupportContract):
    """On the live help desk."""


async def test_each_priority_has_a_severity(world: HelpdeskWorld) -> None:
    for priority in range(1, 6):
        await world.desk.open_ticket("001", priority=priority)
    assert (await world.port.open_cases("001")).by_severity == {1: 1, 2: 1, 3: 1, 4: 2}
    other = world.as_(world.desk.token, options={"priority.1": "2", "priority.5": "1"})
    assert (await other.open_cases("001")).by_severity == {1: 1, 2: 2, 3: 1, 4: 1}


async def test_a_reopened_case_is_open_and_a_resolved_or_duplicate_one_is_not(world: HelpdeskWorld) -> None:
    tickets = [await world.desk.open_ticket("001", 2) for _ in range(4)]
    for ticket, status in zip(tickets, (2, 3, 4, 5), strict=True):
        await world.desk.change_ticket(ticket, status=status)
    assert (await world.port.open_cases("001")).by_severity == {2: 1}
    resolved_too = world.as_(world.desk.token, options={"open": "1, 2, 3"})
    assert (await resolved_too.open_cases("001")).by_severity == {2: 2}


async def test_every_page_is_read(world: HelpdeskWorld) -> None:
    for n in range(7):
        await world.desk.open_ticket("001" if n % 2 == 0 else "002")
    port = world.as_(world.desk.token, options={"page_size": "2"})
    assert (await port.open_cases("001")).by_severity == {3: 4}
    assert await world.calls("open_cases") == 1 + 4


async def test_no_ticket_is_missed_when_others_are_closed_while_pages_are_read(world: HelpdeskWorld) -> None:
    first, *_ = [await world.desk.open_ticket("002" if n == 0 else "001") for n in range(7)]
    client = world.connect(world.desk.token)

    async def close_after_the_first_page(response: httpx.Response) -> None:
        if world.proxy.calls["open_cases"] == 2:
            await world.desk.close_ticket(first)

    client.event_hooks["response"].append(close_after_the_first_page)
    port = HelpdeskSupport(client, options={"page_size": "2"})
    assert (await port.open_cases("001")).by_severity == {3: 6}


async def test_a_last_page_that_is_gone_is_none(world: HelpdeskWorld) -> None:
    tickets = [await world.desk.open_ticket("001") for _ in range(5)]
    client = world.connect(world.desk.token)

    async def close_two(response: httpx.Response) -> None:
        for ticket in [tickets.pop(), tickets.pop()] if len(tickets) == 5 else []:
            await world.desk.close_ticket(ticket)

    client.event_hooks["response"].append(close_two)
    port = HelpdeskSupport(client, options={"page_size": "2"})
    assert (await port.open_cases("001")).by_severity == {3: 3}


async def test_a_queue_may_be_the_accounts_own(world: HelpdeskWorld) -> None:
    await world.desk.open_ticket("", 1, queue="hooli")
    await world.desk.open_ticket("002", 2, queue="hooli")
    await world.desk.open_ticket("", 3, queue="support")
    assert (await world.port.open_cases("001")).by_severity == {}
    port = world.as_(world.desk.token, options={"queue.2": "001"})
    assert (await port.open_cases("001")).by_severity == {1: 1}
    assert (await port.open_cases("002")).by_severity == {2: 1}


async def test_a_status_that_the_help_desk_does_not_know_counts_nothing(world: HelpdeskWorld) -> None:
    """Its filter answers with every ticket then."""
    await world.desk.open_ticket("001")
    port = world.as_(world.desk.token, options={"open": "9"})
    assert (await port.open_cases("001")).by_severity == {}


async def test_a_queue_without_permission_is_not_seen(world: HelpdeskWorld) -> None:
    await world.desk.open_ticket("001", 1, queue="internal")
    assert (await world.port.open_cases("001")).by_severity == {}


@pytest.mark.parametrize("method", ["POST", "PATCH", "PUT", "DELETE"])
async def test_the_api_user_can_only_read(world: HelpdeskWorld, method: str) -> None:
    ticket = await world.desk.open_ticket("001", 1)
    path = "api/tickets/" if method == "POST" else f"api/tickets/{ticket}/"
    new = {"queue": 1, "title": "t", "description": "d", "priority": 5}
    answer = await world.client.request(method, path, json=new)
    assert answer.status_code == 403
    assert (await world.port.open_cases("001")).by_severity == {1: 1}


async def test_a_user_and_a_password_do_as_well(world: HelpdeskWorld) -> None:
    await world.desk.open_ticket("001", 1)
    port = world.as_(user=world.desk.user, password=world.desk.password)
    assert (await port.open_cases("001")).by_severity == {1: 1}
    with pytest.raises(AuthFailed, match=r"^helpdesk.open_cases: HTTP 401: Invalid username/password.$"):
        await world.as_(user=world.desk.user, password="wrong").open_cases("001")


async def test_who_is_no_staff_reads_nothing(world: HelpdeskWorld) -> None:
    with pytest.raises(AuthFailed):
        await world.as_(world.desk.visitor_token).open_cases("001")


async def test_a_field_that_does_not_exist_is_told(world: HelpdeskWorld) -> None:
    await world.desk.open_ticket("001")
    port = world.as_(world.desk.token, fields={"account": "crm"})
    with pytest.raises(ContractBroken, match="no custom field crm"):
        await port.open_cases("001")
    [problem] = (await port.probe()).problems
    assert problem.what == "tickets have no custom field crm"


async def test_a_probe_tells_what_a_user_without_queues_lacks(world: HelpdeskWorld) -> None:
    await world.desk.clear()
    await world.desk.open_ticket("001", queue="internal")
    [problem] = (await world.port.probe()).problems
    assert problem.what == "no ticket is to be seen, not even a closed one"


async def test_a_lost_answer_and_a_wait_until_are_told(world: HelpdeskWorld) -> None:
    await world.disturb("open_cases", "lose_answer")
    with pytest.raises(SourceUnavailable):
        await world.port.open_cases("001")
    await world.disturb("open_cases", "rate_limit_until")
    with pytest.raises(RateLimited) as raised:
        await world.port.open_cases("001")
    assert raised.value.retry_after is not None
    assert timedelta(minutes=1) < raised.value.retry_after < timedelta(minutes=2)


async def test_where_nobody_listens_is_unavailable() -> None:
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{free_port()}/") as client:
        with pytest.raises(SourceUnavailable, match="no connection"):
            await HelpdeskSupport(client).open_cases("001")
