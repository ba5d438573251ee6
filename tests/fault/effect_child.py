"""A process that performs effects and dies (`exit`) or freezes (`stop`) at a boundary of the protocol.

Arguments: store url, vendor file, guarantee, JSON list of {"key", "at", "how"}; each scenario runs in a fork. Prints
how many forks have frozen once the others have ended; a line of input wakes them; then prints a JSON list of results.
"""

import asyncio
import importlib.util
import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

spec = importlib.util.spec_from_file_location("fault_setting", Path(__file__).with_name("conftest.py"))
assert spec is not None
assert spec.loader is not None
setting: Any = importlib.util.module_from_spec(spec)
spec.loader.exec_module(setting)


async def perform(url: str, vendor_file: str, guarantee: str, scenario: dict[str, str]) -> str:
    def hook(place: str) -> None:
        if place == scenario.get("at"):
            scenario["at"] = ""
            if scenario["how"] == "exit":
                os._exit(9)
            os.kill(os.getpid(), signal.SIGSTOP)

    database = setting.Database(url)
    call = setting.Call(
        setting.Vendor(vendor_file, setting.Guarantee(guarantee)),
        scenario["key"],
        before=lambda: hook("before commit"),
        after=lambda: hook("after commit"),
    )
    effects = setting.effects(setting.HookedLedger(database, hook))
    try:
        answer = await effects.once(call.effect())
        return str(answer.id)
    except Exception as error:
        return str(getattr(error, "kind", repr(error)))
    finally:
        database.close()


def fork(url: str, vendor_file: str, guarantee: str, scenario: dict[str, str]) -> tuple[int, int]:
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        result = asyncio.run(perform(url, vendor_file, guarantee, scenario))
        os.write(writing, result.encode())
        os._exit(0)
    os.close(writing)
    return pid, reading


def read(reading: int) -> str:
    """A fork that was killed has written nothing."""
    with os.fdopen(reading) as results:
        return results.read() or "killed"


if __name__ == "__main__":
    url, vendor_file, guarantee, text = sys.argv[1:]
    forks = [fork(url, vendor_file, guarantee, scenario) for scenario in json.loads(text)]
    frozen = [pid for pid, _ in forks if os.WIFSTOPPED(os.waitpid(pid, os.WUNTRACED)[1])]
    print(len(frozen), flush=True)  # noqa: T201
    sys.stdin.readline()
    for pid in frozen:
        os.kill(pid, signal.SIGCONT)
    for pid in frozen:
        os.waitpid(pid, 0)
    print(json.dumps([read(reading) for _, reading in forks]))  # noqa: T201
