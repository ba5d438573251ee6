"""The drill: five successive versions of the workflow code are rolled over lifecycles of every age, while events
arrive, and taken back and forth. Every lifecycle ends as its twin does, which had lived before.

In place, on one machine, and pinned. A sixth version, which nobody has patched, can't be deployed.
"""

import asyncio
import json
import os
import subprocess
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Container, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from temporalio.client import Client

from bench.storm import Report, Storm, Weather
from bench.town import Town, open_town
from bench.variants import PATCHED, UNPATCHED, make_tree
from starter.deploying import in_place, pinned
from starter.deploying.build import code_build
from starter.deploying.handing_over import hand_over
from starter.deploying.pinned import Gate, Pace, Rolled, Say
from starter.deploying.standing import versions_of
from starter.deploying.versions import STUCK, Versions
from starter.handles import lifecycle_handle
from starter.settings import READY_FILE_VARIABLE
from starter.stack_specs import ProcessSpec, announced
from workflows.lifecycle import CustomerLifecycle

LAST = len(PATCHED)
KILLED, BACK_TO = 3, 2
HANDING = "worker-handing-over"
PACE = Pace(rate=200.0, patience=120.0, look=0.1)
SLOW = replace(PACE, rate=1.0)


@dataclass
class Drilled(Report):
    """`seconds` of each deploy; `left`: lifecycles that are not on the last version in the end; `stuck` ones; of the
    `open` ones after the roll-back, how many have `kept` what only newer versions know; `refusal`: of the sixth;
    `standing`: what `tenure deploy status` says then."""

    seconds: dict[str, float] = field(default_factory=dict)
    left: int = -1
    stuck: int = -1
    open: int = -1
    kept: int = 0
    refusal: str = ""
    standing: dict[str, Any] = field(default_factory=dict)
    broken_off: bool = False


class Trees:
    """The versions' trees, and which of them the town's processes run."""

    def __init__(self, home: Path, *, pinned: bool) -> None:
        home.mkdir()
        self.trees = [make_tree(home, number) for number in range(LAST + 1)]
        self.sixth = make_tree(home, LAST, UNPATCHED)
        self.builds = [code_build(tree) for tree in self.trees]
        self.present = 0
        self._pinned = pinned

    def specs(self, plain: Sequence[ProcessSpec]) -> Sequence[ProcessSpec]:
        """In place: one worker, of the present version; beside it the one that hands over. Pinned: one of each."""
        found = []
        for spec in plain:
            if spec.name != "worker":
                found.append(spec)
                continue
            found.append(self._of(spec, "worker", 0 if self._pinned else self.present))
            if self._pinned and self.present:
                found += [self._of(spec, f"worker-{number}", number) for number in range(1, LAST + 1)]
            elif self.present:
                handing = self._of(spec, HANDING, self.present)
                found.append(replace(handing, command=(*handing.command[:-1], "bench.handing_over")))
        return found

    def _of(self, spec: ProcessSpec, name: str, version: int) -> ProcessSpec:
        if spec.ready_file is None:
            raise ValueError("a worker says when it is ready")
        file = spec.ready_file.with_name(f"{name}.ready")
        return replace(
            spec,
            name=name,
            command=("env", "-C", str(self.trees[version]), *spec.command),
            ready=announced(file),
            ready_file=file,
            environment={**spec.environment, READY_FILE_VARIABLE: str(file)},
        )


async def drill(
    home: Path,
    plan: Storm,
    *,
    pinned: bool,
    paths: Sequence[str] = (),
    gated: Container[int] = range(1, LAST + 1),
    dies_after: float = 6.0,
    say: Callable[[str], None] = print,
) -> Drilled:
    """Live through it. `paths`: of the corpus, those that the gate looks at; `gated`: for these versions. The sixth's
    looks at all. `dies_after`: seconds that one deploy has before it dies."""
    trees = await asyncio.to_thread(lambda: Trees(home / "trees", pinned=pinned))
    async with open_town(home, changed=trees.specs, deploys={"pinned": pinned}) as town:
        client = await town.client()
        versions = versions_of(client, town.settings)
        kind = _Pinned if pinned else _InPlace
        drilled = kind(town, plan, say, trees, client, versions)
        drilled.paths, drilled.gated, drilled.dies_after = paths, gated, dies_after
        if pinned:
            await versions.make_current(trees.builds[0])
        await drilled.pass_over()
        return await drilled.told()


class _Deploys(Weather, ABC):
    """The trouble is one deploy after the other."""

    paths: Sequence[str] = ()
    gated: Container[int] = ()
    dies_after = 6.0

    def __init__(
        self,
        town: Town,
        plan: Storm,
        say: Say,
        trees: Trees,
        client: Client,
        versions: Versions,
    ) -> None:
        super().__init__(town, plan, say)
        self._report: Drilled = Drilled(plan.seed)
        self._trees, self._client, self._versions = trees, client, versions

    async def _trouble(self, seconds: float) -> None:
        for number in range(1, LAST + 1):
            began = time.monotonic()
            if number == KILLED:
                await self._broken_off(number)
            rolled = await self._deploy(number, PACE)
            self._took(f"version {number}", began, rolled)
        began = time.monotonic()
        self._took(f"back to {BACK_TO}", began, await self._back())
        self._report.open, self._report.kept = await self._versions.count(), len(await self._marked())
        began = time.monotonic()
        self._took(f"version {LAST} again", began, await self._deploy(LAST, PACE))

    async def told(self) -> Drilled:
        """What is to be seen after it, and what becomes of the sixth version."""
        report = self._report
        report.refusal = await asyncio.to_thread(self._sixth)
        report.left = await self._left()
        report.stuck = await self._versions.count(STUCK)
        told = await asyncio.to_thread(self._said, self._trees.trees[LAST], "deploy", "status", "--json")
        report.standing = json.loads(told.stdout)
        return report

    @abstractmethod
    async def _deploy(self, number: int, pace: Pace) -> Rolled: ...

    @abstractmethod
    async def _back(self) -> Rolled: ...

    @abstractmethod
    async def _left(self) -> int: ...

    async def _broken_off(self, number: int) -> None:
        """It dies in the middle."""
        dying = asyncio.create_task(self._deploy(number, SLOW))
        done, _ = await asyncio.wait([dying], timeout=self.dies_after)
        self._report.broken_off = not done
        dying.cancel()
        with suppress(asyncio.CancelledError):
            await dying

    def _took(self, what: str, began: float, rolled: Rolled) -> None:
        self._report.seconds[what] = time.monotonic() - began
        self._say(f"{what}: {rolled.moved} in {self._report.seconds[what]:.1f} s")

    def _gate(self, number: int) -> Gate:
        """As it is in the tree of a version."""

        async def gate() -> list[str]:
            if number not in self.gated:
                return []
            words = ("from starter.replaying.corpus import HISTORIES, check_corpus", "import asyncio, os, sys")
            code = "; ".join((*words, "red = asyncio.run(check_corpus(HISTORIES, sys.argv[1:]))"))
            code += "; print(*red, sep='\\n', flush=True); os._exit(0)"
            child = await asyncio.create_subprocess_exec(
                *(sys.executable, "-c", code, *self.paths), cwd=self._trees.trees[number], stdout=subprocess.PIPE
            )
            told, _ = await child.communicate()
            if child.returncode:
                raise RuntimeError(f"the gate of version {number} ended with {child.returncode}")
            return told.decode().split("\n")[:-1] if told.strip() else []

        return gate

    async def _marked(self) -> list[str]:
        """The lifecycles whose state holds what only newer versions know."""
        found = []
        async for workflow_id in self._versions.find():
            handle = lifecycle_handle(self._client, workflow_id)
            if "drill_mark" in ((await handle.query(CustomerLifecycle.state)).model_extra or {}):
                found.append(workflow_id)
        return found

    def _sixth(self) -> str:
        told = self._said(self._trees.sixth, "deploy")
        return told.stderr if told.returncode == 2 else f"exit code {told.returncode}: {told.stdout}{told.stderr}"

    def _said(self, tree: Path, *words: str) -> "subprocess.CompletedProcess[str]":
        """As an operator says it, with the code of a tree."""
        return subprocess.run(
            [sys.executable, "-c", "from starter.cli import main; main()", *words],
            cwd=tree,
            env={**os.environ, **self._town.settings.environment()},
            capture_output=True,
            text=True,
            check=False,
        )


class _InPlace(_Deploys):
    async def _deploy(self, number: int, pace: Pace) -> Rolled:
        town, trees = self._town, self._trees

        def restart() -> None:
            if trees.present != number:
                trees.present = number
                town.stack.restart("worker")

        return await in_place.deploy(
            *(self._client, town.database, self._versions, trees.builds[number], self._gate(number), pace, self._say),
            restart=restart,
        )

    async def _back(self) -> Rolled:
        town = self._town
        await asyncio.to_thread(town.stack.stop, "worker")
        await town.start(HANDING)
        handed = await hand_over(self._client, self._versions, PACE, self._say)
        await asyncio.to_thread(town.stack.stop, HANDING)
        self._trees.present = BACK_TO
        await town.start("worker")
        rolled = await self._deploy(BACK_TO, PACE)
        return replace(rolled, moved=min(rolled.moved, handed))

    async def _left(self) -> int:
        """Those that the last version has not looked at."""
        visit = await self._town.database.read(in_place.read_visit)
        at_work = await self._versions.polling()
        if visit.build != self._trees.builds[LAST] or visit.build not in at_work:
            return await self._town.database.read(in_place.open_lives)
        return len(visit.stuck) + (0 if visit.over else 1)


class _Pinned(_Deploys):
    async def _deploy(self, number: int, pace: Pace) -> Rolled:
        trees = self._trees
        trees.present = max(number, trees.present)
        await self._town.start(f"worker-{number}")
        return await pinned.deploy(self._versions, trees.builds[number], self._gate(number), pace, self._say)

    async def _back(self) -> Rolled:
        return await pinned.roll_back(self._versions, self._trees.builds[BACK_TO], PACE, self._say)

    async def _left(self) -> int:
        return await self._versions.count(self._versions.not_on(self._trees.builds[LAST]))
