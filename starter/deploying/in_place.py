"""A deploy on one machine: the worker begins again with the new code, which then lives each lifecycle again once, so
that one that it can't live is found today, not when its next date comes.

A question replays a lifecycle and writes nothing: what has been visited is kept in the store, and a deploy that died
goes on there.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import asdict, dataclass, field
from datetime import timedelta
from typing import Any

from sqlmodel import Session, col, func, select
from temporalio.client import Client, WorkflowHandle, WorkflowQueryFailedError
from temporalio.service import RPCError, RPCStatusCode

from domain.counting import many
from starter.deploying.pinned import Gate, Pace, Rolled, Say, passed
from starter.deploying.versions import Versions
from starter.mistakes import Mistake, Refusal
from store.database import Database
from store.settings import set_setting, setting
from store.tables import LifecycleRow

VISIT = "deploy_visit"
QUESTION = "__temporal_workflow_metadata"
ANSWER = timedelta(seconds=10)
FAILED_BEFORE = 90.0
"""Seconds that one has whose last task failed: it can't be asked before Temporal tries that task again."""
BATCH = 50
QUIET = 30.0
"""Seconds without any answer after which it is said."""


@dataclass
class Visit:
    """How far a build has looked at the lifecycles: up to which contract, in their order, how many, and which of them
    it can't live."""

    build: str = ""
    upto: str = ""
    visited: int = 0
    over: bool = False
    stuck: list[str] = field(default_factory=list)


def read_visit(session: Session) -> Visit:
    found = setting(session, VISIT)
    return Visit(**json.loads(found)) if found else Visit()


def open_lives(session: Session) -> int:
    """How many lifecycles run, as far as the store knows."""
    return session.exec(select(func.count()).select_from(LifecycleRow).where(*_OPEN)).one()


_OPEN = (col(LifecycleRow.started), ~col(LifecycleRow.closed))


async def deploy(
    client: Client,
    database: Database,
    versions: Versions,
    build: str,
    gate: Gate,
    pace: Pace,
    say: Say,
    *,
    restart: Callable[[], None] | None,
) -> Rolled:
    """Have the worker begin again with this code, and look at every lifecycle with it. Raises Refusal where the gate is
    red, or another version still works beside this one. `restart`: None where the workers are not ours to begin again.
    """
    await passed(gate)
    say("the replay gate is green")
    if restart is not None:
        await asyncio.to_thread(restart)
        say(f"the worker has begun again, with {build}")
    else:
        await _alone(versions, build)
    visit = await database.read(read_visit)
    if visit.build != build or visit.over:
        visit = Visit(build)
    silence = Silence(pace.patience, say)
    async for batch in _batches(database, visit.upto):
        found = await asyncio.gather(
            *(_looked_at(client, life, at / pace.rate, silence) for at, life in enumerate(batch))
        )
        visit.upto, visit.visited = batch[-1].contract, visit.visited + len(batch)
        visit.stuck += [workflow_id for workflow_id in found if workflow_id]
        await _keep(database, visit)
        say(f"{many(visit.visited, 'lifecycle was', 'lifecycles were')} looked at")
    visit.over = True
    await _keep(database, visit)
    return Rolled(build, visit.visited, stuck=visit.stuck)


async def _alone(versions: Versions, build: str) -> None:
    polling = await versions.polling()
    if build not in polling:
        raise Refusal(f"no worker of version {build} is up: begin the workers again with this code, then say it again")
    if others := sorted(each for each in polling if each != build):
        raise Refusal(
            f"workers of version {', '.join(others)} were at work a minute ago: stop them, and say it again then"
        )


async def _keep(database: Database, visit: Visit) -> None:
    await database.write(lambda session: set_setting(session, VISIT, json.dumps(asdict(visit))))


async def _batches(database: Database, upto: str) -> AsyncIterator[list[LifecycleRow]]:
    while True:
        query = select(LifecycleRow).where(*_OPEN, col(LifecycleRow.contract) > upto)
        query = query.order_by(col(LifecycleRow.contract)).limit(BATCH)
        batch = list(await database.read(lambda session, query=query: session.exec(query).all()))  # type: ignore[misc]  # bound now
        if not batch:
            return
        yield batch
        upto = batch[-1].contract


class Silence:
    """How long nobody has answered. A worker that has just begun has much to replay: one that waits for long while
    others are answered is no reason to give up."""

    def __init__(self, patience: float, say: Say) -> None:
        self._patience, self._say = patience, say
        self._clock = asyncio.get_running_loop().time
        self._since = self._said = self._clock()

    def broken(self) -> None:
        self._since = self._said = self._clock()

    def lasts(self, contract: str) -> None:
        """Raises Mistake when it has lasted too long."""
        now = self._clock()
        if now - self._since >= self._patience:
            raise Mistake(f"{contract} does not answer: is the worker up? Said again, it goes on")
        if now - self._said >= QUIET:
            self._said = now
            self._say(f"no lifecycle has answered for {now - self._since:.0f} s: is the worker up?")


async def _looked_at(client: Client, life: LifecycleRow, after: float, silence: Silence) -> str | None:
    """The workflow id, where this code can't live it. Raises Mistake when nobody answers."""
    await asyncio.sleep(after)
    give_up = asyncio.get_running_loop().time() + FAILED_BEFORE
    handle = client.get_workflow_handle(life.workflow_id)
    while True:
        try:
            await _at_rest(handle)
            await handle.query(QUESTION, rpc_timeout=ANSWER)
        except WorkflowQueryFailedError:
            silence.broken()
            return life.workflow_id
        except RPCError as error:
            if error.status is RPCStatusCode.NOT_FOUND:
                return None
            if error.status is RPCStatusCode.FAILED_PRECONDITION:
                if asyncio.get_running_loop().time() > give_up:
                    return life.workflow_id
                await asyncio.sleep(1)
            elif error.status in (RPCStatusCode.DEADLINE_EXCEEDED, RPCStatusCode.CANCELLED):
                silence.lasts(life.contract)
                await asyncio.sleep(0.1)
            else:
                raise Mistake(f"Temporal does not answer: {error.message}; said again, it goes on") from None
        else:
            silence.broken()
            return None


async def _at_rest(handle: WorkflowHandle[Any, Any]) -> None:
    """Wait, for a while, until nothing of it is under way: a question must not meet an activity's end (ADR 40)."""
    give_up = asyncio.get_running_loop().time() + ANSWER.total_seconds()
    while asyncio.get_running_loop().time() < give_up:
        found = (await handle.describe(rpc_timeout=ANSWER)).raw_description
        if not found.pending_activities and not found.HasField("pending_workflow_task"):
            return
        await asyncio.sleep(0.1)
