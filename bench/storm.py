"""The storm: many events, several times each and out of order, while process after process is killed. Every lifecycle
ends as its twin does, whom the same happened to in order, once, and undisturbed.

Both live in one town: first the twins, in calm, then the others, in the storm.
"""

import asyncio
import json
import sqlite3
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from random import Random
from typing import Any

from sqlmodel import Session, col, func, select

import wiring
from bench.events import CUSTOMER, SUBSCRIPTION, Customer, Happening, disturbed
from bench.load import Line, signed
from bench.town import Town, open_town
from domain.company import Company
from domain.keys import lifecycle_id
from domain.mediation import LEVELS, news, standing
from domain.view import LifecycleView
from starter.handles import lifecycle_handle
from starter.leaking import LEAK
from starter.sla.telling import SLA
from store.tables import CaseRow, DeliveryRow, EffectRow, FactRow, InboxRow, OrderRow, ToldRow
from workflows.lifecycle import CustomerLifecycle

MEASURED = (SLA, LEAK)
"""Kinds of cases that tell of a moment."""

VICTIMS = ("dispatcher", "worker", "temporal", "dispatcher-2", "worker", "temporal")
SENDERS = 16
QUIET_FOR = 2.0
OF_CONTRACT = (
    ("erp", ("subscriptions", "activations", "billing_starts", "amendments", "renewals", "endings", "cancellations")),
    ("cs", ("plans", "playbooks")),
)
OF_ACCOUNT = (("erp", "customers", "account"), ("cs", "companies", "external_id"))
Ending = dict[str, Any]


@dataclass(frozen=True)
class Storm:
    """`copies`: each event is sent one to that many times, at most `window` places from where it belongs."""

    seed: int
    contracts: int
    events: int
    per_second: float
    copies: int = 4
    window: int = 12
    patience: float = 120.0

    @property
    def today(self) -> date:
        return datetime.now(UTC).date()

    def customers(self, letter: str) -> list[Customer]:
        """The same dice for the same number: whatever the letter, the same happens."""
        return [
            Customer(Random(f"{self.seed}:{number}"), f"006{letter}{number:04d}", self.today)
            for number in range(self.contracts)
        ]

    @property
    def size(self) -> int:
        return -(-self.events // self.contracts)


@dataclass
class Report:
    """What was seen. `differences`: where a lifecycle ended unlike its twin; nothing may be there."""

    seed: int
    events: int = 0
    sent: int = 0
    calm_seconds: float = 0.0
    storm_seconds: float = 0.0
    quiet_seconds: float = 0.0
    killed: list[str] = field(default_factory=list)
    effects: dict[str, int] = field(default_factory=dict)
    differences: list[str] = field(default_factory=list)

    @property
    def verdict(self) -> str:
        if not self.differences:
            return f"seed {self.seed}: every lifecycle ended as its twin"
        return f"seed {self.seed}: {len(self.differences)} differences, the first: {self.differences[0]}"


async def storm(home: Path, plan: Storm, store_url: str, say: Callable[[str], None] = print) -> Report:
    """Live through it. The report tells what differs; it raises only when something can't be told."""
    async with open_town(home, store_url=store_url, gateways=2, dispatchers=2) as town:
        return await Weather(town, plan, say).pass_over()


class Weather:
    """First the twins in calm, then the others in trouble."""

    def __init__(self, town: Town, plan: Storm, say: Callable[[str], None]) -> None:
        self._town = town
        self._plan = plan
        self._say = say
        self._dice = Random(plan.seed)
        self._ids: dict[str, dict[str, str]] = {}
        self._report = Report(plan.seed)

    async def pass_over(self) -> Report:
        plan, report = self._plan, self._report
        calm, stormy = plan.customers("C"), plan.customers("S")
        for customer in (*calm, *stormy):
            await self._is_in_the_crm(customer)
        looking = asyncio.create_task(self._look_for_ids())
        try:
            began = time.monotonic()
            await self._in_calm([(customer, customer.happenings(plan.size)) for customer in calm])
            await self._until_quiet()
            report.calm_seconds = time.monotonic() - began
            self._say(f"calm: {report.calm_seconds:.0f} s")

            told = [(customer, customer.happenings(plan.size)) for customer in stormy]
            report.events = sum(len(happenings) for _, happenings in told)
            began = time.monotonic()
            sends = self._disturbed(told)
            report.sent = len(sends)
            await asyncio.gather(self._at_its_rate(sends), self._trouble(len(sends) / plan.per_second))
            report.storm_seconds = time.monotonic() - began
            self._say(f"storm: {report.sent} webhooks in {report.storm_seconds:.0f} s")
            await self._until_quiet()
            report.quiet_seconds = time.monotonic() - began - report.storm_seconds
        finally:
            looking.cancel()
        twins, survivors = await self._endings(calm), await self._endings(stormy)
        report.differences = [
            f"contract {number}: {difference}"
            for number, (twin, survivor) in enumerate(zip(twins, survivors, strict=True))
            for difference in _differences(twin, survivor)
        ]
        report.effects = dict(sum((Counter(survivor["effects outside"]) for survivor in survivors), Counter()))
        return report

    # ── sending ─────────────────────────────────────────────────────────────────────────────────────────────────

    async def _is_in_the_crm(self, customer: Customer) -> None:
        record = customer.record(StageName="Negotiation", IsWon=False, IsClosed=False)
        (await self._town.box.post("/crm/opportunities", json=record)).raise_for_status()

    async def _in_calm(self, told: Sequence[tuple[Customer, list[Happening]]]) -> None:
        """In order, each once; an event about the ERP's records when there are such."""
        waiting = list(reversed(told))

        async def work(line: Line) -> None:
            while waiting:
                customer, happenings = waiting.pop()
                for happening in happenings:
                    if happening.asks:
                        await self._known(customer)
                    await line.deliver(self._signed(customer, happening))

        await self._with_lines(lambda lines: [work(line) for line in lines])

    def _disturbed(self, told: Sequence[tuple[Customer, list[Happening]]]) -> list[tuple[Customer, Happening]]:
        """Shuffled and doubled within each customer's window, all customers mixed."""
        waiting = [
            (customer, disturbed(self._dice, happenings, copies=self._plan.copies, window=self._plan.window))
            for customer, happenings in told
        ]
        turns = [number for number, (_, sends) in enumerate(waiting) for _ in sends]
        self._dice.shuffle(turns)
        return [(waiting[number][0], waiting[number][1].pop(0)) for number in turns]

    async def _at_its_rate(self, sends: Sequence[tuple[Customer, Happening]]) -> None:
        """Over both gateways. What asks for the ERP's ids waits until there are such."""
        due: asyncio.Queue[tuple[Customer, Happening] | None] = asyncio.Queue()
        later: dict[str, list[tuple[Customer, Happening]]] = defaultdict(list)

        async def work(line: Line) -> None:
            while (item := await due.get()) is not None:
                await line.deliver(self._signed(*item))

        async def feed(lines: int) -> None:
            began = time.monotonic()
            for number, (customer, happening) in enumerate(sends):
                await asyncio.sleep(max(0.0, began + number / self._plan.per_second - time.monotonic()))
                ready = not happening.asks or customer.deal in self._ids
                (due.put_nowait if ready else later[customer.deal].append)((customer, happening))
                self._release(due, later)
            give_up = time.monotonic() + self._plan.patience
            while later:
                if time.monotonic() > give_up:
                    raise TimeoutError(f"seed {self._plan.seed}: no subscription for {', '.join(sorted(later))}")
                await asyncio.sleep(0.1)
                self._release(due, later)
            for _ in range(lines):
                due.put_nowait(None)

        await self._with_lines(lambda lines: [feed(len(lines)), *(work(line) for line in lines)])

    def _release(self, due: "asyncio.Queue[Any]", later: dict[str, list[tuple[Customer, Happening]]]) -> None:
        for deal in [deal for deal in later if deal in self._ids]:
            for item in later.pop(deal):
                due.put_nowait(item)

    async def _with_lines(self, work: Callable[[list[Line]], Sequence[Any]]) -> None:
        gateways = self._town.gateways
        lines = [Line(gateways[number % len(gateways)]) for number in range(SENDERS)]
        try:
            await asyncio.gather(*work(lines))
        finally:
            for line in lines:
                line.close()

    def _signed(self, customer: Customer, happening: Happening) -> bytes:
        body = happening.body(self._ids.get(customer.deal, {}))
        return signed(self._town.secret, f"/webhooks/{happening.source}", happening.id, body)

    async def _known(self, customer: Customer) -> None:
        give_up = time.monotonic() + self._plan.patience
        while customer.deal not in self._ids:
            if time.monotonic() > give_up:
                raise TimeoutError(f"seed {self._plan.seed}: no subscription for {customer.deal}")
            await asyncio.sleep(0.1)

    async def _look_for_ids(self) -> None:
        """What the ERP has made so far, as somebody who works in it sees it. Its API would list everything each time,
        and slow the box down for those who are measured."""
        path = self._town.settings.state_path / "sandbox.db"
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as erp:
            last = 0
            while True:
                made = erp.execute(
                    "SELECT n, json FROM documents WHERE kind = 'subscriptions' AND n > ? ORDER BY n", (last,)
                )
                for number, text in made.fetchall():
                    last, record = number, json.loads(text)
                    deal = record["contract"].split("/")[1]
                    self._ids[deal] = {SUBSCRIPTION: record["id"], CUSTOMER: record["customer"]}
                await asyncio.sleep(0.3)

    async def _trouble(self, seconds: float) -> None:
        """What goes wrong while the events are sent, which takes so long: one process after the other is killed."""
        began = time.monotonic()
        moments = sorted(self._dice.uniform(0.05, 0.95) * seconds for _ in VICTIMS)
        for victim, moment in zip(VICTIMS, moments, strict=True):
            await asyncio.sleep(max(0.0, began + moment - time.monotonic()))
            await self._town.kill(victim)
            self._report.killed.append(f"{victim} at {time.monotonic() - began:.1f} s")
            self._say(f"killed {victim}")
            await asyncio.sleep(self._dice.uniform(0.1, 1.0))
            await self._town.start(victim)

    # ── looking ─────────────────────────────────────────────────────────────────────────────────────────────────

    async def _until_quiet(self) -> None:
        """Everything that came in is settled and every effect done, and it stays so for a while."""
        give_up, quiet_since = time.monotonic() + self._plan.patience, 0.0
        restless: dict[str, int] = {}
        while time.monotonic() < give_up:
            restless = await self._town.database.read(_restless)
            if any(restless.values()):
                quiet_since = 0.0
            elif not quiet_since:
                quiet_since = time.monotonic()
            elif time.monotonic() - quiet_since > QUIET_FOR:
                return
            await asyncio.sleep(0.25)
        raise TimeoutError(f"seed {self._plan.seed}: not quiet after {self._plan.patience:.0f} s: {restless}")

    async def _endings(self, customers: Sequence[Customer]) -> list[Ending]:
        """Where each customer stands in Temporal, in the store and in the systems outside, its own names left out."""
        client, records = await self._town.client(), await self._town.records()
        company = wiring.read_company(self._town.settings)
        kept = await self._town.database.read(lambda session: _kept(session, company))
        endings = []
        for customer in customers:
            workflow = lifecycle_id(self._town.settings.tenant, customer.contract)
            handle = lifecycle_handle(client, workflow)
            view = await handle.query(CustomerLifecycle.view)
            ending = {**_lived(view), **kept[customer.contract], **_outside(records, customer)}
            endings.append(json.loads(json.dumps(ending, default=str).replace(customer.deal, "DEAL")))
        return endings


def _restless(session: Session) -> dict[str, int]:
    def count(query: Any) -> int:
        return session.exec(query).one()  # type: ignore[no-any-return]  # any query

    unsettled = col(InboxRow.state).not_in(("routed", "ignored", "dead"))
    return {
        "events": count(select(func.count()).select_from(InboxRow).where(unsettled)),
        "deliveries": count(select(func.count()).select_from(DeliveryRow).where(DeliveryRow.state == "pending")),
        "effects": count(select(func.count()).select_from(EffectRow).where(EffectRow.state != "DONE")),
    }


def _kept(session: Session, company: Company) -> dict[str, Ending]:
    """What the store holds of each contract. A level that was told as it stands without any fact is as good as none,
    and what was measured, whether a promise was kept in time and what leaked when, is the way, not the place."""
    unspoken = {level: news(standing(level, [], date.max, company)) for level in LEVELS}
    kept: dict[str, Ending] = defaultdict(lambda: {"told": {}, "facts": [], "cases": [], "refused": [], "order": {}})
    for told in session.exec(select(ToldRow)):
        if told.value != unspoken[told.level]:
            kept[told.contract]["told"][told.level] = told.value
    for fact in session.exec(select(FactRow).order_by(col(FactRow.kind), col(FactRow.entity_id))):
        kept[fact.contract]["facts"].append([fact.kind, fact.entity_id, fact.version, fact.data])
    for order in session.exec(select(OrderRow).order_by(col(OrderRow.revision))):
        kept[order.contract]["order"] = {**order.document, "deal_version": ""}
    open_now = select(CaseRow).where(CaseRow.state == "open", col(CaseRow.kind).not_in(MEASURED))
    for case in session.exec(open_now.order_by(col(CaseRow.id))):
        kept[case.contract or ""]["cases"].append([case.id, case.title, case.reasons])
    for row in session.exec(select(DeliveryRow).where(DeliveryRow.state == "refused")):
        kept[row.stream]["refused"].append([row.kind, row.answer])
    for dead in session.exec(select(InboxRow).where(InboxRow.state == "dead")):
        kept[f"crm/{dead.event_id.split(':')[0]}/1"]["refused"].append([dead.type, dead.reason])
    return kept


def _lived(view: LifecycleView) -> Ending:
    """The lifecycle's own view, without what tells the way rather than the place."""
    shown = {
        "stage",
        "risk",
        "renewal_priority",
        "lines",
        "milestones",
        "pending",
        "cases",
        "term",
        "term_starts",
        "term_ends",
    }
    seen = view.model_dump(mode="json", include=shown)
    return {**seen, "effects": sorted(view.effects)}


def _outside(records: dict[str, dict[str, list[dict[str, Any]]]], customer: Customer) -> Ending:
    """How often each effect is there, and what the levels show."""
    effects: dict[str, int] = {}
    for system, kinds in OF_CONTRACT:
        for kind in kinds:
            found = [each for each in records[system].get(kind, []) if each["contract"] == customer.contract]
            effects[kind] = len(found)
            if kind == "billing_starts":
                effects |= {
                    f"billing starts of {line}": count for line, count in Counter(e["line"] for e in found).items()
                }
    for system, kind, name in OF_ACCOUNT:
        effects[kind] = sum(each[name] == customer.account for each in records[system].get(kind, []))
    companies = {each["id"] for each in records["cs"]["companies"] if each["external_id"] == customer.account}
    health = [each for each in records["cs"].get("health", []) if each["company"] in companies]
    subscriptions = [each for each in records["erp"]["subscriptions"] if each["contract"] == customer.contract]
    deals = [each for each in records["crm"]["opportunities"] if each["Id"] == customer.deal]
    return {
        "effects outside": effects,
        "risk in CS": [[each["risk"], each["renewal_priority"], each["lifecycle_stage"]] for each in health],
        "quantities in the ERP": [
            [line["product"], line["quantity"]] for each in subscriptions for line in each["lines"]
        ],
        "status in the CRM": [[each.get("Tenure_Status__c"), each.get("Tenure_Renewal_Date__c")] for each in deals],
    }


def _differences(twin: Any, survivor: Any, path: str = "") -> Iterator[str]:
    if isinstance(twin, dict) and isinstance(survivor, dict):
        for name in sorted({*twin, *survivor}):
            yield from _differences(twin.get(name), survivor.get(name), f"{path}.{name}".lstrip("."))
    elif twin != survivor:
        yield f"{path}: in calm {json.dumps(twin)[:400]}, in the storm {json.dumps(survivor)[:400]}"
