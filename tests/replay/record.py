"""`python -m tests.replay.record [--again] [PATH …]`: live each path that this version's corpus lacks on the embedded
server, and write its history.

What is recorded guards the lives that began with it: `--again` is for a path of a version that nobody runs yet.
"""

import asyncio
import gzip
import json
import logging
import os
import shutil
import sys
import tempfile
import tomllib
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from temporalio.client import WorkflowContinuedAsNewError, WorkflowFailureError, WorkflowHistory
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.testing import WorkflowEnvironment

from domain.company import PeriodsPolicy
from starter.replaying.corpus import EXPECTED, HISTORIES, HISTORY, as_expected
from starter.replaying.living import live_again
from starter.stack_specs import TEMPORAL_TIME_TRAVEL
from tests.conftest import FAST
from tests.house import Life, open_house
from tests.replay.paths import AGAIN as LATER
from tests.replay.paths import PATHS
from workflows.desk import SEARCH_ATTRIBUTES

AGAIN = "--again"

# a skipped clock and continue-as-new do not go together: each path has the server that it needs
RESTLESS = ("--dynamic-config-value", "limit.historyCount.suggestContinueAsNew=80")
SERVERS = {"continued": RESTLESS, "continuing": RESTLESS}
RULES: dict[str, dict[str, Any]] = {"redated": {"periods": PeriodsPolicy(closed="redate")}}


async def record(names: list[str], folder: Path) -> None:
    for arguments in (TEMPORAL_TIME_TRAVEL, RESTLESS):
        here = [name for name in names if SERVERS.get(name.removesuffix(LATER), TEMPORAL_TIME_TRAVEL) == arguments]
        if here:
            await _record_on(arguments, here, folder)


async def _record_on(arguments: Sequence[str], names: list[str], folder: Path) -> None:
    binary = Path(sys.executable).with_name("temporal")
    async with await WorkflowEnvironment.start_local(
        data_converter=pydantic_data_converter,
        identity="recorder",
        dev_server_existing_path=str(binary if binary.exists() else shutil.which("temporal")),
        dev_server_extra_args=[*FAST, *arguments],
        dev_server_log_level="error",
        search_attributes=SEARCH_ATTRIBUTES,
    ) as environment:
        for name in names:
            with tempfile.TemporaryDirectory() as home:
                rules = RULES.get(name.removesuffix(LATER))
                async with open_house(environment.client, Path(home), task_queue="corpus", rules=rules) as house:
                    played = await PATHS[name](house)
                    run = played.handle if isinstance(played, Life) else played
                    with suppress(WorkflowFailureError, WorkflowContinuedAsNewError):
                        await run.result(follow_runs=False)
                    await _write(name, await run.fetch_history(), folder)


async def _write(name: str, fetched: WorkflowHistory, folder: Path) -> None:
    told = _without_traces(fetched.to_json_dict())
    history = WorkflowHistory.from_json(f"replay-{name}", told)
    expected = json.dumps(as_expected(await live_again(history)), indent=1, sort_keys=True)
    (folder / f"{name}{HISTORY}").write_bytes(gzip.compress(json.dumps(told, indent=1).encode(), 9, mtime=0))
    (folder / f"{name}{EXPECTED}").write_text(expected + "\n")


def _without_traces(node: Any) -> Any:
    """Stack traces name files of the machine on which they were made."""
    if isinstance(node, dict):
        return {key: _without_traces(value) for key, value in node.items() if key != "stackTrace"}
    return [_without_traces(value) for value in node] if isinstance(node, list) else node


def version() -> str:
    """The version whose lives are recorded."""
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]
    return str(project["version"])


def main() -> None:
    names = [word for word in sys.argv[1:] if word != AGAIN]
    unknown = set(names) - set(PATHS)
    if unknown:
        sys.exit(f"no such path: {', '.join(sorted(unknown))}; there are {', '.join(PATHS)}")
    logging.disable(logging.WARNING)
    folder = HISTORIES / version()
    folder.mkdir(parents=True, exist_ok=True)
    missing = [name for name in names or PATHS if AGAIN in sys.argv or not (folder / f"{name}{EXPECTED}").exists()]
    asyncio.run(record(missing, folder))
    sys.stdout.flush()
    os._exit(0)  # a process that ends right after its workers can crash in the SDK (sdk-python #300)


if __name__ == "__main__":
    main()
