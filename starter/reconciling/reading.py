"""Reading the outside: everything of a system page by page, or only what is about one contract."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from domain.errors import RateLimited, SourceUnavailable, TenureError
from domain.ports.records import RecordKind, RecordPage, RecordReader
from domain.reconciling.difference import Freshness
from domain.reconciling.expected import Expected
from starter.reconciling.harvest import Harvest

TRIES = 8
LONGEST_WAIT = 30.0


@dataclass(frozen=True)
class Source:
    """One connected system that can be listed. `system`: its kind."""

    connection: str
    system: str
    reader: RecordReader


Sources = Mapping[str, Source]
"""By the connection's name."""


async def read_all(source: Source, harvest: Harvest) -> Freshness:
    """Everything that a system holds, laid aside. One that can't be read is told, and costs the others nothing."""
    records = reads = 0
    began = datetime.now(UTC)
    try:
        for kind in source.reader.kinds:
            cursor: str | None = None
            while True:
                found = await _patiently(source, kind, cursor, None)
                reads += 1
                records += len(found.records)
                harvest.put(source.connection, kind, found.records)
                if (cursor := found.cursor) is None:
                    break
    except TenureError as error:
        return Freshness(source=source.connection, as_of=None, records=records, reads=reads, problem=str(error))
    return Freshness(source=source.connection, as_of=began, records=records, reads=reads)


async def read_about(source: Source, e: Expected, harvest: Harvest) -> None:
    """What a system holds of one contract now. Raises what the system raises."""
    for kind, names in _about(e).items():
        if kind in source.reader.kinds:
            for about in dict.fromkeys(name for name in names if name):
                found = await _patiently(source, kind, None, about)
                harvest.put(source.connection, kind, found.records)


def _about(e: Expected) -> dict[RecordKind, tuple[str | None, ...]]:
    return {
        "customers": (e.account, e.customer, e.parent),
        "subscriptions": (e.leg, e.subscription),
        "accounts": (e.account,),
        "opportunities": (e.contract, e.deal, e.opportunity),
        "companies": (e.account, e.company),
        "plans": (e.contract,),
        "playbooks": (e.contract,),
        "runs": (e.contract,),
    }


async def _patiently(source: Source, kind: RecordKind, cursor: str | None, about: str | None) -> RecordPage:
    """A page, however often the system asks us to wait; one that does not answer is tried a few times."""
    for attempt in range(1, TRIES + 1):
        try:
            return await source.reader.records(kind, cursor, about=about)
        except (RateLimited, SourceUnavailable) as error:
            if attempt == TRIES:
                raise
            asked = error.retry_after.total_seconds() if error.retry_after else 0.2 * 2**attempt
            await asyncio.sleep(min(asked, LONGEST_WAIT))
    raise AssertionError("unreachable")
