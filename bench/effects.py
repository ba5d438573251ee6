"""What Tenure adds to one write in the ERP: the order read and mapped, the ledger's three transactions and the view.

The raw call and the same write as an activity performs it are made in turns, on SQLite and on PostgreSQL, against one
sandbox in a process of its own. Temporal's own time is not in it.
"""

import json
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from statistics import median, quantiles
from typing import Any

import httpx

from activities.effects import Effects
from activities.erp import ErpActivities, customer_of, subscription_of
from adapters.erp.sandbox import SandboxErp
from bench.process import running
from bench.town import ROOT, free_port
from domain import keys, projection
from domain.books import ViewRow
from domain.mapping import canonical, load_mapping
from domain.policies.validation import parse_order
from domain.state import LifecycleState
from domain.steps import CreateSubscription, Perform
from store.database import Database
from store.ledger import SqlLedger
from store.migrate import migrate
from store.orders import SqlOrders

WARM_UP = 10
STARTS, ENDS = date(2026, 1, 1), date(2027, 1, 1)


@dataclass(frozen=True)
class Added:
    """Milliseconds, of one kind of store. `added`: what each write took beyond the raw call beside it."""

    store: str
    raw: Sequence[float]
    added: Sequence[float]

    @property
    def median(self) -> float:
        return median(self.added)

    @property
    def p90(self) -> float:
        return quantiles(self.added, n=10)[-1]


async def effects(home: Path, stores: dict[str, str], *, writes: int) -> list[Added]:
    """`stores`: name → URL of an empty database. Each gets so many writes, each beside a raw one."""
    port = free_port()
    command = [sys.executable, "-m", "sandbox", "--port", str(port), "--db", str(home / "box.db")]
    box = f"http://127.0.0.1:{port}"
    async with AsyncExitStack() as stack:
        stack.enter_context(running(command, f"{box}/healthz", home / "box.log", {}))
        client = await stack.enter_async_context(
            httpx.AsyncClient(base_url=f"{box}/erp/", headers={"Authorization": "Bearer sandbox"}, trust_env=False)
        )
        customer = await _customer(client)
        writers = [_Writer(name, url, client, customer) for name, url in stores.items()]
        for writer in writers:
            stack.callback(writer.database.close)
        for number in range(-WARM_UP, writes):
            for writer in writers:
                await writer.write(number)
    return [Added(each.name, each.raw[WARM_UP:], each.added[WARM_UP:]) for each in writers]


class _Writer:
    """Makes subscriptions, one contract each, with one store."""

    def __init__(self, name: str, url: str, client: httpx.AsyncClient, customer: str) -> None:
        migrate(url)
        self.name = name
        self.database = Database(url)
        self.raw: list[float] = []
        self.added: list[float] = []
        self._client = client
        self._customer = customer
        self._orders = SqlOrders(self.database)
        self._erp = ErpActivities(SandboxErp(client), Effects(SqlLedger(self.database)), self._orders)
        self._document = _document()

    async def write(self, number: int) -> None:
        contract = f"crm/{self.name}-{number}/1"
        await self._orders.add(contract, self._document, "bench")
        step = CreateSubscription(
            key=keys.subscription(contract), revision=1, customer=self._customer, starts=STARTS, ends=ENDS
        )
        request = _request(contract, step)
        new = subscription_of(parse_order(self._document)[0], contract, step)
        body = new.model_dump(mode="json") | {"contract": f"{contract}-raw"}

        async def raw() -> Any:
            key = {"Idempotency-Key": f"{contract}-raw"}
            return (await self._client.post("subscriptions", json=body, headers=key)).raise_for_status().json()["id"]

        # whichever is first: what the other finds warm must not count for one of the two
        first, second = (raw, self._as_activity(request)) if number % 2 else (self._as_activity(request), raw)
        took = [await _milliseconds(first), await _milliseconds(second)]
        by_hand, ours = took if number % 2 else reversed(took)
        self.raw.append(by_hand)
        self.added.append(ours - by_hand)

    def _as_activity(self, request: Perform) -> Callable[[], Awaitable[Any]]:
        return lambda: self._erp.create_subscription(request)


async def _milliseconds(work: Callable[[], Awaitable[Any]]) -> float:
    began = time.perf_counter()
    await work()
    return (time.perf_counter() - began) * 1000


def _request(contract: str, step: CreateSubscription) -> Perform:
    now = datetime.now(UTC)
    state = LifecycleState(
        tenant="acme", contract=contract, account="acc", deal=contract.split("/")[1], selling_entity="ACME-DE"
    )
    seen = projection.view(state, now)
    view = ViewRow(contract=contract, run_started=now, sequence=1, view=seen.model_dump(mode="json"))
    return Perform(contract=contract, as_of=now, step=step, view=view)


async def _customer(client: httpx.AsyncClient) -> str:
    order = parse_order(_document())[0]
    made = await SandboxErp(client).create_customer(customer_of(order), key="customer:bench")
    return made.id


def _document() -> dict[str, Any]:
    mapping = load_mapping((ROOT / "examples" / "mappings" / "salesforce.toml").read_text())
    record = json.loads((ROOT / "examples" / "payloads" / "salesforce_new_hooli.json").read_text())
    return canonical(record, mapping)
