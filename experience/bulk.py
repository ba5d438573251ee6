"""Several cases at once: what one refuses holds up no other, and each has its own lines in the trail."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from pydantic import BaseModel

from experience.answering import part_of_command
from starter.mistakes import Mistake, Unanswered
from starter.problems import Problem

MOST = 200
AT_ONCE = 8
"""Where no worker is up, each waits until its lifecycle has not answered."""


class Line(BaseModel):
    """What became of one. `done`: false when it was refused, with the reason; null when nobody knows yet."""

    case: str
    done: bool | None
    message: str


async def each_case(cases: Sequence[str], reason: str, work: Callable[[str], Awaitable[object]]) -> list[Line]:
    """`work` on each, once. What it returns is the line's message. Raises Mistake for too many."""
    if len(cases) > MOST:
        raise Mistake(f"at most {MOST} cases at once")
    slots = asyncio.Semaphore(AT_ONCE)

    async def one(case: str) -> Line:
        async with slots:
            return await _one(case, reason, work)

    return await asyncio.gather(*map(one, dict.fromkeys(cases)))


async def _one(case: str, reason: str, work: Callable[[str], Awaitable[object]]) -> Line:
    try:
        async with part_of_command(case, reason):
            return Line(case=case, done=True, message=str(await work(case)))
    except Unanswered as unknown:
        return Line(case=case, done=None, message=str(unknown))
    except (Mistake, Problem) as refused:
        return Line(case=case, done=False, message=str(refused))
