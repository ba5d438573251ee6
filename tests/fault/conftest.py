"""A vendor that counts what it commits, effects upon it, and child processes that die or freeze in the middle of one.

The children run this file too (effect_child.py loads it by path), so that both sides agree on every word.
"""

import asyncio
import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from activities.effects import Effect, Effects
from domain.effects import EffectClass, Guarantee
from domain.errors import Busy
from domain.ports import Ref
from store.database import Database
from store.ledger import SqlLedger

DEADLINE, COMMITS_WITHIN, MARGIN, PATIENCE = 0.8, 0.2, 2.0, 1.5  # seconds; a lease is 3.6 s
ROOT = Path(__file__).parents[2]


class Order(BaseModel):
    product: str = "platform"


class Vendor:
    """An outside system in a SQLite file of its own. A KEY vendor makes one record per key, the others one per call."""

    def __init__(self, path: Path | str, guarantee: Guarantee) -> None:
        self.path = str(path)
        self.guarantee = guarantee
        with self._open() as db:
            db.execute("CREATE TABLE IF NOT EXISTS records (id INTEGER PRIMARY KEY, key TEXT, product TEXT)")

    def create(self, key: str, product: str = "platform") -> Ref:
        with self._open() as db:
            db.execute("BEGIN IMMEDIATE")
            known = db.execute("SELECT id FROM records WHERE key = ?", (key,)).fetchone()
            if known and self.guarantee is Guarantee.KEY:
                return Ref(id=f"r{known[0]}")
            made = db.execute("INSERT INTO records (key, product) VALUES (?, ?)", (key, product))
            return Ref(id=f"r{made.lastrowid}")

    def find(self, key: str) -> Ref | None:
        with self._open() as db:
            row = db.execute("SELECT id FROM records WHERE key = ? ORDER BY id", (key,)).fetchone()
        return Ref(id=f"r{row[0]}") if row else None

    def commits(self, key: str = "k") -> int:
        with self._open() as db:
            count: int = db.execute("SELECT count(*) FROM records WHERE key = ?", (key,)).fetchone()[0]
        return count

    def products(self, key: str = "k") -> list[str]:
        with self._open() as db:
            return [row[0] for row in db.execute("SELECT product FROM records WHERE key = ? ORDER BY id", (key,))]

    def _open(self) -> sqlite3.Connection:
        return sqlite3.connect(self.path, timeout=10)


class Call:
    """One way in which the vendor answers: `before` and `after` run around its commit, and may raise or wait."""

    def __init__(
        self,
        vendor: Vendor,
        key: str = "k",
        product: str = "platform",
        before: Callable[[], Any] = lambda: None,
        after: Callable[[], Any] = lambda: None,
    ) -> None:
        self.vendor, self.key, self.product, self.before, self.after = vendor, key, product, before, after
        self.calls = 0
        self.looks = 0

    async def send(self) -> Ref:
        self.calls += 1
        await _run(self.before)
        made = self.vendor.create(self.key, self.product)
        await _run(self.after)
        return made

    async def find(self) -> Ref | None:
        self.looks += 1
        return self.vendor.find(self.key)

    def effect(self, *, look: bool | None = None, key_life: float | None = None, **fields: Any) -> Effect[Ref]:
        """`look`: whether there is a look-up; by default just for a LOOKUP vendor."""
        declared = EffectClass(
            guarantee=self.vendor.guarantee,
            deadline=timedelta(seconds=DEADLINE),
            commits_within=timedelta(seconds=COMMITS_WITHIN),
            key_life=None if key_life is None else timedelta(seconds=key_life),
        )
        return Effect(
            key=self.key,
            contract="crm/d1/1",
            operation="erp.create_order",
            declared=declared,
            arguments=Order(product=self.product),
            answer=Ref,
            send=self.send,
            find=self.find if (self.vendor.guarantee is Guarantee.LOOKUP if look is None else look) else None,
            **fields,
        )


async def _run(step: Callable[[], Any]) -> None:
    result = step()
    if asyncio.iscoroutine(result):
        await result


class HookedLedger(SqlLedger):
    """Says where it stands, so that a child can be stopped at any boundary of the protocol."""

    def __init__(self, database: Database, hook: Callable[[str], None]) -> None:
        super().__init__(database)
        self._hook = hook

    async def claim(self, *args: Any, **kwargs: Any) -> Any:
        self._hook("before claim")
        claim = await super().claim(*args, **kwargs)
        self._hook("claimed")
        return claim

    async def mark_sent(self, *args: Any, **kwargs: Any) -> bool:
        sent = await super().mark_sent(*args, **kwargs)
        self._hook("sent")
        return sent

    async def done(self, *args: Any, **kwargs: Any) -> bool:
        self._hook("answered")
        new = await super().done(*args, **kwargs)
        self._hook("recorded")
        return new


BOUNDARIES = ("before claim", "claimed", "sent", "before commit", "after commit", "answered", "recorded")


def effects(ledger: SqlLedger) -> Effects:
    return Effects(ledger, margin=MARGIN, patience=PATIENCE)


async def persist(ledger: SqlLedger, effect: Effect[Ref]) -> Ref:
    """What the activity's retries do: wait as long as Busy says, then try again. Everything else is raised."""
    while True:
        try:
            return await effects(ledger).once(effect)
        except Busy as busy:
            await asyncio.sleep(busy.retry_after.total_seconds() if busy.retry_after else 0.05)


class Child:
    """A process that performs one effect per scenario, each in a fork of its own that dies or freezes at a boundary."""

    def __init__(self, url: str, vendor: Vendor, scenarios: list[dict[str, str]]) -> None:
        command = [sys.executable, str(Path(__file__).with_name("effect_child.py"))]
        self.process = subprocess.Popen(
            [*command, url, vendor.path, vendor.guarantee.value, json.dumps(scenarios)],
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    async def frozen(self) -> int:
        """Wait until every fork has ended or frozen; how many have frozen."""
        assert self.process.stdout is not None
        return int(await asyncio.to_thread(self.process.stdout.readline))

    async def result(self) -> list[str]:
        """Wake what is frozen. What became of each: the answer's id, an error's kind, or "killed"."""
        out, _ = await asyncio.to_thread(self.process.communicate, "wake\n", 60)
        results: list[str] = json.loads(out.splitlines()[-1])
        return results


@pytest.fixture
def url(either_url: str) -> str:
    return either_url


@pytest.fixture
def database(url: str) -> Iterator[Database]:
    database = Database(url)
    yield database
    database.close()


@pytest.fixture
def ledger(database: Database) -> SqlLedger:
    return SqlLedger(database)


@pytest.fixture
def once(ledger: SqlLedger) -> Callable[[Effect[Ref]], Any]:
    """One attempt, as an activity makes it."""
    return effects(ledger).once


@pytest.fixture
def retry(ledger: SqlLedger) -> Callable[[Effect[Ref]], Any]:
    return lambda effect: persist(ledger, effect)


@pytest.fixture
def vendor(tmp_path: Path) -> Callable[[Guarantee], Vendor]:
    return lambda guarantee: Vendor(tmp_path / f"vendor-{guarantee}.db", guarantee)


@pytest.fixture
def call() -> type[Call]:
    return Call


@pytest.fixture
def boundaries() -> tuple[str, ...]:
    return BOUNDARIES


@pytest.fixture
def start_child(url: str) -> Iterator[Callable[..., Child]]:
    children: list[Child] = []

    def start(vendor: Vendor, *scenarios: dict[str, str]) -> Child:
        children.append(Child(url, vendor, list(scenarios)))
        return children[-1]

    yield start
    for child in children:
        child.process.communicate()  # the end of its input wakes its forks, and it waits for them
