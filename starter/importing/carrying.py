"""A lifecycle's whole state as JSON, and back in: the way to a new Temporal server and a new store.

An export is read while the lifecycle lives; it must not live on in both houses, so the old one is taken down first.
"""

import json
from collections.abc import AsyncIterator, Iterable
from typing import Any

from pydantic import ValidationError
from temporalio.service import RPCError

from domain.counting import many
from domain.state import LifecycleState
from starter.importing.machine import start_lifecycle
from starter.mistakes import Mistake
from starter.office import Office
from store.carrying import Rows, contracts, let_go, pack, pack_installation, unpack, waiting
from store.tables import LifecycleRow

FORMAT = 1


async def exported(office: Office, names: Iterable[str]) -> AsyncIterator[dict[str, Any]]:
    """Each lifecycle as one JSON object. Raises Mistake where events wait to be delivered: they would stay behind."""
    for name in names:
        yield await _exported(office, await office.find(name))


async def _exported(office: Office, life: LifecycleRow) -> dict[str, Any]:
    if count := await office.database.read(lambda session: waiting(session, life.contract)):
        raise Mistake(f"{many(count, 'event')} of {life.contract} must be delivered first; let the dispatcher do that")
    state = None if life.closed else await office.state(life)
    # after the state: what the ledger knows more than the state is found there when the step is done again
    shared = state.effects.keys() if state is not None else ()
    rows = await office.database.read(lambda session: pack(session, life.contract, shared))
    whole = None if state is None else state.model_dump(mode="json")
    return {"tenure": FORMAT, "contract": life.contract, "state": whole, "rows": rows}


async def exported_all(office: Office) -> AsyncIterator[dict[str, Any]]:
    """Every lifecycle, and what belongs to no one of them."""
    yield {"tenure": FORMAT, "rows": await office.database.read(pack_installation)}
    async for each in exported(office, await office.database.read(contracts)):
        yield each


class Carrier:
    """Brings exported lifecycles into this house. Said again after a crash it goes on, and repeats nothing."""

    def __init__(self, office: Office, *, task_queue: str) -> None:
        self._office = office
        self._task_queue = task_queue

    async def bring(self, lines: Iterable[tuple[str, str]]) -> dict[str, str]:
        """Lines with their places; what became of each contract. Raises Mistake before anything is written when one
        can't be read."""
        return {name: await self._enter(rows, state) for name, rows, state in [*map(_read, lines)]}

    async def _enter(self, rows: Rows, state: LifecycleState | None) -> str:
        database = self._office.database
        new = await database.write(lambda session: unpack(session, rows))
        if state is None:
            return "kept" if new or "lifecycles" not in rows else "was here already"
        try:
            await start_lifecycle(self._office.client, state, task_queue=self._task_queue)
        except RPCError as error:
            raise Mistake(f"Temporal does not answer ({error.message}); say it again") from None
        await database.write(lambda session: let_go(session, state.contract))
        return "lives on" if new else "was here already"


def _read(line: tuple[str, str]) -> tuple[str, Rows, LifecycleState | None]:
    place, text = line
    try:
        entry = json.loads(text)
        if entry["tenure"] != FORMAT:
            raise Mistake(f"{place}: it is of format {entry['tenure']}, and this version reads {FORMAT}")
        state = entry.get("state")
        return (
            str(entry.get("contract", "the installation")),
            dict(entry["rows"]),
            None if state is None else LifecycleState.model_validate(state),
        )
    except (ValueError, TypeError, KeyError, ValidationError) as error:
        raise Mistake(f"{place} is no export: {str(error).splitlines()[0]}") from None
