"""Before an effect it may be asked whether it may be; and what a person did outside is an effect like any other."""

from collections.abc import Callable
from typing import Any

import pytest

from activities.effects import Effects
from domain.effects import Guarantee
from domain.errors import ConnectionFrozen, InDoubt, OutcomeUnknown, SourceUnavailable
from domain.ports import Ref
from store.cases import Cases
from store.database import Database
from store.ledger import SqlLedger

Vendors = Callable[[Guarantee], Any]


async def state_of(ledger: SqlLedger) -> str:
    [row] = await ledger.rows("crm/d1/1")
    return row.state


async def refused() -> None:
    raise InDoubt("is it one of these?")


async def allowed() -> None:
    return None


async def test_what_may_not_be_is_not_sent_and_may_be_asked_again(
    ledger: SqlLedger, vendor: Vendors, call: Any
) -> None:
    one = call(vendor(Guarantee.LOOKUP))
    for _ in range(2):
        with pytest.raises(InDoubt):
            await Effects(ledger).once(one.effect(vet=refused))
        assert (one.calls, await state_of(ledger)) == (0, "RELEASED")
    assert await Effects(ledger).once(one.effect(vet=allowed)) == Ref(id="r1")
    assert await Effects(ledger).once(one.effect(vet=refused)) == Ref(id="r1"), "what is done is not asked about"
    assert one.calls == 1


async def test_what_is_there_already_is_the_effect(ledger: SqlLedger, vendor: Vendors, call: Any) -> None:
    async def there() -> Ref:
        return Ref(id="r0")

    one = call(vendor(Guarantee.LOOKUP))
    assert await Effects(ledger).once(one.effect(vet=there)) == Ref(id="r0")
    assert (one.calls, await state_of(ledger)) == (0, "DONE")


async def test_a_question_that_is_not_answered_in_time_sends_nothing(
    ledger: SqlLedger, vendor: Vendors, call: Any
) -> None:
    async def silent() -> None:
        raise TimeoutError

    one = call(vendor(Guarantee.KEY))
    with pytest.raises(SourceUnavailable):
        await Effects(ledger).once(one.effect(vet=silent))
    assert (one.calls, await state_of(ledger)) == (0, "RELEASED")


async def test_a_refused_question_leaves_an_earlier_doubt_as_it_is(
    ledger: SqlLedger, vendor: Vendors, call: Any
) -> None:
    def lost() -> None:
        raise OutcomeUnknown("lost")

    outside = vendor(Guarantee.KEY)
    with pytest.raises(OutcomeUnknown):
        await Effects(ledger).once(call(outside, after=lost).effect())
    with pytest.raises(InDoubt):
        await Effects(ledger).once(call(outside).effect(vet=refused))
    assert await state_of(ledger) == "SENT"


@pytest.mark.parametrize("guarantee", [Guarantee.KEY, Guarantee.LOOKUP, Guarantee.NONE])
async def test_what_a_person_did_is_the_answer_from_then_on(
    guarantee: Guarantee, ledger: SqlLedger, vendor: Vendors, call: Any
) -> None:
    one = call(vendor(guarantee))
    assert await Effects(ledger).taken(one.effect(), Ref(id="by hand")) == Ref(id="by hand")
    assert await Effects(ledger).once(one.effect()) == Ref(id="by hand")
    assert (one.calls, await state_of(ledger)) == (0, "DONE")


async def test_a_person_settles_what_nobody_could_know(ledger: SqlLedger, vendor: Vendors, call: Any) -> None:
    def lost() -> None:
        raise OutcomeUnknown("lost")

    one = call(vendor(Guarantee.NONE), after=lost)
    with pytest.raises(OutcomeUnknown):
        await Effects(ledger).once(one.effect())
    await Effects(ledger).taken(one.effect(generation=2), Ref(id="r1"))
    assert await Effects(ledger).once(one.effect(generation=2)) == Ref(id="r1")
    assert one.calls == 1


async def test_what_is_done_already_stays_and_the_other_one_is_a_case(
    ledger: SqlLedger, database: Database, vendor: Vendors, call: Any
) -> None:
    one = call(vendor(Guarantee.LOOKUP))
    await Effects(ledger).once(one.effect())
    assert await Effects(ledger).taken(one.effect(), Ref(id="r1")) == Ref(id="r1")
    assert await Cases(database).list() == []
    assert await Effects(ledger).taken(one.effect(), Ref(id="r7")) == Ref(id="r1")
    [case] = await Cases(database).list()
    assert (case.kind, "r7 is a duplicate" in case.title) == ("duplicate", True)


async def test_frozen_nothing_is_asked_and_nothing_recorded(ledger: SqlLedger, vendor: Vendors, call: Any) -> None:
    one = call(vendor(Guarantee.LOOKUP))
    await ledger.freeze("erp")
    with pytest.raises(ConnectionFrozen):
        await Effects(ledger).once(one.effect(vet=refused))
    with pytest.raises(ConnectionFrozen):
        await Effects(ledger).taken(one.effect(), Ref(id="r1"))
    await ledger.thaw("erp")
    assert await Effects(ledger).taken(one.effect(), Ref(id="r1")) == Ref(id="r1")
