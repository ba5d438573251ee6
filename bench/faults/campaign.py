"""The campaign: round after round; and for a round that went wrong, the fewest faults with which it still does."""

import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from bench.faults.plan import PLACES, Plan
from bench.faults.round import Played, play

Plays = Callable[[Plan], Awaitable[Played]]


@dataclass
class Report:
    """Of all rounds. `minimal`: a plan that still fails, None where nothing failed."""

    seed: int
    rounds: list[Played] = field(default_factory=list)
    minimal: Plan | None = None
    seconds: float = 0.0

    @property
    def lives(self) -> int:
        return sum(each.plan.lives for each in self.rounds)

    @property
    def deaths(self) -> Counter[str]:
        """How often the worker died, by place."""
        return Counter(line.split()[0] for each in self.rounds for line in each.fired)

    @property
    def wrong(self) -> list[Played]:
        return [each for each in self.rounds if each.findings]

    @property
    def untried(self) -> list[str]:
        return sorted({f"{operation}.{boundary}" for operation, boundary in PLACES} - self.deaths.keys())


async def campaign(seed: int, plans: Sequence[Plan], plays: Plays, *, tries: int, say: Callable[[str], None]) -> Report:
    """Every round; the first that goes wrong is made smaller, with so many tries, and ends the campaign."""
    report, began = Report(seed), time.monotonic()
    for plan in plans:
        say(f"round {plan.seed}: {plan.lives} lifecycles, {len(plan.faults)} faults, "
            f"{'PostgreSQL' if plan.postgres else 'SQLite'}")  # fmt: skip
        played = await plays(plan)
        report.rounds.append(played)
        if played.findings:
            for finding in played.findings[:20]:
                say(str(finding))
            report.minimal = await smallest(plan, plays, tries, say)
            break
        say(f"round {plan.seed}: all is right; the worker died {len(played.fired)} times")
    report.seconds = time.monotonic() - began
    return report


async def smallest(plan: Plan, plays: Plays, tries: int, say: Callable[[str], None]) -> Plan:
    """The plan with the fewest faults that still fails, as far as so many tries find it: halves, then quarters, then
    single faults are left out."""
    numbers = list(range(len(plan.faults)))
    size = max(1, len(numbers) // 2)
    while tries and numbers:
        for start in range(0, len(numbers), size):
            fewer = numbers[:start] + numbers[start + size :]
            if not tries:
                break
            tries -= 1
            played = await plays(plan.only(fewer))
            say(f"with {len(fewer)} of {len(plan.faults)} faults: {'still wrong' if played.findings else 'right'}")
            if played.findings:
                numbers = fewer
                break
        else:
            if size == 1:
                break
        size = max(1, min(size // 2, len(numbers) // 2))
    return plan.only(numbers)


@contextmanager
def own_home(keep: Callable[[], bool]) -> Iterator[Path]:
    """A directory for a round; gone afterwards, unless it is to be kept, for its logs."""
    home = Path(tempfile.mkdtemp(prefix="tenure-faults-"))
    yield home
    if not keep():
        shutil.rmtree(home, ignore_errors=True)


def in_own_home(per_second: float, patience: float, say: Callable[[str], None]) -> Plays:
    async def plays(plan: Plan) -> Played:
        played: list[Played] = []
        with own_home(lambda: not played or bool(played[0].findings)) as home:
            played.append(await play(home, plan, per_second=per_second, patience=patience, say=say))
            if played[0].findings:
                say(f"logs and databases: {home}")
        return played[0]

    return plays
