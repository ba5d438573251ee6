"""What every writing operation must show: it is as idempotent as its declared class, and its errors tell the truth."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, ClassVar

import pytest
from pydantic import BaseModel

from domain.effects import EffectClass, Guarantee
from domain.errors import (
    AuthFailed,
    ContractBroken,
    OutcomeUnknown,
    RateLimited,
    Rejected,
    SourceUnavailable,
    TenureError,
)
from domain.ports import Ref
from tests.kits.ledger import ledger, once
from tests.kits.reads import ReadContract
from tests.kits.world import World


@dataclass(frozen=True)
class Write:
    """One intention, ready to be sent to a port as often as one likes, always with the same key and arguments.

    `standing`: how many of its effects stand outside; for a LEVEL 1 if its value is what the record has, else 0.
    `find`: the look-up of class LOOKUP. `other`: for a LEVEL, another value; for a KEY, other arguments under this key.
    `answer`: the type of what `send` answers.
    """

    send: Callable[[Any], Awaitable[object]]
    standing: Callable[[], Awaitable[int]]
    find: Callable[[], Awaitable[object | None]] | None = None
    other: Callable[[Any], Awaitable[object]] | None = None
    answer: type[BaseModel] = Ref


class EffectContract(ReadContract):
    """`writes`: every writing operation of the port; `write` prepares one, with all that it needs outside."""

    writes: ClassVar[tuple[str, ...]]

    async def write(self, world: Any, writing: str) -> Write:
        raise LookupError(writing)

    async def test_every_write_declares_its_class(self, world: World[Any]) -> None:
        assert set(world.port.effects) == set(self.writes)
        for operation, declared in world.port.effects.items():
            assert (declared.guarantee is Guarantee.LOOKUP) <= ((await self.write(world, operation)).find is not None)

    async def test_it_works(self, world: World[Any], writing: str) -> None:
        write = await self.write(world, writing)
        assert await write.standing() == 0
        assert write.find is None or await write.find() is None
        await write.send(world.port)
        assert await write.standing() == 1

    async def test_done_again_as_declared(self, world: World[Any], writing: str) -> None:
        write, port = await self.write(world, writing), world.port
        first = await write.send(port)
        match _declared(world, writing).guarantee:
            case Guarantee.KEY:
                assert await write.send(port) == first
                if write.other is not None:
                    with pytest.raises(Rejected):
                        await write.other(port)
                assert await write.standing() == 1
            case Guarantee.LOOKUP:
                assert write.find is not None
                assert await write.find() == first
            case Guarantee.LEVEL:
                assert write.other is not None
                await write.other(port)
                assert await write.standing() == 0
                await write.send(port)
                assert await write.standing() == 1
            case Guarantee.NONE:
                await write.send(port)
                assert await write.standing() == 2, "it is idempotent: declare it"

    async def test_eight_at_once(self, world: World[Any], writing: str) -> None:
        """KEY and LEVEL bear it as they are; the others with the ledger before them."""
        write, declared = await self.write(world, writing), _declared(world, writing)
        if declared.guarantee in (Guarantee.KEY, Guarantee.LEVEL):
            answers = await asyncio.gather(*(write.send(world.port) for _ in range(8)))
        else:
            async with ledger() as effects:
                eight = (
                    once(effects, declared, lambda: write.send(world.port), write.find, write.answer) for _ in range(8)
                )
                answers = list(await asyncio.gather(*eight))
        assert answers == [answers[0]] * 8
        assert await write.standing() == 1

    async def test_a_lost_answer_under_the_ledger_is_one_effect(self, world: World[Any], writing: str) -> None:
        write, declared = await self.write(world, writing), _declared(world, writing)
        if declared.guarantee not in (Guarantee.KEY, Guarantee.LOOKUP):
            pytest.skip("a level is set again; without key or look-up a doubt is a person's")
        await world.disturb(writing, "lose_answer")
        async with ledger() as effects:
            with pytest.raises(OutcomeUnknown):
                await once(effects, declared, lambda: write.send(world.port), write.find, write.answer)
            first = await once(effects, declared, lambda: write.send(world.port), write.find, write.answer)
            assert await once(effects, declared, lambda: write.send(world.port), write.find, write.answer) == first
        assert await write.standing() == 1

    async def test_a_lost_answer_is_in_doubt_and_made_good(self, world: World[Any], writing: str) -> None:
        write = await self.write(world, writing)
        await world.disturb(writing, "lose_answer")
        with pytest.raises(OutcomeUnknown):
            await write.send(world.port)
        await self._make_good(world, writing, write)
        assert await write.standing() == 1

    async def test_late_commits_are_made_good(self, world: World[Any]) -> None:
        """KEY may be sent again before the late commit, the others only after S."""
        writes = {writing: await self.write(world, writing) for writing in self.writes}
        # Preparing one write may have made what another one counts.
        before = {writing: await write.standing() for writing, write in writes.items()}
        for writing, write in writes.items():
            await world.disturb(writing, "commit_late")
            with pytest.raises(OutcomeUnknown):
                await write.send(world.port)
            assert await write.standing() == before[writing], "the kit's world committed at once"
            if _declared(world, writing).guarantee is Guarantee.KEY:
                await write.send(world.port)
        await asyncio.sleep(max(_declared(world, writing).commits_within for writing in writes).total_seconds())
        for writing, write in writes.items():
            await self._make_good(world, writing, write)
            assert await write.standing() == before[writing] + 1, writing

    async def _make_good(self, world: World[Any], writing: str, write: Write) -> None:
        match _declared(world, writing).guarantee:
            case Guarantee.KEY | Guarantee.LEVEL:
                await write.send(world.port)
            case Guarantee.LOOKUP:
                assert write.find is not None
                assert await write.find() is not None
            case Guarantee.NONE:
                assert write.find is None

    async def test_a_refusal_is_definite(self, world: World[Any], writing: str) -> None:
        error = await self._fails(world, writing, "refuse", Rejected)
        assert not error.retried
        assert not error.sent

    async def test_a_limit_says_how_long(self, world: World[Any], writing: str) -> None:
        error = await self._fails(world, writing, "rate_limit", RateLimited)
        assert error.retry_after == timedelta(seconds=7)

    async def test_a_limit_until_an_instant_says_how_long(self, world: World[Any], writing: str) -> None:
        error = await self._fails(world, writing, "rate_limit_until", RateLimited)
        assert error.retry_after is not None
        assert timedelta(seconds=50) < error.retry_after <= timedelta(minutes=2)

    async def test_a_server_error_is_in_doubt(self, world: World[Any], writing: str) -> None:
        error = await self._fails(world, writing, "error", OutcomeUnknown)
        assert error.sent

    async def test_down_is_not_in_doubt(self, world: World[Any], writing: str) -> None:
        error = await self._fails(world, writing, "down", SourceUnavailable)
        assert not error.sent

    async def test_garbage_breaks_the_contract(self, world: World[Any], writing: str) -> None:
        await self._fails(world, writing, "garbage", ContractBroken)

    async def test_a_misshapen_answer_breaks_the_contract(self, world: World[Any], writing: str) -> None:
        await self._fails(world, writing, "misshapen", ContractBroken)

    async def _fails(self, world: Any, writing: str, how: Any, expected: type[TenureError]) -> TenureError:
        """Nothing stands after it, and one request was made: whether to try again is not the adapter's to say."""
        write = await self.write(world, writing)
        before = await world.calls(writing)
        await world.disturb(writing, how)
        with pytest.raises(expected) as raised:
            await write.send(world.port)
        assert await write.standing() == 0
        assert await world.calls(writing) == before + 1
        return raised.value

    async def test_a_stranger_does_nothing(self, world: World[Any], writing: str) -> None:
        write = await self.write(world, writing)
        with pytest.raises(AuthFailed):
            await write.send(world.stranger)
        assert await write.standing() == 0

    async def test_hanging_writes_end_at_their_deadline_in_doubt(self, world: World[Any]) -> None:
        writes = [await self.write(world, writing) for writing in self.writes]
        longest = max(_declared(world, writing).deadline for writing in self.writes).total_seconds()
        await world.disturb("*", "hang")
        began = time.monotonic()
        outcomes = await asyncio.gather(*(write.send(world.port) for write in writes), return_exceptions=True)
        assert time.monotonic() - began < longest + 1
        assert [type(outcome) for outcome in outcomes] == [OutcomeUnknown] * len(writes)
        await world.heal()


def _declared(world: World[Any], operation: str) -> EffectClass:
    declared: EffectClass = world.port.effects[operation]
    return declared
