"""What a live django-helpdesk doesn't do, but may be made to do: it answers here as a project might configure it."""

from typing import Any

import httpx
import pytest

from adapters.support.helpdesk import HelpdeskSupport
from domain.errors import ContractBroken


def ticket(number: int, **fields: Any) -> dict[str, Any]:
    return {"id": number, "queue": 1, "status": 1, "priority": 3, "custom_account": "001"} | fields


def support(*tickets: Any, most: int = 1000) -> HelpdeskSupport:
    """Over a help desk that gives no page of more than `most`."""

    def answer(request: httpx.Request) -> httpx.Response:
        asked = request.url.params
        size, page = min(int(asked["page_size"]), most), int(asked["page"])
        return httpx.Response(200, json={"count": len(tickets), "results": tickets[(page - 1) * size : page * size]})

    return HelpdeskSupport(httpx.AsyncClient(transport=httpx.MockTransport(answer), base_url="http://desk/"))


async def test_a_page_that_is_smaller_than_asked_for_is_not_the_last() -> None:
    port = support(*(ticket(n) for n in range(250)), most=100)
    assert (await port.open_cases("001")).by_severity == {3: 250}


@pytest.mark.parametrize(
    "odd",
    [
        ticket(1, priority=6),
        ticket(1, priority="high"),
        ticket(1, priority=[]),
        {"id": 1, "status": 1, "priority": 3},
        "ticket",
        None,
    ],
)
async def test_a_ticket_that_is_none_of_the_kind_breaks_the_contract(odd: Any) -> None:
    with pytest.raises(ContractBroken):
        await support(ticket(0), odd).open_cases("001")


async def test_a_count_without_tickets_breaks_the_contract() -> None:
    with pytest.raises(ContractBroken):
        await support(ticket(0), most=0).open_cases("001")


async def test_an_account_that_is_written_as_a_number_is_the_same() -> None:
    assert (await support(ticket(0, custom_account=17)).open_cases("17")).by_severity == {3: 1}


async def test_a_help_desk_without_a_ticket_has_no_open_case_and_says_so() -> None:
    assert (await support().open_cases("001")).by_severity == {}
    assert len((await support().probe()).problems) == 1
