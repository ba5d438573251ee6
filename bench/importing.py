"""Contracts of an old process come in while the importing process is killed again and again: in shadow, then live.

The promise: before the promotion nothing is written outside, after it each thing once.
"""

import asyncio
import json
import os
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import httpx

from adapters.erp.sandbox import SandboxErp
from bench.old_process import OldCustomer, lives_in
from bench.town import ROOT, Town, open_town
from domain.effects import EffectClass
from store.imports import Imports

AT_ONCE = 16
WRITES = ("POST", "PUT", "PATCH", "DELETE")
COMMAND = "import sys; from starter.cli import main; main()"
EACH = ("start_billing", "ensure_company")
"""What is due for every contract on the day of the cut-over, so that it shows right after the promotion."""
LEVELS = ("set_health", "update_opportunity")
"""What is shown of every contract, and shown again when it changes."""
SOME = ("post_note", "renew_subscription")
"""What is due for some: a look at a renewal whose window is open, and a clause whose cut-off has passed undecided."""


class _PatientErp(SandboxErp):
    """The old process is in no hurry: on a busy machine it waits for its answer."""

    effects: Mapping[str, EffectClass] = {
        name: declared.model_copy(update={"deadline": timedelta(minutes=1)})
        for name, declared in SandboxErp.effects.items()
    }


@dataclass
class Imported:
    """What was seen. `before`: writes outside up to the promotion; `wrong`: what was not done exactly once."""

    contracts: int
    kills: int = 0
    before: int = 0
    import_seconds: float = 0.0
    promote_seconds: float = 0.0
    quiet_seconds: float = 0.0
    after: Counter[str] = field(default_factory=Counter)
    counts: dict[str, int] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)


async def importing(home: Path, contracts: int, kills: int, seed: int, say: Callable[[str], None] = print) -> Imported:
    """Live through it. It raises only when something can't be told."""
    async with open_town(home) as town:
        return await _Move(town, home, contracts, kills, Random(seed), say).make()


class _Move:
    def __init__(
        self, town: Town, home: Path, contracts: int, kills: int, dice: Random, say: Callable[[str], None]
    ) -> None:
        self._town = town
        self._file = home / "contracts.jsonl"
        self._dice = dice
        self._kills = kills
        self._say = say
        self._today = datetime.now(UTC).date()
        self._customers = [
            OldCustomer(number, 40 + dice.randrange(600), self._today, zone="UTC") for number in range(contracts)
        ]
        self._seen = Imported(contracts)

    async def make(self) -> Imported:
        seen = self._seen
        await self._write_file()
        written_before = len(await self._writes())
        self._say(f"{seen.contracts} contracts live in the ERP")

        began = time.monotonic()
        await self._killed_and_repeated("import", str(self._file))
        seen.import_seconds = time.monotonic() - began
        await self._until_quiet("shadow")
        seen.before = len(await self._writes()) - written_before
        self._say(f"in shadow after {seen.kills} kills and {seen.import_seconds:.0f} s, {seen.before} writes outside")

        began = time.monotonic()
        await self._killed_and_repeated("import", "promote", "--all")
        seen.promote_seconds = time.monotonic() - began
        await self._until_quiet("promoted")
        seen.quiet_seconds = time.monotonic() - began
        seen.after = Counter(call["operation"] for call in (await self._writes())[written_before:])
        seen.counts = await Imports(self._town.database).counts()
        seen.wrong = [*await self._not_once()]
        return seen

    async def _write_file(self) -> None:
        slots = asyncio.Semaphore(AT_ONCE)
        url, token = self._town.settings.sandbox_url, {"Authorization": "Bearer sandbox"}
        async with httpx.AsyncClient(base_url=f"{url}/erp/", headers=token, trust_env=False, timeout=60) as client:
            erp = _PatientErp(client)

            async def live(old: OldCustomer) -> str:
                async with slots:
                    return json.dumps(await lives_in(erp, None, self._town.box, old, billed=("1",), due=self._today))

            lines = await asyncio.gather(*map(live, self._customers))
        self._file.write_text("\n".join(lines) + "\n", encoding="utf-8")

    async def _killed_and_repeated(self, *command: str) -> None:
        """Say the same command until it ends by itself, killing it (by SIGKILL) some times on the way."""
        for attempt in range(self._kills + 20):
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-c", COMMAND, *command),
                cwd=ROOT,
                env={**os.environ, **self._town.settings.environment()},
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.STDOUT,
                start_new_session=True,
            )
            if attempt < self._kills and await self._moved(process):
                os.killpg(process.pid, signal.SIGKILL)
                self._seen.kills += 1
                await process.wait()
                continue
            output, _ = await process.communicate()
            if process.returncode == 0:
                return
            self._say(f"{' '.join(command[:2])} ended with {process.returncode}: {output.decode()[-300:]}")
        raise RuntimeError(f"{' '.join(command)} did not come to its end")

    async def _moved(self, process: asyncio.subprocess.Process) -> bool:
        """Wait until the command has done some of its work; False when it ended before."""
        imports, goal = Imports(self._town.database), self._dice.uniform(0.1, 0.6) * self._seen.contracts
        before = _progress(await imports.counts())
        while process.returncode is None:
            if _progress(await imports.counts()) - before >= goal:
                return True
            await asyncio.sleep(0.02)
        return False

    async def _until_quiet(self, state: str) -> None:
        """Until every contract has come so far, and nothing is written outside any more."""
        imports, last, still = Imports(self._town.database), -1, 0
        until = time.monotonic() + 1800
        while still < 3:
            if refused := await imports.waiting(["refused"], limit=1):
                raise RuntimeError(f"{refused[0].contract} was refused: {refused[0].reasons}")
            if time.monotonic() > until:
                raise RuntimeError(f"not quiet: {await imports.counts()}")
            await asyncio.sleep(1)
            count = len(await self._writes())
            done = (await imports.counts()).get(state) == self._seen.contracts
            still = still + 1 if done and count == last and not await self._missing(state) else 0
            last = count

    async def _missing(self, state: str) -> bool:
        """Whether the lifecycles are still at it: they are done when each has billed what was due."""
        if state != "promoted":
            return False
        calls = Counter(call["operation"] for call in await self._writes())
        old = self._seen.contracts  # the old process has billed one line of each
        return calls["start_billing"] < 2 * old or any(calls[name] < old for name in (*EACH[1:], *LEVELS))

    async def _writes(self) -> Sequence[dict[str, Any]]:
        answer = await self._town.box.get("/admin/calls")
        answer.raise_for_status()
        return [call for call in answer.json() if call["method"] in WRITES]

    async def _not_once(self) -> list[str]:
        records = await self._town.records()
        billed = Counter((each["contract"], each["line"]) for each in records["erp"]["billing_starts"])
        wanted: dict[tuple[str, str], int] = {(old.contract, line): 1 for old in self._customers for line in ("1", "2")}
        companies = Counter(each["external_id"] for each in records["cs"]["companies"])
        wrong = [f"{key}: billed {billed[key]} times" for key in {*billed, *wanted} if billed[key] != wanted.get(key)]
        wrong += [
            f"{old.account}: {companies[old.account]} companies"
            for old in self._customers
            if companies[old.account] != 1
        ]
        for kind in ("subscriptions", "customers", "activations"):
            if (found := len(records["erp"][kind])) != self._seen.contracts:
                wrong.append(f"{found} {kind} for {self._seen.contracts} contracts")
        # a window that is open already is looked at on the day of entry, and the CSM is told what is seen: once
        noted = Counter(each["company"] for each in records["cs"].get("notes", []))
        wrong += [f"{company}: {number} notes" for company, number in noted.items() if number > 1]
        renewed = Counter((each["contract"], each["term"]) for each in records["erp"].get("renewals", []))
        wrong += [f"{key}: renewed {number} times" for key, number in renewed.items() if number > 1]
        wrong += [f"{name} was done" for name in self._seen.after.keys() - {*EACH, *LEVELS, *SOME}]
        made = {"plans", "playbooks"} & {kind for kind, found in records["cs"].items() if found}
        return [*wrong, *(f"{kind} were made" for kind in sorted(made))]


def _progress(counts: dict[str, int]) -> int:
    """How many steps all contracts together have taken."""
    steps = {"read": 1, "checked": 2, "known": 3, "shadow": 4, "promoted": 8}
    return sum(steps.get(state, 0) * number for state, number in counts.items())
