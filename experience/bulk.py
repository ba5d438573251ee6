"""Several cases at once, as the API and the console are asked for them."""

from collections.abc import Awaitable, Callable, Sequence

from experience.answering import part_of_command
from starter.bulk import Line
from starter.bulk import each_case as each_of
from starter.mistakes import Mistake

MOST = 200


async def each_case(cases: Sequence[str], reason: str, work: Callable[[str], Awaitable[object]]) -> list[Line]:
    """`work` on each, once. What it returns is the line's message. Raises Mistake for too many."""
    if len(cases) > MOST:
        raise Mistake(f"at most {MOST} cases at once")
    return await each_of(cases, work, lambda case: part_of_command(case, reason))
