"""Differences between the systems, as the last reconciliations found them."""

from datetime import datetime
from typing import NamedTuple

from pydantic import BaseModel

from domain.reconciling.difference import Class, Difference, Reconciled, Status, System
from experience.reading.frame import Answer, Page, page_of, position
from store.database import Database
from store.differences import Differences
from store.reconciliations import Reconciliations


class Wanted(NamedTuple):
    """Which to list; None means all."""

    status: Status | None = "open"
    kind: str | None = None
    klass: Class | None = None
    system: System | None = None
    owner: str | None = None
    contract: str | None = None
    account: str | None = None


class Note(BaseModel):
    at: datetime
    by: str
    what: str


class DifferenceAnswer(Answer):
    """One difference and what was done about it, oldest first."""

    difference: Difference
    history: list[Note]


class ReconciliationAnswer(Answer):
    """How many differences there are, by status and class; the last run over all contracts that came to its end, and
    the newest one, however it stands."""

    counts: dict[str, dict[str, int]]
    last_run: Reconciled | None
    newest_run: Reconciled | None = None


async def differences(database: Database, wanted: Wanted, *, cursor: str | None, limit: int) -> Page[Difference]:
    """The oldest first."""
    after = position(cursor, [str])[0] if cursor is not None else None
    status = () if wanted.status is None else (wanted.status,)
    chosen = wanted._asdict() | {"status": status}
    rows = await Differences(database).list(**chosen, after=after, limit=limit + 1)
    return page_of(rows, limit, lambda each: [each.id], lambda each: each, _fresh(await _last_run(database)))


async def difference(database: Database, name: str) -> DifferenceAnswer | None:
    """By its id, or the beginning of it."""
    kept = Differences(database)
    found = await kept.get(name)
    if found is None:
        return None
    history = [Note(at=note.at, by=note.by, what=note.what) for note in await kept.notes(found.id)]
    return DifferenceAnswer(difference=found, history=history, freshness=_fresh(await _last_run(database)))


async def reconciliation(database: Database) -> ReconciliationAnswer:
    run, newest = await _last_run(database), await Reconciliations(database).list(limit=1)
    return ReconciliationAnswer(
        counts=await Differences(database).counts(),
        last_run=run,
        newest_run=newest[0] if newest else None,
        freshness=_fresh(run),
    )


async def _last_run(database: Database) -> Reconciled | None:
    return await Reconciliations(database).last()


def _fresh(run: Reconciled | None) -> dict[str, datetime | None]:
    return {source.source: source.as_of for source in run.sources} if run else {}
