"""A run of reconciliation: read everything, compare contract by contract, look again before anything is said."""

import asyncio
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import get_args

import structlog

from domain.errors import TenureError
from domain.reconciling.comparing import compare
from domain.reconciling.difference import Difference, Found, Reconciled, System
from domain.reconciling.expected import Expected, expected
from domain.reconciling.kinds import KINDS, kind_of
from domain.reconciling.unseen import unseen
from starter.reconciling.harvest import Harvest
from starter.reconciling.orphans import orphans
from starter.reconciling.reading import Sources, read_about, read_all
from starter.reconciling.runs import CONNECTION
from starter.tracing import span
from store.database import Database
from store.differences import Compared, Differences, known_among, record
from store.known import KnownContract, of, of_account, page
from store.reconciliations import Reconciliations
from store.tables import utc_now

log = structlog.get_logger()

PAGE = 200
AT_ONCE = 8
"""Contracts that are looked at again at once; each system's own limits hold besides."""
HOMES = {"crm": "crm", "erp": "erp", "cs": "cs", "workflow": CONNECTION}
SYSTEMS: Collection[str] = get_args(System)
SETTLE = timedelta(seconds=30)
_SHARED = frozenset(name for name, kind in KINDS.items() if kind.klass != "orphaned")


class Reconciler:
    """`homes`: the connection of each kind that serves contracts which name none. `settle`: how long a contract must
    have been at rest; one that moves is compared next time.

    Nothing here asks a workflow: what is known comes from the store, and Temporal is only listed.
    """

    def __init__(
        self, database: Database, sources: Sources, homes: Mapping[str, str], *, settle: timedelta = SETTLE
    ) -> None:
        self._db = database
        self._sources = sources
        self._homes = {**HOMES, **homes}
        self._settle = settle
        self._differences = Differences(database)
        self._runs = Reconciliations(database)

    async def run(self, begun: int | None = None) -> Reconciled:
        """Everything, once, as the run that was `begun` where one was. A system that can't be read is left out, and
        what is known of it stays as it is."""
        return await self._run(begun or await self._runs.begin())

    async def run_if_due(self, every: timedelta) -> Reconciled | None:
        """The same, unless somebody has begun one within that time."""
        run = await self._runs.begin_if_due(every)
        return None if run is None else await self._run(run)

    async def _run(self, run: int) -> Reconciled:
        with span("reconcile", parent="", run=run):
            async with self._runs.alive(run):
                return await self._reconcile(run)

    async def _reconcile(self, run: int) -> Reconciled:
        harvest, began = Harvest(), utc_now()
        try:
            fresh = await asyncio.gather(*(read_all(source, harvest) for source in self._sources.values()))
            readable = {each.source for each in fresh if each.as_of is not None}
            for each in fresh:
                if each.problem:
                    log.warning("a system can't be reconciled now", connection=each.source, error=each.problem)
            totals = await self._compare_all(harvest, readable, began)
            return await self._runs.end(run, sources=[each.model_dump(mode="json") for each in fresh], **totals)
        finally:
            await asyncio.to_thread(harvest.close)

    async def one(self, contract: str) -> Sequence[Difference]:
        """One contract, with those of the same account, read now; returns what is open about them. Raises what a
        system that does not answer raises."""
        began = utc_now()
        named = await self._db.read(lambda session: of(session, [contract]))
        if not named:
            return []
        account = named[0].life.account
        contracts = await self._db.read(lambda session: of_account(session, account))
        here = self._expected(contracts, at_once=True)
        found = await self._look_again(here.values(), strictly=True)
        systems = {source.system for source in self._sources.values()}
        whole = [account] if len(here) == len(contracts) else []
        about = Compared(systems, list(here), whole, unseen=_unseen(here.values(), found), as_of=began)
        await self._db.write(lambda session: record(session, found, about))
        ours = await self._differences.list(status=("open", "ignored"), account=account)
        return [each for each in ours if each.contract in (contract, None)]

    async def expected_of(self, difference: Difference) -> list[Expected]:
        """Its contract; of what an account's contracts share, all of them."""
        contract, account = difference.contract, difference.account
        if contract is not None:
            known = await self._db.read(lambda session: of(session, [contract]))
        else:
            known = await self._db.read(lambda session: of_account(session, account))
        return list(self._expected(known, at_once=True).values())

    # ── comparing ───────────────────────────────────────────────────────────────────────────────────────────────

    async def _compare_all(self, harvest: Harvest, readable: set[str], began: datetime) -> dict[str, int]:
        totals = dict.fromkeys(("contracts", "waiting", "found", "new", "healed"), 0)
        shared: dict[str, Found] = {}
        hidden: dict[str, frozenset[str]] = {}  # by the account: what was not compared of one of its contracts
        after = ""
        while contracts := await self._db.read(lambda session: page(session, after, PAGE)):  # noqa: B023
            after = contracts[-1].life.contract
            here = self._expected(contracts)
            found = await asyncio.to_thread(self._compare, here.values(), harvest, readable)
            found = await self._confirmed(found, here)
            shared |= {each.id: each for each in found if each.contract is None}
            own = [each for each in found if each.contract is not None]
            unknown = _unseen(here.values(), found)
            for account, left in _of_accounts(contracts, here, unknown):
                hidden[account] = hidden.get(account, frozenset()) | left
            for kinds, names in self._read_of(here.values(), readable).items():
                about = Compared(kinds, names, unseen=unknown, as_of=began)
                mine = [each for each in own if each.contract in names]
                new, gone = await self._db.write(lambda session: record(session, mine, about))  # noqa: B023
                totals["new"] += len(new)
                totals["healed"] += gone
            totals["contracts"] += len(contracts)
            totals["waiting"] += len(contracts) - len(here)
            totals["found"] += len(own)
        alone = [*shared.values(), *await orphans(self._db, harvest, self._sources, readable)]
        unread = {source.system for name, source in self._sources.items() if name not in readable}
        systems = {source.system for source in self._sources.values()} - unread
        about = Compared(systems, whole=True, unseen=hidden, as_of=began)
        new, gone = await self._db.write(lambda session: record(session, alone, about))
        totals["found"] += len(alone)
        totals["new"] += len(new)
        totals["healed"] += gone
        return totals

    def _expected(self, contracts: Iterable[KnownContract], *, at_once: bool = False) -> dict[str, Expected]:
        """What the outside should hold of those that act on it, and rest; `at_once`: whether they do or not."""
        found = {}
        for each in contracts:
            moving = each.rests is not None and each.rests < self._settle and not at_once
            if each.view is None or each.view.mode != "live" or moving:
                continue
            company = next((ref for key, ref in each.view.effects.items() if key.startswith("company:")), "")
            found[each.life.contract] = expected(
                each.view,
                each.document,
                ledger=each.ledger,
                health=each.shown.get(company),
                sole=each.sole,
                homes=self._homes,
                closed=each.life.closed,
            )
        return found

    def _compare(self, contracts: Iterable[Expected], harvest: Harvest, readable: set[str]) -> list[Found]:
        found: dict[str, Found] = {}
        for e in contracts:
            outside = harvest.about(e, self._kinds(e, readable), e.connections)
            found |= {each.id: each for each in compare(e, outside)}
        return list(found.values())

    async def _confirmed(self, found: Sequence[Found], here: Mapping[str, Expected]) -> list[Found]:
        """What is new is looked at again, since it may have changed while everything was read."""
        old = await self._db.read(lambda session: known_among(session, [each.id for each in found]))
        new = [each for each in found if each.id not in old]
        if not new:
            return list(found)
        names = {each.contract for each in new}
        accounts = {each.account for each in new if each.contract is None}
        suspects = [name for name, e in here.items() if name in names or e.account in accounts]
        again = self._expected(await self._db.read(lambda session: of(session, suspects)))
        systems = {kind_of(each.kind).system for each in new}
        still = {each.id: each for each in await self._look_again(again.values(), systems)}
        return [still.get(each.id, each) for each in found if each.id in old or each.id in still]

    async def _look_again(
        self, contracts: Iterable[Expected], systems: Collection[str] = SYSTEMS, *, strictly: bool = False
    ) -> list[Found]:
        """The same from what each system says of each contract now. Where one does not answer, nothing is said of the
        contract; `strictly`: it is raised. `systems`: the kinds that are asked."""
        slots = asyncio.Semaphore(AT_ONCE)
        harvest = Harvest(":memory:")

        async def look(e: Expected) -> list[Found]:
            async with slots:
                read = [name for name in self._serving(e) if self._sources[name].system in systems]
                for name in read:
                    await read_about(self._sources[name], e, harvest)
                return compare(e, harvest.about(e, self._kinds(e, set(read)), e.connections))

        async def looked(e: Expected) -> list[Found]:
            try:
                return await look(e)
            except TenureError as error:
                if strictly:
                    raise
                log.warning("a contract can't be looked at again now", contract=e.contract, error=str(error))
                return []

        try:
            found = await asyncio.gather(*map(looked, contracts))
        finally:
            harvest.close()
        return list({each.id: each for these in found for each in these}.values())

    def _serving(self, e: Expected) -> list[str]:
        """The connections of a contract that can be listed."""
        return [name for name in dict.fromkeys(e.connections.values()) if name in self._sources]

    def _kinds(self, e: Expected, readable: set[str]) -> set[str]:
        return {self._sources[name].system for name in self._serving(e) if name in readable}

    def _read_of(self, contracts: Iterable[Expected], readable: set[str]) -> dict[frozenset[str], list[str]]:
        """The contracts by the systems that could be read of each."""
        groups: dict[frozenset[str], list[str]] = {}
        for e in contracts:
            groups.setdefault(frozenset(self._kinds(e, readable)), []).append(e.contract)
        return groups


def _unseen(contracts: Iterable[Expected], found: Sequence[Found]) -> dict[str, frozenset[str]]:
    """The kinds of which nothing is known now, by contract; and by account, what its contracts share."""
    kinds: dict[str, frozenset[str]] = {}
    about: dict[str, list[Found]] = {}
    for each in found:
        about.setdefault(each.contract or each.account, []).append(each)
    for e in contracts:
        kinds[e.contract] = unseen(e, [*about.get(e.contract, ()), *about.get(e.account, ())])
        kinds[e.account] = kinds.get(e.account, frozenset()) | kinds[e.contract]
    return kinds


def _of_accounts(
    contracts: Iterable[KnownContract], here: Mapping[str, Expected], unknown: Mapping[str, frozenset[str]]
) -> Iterator[tuple[str, frozenset[str]]]:
    """Of an account with a contract that moves, nothing was compared of what its contracts share."""
    for each in contracts:
        e = here.get(each.life.contract)
        if e is not None:
            yield e.account, unknown[e.contract]
        elif not each.life.closed:
            yield each.life.account, _SHARED
