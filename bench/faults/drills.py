"""What an operator does in a drill: put a backup back, let a disk fill up."""

import asyncio
import shutil
import sqlite3
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from bench.faults.disk import Disk
from bench.faults.lives import Life
from bench.faults.outside import Outside, read_outside
from bench.faults.people import box_of
from bench.town import ROOT, Town
from starter.epoch import declare

WORKING = ("gateway", "dispatcher", "worker")
FULL_SECONDS = 8.0


@dataclass
class Drills:
    """`lost`: contracts of which the outside has forgotten something. `since`: when the backup was taken."""

    town: Town
    lives: Sequence[Life]
    say: Callable[[str], None]
    disk: Disk | None = None
    lost: set[str] = field(default_factory=set)
    since: float = 0.0
    recovery_seconds: float = 0.0

    @property
    def _temporal(self) -> Path:
        return (self.disk.path if self.disk else self.town.settings.state_path) / "temporal.db"

    def _file(self, what: str) -> Path:
        state = self.town.settings.state_path
        return {"box": box_of(self.town), "store": state / "store.db", "temporal": self._temporal}[what]

    async def back_up(self, what: str) -> None:
        """While everything runs."""
        self.since = time.time()
        await asyncio.to_thread(_copied, self._file(what), self._backup(what))

    def _backup(self, what: str) -> Path:
        file = self._file(what)
        return file.with_name(f"{file.name}.backup")

    async def run(self, what: str) -> None:
        began = time.monotonic()
        match what:
            case "box":
                await self._box()
            case "store":
                await self._ours("store", ())
            case "temporal":
                await self._ours("temporal", ("temporal",))
            case "disk":
                await self._full()
        self.recovery_seconds = time.monotonic() - began
        self.say(f"drill {what}: {self.recovery_seconds:.1f} s")

    async def _box(self) -> None:
        """The outside goes back in time, and moves its numbers on, so that no id comes twice. Nobody here is told."""
        await self.town.kill("sandbox")
        file = self._file("box")
        before, numbers = read_outside(file), _numbers(file)
        _put_back(self._backup("box"), file)
        with closing(sqlite3.connect(file)) as box:
            box.executemany("INSERT OR REPLACE INTO counters VALUES (?, ?)", numbers)
            box.commit()
        self.lost |= _forgotten(before, read_outside(file), self.lives)
        await self.town.start("sandbox")

    async def _ours(self, what: str, also: tuple[str, ...]) -> None:
        """By docs/faults.md: stop what works, put the backup back, begin an epoch, start, deliver what was lost."""
        for name in (*WORKING, *also):
            await self.town.stop(name)
        file = self._file(what)
        if what == "store":
            self.town.database.engine.dispose()
        _put_back(self._backup(what), file)
        await declare(self.town.settings.database_url, "begin")
        for name in (*also, *WORKING):
            await self.town.start(name)
        if what == "temporal":
            seconds = int(time.time() - self.since) + 60
            await self._tenure("replay", "--since", f"{seconds}s")

    async def learn(self) -> None:
        """The store asks the lifecycles what it has forgotten."""
        await self._tenure("relearn")

    async def _tenure(self, *words: str) -> None:
        await self._python("-c", "import sys; from starter.cli import main; main()", *words)

    async def _python(self, *words: str) -> None:
        environment = {**self.town.settings.environment(), "PATH": str(Path(sys.executable).parent)}
        process = await asyncio.create_subprocess_exec(
            sys.executable, *words, cwd=ROOT, env=environment,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        )  # fmt: skip
        output, _ = await process.communicate()
        if process.returncode:
            raise RuntimeError(f"{' '.join(words)} ended with {process.returncode}: {output.decode()[-500:]}")
        self.say(f"{' '.join(words[1:])}: {output.decode().strip().splitlines()[-1:]}")

    async def _full(self) -> None:
        """The disk of Temporal's database fills up, and is emptied again; a server that died of it is started."""
        if self.disk is None:
            raise RuntimeError("there is no disk that could be filled")
        self.disk.fill()
        await asyncio.sleep(FULL_SECONDS)
        self.disk.empty()
        await self.town.start("temporal")


def _copied(source: Path, target: Path) -> None:
    target.unlink(missing_ok=True)
    with closing(sqlite3.connect(source)) as live, closing(sqlite3.connect(target)) as copy:
        live.backup(copy)


def _put_back(backup: Path, file: Path) -> None:
    for suffix in ("", "-wal", "-shm"):
        file.with_name(file.name + suffix).unlink(missing_ok=True)
    shutil.copyfile(backup, file)


def _numbers(box: Path) -> list[tuple[str, int]]:
    with closing(sqlite3.connect(box)) as db:
        return db.execute("SELECT name, value FROM counters").fetchall()


def _forgotten(before: Outside, after: Outside, lives: Sequence[Life]) -> set[str]:
    def told(outside: Outside, life: Life) -> object:
        return [(each.system, each.kind, dict(each.record)) for of in outside.of(life).values() for each in of]

    return {life.contract for life in lives if told(before, life) != told(after, life)}
