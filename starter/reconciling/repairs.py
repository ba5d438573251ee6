"""Repairing a difference: shown before it is done, kept before it is begun, done once, looked at afterwards."""

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Mapping
from contextlib import nullcontext, suppress
from dataclasses import dataclass
from datetime import date
from typing import Any, Protocol

from pydantic import TypeAdapter
from temporalio.exceptions import ApplicationError

from domain.base import Frozen
from domain.changes.kinds import Change, ChangeContract
from domain.errors import NotFound, TenureError
from domain.existing import Entry
from domain.ports.records import RecordMender
from domain.reconciling.difference import OPEN, Difference, Remedy
from domain.reconciling.ground import Ground, Unrepairable
from domain.reconciling.mends import (
    MENDS,
    Adopt,
    Amended,
    Close,
    Correct,
    Mend,
    Redo,
    Relink,
    Retire,
    Tell,
    filled,
    words,
)
from domain.reconciling.repairing import repair
from domain.reconciling.taking import TakeOver
from domain.steps import Perform, Performed
from starter.mistakes import Mistake, Refusal
from starter.reconciling.reconciler import Reconciler
from store.database import Database
from store.difference_tables import RepairRow
from store.differences import Differences, settle
from store.imports import Conflict, record_effects
from store.lifecycles import Lifecycles
from store.orders import newest_order
from store.relinking import forget, relink
from store.tables import LifecycleRow, utc_now
from store.views import SqlViews

SHOWN_AFTER = 50  # tenths of a second
_CHANGE: TypeAdapter[Change] = TypeAdapter(Change)

Performing = Callable[[str, Perform], Awaitable[Performed]]
"""Performs a step at a connection, as a worker would: by the same activity, under the same ledger."""


class Lives(Protocol):
    """The way to running lifecycles. Raises Refusal with a lifecycle's reason, Mistake when nobody answers."""

    async def take_over(self, life: LifecycleRow, command: TakeOver) -> None: ...
    async def change(self, life: LifecycleRow, command: ChangeContract) -> None: ...
    async def adopt(self, workflow: str) -> LifecycleRow: ...


class Preview(Frozen):
    """What a repair would do, in words and in order."""

    difference: Difference
    remedy: Remedy
    steps: tuple[str, ...]


@dataclass(frozen=True)
class Hands:
    """What a repair acts with. `menders`: by the connection's name."""

    perform: Performing
    menders: Mapping[str, RecordMender]
    lives: Lives


class Repairs:
    """Whoever dies in between says it again: what was begun is finished first, whatever is asked."""

    def __init__(self, database: Database, reconciler: Reconciler, hands: Hands) -> None:
        self._db = database
        self._reconciler = reconciler
        self._hands = hands
        self._differences = Differences(database)
        self._lifecycles = Lifecycles(database)
        self._views = SqlViews(database)

    async def preview(
        self, id: str, remedy: Remedy, *, by: str, reason: str = "", choice: str | None = None
    ) -> Preview:
        """Nothing is written. Raises Mistake for what can't be repaired so."""
        difference = await self._open(id)
        mends = await self._decide(difference, remedy, by, reason, choice)
        return Preview(difference=difference, remedy=remedy, steps=tuple(map(words, mends)))

    async def repair(self, id: str, remedy: Remedy, *, by: str, reason: str, choice: str | None = None) -> Difference:
        """The difference as it is afterwards. Raises Mistake, with what went wrong; said again, it goes on."""
        if not reason.strip():
            raise Mistake("a repair is made for a reason; give it with --reason")
        difference = await self._open(id)
        mends = await self._decide(difference, remedy, by, reason, choice)
        asked = RepairRow(
            difference=difference.id, remedy=remedy, by=by, reason=reason, results=[],
            mends=MENDS.dump_python(mends, mode="json"),
        )  # fmt: skip
        begun = await self._differences.begin_repair(asked)
        await self._go_on(begun)
        return await self._seen_after(difference, by)

    async def ignore(self, id: str, *, by: str, reason: str, until: date) -> Difference:
        if not reason.strip():
            raise Mistake("a difference is ignored for a reason; give it with --reason")
        if until <= utc_now().date():
            raise Mistake(f"{until} is over: a difference is ignored until a day to come")
        ignored = await self._differences.ignore((await self._open(id)).id, by, reason, until)
        if ignored is None:
            raise Mistake(f"{id} is settled already")
        return ignored

    # ── deciding ────────────────────────────────────────────────────────────────────────────────────────────────

    async def _open(self, id: str) -> Difference:
        difference = await self._differences.get(id)
        if difference is None:
            raise Mistake(f"there is no difference {id}, or several begin so")
        if difference.status not in OPEN:
            raise Mistake(f"{difference.id} is settled already: {difference.settled}")
        return difference

    async def _decide(
        self, difference: Difference, remedy: Remedy, by: str, reason: str, choice: str | None
    ) -> list[Mend]:
        sharing = (
            [] if difference.klass == "orphaned" and difference.contract is None else await self._sharing(difference)
        )
        e = sharing[0] if sharing else None
        order = await self._db.read(lambda session: newest_order(session, e.contract)) if e else None
        ground = Ground(
            difference=difference,
            e=e,
            sharing=sharing,
            revision=order.revision if order else 1,
            today=utc_now().date(),
            by=by,
            reason=reason,
            key=f"repair:{difference.id}:{secrets.token_hex(4)}",
            choice=choice,
        )
        try:
            return repair(ground, remedy)
        except Unrepairable as error:
            raise Mistake(str(error)) from None

    async def _sharing(self, difference: Difference) -> Any:
        return [each for each in await self._reconciler.expected_of(difference) if difference.contract or not each.over]

    # ── acting ──────────────────────────────────────────────────────────────────────────────────────────────────

    async def _go_on(self, row: RepairRow) -> None:
        """From the first mend that is not known to be done. Each is once, or a LEVEL."""
        number = row.id or 0
        mends, results = MENDS.validate_python(row.mends), list(row.results)
        for mend in mends[len(results) :]:
            now = filled(mend, results)
            try:
                results.append(await self._do(now, number))
            except (TenureError, ApplicationError, Mistake) as error:
                lasting = _lasts(error)
                what = f"{words(now)}: {error}"
                await self._differences.advance_repair(number, results, "failed" if lasting else "begun", what)
                again = "" if lasting else "; said again, it goes on from there"
                raise Mistake(f"could not {what}{again}") from None
            await self._differences.advance_repair(number, results)
        done = "; ".join(words(filled(mend, results)) for mend in mends)
        await self._differences.advance_repair(number, results, "done", done)

    async def _do(self, mend: Mend, number: int) -> str:
        match mend:
            case Correct(connection=connection, correction=correction, if_there=if_there):
                with suppress(NotFound) if if_there else nullcontext():
                    await self._mender(connection).correct(correction)
            case Retire(connection=connection, kind=kind, id=id):
                await self._mender(connection).retire(kind, id)
            case Redo(contract=contract, connection=connection, step=step, lost=lost):
                if lost is not None:
                    await self._db.write(lambda session: forget(session, step.key, lost))
                request = Perform(contract=contract, as_of=utc_now(), step=step)
                return (await self._hands.perform(connection, request)).id
            case Relink(contracts=contracts, key=key, id=id, connection=connection):
                await self._db.write(lambda session: relink(session, contracts[0], key, id, connection))
                for contract in contracts:
                    command = TakeOver(by="reconciliation", reason="the record outside is another", links={key: id})
                    await self._hands.lives.take_over(await self._life(contract), command)
                    await self._shown(contract, {key: id})
                return id
            case Tell(contract=contract, command=command, entries=entries):
                known = {key: Entry(_operation(key), "reconciled", {"id": id}) for key, id in entries.items()}
                try:
                    await self._db.write(lambda session: record_effects(session, contract, known))
                except Conflict as conflict:  # a step of the lifecycle is under way meanwhile
                    raise Mistake(str(conflict)) from None
                await self._hands.lives.take_over(await self._life(contract), command)
                await self._shown(contract, entries)
            case Amended(contract=contract, change=change):
                asked = ChangeContract(id=f"rec-{number}", by="reconciliation", change=_CHANGE.validate_python(change))
                await self._hands.lives.change(await self._life(contract), asked)
            case Close(contract=contract):
                await self._lifecycles.mark_closed(contract)
            case Adopt(workflow=workflow):
                await self._lifecycles.add(await self._hands.lives.adopt(workflow))
        return ""

    async def _shown(self, contract: str, effects: Mapping[str, str]) -> None:
        """Until the store shows what the lifecycle was told; not for long, since the next run sees it too."""
        for _ in range(SHOWN_AFTER):
            view = await self._views.get(contract)
            if view is not None and effects.items() <= view.effects.items():
                return
            await asyncio.sleep(0.1)

    def _mender(self, connection: str) -> RecordMender:
        if connection not in self._hands.menders:
            raise Mistake(f"records of {connection} can't be set right from here; do it there")
        return self._hands.menders[connection]

    async def _life(self, contract: str) -> LifecycleRow:
        life = await self._lifecycles.get(contract)
        if life is None:
            raise Mistake(f"{contract} has no lifecycle")
        return life

    async def _seen_after(self, difference: Difference, by: str) -> Difference:
        """Looked at again: what is gone closes."""
        if difference.klass == "orphaned" and difference.contract is None:
            await self._db.write(lambda session: settle(session, difference.id, f"repaired by {by}"))
        else:
            for e in (await self._reconciler.expected_of(difference))[:1]:
                await self._reconciler.one(e.contract)
        return await self._differences.get(difference.id) or difference


def _lasts(error: Exception) -> bool:
    """Whether trying again can't help."""
    if isinstance(error, ApplicationError):
        return error.non_retryable
    if isinstance(error, TenureError):
        return not error.retried
    return isinstance(error, Refusal)


def _operation(key: str) -> str:
    names = {"billing-start": "start_billing", "renewal": "renew_subscription", "ending": "end_subscription"}
    return f"erp.{names[key.partition(':')[0]]}"
