"""Trying connections: what is wrong with each, and how to mend it, in one line each, without a secret."""

import asyncio
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

import httpx

from domain.base import Frozen
from domain.errors import (
    AuthFailed,
    ContractBroken,
    InvalidInput,
    NotFound,
    RateLimited,
    Rejected,
    SourceUnavailable,
    TenureError,
)
from domain.ports import CrmReader, Probed, Problem
from starter.cli.connections import address_of
from starter.sections import Secret
from starter.settings import Settings, SettingsError

WITHIN = 20.0  # seconds for one connection
SKEW = timedelta(seconds=60)

_MEND: dict[type[TenureError], str] = {
    AuthFailed: "give it credentials that are accepted there, with the rights that the adapter needs",
    RateLimited: "wait until it takes calls again, or raise its limit: tenure connections limit {name}",
    SourceUnavailable: "see whether it is up, and whether {address} is right and can be reached from this machine",
    NotFound: "correct the address, and the database where one is named",
    InvalidInput: "correct the address, and see whether that version of the system is supported",
    Rejected: "see what it says there",
    ContractBroken: "correct the address: whatever answers at {address} is not the API of {adapter}",
}


class Tried(Frozen):
    """What a try of one connection found. `skew`: by how many seconds its clock is ahead of ours, when it tells."""

    name: str
    kind: str
    adapter: str
    address: str
    problems: tuple[Problem, ...] = ()
    skew: float | None = None

    @property
    def fine(self) -> bool:
        return not self.problems


async def try_connections(settings: Settings, names: Sequence[str]) -> list[Tried]:
    """All of them at once, within their limits."""
    import wiring

    database = wiring.open_store(settings)
    try:
        async with wiring.open_limits(database) as limits:
            return list(await asyncio.gather(*(_Trial(settings, name).result(limits) for name in names)))
    finally:
        await asyncio.to_thread(database.close)


class _Trial:
    """One connection."""

    def __init__(self, settings: Settings, name: str) -> None:
        self._settings = settings
        self._name = name
        self._problems: list[Problem] = []
        self._skew: timedelta | None = None

    async def result(self, limits: Any) -> Tried:
        import wiring

        connection, address = self._settings.connections[self._name], address_of(self._settings, self._name)
        with self._told(address, connection.adapter):
            async with asyncio.timeout(WITHIN), wiring.open_connection(self._settings, self._name, limits) as adapters:
                for adapter, client in adapters:
                    with self._told(address, connection.adapter):
                        await self._probe(adapter, client)
        if self._skew is not None and abs(self._skew) > SKEW:
            self._problems.append(_wrong_clock(self._skew))
        return Tried(
            name=self._name,
            kind=connection.kind,
            adapter=connection.adapter,
            address=address,
            problems=tuple(self._clean(problem) for problem in self._problems),
            skew=None if self._skew is None else round(self._skew.total_seconds(), 1),
        )

    async def _probe(self, adapter: Any, client: httpx.AsyncClient) -> None:
        async def see_clock(response: httpx.Response) -> None:
            with suppress(ValueError):  # none, or one that is no date
                self._see(parsedate_to_datetime(response.headers.get("date", "")), timedelta(seconds=1))

        client.event_hooks["response"].append(see_clock)
        began = time.monotonic()
        probed = await adapter.probe() if hasattr(adapter, "probe") else await _read_nothing(adapter)
        if probed.clock is not None:
            self._see(probed.clock, timedelta(seconds=time.monotonic() - began))
        self._problems += probed.problems

    def _see(self, clock: datetime, inexact: timedelta) -> None:
        """Theirs was read up to `inexact` ago: nobody is blamed for that."""
        ahead = (clock if clock.tzinfo else clock.replace(tzinfo=UTC)) - datetime.now(UTC)
        self._skew = ahead if ahead > timedelta() else min(ahead + inexact, timedelta())

    @contextmanager
    def _told(self, address: str, adapter: str) -> Iterator[None]:
        """Whatever goes wrong within is a problem of this connection, and of no other."""
        try:
            yield
        except SettingsError as error:
            self._problems.append(Problem(what=str(error), mend="correct it in tenure.toml, or where that points"))
        except TenureError as error:
            mend = _MEND.get(type(error), "try again; if it stays, this is a mistake of ours")
            mend = mend.format(name=self._name, address=address, adapter=adapter)
            if isinstance(error, SourceUnavailable) and self._settings.connections[self._name].database:
                mend += "; it gives no answer for a database that is not there, either"
            self._problems.append(Problem(what=str(error), mend=mend))
        except TimeoutError:
            mend = _MEND[SourceUnavailable].format(address=address)
            self._problems.append(Problem(what=f"no answer within {WITHIN:g} s", mend=mend))
        except ValueError as error:  # what an adapter says of a setting that it can't use
            self._problems.append(Problem(what=str(error), mend="correct it in tenure.toml, or where that points"))
        except Exception as error:
            what = f"the adapter {adapter!r} failed ({type(error).__name__})"
            self._problems.append(Problem(what=what, mend="this is a mistake of ours; the settings may be right"))

    def _clean(self, problem: Problem) -> Problem:
        return Problem(what=self._one_line(problem.what), mend=self._one_line(problem.mend))

    def _one_line(self, text: str) -> str:
        """Adapters put no secret into a message; should one do so all the same, it is not shown."""
        for secret in _secrets(self._settings, self._name):
            text = text.replace(secret, "…")
        return " ".join(text.split())


async def _read_nothing(reader: CrmReader) -> Probed:
    """A CRM's reader is tried by its own question, for what has changed since now."""
    await reader.changed_deals(datetime.now(UTC))
    return Probed()


def _wrong_clock(ahead: timedelta) -> Problem:
    seconds = ahead.total_seconds()
    how = f"{abs(seconds):.0f} s {'ahead of' if seconds > 0 else 'behind'} this machine's"
    return Problem(
        what=f"its clock is {how}",
        mend="set both clocks by NTP: signed messages are refused, and versions compared, by them",
    )


def _secrets(settings: Settings, name: str) -> Iterator[str]:
    """The texts of a connection's secrets, as far as they can be read."""
    connection = settings.connections[name]
    places = [connection, *([connection.reader] if connection.reader else [])]
    for place in places:
        for field in type(place).model_fields:
            value = getattr(place, field)
            if isinstance(value, Secret):
                try:
                    yield settings.read_secret(value, field)
                except SettingsError:
                    continue
