"""django-helpdesk (2.x) over its REST API: the open tickets of an account. Only read.

A ticket is an account's when its custom field `account` (`fields` renames it) names the account; where that is empty,
when it lies in a queue that is the account's own (`options`, below): django-helpdesk knows no customers.

Source: its docs (api, custom_fields) and, where they are silent, release 2.6.1: the API filters by status alone and
takes a status that it doesn't know for no filter at all; it asks for a member of the staff, and answers 404 for a page
after the last one.
"""

import asyncio
from base64 import b64encode
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from datetime import timedelta
from typing import Any

import httpx

from adapters.http import Json, JsonApi
from domain.effects import EffectClass
from domain.errors import ContractBroken, NotFound, SourceUnavailable
from domain.ports import Probed, Problem, SupportCases

DEADLINE = timedelta(seconds=5)  # of one page
WHOLE = timedelta(seconds=8)  # of all pages
PAGE = 1000  # its server looks at every open ticket for each page that is asked for: few large ones are quicker

# critical, high, normal, low, very low
SEVERITY = {1: 1, 2: 2, 3: 3, 4: 4, 5: 4}
OPEN: tuple[int, ...] = (1, 2)  # open, reopened

_TICKETS = "api/tickets/"


class HelpdeskSupport:
    """`client`: base URL of the site, and `Authorization: Bearer <token>` where access is by token.

    `fields.account`: the custom field with the CRM's account, `account` unless given. `options`, all optional:
    `scheme` (the keyword before the token, `Token` as Django REST framework has it), `open` (statuses that are open,
    "1,2"), `priority.<number>` (our severity 1 to 4 of an installation's own priority), `queue.<id>` (the account whose
    own queue that is), `page_size`. With `user` and `password` access is by these instead of a token.

    Raises ValueError, naming the option, for what can't be used.
    """

    effects: Mapping[str, EffectClass] = {}

    def __init__(
        self,
        client: httpx.AsyncClient,
        *,
        fields: Mapping[str, str] = {},
        options: Mapping[str, str] = {},
        user: str | None = None,
        password: str | None = None,
    ) -> None:
        self._name = fields.get("account", "account")
        self._field = f"custom_{self._name}"
        self._open, self._severity, self._queues, self._page, scheme = _read(options)
        self._authorize(client, scheme, user, password)
        self._api = JsonApi(client, "helpdesk", self.effects, read_deadline=DEADLINE, reason=_reason)

    async def open_cases(self, account: str) -> SupportCases:
        """An account that no ticket names has no cases. What the API user may not see is not counted."""
        found: dict[int, int] = {}
        try:
            async with asyncio.timeout(WHOLE.total_seconds()):
                async for ticket in self._open_tickets():
                    with self._api.shape("open_cases"):
                        if self._account_of(ticket) == account and ticket["status"] in self._open:
                            found[ticket["id"]] = self._severity_of(ticket)
        except TimeoutError:
            raise SourceUnavailable(f"helpdesk.open_cases: not all pages within {WHOLE.total_seconds():g} s") from None
        return SupportCases(by_severity=dict(Counter(found.values())))

    async def probe(self) -> Probed:
        """Whether tickets can be listed, and bear the account. A user's rights on queues can't be asked for."""
        # its server goes through all that is asked for, so for the open ones first
        tickets, _ = await self._read_page(1, "probe", size=1)
        if not tickets:
            tickets, _ = await self._read_page(1, "probe", size=1, only_open=False)
        problems = []
        if tickets and not self._queues and self._field not in tickets[0]:
            problems.append(
                Problem(
                    what=f"tickets have no custom field {self._name}",
                    mend=f"add the custom field {self._name} (a text) in the help desk's administration,"
                    " or name the one that holds the account in `fields`",
                )
            )
        if not tickets:
            problems.append(
                Problem(
                    what="no ticket is to be seen, not even a closed one",
                    mend="if there are any, give the API user the permission for the customers' queues",
                )
            )
        return Probed(problems=tuple(problems))

    async def _open_tickets(self) -> AsyncIterator[Json]:
        """Every open ticket, some perhaps twice.

        Several pages are read from the last to the first: a ticket that is closed meanwhile moves those behind it
        towards the beginning, and so never past us.
        """
        tickets, count = await self._read_page(1)
        if count > len(tickets):
            with self._api.shape("open_cases"):
                pages = -(-count // len(tickets))  # a help desk may give less at once than was asked for
            for number in range(pages, 0, -1):
                for ticket in await self._page_or_none(number):
                    yield ticket
        else:
            for ticket in tickets:
                yield ticket

    async def _page_or_none(self, number: int) -> list[Json]:
        """A page that was the last one may be gone when it is asked for."""
        try:
            tickets, _ = await self._read_page(number)
        except NotFound:
            if number == 1:
                raise
            return []
        return tickets

    async def _read_page(
        self, number: int, operation: str = "open_cases", *, size: int | None = None, only_open: bool = True
    ) -> tuple[list[Json], int]:
        """A page of the open tickets, or of all, and how many there are."""
        asked = {"page": str(number), "page_size": str(size or self._page)}
        if only_open:
            asked["status"] = ",".join(str(status) for status in self._open)
        answer = await self._api.read(operation, _TICKETS, asked)
        with self._api.shape(operation):
            return list(answer["results"]), int(answer["count"])

    def _account_of(self, ticket: Json) -> str:
        if self._field not in ticket and not self._queues:
            raise ContractBroken(f"helpdesk.open_cases: tickets have no custom field {self._name}")
        named = str(ticket.get(self._field) or "").strip()
        return named or self._queues.get(str(ticket["queue"]), "")

    def _severity_of(self, ticket: Json) -> int:
        priority = ticket["priority"]
        if priority not in self._severity:
            raise ContractBroken(f"helpdesk.open_cases: no severity is known for priority {priority!r:.20}")
        return self._severity[priority]

    @staticmethod
    def _authorize(client: httpx.AsyncClient, scheme: str, user: str | None, password: str | None) -> None:
        if user is not None:
            pair = b64encode(f"{user}:{password or ''}".encode()).decode()
            client.headers["Authorization"] = f"Basic {pair}"
        elif (given := client.headers.get("Authorization", "")).startswith("Bearer "):
            client.headers["Authorization"] = f"{scheme} {given.removeprefix('Bearer ')}"


def _read(options: Mapping[str, str]) -> tuple[tuple[int, ...], dict[int, int], dict[str, str], int, str]:
    open_, severity, queues, page, scheme = OPEN, dict(SEVERITY), {}, PAGE, "Token"
    for name, value in options.items():
        match name.partition("."):
            case "scheme", _, _:
                scheme = value
            case "open", _, _:
                open_ = tuple(_number(name, each.strip()) for each in value.split(","))
            case "page_size", _, _:
                page = _number(name, value)
            case "priority", _, number:
                severity[_number(name, number)] = _number(name, value, most=4)
            case "queue", _, queue if queue:
                queues[queue] = value
            case _:
                raise ValueError(f"options.{name}: no such option of a help desk")
    return open_, severity, queues, page, scheme


def _number(option: str, text: str, most: int = 10_000) -> int:
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= most):
        raise ValueError(f"options.{option}: {text!r} is not a whole number from 1 to {most}")
    return int(text)


def _reason(document: Any) -> str:
    """Django REST framework's own sentence; it repeats nothing that was sent."""
    return str(document.get("detail", "")) if isinstance(document, dict) else ""
