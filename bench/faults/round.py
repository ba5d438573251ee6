"""One round: lifecycles at random stages live through what the plan says; then the auditor looks."""

import asyncio
import contextlib
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench.events import CUSTOMER, SUBSCRIPTION, Happening
from bench.faults.audit import Finding, audit
from bench.faults.disk import Disk, own_disk
from bench.faults.drills import Drills
from bench.faults.lives import OPPORTUNITY, Life, some_lives
from bench.faults.outside import read_outside
from bench.faults.people import People, box_of, people_of, within
from bench.faults.plan import Fault, Plan
from bench.faults.points import DIRECTORY, fired, write_points
from bench.faults.process import CLOCK
from bench.load import Line, signed
from bench.postgres import OwnPostgres, own_server
from bench.town import Town, open_town
from starter.stack import StackError
from starter.stack_specs import ProcessSpec

SENDERS = 12
UNASKED = ("experience",)
"""Processes that nobody asks anything of."""
LOOK = 0.5
GAP = 1.0  # seconds between two events of a lifecycle, on average
RECONCILE_EVERY = 5.0
CALM_EVERY = 2.0
CASES_EVERY = 45.0
GONE_WITHIN = 3.0
BACKED_UP = 0.25
"""How much of all events earlier than a restore its backup was taken, where the plan says nothing."""
UNCHANGED = 30
"""After so many looks at the same, with nothing that could still come, no more is waited for."""


@dataclass
class Played:
    """What was seen of a round. `fired`: the points at which the worker died; `did`: what else went wrong."""

    plan: Plan
    findings: list[Finding] = field(default_factory=list)
    fired: list[str] = field(default_factory=list)
    did: list[str] = field(default_factory=list)
    events: int = 0
    repaired: int = 0
    retried: int = 0
    left: list[str] = field(default_factory=list)
    sent_seconds: float = 0.0
    quiet_seconds: float = 0.0
    recovery_seconds: float = 0.0


async def play(
    home: Path, plan: Plan, *, per_second: float = 4.0, patience: float = 300.0, say: Callable[[str], None] = print
) -> Played:
    """Live through it. `per_second`: lifecycles begun. Raises only when something can't be told."""
    write_points(home / "points", [{"operation": each.what, **each.more} for each in plan.of("die")])
    with _database(plan) as postgres, _disk(plan, home) as disk:
        dress = _Dress(plan, home, disk)
        url = postgres.url if postgres else None
        async with open_town(home, store_url=url, changed=dress) as town:
            played = _Round(town, plan, home, postgres, disk, per_second, patience, say)
            return await played.play()


@contextmanager
def _database(plan: Plan) -> Iterator[OwnPostgres | None]:
    if not plan.postgres:
        yield None
        return
    with own_server() as own:
        yield own


@contextmanager
def _disk(plan: Plan, home: Path) -> Iterator[Disk | None]:
    if not any(each.what == "disk" for each in plan.of("drill")):
        yield None
        return
    with own_disk(home / "disk") as disk:
        yield disk


class _Dress:
    """The processes as the campaign runs them: with points, with clocks of their own, and a small disk for Temporal."""

    def __init__(self, plan: Plan, home: Path, disk: Disk | None) -> None:
        self._points = home / "points"
        self._clocks = {each.what: str(each.more["seconds"]) for each in plan.of("clock")}
        self._disk = disk

    def __call__(self, specs: Sequence[ProcessSpec]) -> Sequence[ProcessSpec]:
        return [self._dressed(spec) for spec in specs if spec.name not in UNASKED]

    def _dressed(self, spec: ProcessSpec) -> ProcessSpec:
        ours: dict[str, str] = {}
        if spec.name == "worker":
            ours[DIRECTORY] = str(self._points)
        if spec.name in self._clocks:
            ours[CLOCK] = self._clocks[spec.name]
        if ours:
            shown = (sys.executable, "-m", "bench.faults.process", spec.command[-1])
            return replace(spec, command=shown, environment={**spec.environment, **ours})
        if spec.name == "temporal" and self._disk is not None:
            at = spec.command.index("--db-filename") + 1
            command = (*spec.command[:at], str(self._disk.path / "temporal.db"), *spec.command[at + 1 :])
            return replace(spec, command=command)
        return spec


class _Round:
    def __init__(
        self,
        town: Town,
        plan: Plan,
        home: Path,
        postgres: OwnPostgres | None,
        disk: Disk | None,
        per_second: float,
        patience: float,
        say: Callable[[str], None],
    ) -> None:
        self._town, self._plan, self._say = town, plan, say
        self._points, self._postgres = home / "points", postgres
        self._per_second, self._patience = per_second, patience
        self._lives = some_lives(plan.dice("lives"), plan.letter, plan.lives, datetime.now(UTC).date())
        self._dice = plan.dice("moments")
        self._drills = Drills(town, self._lives, say, disk)
        self._ids: dict[str, dict[str, str]] = {}
        self._sent: list[tuple[Life, Happening, float]] = []
        self._total = sum(len(life.happenings()) for life in self._lives)
        self._open = asyncio.Event()
        self._open.set()
        self._hands = asyncio.Lock()
        self._played = Played(plan, events=self._total)

    async def play(self) -> Played:
        played = self._played
        for life in self._lives:
            record = life.record(StageName="Negotiation", IsWon=False, IsClosed=False)
            (await self._town.box.post("/crm/opportunities", json=record)).raise_for_status()
        began = time.monotonic()
        beside = [asyncio.create_task(self._look_for_ids()), asyncio.create_task(self._raise_the_dead())]
        whole = asyncio.create_task(self._whole(began))
        try:
            done, _ = await asyncio.wait([whole, *beside], return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            for task in (whole, *beside):
                task.cancel()
            await asyncio.gather(whole, *beside, return_exceptions=True)
        played.quiet_seconds = time.monotonic() - began - played.sent_seconds
        played.fired, played.recovery_seconds = fired(self._points), self._drills.recovery_seconds
        return played

    async def _whole(self, began: float) -> None:
        played = self._played
        happening = asyncio.create_task(self._all_happens())
        await asyncio.gather(happening, self._go_wrong(happening), self._people_work(happening))
        played.sent_seconds = time.monotonic() - began
        self._say(f"{played.events} events of {len(self._lives)} lifecycles in {played.sent_seconds:.0f} s")
        await self._until_right()

    # ── what happens ────────────────────────────────────────────────────────────────────────────────────────────

    async def _all_happens(self) -> None:
        slots = asyncio.Queue[Line]()
        gateways = self._town.gateways
        lines = [Line(gateways[number % len(gateways)]) for number in range(SENDERS)]
        for line in lines:
            slots.put_nowait(line)

        async def live(number: int, life: Life) -> None:
            await asyncio.sleep(number / self._per_second)
            for happening in life.happenings():
                if not await self._known(life, happening):
                    raise TimeoutError(f"round {self._plan.seed}: nothing outside that {happening.id} could be about")
                await self._open.wait()
                line = await slots.get()
                try:
                    await line.deliver(self._signed(life, happening))
                finally:
                    slots.put_nowait(line)
                self._sent.append((life, happening, time.time()))
                await asyncio.sleep(self._dice.expovariate(1 / GAP))

        try:
            async with asyncio.TaskGroup() as lives:
                for number, life in enumerate(self._lives):
                    lives.create_task(live(number, life))
        finally:
            for line in lines:
                line.close()

    def _signed(self, life: Life, happening: Happening) -> bytes:
        ids = self._ids.get(life.deal, {})
        if happening.asks == (OPPORTUNITY,):
            won = happening.type == "deal.closed_won"
            stage = {"StageName": "Closed Won" if won else "Closed Lost", "IsClosed": True, "IsWon": won}
            record = {**self._opportunities[life.deal], **stage, "SystemModstamp": f"{life.today}T12:00:00.000+0000"}
            happening = replace(happening, data={"record": record}, asks=())
        body = happening.body(ids)
        return signed(self._town.secret, f"/webhooks/{happening.source}", happening.id, body)

    async def _known(self, life: Life, happening: Happening) -> bool:
        """Wait until the outside has what the event is about."""
        going_on = within(self._patience)
        while not set(happening.asks) <= self._ids.get(life.deal, {}).keys():
            if not going_on():
                return False
            await asyncio.sleep(LOOK)
        return True

    async def _look_for_ids(self) -> None:
        """What the systems have made so far. After a restore it may be less again."""
        self._opportunities: dict[str, dict[str, Any]] = {}
        while True:
            ids: dict[str, dict[str, str]] = {}
            with contextlib.suppress(Exception):  # the box may be down, or be put back just now: it is read again
                for each in read_outside(box_of(self._town), "subscriptions", "opportunities").documents:
                    record = dict(each.record)
                    if each.kind == "subscriptions":
                        deal = str(record["contract"]).split("/")[1]
                        ids.setdefault(deal, {}).update({SUBSCRIPTION: record["id"], CUSTOMER: record["customer"]})
                    elif each.kind == "opportunities" and record.get("Tenure_External_Id__c"):
                        deal = str(record["Tenure_External_Id__c"]).split("/")[1]
                        ids.setdefault(deal, {})[OPPORTUNITY] = record["Id"]
                        self._opportunities[deal] = record
                self._ids = ids
            await asyncio.sleep(LOOK)

    # ── what goes wrong ─────────────────────────────────────────────────────────────────────────────────────────

    async def _go_wrong(self, happening: "asyncio.Task[None]") -> None:
        """Each fault when its share of the events is sent; or all that is left, when nothing is sent any more."""
        planned = [each for each in self._plan.faults if each.do in ("kill", "outside", "drill")]
        backups = [
            Fault("back up", each.what, max(0.02, each.when - each.more.get("age", BACKED_UP)))
            for each in self._plan.of("drill")
        ]
        for fault in sorted([*planned, *backups], key=lambda each: each.when):
            while len(self._sent) < fault.when * self._total and not happening.done():  # noqa: ASYNC110  # a count
                await asyncio.sleep(LOOK / 2)
            await self._do(fault)
            self._played.did.append(str(fault))

    async def _people_work(self, happening: "asyncio.Task[None]") -> None:
        """While it goes on: what comes next may be about what waits with a case, or about a record that the outside has
        forgotten."""
        rested = within(CASES_EVERY)
        while not happening.done():
            await asyncio.sleep(RECONCILE_EVERY)
            if not self._open.is_set():
                continue  # a backup is put back
            try:
                async with people_of(self._town) as people:
                    if self._drills.lost:
                        await people.reconcile(rounds=1)
                    if not rested():
                        rested = within(CASES_EVERY)
                        self._played.retried += await people.retry()
            except Exception as error:  # something is down just now: they look again later
                self._say(f"people were interrupted: {type(error).__name__}: {error}")

    async def _do(self, fault: Fault) -> None:
        match fault.do:
            case "outside":
                body = {"operation": "*", **fault.more}
                async with self._hands:
                    (await self._town.box.post("/admin/faults", json=body)).raise_for_status()
            case "kill":
                async with self._hands:
                    await self._kill(fault.what)
            case "back up" if fault.what != "disk":
                async with self._hands:
                    await self._drills.back_up(fault.what)
            case "drill":
                self._open.clear()
                async with self._hands:
                    await self._drills.run(fault.what)
                if fault.what == "store":
                    await self._send_again()
                    await self._settled()
                    await self._drills.learn()
                self._open.set()

    async def _kill(self, victim: str) -> None:
        if victim == "database":
            if self._postgres is not None:
                await asyncio.to_thread(self._postgres.kill)
                await asyncio.sleep(self._dice.uniform(0.1, 1.5))
                await asyncio.to_thread(self._postgres.start)
            return
        if victim != "worker":  # it may be dead by itself
            await self._town.kill(victim)
        else:
            await asyncio.to_thread(self._town.stack.kill, victim)
        await asyncio.sleep(self._dice.uniform(0.1, 1.0))
        await self._up(victim)

    async def _up(self, name: str) -> None:
        """Start it, again if it should die while it starts: the worker may come to a point at once."""
        for _ in range(20):
            try:
                await self._town.start(name)
                return
            except StackError:
                if name != "worker":
                    raise

    async def _raise_the_dead(self) -> None:
        """A worker that has killed itself is started again, as any supervisor does."""
        seen = 0
        while True:
            if len(dead := fired(self._points)) > seen:
                async with self._hands:
                    self._say(f"the worker died at {', '.join(dead[seen:])}")
                    seen = len(dead)
                    await self._gone("worker")
                    await self._up("worker")
            await asyncio.sleep(LOOK / 2)

    async def _gone(self, name: str) -> None:
        """It says so a moment before it is; if it is not soon, it is another one, that was started since."""
        going_on = within(GONE_WITHIN)
        while going_on():
            now = await asyncio.to_thread(self._town.stack.status)
            if any(each.name == name and each.state == "stopped" for each in now):
                return
            await asyncio.sleep(LOOK / 5)

    async def _settled(self) -> None:
        async with people_of(self._town) as people:
            going_on = within(self._patience / 4)
            while await people.unsettled() and going_on():  # noqa: ASYNC110  # a count
                await asyncio.sleep(LOOK)

    async def _send_again(self) -> None:
        """What was accepted since the backup is sent again by who sent it: the store has forgotten that it came."""
        line = Line(self._town.gateways[0])
        for life, happening, at in list(self._sent):
            if at >= self._drills.since - 5:
                await line.deliver(self._signed(life, happening))
        line.close()

    # ── the end ─────────────────────────────────────────────────────────────────────────────────────────────────

    async def _until_right(self) -> None:
        """The faults are over; people try again and reconcile; then all is right, or it never will be."""
        played, going_on, same = self._played, within(self._patience), 0
        (await self._town.box.delete("/admin/faults")).raise_for_status()
        restored = any(each.what in ("box", "store", "temporal") for each in self._plan.of("drill"))
        async with people_of(self._town) as people:
            while going_on():
                await asyncio.sleep(CALM_EVERY)
                async with self._hands:
                    tried, waiting = await people.retry(), await people.unsettled()
                    if restored and not waiting:
                        played.left = await people.reconcile()
                        tried += await people.retry()
                    before, played.findings = played.findings, await self._audit(people, ())
                same = same + 1 if played.findings == before and not tried and not waiting else 0
                if same > UNCHANGED:
                    break
                if not tried and not waiting and not played.findings:
                    break
            failures = await people.failed_tasks([life.contract for life in self._lives])
            played.findings = await self._audit(people, failures)
            played.retried, played.repaired = played.retried + people.retried, people.differences

    async def _audit(self, people: People, failures: Sequence[str]) -> list[Finding]:
        cases = {
            contract: [f"{each.title} ({each.id})" for each in found]
            for contract, found in (await people.open_cases()).items()
        }
        outside = await asyncio.to_thread(read_outside, box_of(self._town))
        return audit(outside, self._lives, cases, failures, self._drills.lost)
