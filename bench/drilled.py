"""The drill of deploys as figures: in place, then pinned. `python -m bench deploys`."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from bench.deploying import LAST, Drilled, drill
from bench.figures import Figure
from bench.storm import Storm


class Sizes(Protocol):
    @property
    def drilled(self) -> int: ...


def the_deploys(home: Path, sizes: Sizes, seed: int) -> list[Figure]:
    found: list[Figure] = []
    for way in ("in place", "pinned"):
        place = home / way.replace(" ", "-")
        place.mkdir()
        plan = Storm(
            seed, sizes.drilled, sizes.drilled * 12, per_second=sizes.drilled / 10, copies=1, window=1, patience=900.0
        )
        found += _figures(way, plan, asyncio.run(drill(place, plan, pinned=way == "pinned", say=_note)))
    return found


def _figures(way: str, plan: Storm, found: Drilled) -> Iterator[Figure]:
    lives = 2 * plan.contracts  # each has a twin, which is rolled over, too
    times = ", ".join(f"{what} {seconds:.0f} s" for what, seconds in found.seconds.items())
    told = f"deploys: {way}, {lives} lifecycles, {found.events} events meanwhile"
    yield Figure(told, found.verdict, "no difference", not found.differences)
    yield Figure(
        f"{told}: not on version {LAST}, stuck", f"{found.left}, {found.stuck}", "none", not (found.left or found.stuck)
    )
    yield Figure(
        f"{told}: kept what the newer version wrote, after a roll-back",
        f"{found.kept} of {found.open}",
        "all",
        found.kept == found.open,
    )
    red = "the replay gate is red" in found.refusal
    yield Figure(f"{told}: a version that is not patched", found.refusal.strip()[:160], "refused", red)
    yield Figure(
        f"{told}: each deploy",
        times,
        values={f"deploys_{_flat(way)}_{_flat(what)}_seconds": seconds for what, seconds in found.seconds.items()},
    )


def _flat(name: str) -> str:
    return name.replace(" ", "_")


def _note(line: str) -> None:
    print(f"  {line}", flush=True)
