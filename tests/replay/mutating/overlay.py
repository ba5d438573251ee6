"""A mutant is judged in a process of its own, which finds the mutated file in a tree beside the code and imports it
from there. The process is forked from one that has imported everything of others, and nothing of ours."""

import asyncio
import importlib.abc
import importlib.machinery
import importlib.util
import json
import os
import select
import signal
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

ROOT = Path(__file__).resolve().parents[3]
OURS = ("activities", "domain", "starter", "workflows")
PATIENCE = 300.0


@dataclass(frozen=True)
class Verdict:
    """What the gate says of a mutant. `red`: the first difference. `histories`: how many were lived until then."""

    red: str | None
    histories: int
    seconds: float


class Overlay(importlib.abc.MetaPathFinder):
    """Modules that the tree holds come from it, whoever imports them: the workflow sandbox too."""

    def __init__(self, tree: Path) -> None:
        self._files = {".".join(file.relative_to(tree).with_suffix("").parts): str(file) for file in tree.rglob("*.py")}

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        file = self._files.get(fullname)
        return importlib.util.spec_from_file_location(fullname, file) if file else None


def preload() -> None:
    """Import what every mutant needs of others, once."""
    import dateutil.relativedelta
    import pydantic
    import temporalio.contrib.pydantic
    import temporalio.worker
    import temporalio.worker.workflow_sandbox

    del dateutil, pydantic, temporalio  # they are in sys.modules now
    loaded = sorted(name for name in sys.modules if name.split(".")[0] in OURS)
    if loaded:
        raise RuntimeError(f"a mutant would not be seen: {', '.join(loaded)} was imported before it")


def judge(tree: Path, first: str, paths: Sequence[str] = ()) -> Verdict:
    """Ask the gate of the code with `tree` over it, of the path `first` before the others (or before `paths`), up to
    the first red one."""
    begun = time.monotonic()
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        _child(tree, first, paths, writing)
    os.close(writing)
    told = b""
    while select.select([reading], [], [], max(0.0, begun + PATIENCE - time.monotonic()))[0]:
        if not (more := os.read(reading, 65536)):
            break
        told += more
    else:
        os.kill(child, signal.SIGKILL)
        told = json.dumps({"red": f"it does not come to rest within {PATIENCE:.0f} s", "histories": 0}).encode()
    os.close(reading)
    os.waitpid(child, 0)
    answer: dict[str, Any] = json.loads(told) if told else {"broken": "the process died without a word"}
    if "broken" in answer:
        raise RuntimeError(f"not a mutant of working code: {answer['broken']}")
    return Verdict(answer["red"], answer["histories"], time.monotonic() - begun)


def _child(tree: Path, first: str, paths: Sequence[str], writing: int) -> None:
    """Never returns: a process that ends right after its replayer can crash in the SDK (sdk-python #300)."""
    answer: dict[str, Any]
    try:
        devnull = os.open(os.devnull, os.O_WRONLY)
        os.dup2(devnull, 2)  # Python's SDK logs each failed task
        sys.dont_write_bytecode = False  # the sandbox imports its modules once for each history
        sys.meta_path.insert(0, Overlay(tree))
        sys.path.insert(0, str(ROOT))
        answer = asyncio.run(_ask(first, paths))
    except BaseException as error:  # whatever it is, the parent has to hear of it
        answer = {"broken": f"{type(error).__name__}: {error}"}
    os.write(writing, json.dumps(answer).encode())
    os._exit(0)


async def _ask(first: str, paths: Sequence[str]) -> dict[str, Any]:
    from starter.replaying.corpus import check_corpus, recorded_paths

    names = list(dict.fromkeys(paths or (path for _, path in recorded_paths())))
    order = sorted(names, key=lambda name: name != first)
    for number, name in enumerate(order, 1):
        if reds := await check_corpus(only=[name]):
            return {"red": str(reds[0]), "histories": number}
    return {"red": None, "histories": len(order)}
