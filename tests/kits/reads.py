"""What every reading operation must show: errors mapped, the deadline kept, nothing retried."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any, ClassVar

import pytest

from domain.errors import AuthFailed, ContractBroken, RateLimited, SourceUnavailable
from tests.kits.world import World

Read = Callable[[Any], Awaitable[object]]


class ReadContract:
    """`reads`: the reading operations; `read` prepares one, to be called on a port. `slowest` bounds a hanging call."""

    reads: ClassVar[tuple[str, ...]]
    slowest: ClassVar[timedelta] = timedelta(seconds=6)

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        for name, values in (("reading", self.reads), ("writing", getattr(self, "writes", ()))):
            if name in metafunc.fixturenames:
                metafunc.parametrize(name, values)

    async def read(self, world: Any, reading: str) -> Read:
        raise LookupError(reading)

    async def _prepared(self, world: Any, reading: str) -> Read:
        if reading == "probe":
            return lambda port: port.probe()
        return await self.read(world, reading)

    async def test_a_probe_of_a_sound_connection_finds_no_problem(self, world: World[Any]) -> None:
        if "probe" not in self.reads:
            pytest.skip("declared: this kit's port is not probed")
        probed = await world.port.probe()
        assert probed.problems == ()
        assert probed.clock is None or probed.clock.tzinfo is not None

    async def test_a_read_that_fails_is_unavailable(self, world: World[Any], reading: str) -> None:
        read = await self._prepared(world, reading)
        before = await world.calls(reading)
        await world.disturb(reading, "error")
        with pytest.raises(SourceUnavailable):
            await read(world.port)
        assert await world.calls(reading) == before + 1
        await read(world.port)

    async def test_a_read_while_down_is_unavailable(self, world: World[Any], reading: str) -> None:
        read = await self._prepared(world, reading)
        await world.disturb(reading, "down")
        with pytest.raises(SourceUnavailable):
            await read(world.port)

    async def test_a_limited_read_says_how_long(self, world: World[Any], reading: str) -> None:
        read = await self._prepared(world, reading)
        await world.disturb(reading, "rate_limit")
        with pytest.raises(RateLimited) as raised:
            await read(world.port)
        assert raised.value.retry_after == timedelta(seconds=7)

    async def test_a_garbage_answer_breaks_the_contract(self, world: World[Any], reading: str) -> None:
        read = await self._prepared(world, reading)
        await world.disturb(reading, "garbage")
        with pytest.raises(ContractBroken):
            await read(world.port)

    async def test_a_misshapen_answer_breaks_it_too(self, world: World[Any], reading: str) -> None:
        read = await self._prepared(world, reading)
        await world.disturb(reading, "misshapen")
        with pytest.raises(ContractBroken):
            await read(world.port)

    async def test_a_stranger_reads_nothing(self, world: World[Any], reading: str) -> None:
        read = await self._prepared(world, reading)
        with pytest.raises(AuthFailed):
            await read(world.stranger)

    async def test_hanging_reads_end_at_their_deadline(self, world: World[Any]) -> None:
        reads = [await self._prepared(world, reading) for reading in self.reads]
        await world.disturb("*", "hang")
        began = time.monotonic()
        outcomes = await asyncio.gather(*(read(world.port) for read in reads), return_exceptions=True)
        assert time.monotonic() - began < self.slowest.total_seconds()
        assert [type(outcome) for outcome in outcomes] == [SourceUnavailable] * len(reads)
