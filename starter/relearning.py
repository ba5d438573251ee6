"""After the store was restored beside a current Temporal: what it has forgotten, the lifecycles still know.

Each is asked where it stands. Its view is published, so that cases and board are as they are; what it has made outside
is in the ledger again and finds its contract, so that news of it, which waited, is heard. An order that was corrected
since the backup is what its deal is in the CRM by now.
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import NamedTuple

from sqlmodel import Session
from temporalio.client import Client
from temporalio.service import RPCError

from domain import keys
from domain.books import VIEWS_PER_TASK, ViewRow
from domain.facts import DEAL
from domain.policies.account_risk import health_of
from domain.ports.records import RunRecord
from domain.standins import is_real
from domain.state import LifecycleState
from domain.view import LifecycleView
from starter.beginning import differs_id
from starter.handles import lifecycle_handle
from starter.reconciling.runs import Runs
from store.account_health import recall
from store.cases import resolve_case
from store.database import Database, insert_once, now
from store.facts import known_fact
from store.orders import keep_revision, newest_order
from store.relinking import RECORDS, relink
from store.tables import EffectRow, LifecycleRow, OrderRow
from store.views import publish_view
from workflows.lifecycle import CustomerLifecycle

PATIENCE = timedelta(seconds=10)


class Relearnt(NamedTuple):
    """Contracts by what came of them: asked, did not answer, and run though the store has no row of them."""

    asked: int
    silent: list[str]
    unknown: list[str]


async def relearn(database: Database, client: Client, tenant: str, homes: Mapping[str, str]) -> Relearnt:
    """Ask every running lifecycle. Said again it changes nothing; a newer view always stays. `homes`: the connection of
    each kind of system. Raises SourceUnavailable when Temporal or the store does not answer."""
    runs, cursor = Runs(client, tenant), None
    asked, silent, unknown = 0, list[str](), list[str]()
    while True:
        page = await runs.records("runs", cursor)
        for run in page.records:
            if not isinstance(run, RunRecord) or not run.running:
                continue
            if await database.read(lambda session: session.get(LifecycleRow, run.contract)) is None:  # noqa: B023
                unknown.append(run.contract)
                continue
            handle = lifecycle_handle(client, run.id)
            try:
                told = await handle.describe()
                view = await handle.query(CustomerLifecycle.view, rpc_timeout=PATIENCE)
                state = await handle.query(CustomerLifecycle.state, rpc_timeout=PATIENCE)
            except RPCError:
                silent.append(run.contract)
                continue
            row = ViewRow(
                contract=view.contract,
                run_started=told.start_time,
                sequence=told.history_length * VIEWS_PER_TASK,
                view=view.model_dump(mode="json"),
            )
            await database.write(lambda session: _learn(session, view, state, row, homes))  # noqa: B023
            asked += 1
        if (cursor := page.cursor) is None:
            return Relearnt(asked, silent, unknown)


def _learn(
    session: Session, view: LifecycleView, state: LifecycleState, row: ViewRow, homes: Mapping[str, str]
) -> None:
    if view.mode == "live":
        for key, id in view.effects.items():
            system = RECORDS.get(key.partition(":")[0])
            if system is not None and is_real(id):
                relink(session, view.contract, key, id, view.connections.get(system, homes.get(system, system)))
        key, clock = keys.activation(view.contract), now(session)
        if state.activated_on is not None and is_real(view.effects.get(key)):  # figures count from that day
            result = {"subscription": view.effects[key], "on": state.activated_on.isoformat()}
            operation = f"{view.connections.get('erp', homes.get('erp', 'erp'))}.activate_order"
            done = EffectRow(
                key=key, contract=view.contract, operation=operation, state="DONE", fence=0, arguments="relearnt",
                generation=1, asked_arguments="relearnt", asked_generation=1, lease_until=0.0, result=result,
                reason="relearnt", created_at=clock, updated_at=clock,
            )  # fmt: skip
            insert_once(session, done, keys=("key",))
        if state.risk is not None and state.company is not None:
            shown = view.connections.get("cs")
            scope = "" if shown in (None, homes.get("cs", "cs")) else shown
            recall(session, view.contract, health_of(state.risk, state.company, view.stage.value), scope)
    _recall_order(session, view, state.order_revision)
    publish_view(session, row)


def _recall_order(session: Session, view: LifecycleView, revision: int) -> None:
    """The revision by which the lifecycle goes, where the store has only older ones: as the deal was last heard of.
    What people had corrected here since the backup is lost with it."""
    newest = newest_order(session, view.contract)
    if newest is None or newest.revision >= revision:
        return
    deal = known_fact(session, view.contract, DEAL, view.deal)
    document = (deal.data["order"] if deal else None) or newest.document
    keep_revision(session, OrderRow(contract=view.contract, revision=revision, document=document, author="relearnt"))
    resolve_case(session, differs_id(view.contract))
