"""`python -m tests.replay.mutate [--few N] [--seed S] [--only WORDS]`: the proof of the replay gate.

Each breaking mutant must turn it red, each harmless one leave it green; exit code 1 where one does not. `--few`: so
many of each, drawn by the seed, the harmless ones asked of a part of the corpus.
"""

import argparse
import os
import random
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from tests.replay.mutating.overlay import Verdict, judge, preload
from tests.replay.mutating.site import BREAKING, HARMLESS, Site

PART = ("cancelled_early", "continued")
"""What a few harmless mutants are asked of, beside the path where each would show."""


@dataclass(frozen=True)
class Judged:
    """A mutant and what the gate said of it."""

    site: Site
    breaking: bool
    verdict: Verdict

    @property
    def right(self) -> bool:
        return (self.verdict.red is not None) == self.breaking

    def __str__(self) -> str:
        kind = "breaking" if self.breaking else "harmless"
        said = f"red, {self.verdict.red}"[:200] if self.verdict.red else "green"
        mark = " " if self.right else "!"
        return f"{mark} {kind}  {self.verdict.seconds:5.1f} s  {self.site.name} [{self.site.file}]: {said}"


def judged(site: Site, *, breaking: bool, paths: Sequence[str] = ()) -> Judged:
    """Ask the gate of one mutant."""
    with tempfile.TemporaryDirectory() as tree:
        site.write(Path(tree))
        return Judged(site, breaking, judge(Path(tree), site.shows, paths))


def drawn(sites: Sequence[Site], few: int | None, seed: int) -> list[Site]:
    return list(sites) if few is None else random.Random(seed).sample(sites, min(few, len(sites)))


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.replay.mutate")
    parser.add_argument("--few", type=int)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", default="", help="words in the mutant's name")
    parser.add_argument("--kind", choices=("breaking", "harmless"))
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    given = parser.parse_args()
    preload()
    begun = time.monotonic()
    work = [
        (site, breaking, (*PART, site.shows) if given.few is not None and not breaking else ())
        for sites, breaking in ((BREAKING, True), (HARMLESS, False))
        if given.kind in (None, "breaking" if breaking else "harmless")
        for site in drawn([site for site in sites if given.only in site.name], given.few, given.seed)
    ]
    wrong = 0
    with ThreadPoolExecutor(given.processes) as pool:
        for each in pool.map(lambda asked: judged(asked[0], breaking=asked[1], paths=asked[2]), work):
            wrong += not each.right
            print(each, flush=True)
    broken = sum(breaking for _, breaking, _ in work)
    print(f"{broken} breaking and {len(work) - broken} harmless mutants, {wrong} judged wrongly; seed {given.seed}, "
          f"{time.monotonic() - begun:.0f} s")  # fmt: skip
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
