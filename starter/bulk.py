"""Several cases at once, whoever asks: what one refuses holds up no other, and each has its own lines in the trail."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager

from pydantic import BaseModel

from starter.mistakes import Mistake, Unanswered
from starter.problems import Problem

AT_ONCE = 8
"""Where no worker is up, each waits until its lifecycle has not answered."""


class Line(BaseModel):
    """What became of one. `done`: false when it was refused, with the reason; null when nobody knows yet."""

    case: str
    done: bool | None
    message: str


async def each_case(
    cases: Sequence[str],
    work: Callable[[str], Awaitable[object]],
    traced: Callable[[str], AbstractAsyncContextManager[None]],
) -> list[Line]:
    """`work` on each, once. What it returns is the line's message. `traced`: what is around each, for the trail."""
    slots = asyncio.Semaphore(AT_ONCE)

    async def one(case: str) -> Line:
        async with slots:
            try:
                async with traced(case):
                    return Line(case=case, done=True, message=str(await work(case)))
            except Unanswered as unknown:
                return Line(case=case, done=None, message=str(unknown))
            except (Mistake, Problem) as refused:
                return Line(case=case, done=False, message=str(refused))

    return await asyncio.gather(*map(one, dict.fromkeys(cases)))
