"""The protocol by which an outside effect happens once: claim, mark as sent, call, record (effects.md)."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Generic, TypeVar

from pydantic import BaseModel

from domain.books import Claim, EffectLedger, ViewRow
from domain.effects import EffectClass, Guarantee
from domain.errors import (
    AlreadyExists,
    AuthFailed,
    Busy,
    InDoubt,
    InvalidInput,
    NotFound,
    OutcomeUnknown,
    PeriodClosed,
    Rejected,
    SourceUnavailable,
    TenureError,
)
from domain.intentions import fingerprint
from domain.urgency import FIRST, OF_TASK

R = TypeVar("R", bound=BaseModel)
T = TypeVar("T")

REFUSALS = (Rejected, PeriodClosed, InvalidInput, NotFound, AlreadyExists)


@dataclass(frozen=True, kw_only=True)
class Effect(Generic[R]):
    """One business effect. `operation` is "<connection>.<method>", `arguments` everything that makes a repetition the
    same intention, `answer` the type of the stored result, `generation` 1 + the number of corrected retries, `view` a
    view to publish in the ledger's own transaction when the effect is done.

    `send` performs the call, and never retries by itself. `find` looks up what an earlier call with this key made.
    `vet` reads, before anything is sent, whether it may be: it answers with what is there already, and then that is the
    effect; when it raises, nothing was sent.
    """

    key: str
    contract: str
    operation: str
    declared: EffectClass
    arguments: BaseModel
    answer: type[R]
    send: Callable[[], Awaitable[R]]
    find: Callable[[], Awaitable[R | None]] | None = None
    vet: Callable[[], Awaitable[R | None]] | None = None
    generation: int = 1
    view: ViewRow | None = None


class Effects:
    """Performs effects under the ledger.

    `margin`: seconds by which a lease outlives twice the deadline (an activity's start-to-close is at least
    2 D + 5 s, and must outlive the lease). `patience`: the longest wait, in seconds, that is slept here rather than
    handed back as Busy.
    """

    def __init__(self, ledger: EffectLedger, *, margin: float = 3.0, patience: float = 1.0) -> None:
        self._ledger = ledger
        self._margin = margin
        self._patience = patience

    async def once(self, effect: Effect[R]) -> R:
        """The result of the effect, performed now or earlier: as often as its class promises (KEY and LOOKUP once,
        NONE at most once). To be called once per activity attempt, at most D + `patience` + D long; a `vet` is given
        2 D more, but what it takes of the lease is lacking to `send`, which is then Busy.

        Raises what `send` raised; Busy with the time to wait; OutcomeUnknown at the deadline; InDoubt when a person
        must find out (a higher `generation` is the word to send again); Rejected when the key was done with other
        arguments or refused; ConnectionFrozen; SourceUnavailable when the store does not answer.
        """
        claim = await self._claim(effect)
        if claim.state == "done":
            return effect.answer.model_validate(claim.result)
        OF_TASK.set(FIRST)  # the lease runs: who is in the middle of something must not wait for those who begin
        absent = False
        try:
            if claim.state == "in_doubt" and not _may_repeat(effect, claim):
                absent = True
                found = await self._look(effect, claim)
                if found is not None:
                    return await self._found(effect, claim, found)
            if effect.vet is not None:
                there = await _within(effect.declared, effect.vet, times=2)  # it may look twice, and wait its turn
                if there is not None:
                    return await self._done(effect, claim, there)
        except BaseException:
            await _settled(self._ledger.released(effect.key, fence=claim.fence))
            raise
        return await self._send(effect, claim, absent)

    async def taken(self, effect: Effect[R], answer: R) -> R:
        """Record what a person did outside, as the answer that the effect would have had. What stands for it in the
        ledger already stays: that is the answer then, and another one opens a case. Raises as `once` does.
        """
        return await self._done(effect, await self._claim(effect), answer)

    async def _claim(self, effect: Effect[R]) -> Claim:
        return await self._ledger.claim(
            effect.key,
            contract=effect.contract,
            operation=effect.operation,
            arguments=fingerprint(effect.arguments),
            lease=2 * effect.declared.deadline.total_seconds() + self._margin,
            generation=effect.generation,
        )

    async def level(self, operation: str, declared: EffectClass, send: Callable[[], Awaitable[None]]) -> None:
        """Set a value whose last setting stands (class LEVEL): no ledger row, at least once, unless frozen.

        Raises what `send` raised, OutcomeUnknown at the deadline.
        """
        await self._ledger.permit(operation)
        try:
            async with asyncio.timeout(declared.deadline.total_seconds()):
                await send()
        except TimeoutError as error:
            raise OutcomeUnknown(f"{operation} did not answer within {declared.deadline}") from error

    async def _send(self, effect: Effect[R], claim: Claim, absent: bool) -> R:
        clock = asyncio.get_running_loop().time
        deadline = effect.declared.deadline.total_seconds()
        # Measured from before the ledger's own clock reads, so that no call outlives sent_at + D.
        until = clock() + deadline
        try:
            if not await self._ledger.mark_sent(effect.key, fence=claim.fence, deadline=deadline, absent=absent):
                raise Busy(f"{effect.key} was taken over")
            if clock() >= until:  # this process stood still: it must not wake up and send
                raise SourceUnavailable(f"{effect.key} was not sent within its deadline")
        except BaseException:
            await _settled(self._ledger.released(effect.key, fence=claim.fence))
            raise
        try:
            async with asyncio.timeout_at(until):
                answer = await effect.send()
        except BaseException as error:
            return await self._failed(effect, claim, absent, error)
        return await self._done(effect, claim, answer)

    async def _failed(self, effect: Effect[R], claim: Claim, absent: bool, error: BaseException) -> R:
        doubted = claim.state == "in_doubt" and not absent
        if isinstance(error, REFUSALS):
            # What is in the way may be our own record, made by an earlier send or just now.
            if effect.find is not None and (doubted or isinstance(error, AlreadyExists)):
                try:
                    found = await _within(effect.declared, effect.find)
                except BaseException:
                    await _settled(self._ledger.unknown(effect.key, fence=claim.fence))
                    raise
                if found is not None:
                    return await self._done(effect, claim, found)
            elif doubted and isinstance(error, AlreadyExists):
                await _settled(self._ledger.unknown(effect.key, fence=claim.fence))
                raise InDoubt(f"{effect.key}: a record is there, perhaps of an earlier attempt") from error
            await _settled(self._ledger.refused(effect.key, fence=claim.fence, reason=f"{error.kind}: {error}"))
        elif isinstance(error, TenureError) and not error.sent and (error.retried or isinstance(error, AuthFailed)):
            await _settled(self._ledger.released(effect.key, fence=claim.fence))
        else:  # a time-out, a 5xx, a cancellation, a bug while reading the answer: it may have been done
            await _settled(self._ledger.unknown(effect.key, fence=claim.fence))
        if isinstance(error, TimeoutError):
            raise OutcomeUnknown(f"{effect.operation} did not answer within {effect.declared.deadline}") from error
        raise error

    async def _look(self, effect: Effect[R], claim: Claim) -> R | None:
        """What an earlier attempt made, or None: then it is certain that it made nothing, or a person has said so."""
        if effect.declared.guarantee is Guarantee.NONE or effect.find is None:
            if claim.generation > claim.doubt_generation:
                return None
            raise InDoubt(f"{effect.key} was sent and nobody can look up whether {effect.operation} was done")
        settled = effect.declared.deadline + effect.declared.commits_within
        wait = settled.total_seconds() - claim.sent_age
        if wait > self._patience:
            raise Busy(f"{effect.key} may still be committed", retry_after=timedelta(seconds=wait))
        if wait > 0:
            await asyncio.sleep(wait)
        return await _within(effect.declared, effect.find)

    async def _found(self, effect: Effect[R], claim: Claim, found: R) -> R:
        answer = await self._done(effect, claim, found)
        if not claim.same_arguments:
            raise Rejected(f"{effect.key} is done with other arguments; a new intention needs a new key")
        return answer

    async def _done(self, effect: Effect[R], claim: Claim, answer: R) -> R:
        result = answer.model_dump(mode="json")
        recording = self._ledger.done(effect.key, fence=claim.fence, result=result, view=effect.view)
        if await _shielded(recording):
            return answer
        # Another record was stored first: that one is used everywhere, and a case says so.
        first = await self._ledger.claim(
            effect.key,
            contract=effect.contract,
            operation=effect.operation,
            arguments=fingerprint(effect.arguments),
            lease=0.0,
            generation=effect.generation,
        )
        return effect.answer.model_validate(first.result)


def _may_repeat(effect: Effect[Any], claim: Claim) -> bool:
    """Whether the vendor still knows the key of the earlier send, and would recognise a repetition."""
    if effect.declared.guarantee is not Guarantee.KEY or not claim.same_arguments:
        return False
    life = effect.declared.key_life
    return life is None or claim.doubt_age + effect.declared.deadline.total_seconds() < life.total_seconds()


async def _within(declared: EffectClass, find: Callable[[], Awaitable[T]], *, times: int = 1) -> T:
    try:
        async with asyncio.timeout(times * declared.deadline.total_seconds()):
            return await find()
    except TimeoutError as error:
        raise SourceUnavailable("a look-up did not answer") from error


async def _shielded(write: Coroutine[Any, Any, T]) -> T:
    """A cancelled attempt still records what it knows."""
    return await asyncio.shield(asyncio.ensure_future(write))


async def _settled(write: Coroutine[Any, Any, None]) -> None:
    """Hand the key back early. Should the store fail here, the row stays as it is and its lease runs out by itself."""
    with suppress(Exception):
        await _shielded(write)
