"""One look at all sources: each has its own time, its own second try and its own limit; none holds another up."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities import looking
from activities.looking import LookActivities, Source
from domain.errors import RateLimited
from domain.ports import SupportCases
from domain.readings import OpenTasks, OpportunityStage, Read, ReadSources, SourceRead, SourcesRead

NOW = datetime(2027, 3, 1, tzinfo=UTC)


class Answers:
    """A source that does one thing after the other."""

    def __init__(self, *does: Any) -> None:
        self.does = list(does)
        self.asked = 0

    async def __call__(self, read: Read) -> Any:
        self.asked += 1
        now = self.does.pop(0) if len(self.does) > 1 else self.does[0]
        if isinstance(now, Exception):
            raise now
        return await now() if callable(now) else now


class Full:
    """A limit in which no place is free."""

    @asynccontextmanager
    async def ahead(
        self, wait: float, *, later: float, meanwhile: Callable[[], None], urgency: int = 3
    ) -> AsyncIterator[None]:
        meanwhile()
        raise RateLimited("too many", retry_after=timedelta(hours=1))
        yield


def down(*, final: bool = False) -> ApplicationError:
    return ApplicationError("down", type="SOURCE_UNAVAILABLE", non_retryable=final)


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(looking, "AGAIN", 0.0)
    monkeypatch.setattr(looking, "ANSWERS_WITHIN", 0.05)


async def look(**sources: Source) -> SourcesRead:
    reads = {
        kind: SourceRead(connection=kind, read=Read(contract="c/1/1", as_of=NOW, subject="x"))
        for kind in ("support", "cs", "crm")
    }
    activities = LookActivities(sources)
    asked: Callable[[ReadSources], Awaitable[SourcesRead]] = activities.read_sources
    return await ActivityEnvironment().run(asked, ReadSources(as_of=NOW, reads=reads))


async def test_each_says_what_it_knows_and_one_that_knows_nothing_has_answered() -> None:
    seen = await look(
        support=Source(Answers(SupportCases(by_severity={1: 1}))),
        cs=Source(Answers(OpenTasks(count=2))),
        crm=Source(Answers(ApplicationError("no such thing", type="NOT_FOUND", non_retryable=True))),
    )
    assert (seen.support, seen.cs, seen.crm) == (SupportCases(by_severity={1: 1}), OpenTasks(count=2), None)
    assert seen.unknown == ("crm",)


async def test_one_that_is_down_is_asked_twice_and_one_that_refuses_once() -> None:
    again, refuses, silent = Answers(down(), OpenTasks(count=1)), Answers(down(final=True)), Answers(down())
    seen = await look(support=Source(silent), cs=Source(again), crm=Source(refuses))
    assert seen == SourcesRead(cs=OpenTasks(count=1))
    assert (silent.asked, again.asked, refuses.asked) == (2, 2, 1)


async def test_one_that_hangs_or_is_full_or_not_connected_holds_no_other_up() -> None:
    async def hangs() -> None:
        await asyncio.sleep(3600)

    stage = OpportunityStage(stage="Proposal")
    never = Answers(OpenTasks(count=1))
    assert await look(support=Source(Answers(hangs)), cs=Source(never, Full()), crm=Source(Answers(stage))) == (
        SourcesRead(crm=stage)
    )
    assert never.asked == 0, "nobody calls it without its turn"
    assert await look(crm=Source(Answers(stage))) == SourcesRead(crm=stage)
