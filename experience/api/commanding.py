"""Commands over HTTP: each acts once, however often it is sent with the same Idempotency-Key."""

import hashlib
from collections.abc import Awaitable, Callable, Sequence
from http import HTTPStatus
from typing import Annotated, Any, TypeVar

from fastapi import Depends, Header, Request
from pydantic import BaseModel, Field

from experience.bulk import MOST, each_case
from experience.services import Services, services_of
from starter.bulk import Line
from starter.mistakes import Mistake, Unanswered
from starter.office import Office
from starter.problems import Problem
from store.commands import Begun, Commands, in_name_of
from store.database import Database

RETRY_AFTER_SECONDS = "2"

Key = Annotated[
    str,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=200,
        pattern=r"^[!-~]+$",
        description="Names the intention: sent again with the same key, a command acts once and is answered the same",
    ),
]
Reason = Annotated[str, Field(min_length=1, max_length=2000, description="Why; it is kept")]


class Answered(BaseModel):
    """`repeated`: it was done before, under the same key."""

    message: str
    repeated: bool = False


class Told(Answered):
    """What became of a command."""

    contract: str | None = None
    case: str | None = None
    event: int | None = None
    run: int | None = None


class ToldOfEach(Answered):
    """What became of each, in the order in which they were named."""

    cases: list[Line]


Cases = Annotated[list[Annotated[str, Field(min_length=1, max_length=500)]], Field(min_length=1, max_length=MOST)]
T = TypeVar("T", bound=Answered)


class Once:
    """One command of somebody. `by` is who gives it, `id` names it to a lifecycle, and to the inbox."""

    def __init__(self, services: Services, by: str, key: str, asked: str) -> None:
        self.by = by
        self.id = _hash(by, key)
        self._key = key
        self._asked = asked
        self._services = services
        self._commands = Commands(services.database)

    async def tell(self, do: Callable[[Office], Awaitable[Told]]) -> Told:
        """What a lifecycle is told: it knows the command by its id, so that an attempt after a lost answer changes
        nothing. Raises what `do` raises, and Problem for a key that can't be used."""
        return await self._act(Told, lambda: do(self._services.office.under(self.id)))

    async def write(self, do: Callable[[Database], Awaitable[Told]]) -> Told:
        """What is done in the store: in one write, which also says that the command has acted."""
        return await self._act(Told, lambda: do(in_name_of(self._services.database, self.id)))

    async def each(self, cases: Sequence[str], reason: str, do: Callable[["Once", str], Awaitable[Told]]) -> ToldOfEach:
        """Several cases, each as a command of its own: an attempt that broke off goes on with those that are left, and
        so does one of which some did not answer."""

        async def one(case: str) -> str:
            return (await do(Once(self._services, self.by, f"{self._key}\n{case}", self._asked), case)).message

        async def all_of_them() -> ToldOfEach:
            lines = await each_case(cases, reason, one)
            done = sum(line.done is True for line in lines)
            return ToldOfEach(message=f"{done} of {len(lines)} done", cases=lines)

        return await self._act(
            ToldOfEach, all_of_them, settled=lambda told: all(x.done is not None for x in told.cases)
        )

    async def _act(
        self, model: type[T], do: Callable[[], Awaitable[T]], *, settled: Callable[[T], bool] = lambda told: True
    ) -> T:
        begun = await self._commands.begin(self.id, self._asked)
        if (before := _answer(begun)) is not None:
            return model.model_validate(before | {"repeated": True})
        try:
            told = await do()
        except (Mistake, Problem) as error:
            settle = self._commands.pause if isinstance(error, Unanswered) else self._commands.release
            await settle(self.id, begun.fence)
            raise
        except Exception:  # nobody knows whether it was done: the next attempt finds out
            await self._commands.pause(self.id, begun.fence)
            raise
        if settled(told):
            await self._commands.finish(self.id, told.model_dump(mode="json"))
        else:
            await self._commands.pause(self.id, begun.fence)
        return told


async def once(request: Request, key: Key) -> Once:
    """The command of a request. Its body and its address say what is asked."""
    asked = _hash(request.method, request.url.path, str(request.url.query), (await request.body()).hex())
    return Once(services_of(request), request.state.principal.subject, key, asked)


Commanded = Annotated[Once, Depends(once)]
"""The type of an endpoint's parameter: `command: Commanded`."""


def _answer(begun: Begun) -> dict[str, Any] | None:
    """None: it is to be done now."""
    match begun.state:
        case "done":
            return begun.answer
        case "acted":
            return {"message": "it was done; what it answered then is lost"}
        case "busy":
            retry = {"Retry-After": RETRY_AFTER_SECONDS}
            raise Problem(HTTPStatus.CONFLICT, "this command is being carried out; ask again with the same key", retry)
        case "other":
            raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, "this Idempotency-Key was given to another command")
    return None


def _hash(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:40]
