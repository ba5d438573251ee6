"""A deploy where lifecycles are pinned to the version that they live on: the new one becomes current, and one lifecycle
after the other goes on as a new run of it. What it has come to is read from Temporal alone, so that a deploy that died
goes on when it is said again."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from domain.counting import many
from starter.deploying.versions import STUCK, Version, Versions
from starter.mistakes import Mistake, Refusal

Say = Callable[[str], None]
Gate = Callable[[], Awaitable[Sequence[str]]]
"""The replay gate over this code: what is red, one line each."""

FIRST = 5
AGAIN_AFTER = 30.0
CHANCE = 20.0
"""Seconds that what was stuck has on another version: Temporal tries a failed task again every ten."""
NAMED = 3
BACK = "`tenure deploy rollback` takes back what moved"


@dataclass(frozen=True)
class Pace:
    """`rate`: lifecycles told to move, a second. `patience`: how many seconds may pass in which none moves. `look`:
    between two looks at how far it is."""

    rate: float = 20.0
    patience: float = 900.0
    look: float = 0.5


@dataclass(frozen=True)
class Rolled:
    """What a deploy did. `retired`: versions that Temporal has forgotten; `idle`: those without a lifecycle whose
    workers are still up; `stuck`: lifecycles that can't make their task."""

    build: str
    moved: int
    retired: list[str] = field(default_factory=list)
    idle: list[str] = field(default_factory=list)
    stuck: list[str] = field(default_factory=list)


async def passed(gate: Gate) -> None:
    """Raises Refusal when the gate is red."""
    if red := await gate():
        more = f" (and {len(red) - 1} more)" if len(red) > 1 else ""
        raise Refusal(f"the replay gate is red, nothing was deployed: {red[0]}{more}; `tenure replay-check` tells all")


async def deploy(versions: Versions, build: str, gate: Gate, pace: Pace, say: Say) -> Rolled:
    """Make this code the current version and move every lifecycle to it; retire what is left empty.

    Raises Refusal where the gate is red, no worker of the version is up, or what moves first can't go on there.
    """
    await passed(gate)
    say("the replay gate is green")
    await versions.make_current(build)
    say(f"{build} is the current version: what begins now begins on it")
    await _first(versions, build, pace, say)
    moved, stuck = await _move(versions, build, pace, say, back=False)
    retired, idle = await _retire(versions, build)
    return Rolled(build, moved, retired, idle, stuck)


async def roll_back(versions: Versions, build: str | None, pace: Pace, say: Say) -> Rolled:
    """Make a former version current and move every lifecycle back: each with its state, of which the older code keeps
    what it does not know. What can't make its task on the newer version makes it on the older."""
    build = build or former(await versions.list(), await versions.current())
    await versions.make_current(build)
    say(f"{build} is the current version again")
    moved, stuck = await _move(versions, build, pace, say, back=True)
    return Rolled(build, moved, stuck=stuck)


def former(known: Sequence[Version], current: str) -> str:
    """The version that was current before. Raises Refusal when there was none."""
    before = [each for each in known if each.build != current and each.last_current is not None]
    if not before:
        raise Refusal("there is no version to go back to: none was current before; name one with --to")
    return max(before, key=lambda each: str(each.last_current)).build


async def _first(versions: Versions, build: str, pace: Pace, say: Say) -> None:
    """A few go ahead. Where one can't go on, nobody follows it."""
    ahead = [each async for each in versions.find(versions.not_on(build), f"NOT ({STUCK})", limit=FIRST)]
    clock, told_at = asyncio.get_running_loop().time, float("-inf")
    give_up = clock() + pace.patience
    while waiting := [each for each in ahead if not await versions.lives_on(each, build)]:
        await _still_current(versions, build)
        if clock() - told_at >= AGAIN_AFTER:
            for each in waiting:
                await versions.nudge(each)
            told_at = clock()
        for each in waiting:
            if await versions.fails(each):
                raise Refusal(f"{each} can't make a task on {build}, no other was told to move: {BACK}")
        if clock() > give_up:
            raise Mistake(f"{waiting[0]} has not moved for {pace.patience:g} s; said again, it goes on")
        await asyncio.sleep(pace.look)
    if ahead:
        say(f"{len(ahead)} live on it, the others follow")


async def _move(versions: Versions, build: str, pace: Pace, say: Say, *, back: bool) -> tuple[int, list[str]]:
    """Tell those that are elsewhere, until none is; returns how many have moved, and which can't make their task.

    What is stuck where it is makes its next task on this version. Forward, none may get stuck that was not.
    """
    clock, told, first_told, left = asyncio.get_running_loop().time, dict[str, float](), dict[str, float](), -1
    before = {each async for each in versions.find(STUCK)}
    moved_at = clock()
    while True:
        await _still_current(versions, build)
        stuck = {each async for each in versions.find(STUCK)}
        if not back and (new := sorted(stuck - before)):
            raise Refusal(f"{_named(new)} can't make a task any more, the rest stays where it is: {BACK}")
        waiting = [each async for each in versions.find(versions.not_on(build))]
        if all(each in stuck and clock() - first_told.get(each, clock()) > CHANCE for each in waiting):
            return len(first_told.keys() - {*waiting}), sorted(stuck)
        if len(waiting) != left:
            left, moved_at = len(waiting), clock()
            say(f"{left} are still on another version")
        elif clock() - moved_at > pace.patience:
            late = many(left, "lifecycle has", "lifecycles have")
            raise Mistake(f"{late} not moved for {pace.patience:g} s; said again, it goes on")
        for each in waiting:
            if clock() - told.get(each, -AGAIN_AFTER) >= AGAIN_AFTER:
                await (versions.carry(each, build) if each in stuck else versions.nudge(each))
                told[each] = clock()
                first_told.setdefault(each, clock())
                await asyncio.sleep(1 / pace.rate)
        await asyncio.sleep(pace.look)


async def _still_current(versions: Versions, build: str) -> None:
    if (current := await versions.current()) != build:
        raise Refusal(
            f"somebody has made {current} the current version meanwhile; those that moved stay where they are"
        )


async def _retire(versions: Versions, build: str) -> tuple[list[str], list[str]]:
    """Have Temporal forget the versions without a lifecycle; those whose workers are still up, it can't yet."""
    retired, idle = list[str](), list[str]()
    for each in await versions.list():
        if each.build != build and not each.lifecycles:
            (retired if await versions.forget(each.build) else idle).append(each.build)
    return retired, idle


def _named(stuck: Sequence[str]) -> str:
    more = f" and {len(stuck) - NAMED} more" if len(stuck) > NAMED else ""
    return f"{', '.join(stuck[:NAMED])}{more}"
