"""One effect, every way in which its call can go wrong, on a real SQLite file."""

import asyncio
import time
from collections.abc import Callable
from contextvars import Context
from typing import Any

import pytest

from activities.effects import Effects
from domain.effects import Guarantee
from domain.errors import (
    AlreadyExists,
    AuthFailed,
    Busy,
    InDoubt,
    OutcomeUnknown,
    RateLimited,
    Rejected,
    SourceUnavailable,
)
from domain.ports import Ref
from store.cases import Cases
from store.database import Database
from store.ledger import SqlLedger

KEY, LOOKUP, NONE = Guarantee.KEY, Guarantee.LOOKUP, Guarantee.NONE

Once = Callable[[Any], Any]
Vendors = Callable[[Guarantee], Any]


def raising(error: BaseException) -> Callable[[], None]:
    def fail() -> None:
        raise error

    return fail


async def state_of(ledger: SqlLedger, key: str = "k") -> str:
    return next(row.state for row in await ledger.rows("crm/d1/1") if row.key == key)


@pytest.mark.parametrize("guarantee", [KEY, LOOKUP, NONE])
async def test_eight_tasks_at_once(guarantee: Guarantee, retry: Once, vendor: Vendors, call: Any) -> None:
    outside = vendor(guarantee)
    calls = [call(outside, before=lambda: asyncio.sleep(0.05)) for _ in range(8)]
    answers = await asyncio.gather(*(retry(each.effect()) for each in calls))
    assert set(answers) == {Ref(id="r1")}
    assert outside.commits() == 1
    assert sum(each.calls for each in calls) == 1


@pytest.mark.parametrize("guarantee", [LOOKUP, NONE])
async def test_two_processes_at_once(
    guarantee: Guarantee, vendor: Vendors, start_child: Callable[..., Any], retry: Once, call: Any
) -> None:
    outside = vendor(guarantee)
    keys = ("a", "b", "c", "d")
    children = [start_child(outside, *({"key": key} for key in keys)) for _ in range(2)]
    for key, results in zip(keys, zip(*[await child.result() for child in children], strict=True), strict=True):
        # on a machine that is at work one may not come to send in time, and says so, having sent nothing
        assert set(results) <= {"r1", "r2", "r3", "r4", "BUSY", "SOURCE_UNAVAILABLE"}
        assert results != ("BUSY", "BUSY")
        await retry(call(outside, key).effect())
        assert outside.commits(key) == 1


async def test_whoever_has_a_lease_does_not_wait_for_those_who_begin(
    once: Once, vendor: Vendors, call: Any, database: Database
) -> None:
    begins: list[asyncio.Task[None]] = []

    async def many_begin() -> None:
        for _ in range(60):
            writing = database.write(lambda _: time.sleep(0.02))
            begins.append(asyncio.create_task(writing, context=Context()))  # whoever begins has a task of its own
        await asyncio.sleep(0.05)

    assert await once(call(vendor(KEY), before=many_begin).effect()) == Ref(id="r1")
    assert sum(each.done() for each in begins) < 30
    await asyncio.gather(*begins)


async def test_the_answer_is_lost_and_the_key_is_sent_again_at_once(once: Once, vendor: Vendors, call: Any) -> None:
    outside = vendor(KEY)
    with pytest.raises(OutcomeUnknown):
        await once(call(outside, after=raising(OutcomeUnknown("lost"))).effect())
    again = call(outside)
    assert await once(again.effect()) == Ref(id="r1"), "the live process handed the lease back"
    assert (again.calls, outside.commits()) == (1, 1)


async def test_the_answer_is_lost_and_the_record_is_looked_up(once: Once, vendor: Vendors, call: Any) -> None:
    outside = vendor(LOOKUP)
    with pytest.raises(OutcomeUnknown):
        await once(call(outside, after=raising(OutcomeUnknown("lost"))).effect())
    again = call(outside)
    assert await once(again.effect()) == Ref(id="r1")
    assert (again.calls, again.looks, outside.commits()) == (0, 1, 1)


async def test_a_lost_answer_without_key_or_look_up_goes_to_a_person(
    once: Once, vendor: Vendors, call: Any, ledger: SqlLedger
) -> None:
    outside = vendor(NONE)
    with pytest.raises(OutcomeUnknown):
        await once(call(outside, after=raising(OutcomeUnknown("lost"))).effect())
    for _ in range(2):
        with pytest.raises(InDoubt):
            await once(call(outside).effect())
    assert (outside.commits(), await state_of(ledger)) == (1, "SENT")
    assert await once(call(outside).effect(generation=2)) == Ref(id="r2"), "a person said: send it again"
    assert outside.commits() == 2


async def test_a_look_up_waits_until_nothing_can_be_committed_any_more(
    once: Once, retry: Once, vendor: Vendors, call: Any
) -> None:
    """The vendor loses the connection, and commits a moment later."""
    outside = vendor(LOOKUP)

    async def late() -> None:
        await asyncio.sleep(0.9)  # after the deadline of 0.8 s, within the declared 0.2 s
        outside.create("k")

    committing = asyncio.ensure_future(late())
    with pytest.raises(OutcomeUnknown):
        await once(call(outside, before=raising(OutcomeUnknown("502"))).effect())
    again = call(outside)
    assert await retry(again.effect()) == Ref(id="r1")
    assert again.calls == 0
    await committing
    assert outside.commits() == 1


async def test_a_long_wait_is_handed_back(ledger: SqlLedger, vendor: Vendors, call: Any) -> None:
    impatient = Effects(ledger, margin=1, patience=0.05)
    outside = vendor(LOOKUP)
    with pytest.raises(OutcomeUnknown):
        await impatient.once(call(outside, before=raising(OutcomeUnknown("502"))).effect())
    with pytest.raises(Busy) as busy:
        await impatient.once(call(outside).effect())
    assert busy.value.retry_after is not None
    assert 0.05 < busy.value.retry_after.total_seconds() <= 1.0
    await asyncio.sleep(busy.value.retry_after.total_seconds())
    assert await impatient.once(call(outside).effect()) == Ref(id="r1")


async def test_a_call_has_a_deadline(once: Once, vendor: Vendors, call: Any, ledger: SqlLedger) -> None:
    outside = vendor(KEY)
    with pytest.raises(OutcomeUnknown):
        await once(call(outside, after=lambda: asyncio.sleep(5)).effect())
    assert await state_of(ledger) == "SENT"
    assert await once(call(outside).effect()) == Ref(id="r1")


async def test_other_arguments_under_a_done_key_are_refused(once: Once, vendor: Vendors, call: Any) -> None:
    outside = vendor(LOOKUP)
    await once(call(outside).effect())
    other = call(outside, product="add-on")
    with pytest.raises(Rejected, match="other arguments"):
        await once(other.effect(generation=2))
    assert (other.calls, outside.products()) == (0, ["platform"])


@pytest.mark.parametrize("guarantee", [KEY, LOOKUP])
async def test_other_arguments_in_doubt_are_looked_up_first(
    guarantee: Guarantee, once: Once, vendor: Vendors, call: Any
) -> None:
    outside = vendor(guarantee)
    for key, place in (("made", "after"), ("not-made", "before")):
        with pytest.raises(OutcomeUnknown):
            await once(call(outside, key, **{place: raising(OutcomeUnknown("lost"))}).effect(look=True))
    made = call(outside, "made", "add-on")
    with pytest.raises(Rejected, match="other arguments"):
        await once(made.effect(look=True, generation=2))
    not_made = call(outside, "not-made", "add-on")
    await once(not_made.effect(look=True, generation=2))
    assert (made.calls, made.looks, outside.products("made")) == (0, 1, ["platform"])
    assert (not_made.calls, not_made.looks, outside.products("not-made")) == (1, 1, ["add-on"])
    again = call(outside, "not-made", "add-on")
    assert await once(again.effect(look=True, generation=2)), "the ledger knows what was sent last"
    assert again.calls == 0


async def test_an_overtaken_doubt_is_about_what_was_sent(once: Once, vendor: Vendors, call: Any) -> None:
    """Asking with other arguments, in vain, must not make them those that were sent."""
    outside = vendor(KEY)
    with pytest.raises(OutcomeUnknown):
        await once(call(outside, after=raising(OutcomeUnknown("lost"))).effect())
    for _ in range(2):
        other = call(outside, product="add-on")
        with pytest.raises(InDoubt):
            await once(other.effect())
        assert other.calls == 0


async def test_a_refusal_stands_until_it_is_corrected(
    once: Once, vendor: Vendors, call: Any, ledger: SqlLedger
) -> None:
    outside = vendor(KEY)
    with pytest.raises(Rejected, match="unknown product"):
        await once(call(outside, before=raising(Rejected("unknown product"))).effect())
    unchanged = call(outside)
    with pytest.raises(Rejected, match="unknown product"):
        await once(unchanged.effect())
    assert (unchanged.calls, await state_of(ledger)) == (0, "REFUSED")
    assert await once(call(outside, product="add-on").effect(generation=2)) == Ref(id="r1")
    assert outside.products() == ["add-on"]


@pytest.mark.parametrize("error", [SourceUnavailable("refused"), RateLimited("429"), AuthFailed("401")])
async def test_what_was_not_accepted_is_free_at_once(
    error: Exception, once: Once, vendor: Vendors, call: Any, ledger: SqlLedger
) -> None:
    outside = vendor(NONE)
    with pytest.raises(type(error)):
        await once(call(outside, before=raising(error)).effect())
    assert await state_of(ledger) == "RELEASED"
    assert await once(call(outside).effect()) == Ref(id="r1")


async def test_a_connection_refused_does_not_end_an_earlier_doubt(
    once: Once, vendor: Vendors, call: Any, ledger: SqlLedger
) -> None:
    outside = vendor(KEY)
    with pytest.raises(OutcomeUnknown):
        await once(call(outside, after=raising(OutcomeUnknown("lost"))).effect(look=True))
    with pytest.raises(SourceUnavailable):
        await once(call(outside, before=raising(SourceUnavailable("refused"))).effect(look=True))
    assert await state_of(ledger) == "SENT"
    other = call(outside, product="add-on")
    with pytest.raises(Rejected):
        await once(other.effect(look=True))
    assert outside.products() == ["platform"]


async def test_a_key_that_the_vendor_has_forgotten_is_looked_up(once: Once, vendor: Vendors, call: Any) -> None:
    outside = vendor(KEY)
    with pytest.raises(OutcomeUnknown):
        await once(call(outside, after=raising(OutcomeUnknown("lost"))).effect())
    blind = call(outside)
    with pytest.raises(InDoubt):
        await once(blind.effect(key_life=0.1))
    looking = call(outside)
    assert await once(looking.effect(key_life=0.1, look=True)) == Ref(id="r1")
    assert (blind.calls, looking.calls, looking.looks) == (0, 0, 1)


async def test_a_refused_repetition_may_be_our_own_success(once: Once, vendor: Vendors, call: Any) -> None:
    """The first send was done and its answer lost; meanwhile their rules have changed."""
    outside = vendor(KEY)
    with pytest.raises(OutcomeUnknown):
        await once(call(outside, after=raising(OutcomeUnknown("lost"))).effect(look=True))
    again = call(outside, before=raising(Rejected("closed period")))
    assert await once(again.effect(look=True)) == Ref(id="r1")


async def test_a_natural_key_that_is_taken(once: Once, vendor: Vendors, call: Any, ledger: SqlLedger) -> None:
    outside = vendor(KEY)
    with pytest.raises(AlreadyExists):
        await once(call(outside, before=raising(AlreadyExists("taken"))).effect())
    assert await state_of(ledger) == "REFUSED"
    with pytest.raises(OutcomeUnknown):
        await once(call(outside, "k2", after=raising(OutcomeUnknown("lost"))).effect())
    with pytest.raises(InDoubt):
        await once(call(outside, "k2", before=raising(AlreadyExists("taken"))).effect())


async def test_what_one_contract_was_refused_is_no_answer_to_another_that_shares_the_key(ledger: SqlLedger) -> None:
    async def claim(contract: str, generation: int = 1) -> int:
        asked = {"contract": contract, "operation": "erp.create_customer", "arguments": "h"}
        return (await ledger.claim("customer:acc:ACME", **asked, lease=5, generation=generation)).fence

    await ledger.refused("customer:acc:ACME", fence=await claim("crm/d1/1"), reason="blocked")
    with pytest.raises(Rejected, match="blocked"):
        await claim("crm/d1/1")
    await ledger.refused("customer:acc:ACME", fence=await claim("crm/d2/1"), reason="blocked as well")
    with pytest.raises(Rejected, match="blocked as well"):
        await claim("crm/d2/1")
    fence = await claim("crm/d1/1", generation=2)
    assert await ledger.mark_sent("customer:acc:ACME", fence=fence, deadline=1)
    assert await ledger.done("customer:acc:ACME", fence=fence, result={"id": "cus_1"})
    assert (
        await ledger.claim(
            "customer:acc:ACME",
            contract="crm/d2/1",
            operation="erp.create_customer",
            arguments="h",
            lease=5,
            generation=1,
        )
    ).result == {"id": "cus_1"}


async def test_a_bug_while_reading_the_answer_is_a_doubt(
    once: Once, vendor: Vendors, call: Any, ledger: SqlLedger
) -> None:
    outside = vendor(LOOKUP)
    with pytest.raises(KeyError):
        await once(call(outside, after=raising(KeyError("id"))).effect())
    assert await state_of(ledger) == "SENT"
    assert await once(call(outside).effect()) == Ref(id="r1")
    assert outside.commits() == 1


async def test_a_cancelled_attempt_is_a_doubt_and_nobody_waits_for_its_lease(
    once: Once, vendor: Vendors, call: Any, ledger: SqlLedger
) -> None:
    outside = vendor(KEY)
    committed = asyncio.Event()

    async def hang() -> None:
        committed.set()
        await asyncio.sleep(5)

    attempt = asyncio.ensure_future(once(call(outside, after=hang).effect()))
    await committed.wait()
    attempt.cancel()
    with pytest.raises(asyncio.CancelledError):
        await attempt
    assert await state_of(ledger) == "SENT"
    assert await once(call(outside).effect()) == Ref(id="r1")
    assert outside.commits() == 1


async def test_a_second_record_opens_a_case(ledger: SqlLedger, database: Database) -> None:
    claim = await ledger.claim(
        "k", contract="crm/d1/1", operation="erp.create_order", arguments="h", lease=5, generation=1
    )
    assert await ledger.mark_sent("k", fence=claim.fence, deadline=1)
    assert await ledger.done("k", fence=claim.fence, result={"id": "r1"})
    assert await ledger.done("k", fence=0, result={"id": "r1"}), "the same record again is no duplicate"
    assert await Cases(database).list() == []
    assert not await ledger.done("k", fence=0, result={"id": "r2"})
    [case] = await Cases(database).list()
    assert (case.kind, case.contract) == ("duplicate", "crm/d1/1")
    [row] = await ledger.rows("crm/d1/1")
    assert (row.result, row.duplicate) == ({"id": "r1"}, {"id": "r2"})
