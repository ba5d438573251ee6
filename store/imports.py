"""Contracts that lived before Tenure, on their way in: read → checked → known → shadow → promoted, or refused.

Each step is one transaction, so that whoever dies in between goes on where it stood.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import date
from typing import Any, NamedTuple

from sqlmodel import Session, col, func, select, update

from domain.existing import Entry
from domain.routes import any_of
from domain.standins import is_real
from store.database import Database, change, insert_once, now, take_turn
from store.inbox import ROUTING, unpark
from store.lifecycles import add_lifecycle, find_contract, link_new
from store.orders import add_order
from store.tables import EffectRow, LifecycleRow, utc_now
from store.transit import ImportRow

BEFORE_ENTRY = ("read", "checked", "refused")
"""States in which a contract may still be read anew, with other facts."""

IDS = ("customer", "subscription", "company", "opportunity")
"""Records outside that a file may name later than the rest."""


class Conflict(Exception):
    """Why a contract can't become known, in words."""


class Known(NamedTuple):
    """What a contract brings into the store when it becomes known.

    `aliases`: (system, kind, id) of records outside that find it; those in `shared` may find another contract, too.
    `effects`: what is done, by key.
    """

    life: LifecycleRow
    aliases: Collection[tuple[str, str, str]]
    shared: Collection[tuple[str, str, str]]
    effects: Mapping[str, Entry]


class Imports:
    def __init__(self, database: Database) -> None:
        self._db = database

    async def read(self, rows: Sequence[ImportRow]) -> int:
        """Keep contracts as they were read; returns how many are new, or have changed before they were known."""
        return await self._db.write(lambda session: sum(_read(session, row) for row in rows))

    async def waiting(self, states: Collection[str], limit: int = 1000, after: str = "") -> Sequence[ImportRow]:
        """The contracts in these states, by their ids."""
        query = select(ImportRow).where(col(ImportRow.state).in_(states), ImportRow.contract > after)
        return await self._db.read(
            lambda session: session.exec(query.order_by(col(ImportRow.contract)).limit(limit)).all()
        )

    async def get(self, contract: str) -> ImportRow | None:
        return await self._db.read(lambda session: session.get(ImportRow, contract))

    async def counts(self) -> dict[str, int]:
        query = select(ImportRow.state, func.count()).group_by(ImportRow.state)
        return dict(await self._db.read(lambda session: session.exec(query).all()))

    async def settle(self, contract: str, was: str, state: str, **values: Any) -> bool:
        """From one state to the next. False, and nothing is changed, when somebody else has moved it meanwhile."""
        return await self._db.write(lambda session: move(session, contract, was, state, **values))

    async def know(self, contract: str, known: Known) -> None:
        """Everything that the store holds of a contract, in one transaction. Raises Conflict."""

        def know(session: Session) -> None:
            take_turn(session, ROUTING)  # a deal of the same account may be routed just now
            row = session.get_one(ImportRow, contract, with_for_update=True)
            if row.state != "checked":
                return
            make_known(session, row, known)
            row.state, row.document, row.changed_at = "known", None, utc_now()

        await self._db.write(know)

    async def entered(self, contract: str) -> None:
        """Its lifecycle runs, in shadow."""

        def entered(session: Session) -> None:
            if move(session, contract, "known", "shadow"):
                started = update(LifecycleRow).where(col(LifecycleRow.contract) == contract).values(started=True)
                change(session, started)

        await self._db.write(entered)

    async def record(self, contract: str, effects: Mapping[str, Entry]) -> None:
        """What the old process turns out to have done stands in the ledger, before the lifecycle may act."""
        await self._db.write(lambda session: record_effects(session, contract, effects))


def move(session: Session, contract: str, was: str, state: str, **values: Any) -> bool:
    here = (col(ImportRow.contract) == contract, col(ImportRow.state) == was)
    return change(session, update(ImportRow).where(*here).values(state=state, changed_at=utc_now(), **values)) == 1


def is_entering(session: Session, contract: str) -> bool:
    """Whether a contract is known, and its lifecycle has not been started yet: it can't be told anything now."""
    row = session.get(ImportRow, contract)
    return row is not None and row.state == "known"


def make_known(session: Session, row: ImportRow, known: Known) -> None:
    """Raises Conflict where something of it belongs to another contract."""
    life = known.life
    if not add_lifecycle(session, life):
        raise Conflict("it has a lifecycle already")
    add_order(session, life.contract, row.document or {}, "import")
    for system, kind, foreign_id in (*known.aliases, *known.shared):
        new = link_new(session, system, kind, foreign_id, life.contract)
        other = None if new else find_contract(session, system, kind, foreign_id)
        if other not in (None, life.contract) and (system, kind, foreign_id) not in known.shared:
            raise Conflict(f"the {system} {kind} {foreign_id} belongs to {other}")
        of = "crm" if system == "crm" else "erp"
        unpark(session, *(f"{name}:{kind}:{foreign_id}" for name in dict.fromkeys((system, of, any_of(of)))))
    unpark(session, f"tenure:contract:{life.contract}", f"crm:account:{life.account}")
    record_effects(session, life.contract, known.effects)


def record_effects(session: Session, contract: str, effects: Mapping[str, Entry]) -> None:
    """Ledger rows of what is done already, so that it can never be done again; also where a step of ours was given up
    before anything was sent. Raises Conflict where the ledger has another record, or a step is under way."""
    clock = now(session)
    for key, (operation, arguments, result) in effects.items():
        done = EffectRow(
            key=key,
            contract=contract,
            operation=operation,
            state="DONE",
            fence=0,
            arguments=arguments,
            generation=1,
            asked_arguments=arguments,
            asked_generation=1,
            lease_until=0.0,
            result=result,
            reason="done before Tenure",
            created_at=clock,
            updated_at=clock,
        )
        if insert_once(session, done, keys=("key",)):
            continue
        there = session.get_one(EffectRow, key, with_for_update=True)
        unreal = there.state == "DONE" and not is_real((there.result or {}).get("id"))
        if unreal or there.state == "RELEASED":
            there.state, there.result, there.updated_at = "DONE", result, clock
        elif there.state != "DONE" or (there.result or {}).get("id") != result["id"]:
            found = (there.result or {}).get("id") or f"one that is {there.state.lower()}"
            raise Conflict(f"the ledger has {found} for {key}, and not {result['id']}")


def entered_on(row: ImportRow) -> date:
    """The day of the check; a row that was never checked has none."""
    if row.entered_on is None:
        raise ValueError(f"{row.contract} has not been checked")
    return row.entered_on


def _read(session: Session, row: ImportRow) -> bool:
    if insert_once(session, row, keys=("contract",)):
        return True
    there = session.get_one(ImportRow, row.contract, with_for_update=True)
    if there.state == "shadow":
        return _complete(there, row)
    same = (there.document, there.existing, there.cut_over) == (row.document, row.existing, row.cut_over)
    if there.state not in BEFORE_ENTRY or (same and there.state != "refused"):
        return False
    there.sqlmodel_update(row.model_dump(exclude={"contract"}))
    there.state, there.reasons, there.entered_on, there.changed_at = "read", [], None, utc_now()
    return True


def _complete(there: ImportRow, row: ImportRow) -> bool:
    """Ids that were missing, and that the file names by now: what a promotion needs. Nothing else changes in shadow."""
    told = {name: row.existing[name] for name in IDS if row.existing.get(name) and not there.existing.get(name)}
    there.existing = {**there.existing, **told}
    return bool(told)
