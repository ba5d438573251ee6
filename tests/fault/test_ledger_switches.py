"""The ledger's switches: freeze, and what is believed after a restore. And the ledger's own fences."""

import asyncio
import sqlite3
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from activities.effects import Effects
from domain.base import Frozen
from domain.books import Claim, ViewRow
from domain.effects import EffectClass, Guarantee
from domain.errors import Busy, ConnectionFrozen, InDoubt, Rejected, SourceUnavailable
from domain.intentions import fingerprint
from domain.ports import Ref
from domain.view import LifecycleView, Stage
from store.database import Database
from store.ledger import SqlLedger
from store.tables import LifecycleRow
from store.timeline import Timeline
from store.views import SqlViews
from tests.postgres import ON_SQLITE

KEY, LOOKUP, NONE = Guarantee.KEY, Guarantee.LOOKUP, Guarantee.NONE

Once = Callable[[Any], Any]
Vendors = Callable[[Guarantee], Any]


async def claim(ledger: SqlLedger, *, lease: float = 5, generation: int = 1) -> Claim:
    return await ledger.claim(
        "k", contract="crm/d1/1", operation="erp.create_order", arguments="h", lease=lease, generation=generation
    )


@pytest.mark.parametrize("frozen", ["erp", "all"])
async def test_a_frozen_connection_sends_nothing(
    frozen: str, once: Once, retry: Once, vendor: Vendors, call: Any, ledger: SqlLedger
) -> None:
    outside = vendor(KEY)
    await once(call(outside, "done before").effect())
    await ledger.freeze(frozen)
    blocked = call(outside)
    with pytest.raises(ConnectionFrozen, match="frozen"):
        await once(blocked.effect())
    assert await once(call(outside, "done before").effect()) == Ref(id="r1"), "what is done is still told"
    await ledger.thaw(frozen)
    assert await once(blocked.effect()) == Ref(id="r2")
    assert blocked.calls == 1


async def test_another_connection_goes_on(once: Once, vendor: Vendors, call: Any, ledger: SqlLedger) -> None:
    await ledger.freeze("crm")
    assert await once(call(vendor(KEY)).effect()) == Ref(id="r1")


async def test_a_level_is_set_each_time_unless_frozen(ledger: SqlLedger) -> None:
    effects = Effects(ledger)
    declared = EffectClass(guarantee=Guarantee.LEVEL)
    risks: list[str] = []

    async def set_risk() -> None:
        risks.append("high")

    await effects.level("cs.set_health", declared, set_risk)
    await effects.level("cs.set_health", declared, set_risk)
    await ledger.freeze("cs")
    with pytest.raises(ConnectionFrozen):
        await effects.level("cs.set_health", declared, set_risk)
    assert risks == ["high", "high"]
    assert await ledger.rows("crm/d1/1") == []


def restore(database: Database, backup: Path) -> None:
    """Put an older copy of the whole store back."""
    database.engine.dispose()
    source, target = sqlite3.connect(backup), sqlite3.connect(database.engine.url.database or "")
    source.backup(target)
    source.close()
    target.close()


def back_up(database: Database, backup: Path) -> None:
    source, target = sqlite3.connect(database.engine.url.database or ""), sqlite3.connect(backup)
    source.backup(target)
    source.close()
    target.close()


@ON_SQLITE
async def test_after_a_restore_forgotten_effects_are_not_done_again(
    once: Once, retry: Once, vendor: Vendors, call: Any, ledger: SqlLedger, database: Database, tmp_path: Path
) -> None:
    outsides = {guarantee: vendor(guarantee) for guarantee in (KEY, LOOKUP, NONE)}
    await once(call(outsides[LOOKUP], "long ago").effect())
    back_up(database, tmp_path / "backup.db")
    for guarantee, outside in outsides.items():
        await once(call(outside, f"forgotten-{guarantee}").effect())
    restore(database, tmp_path / "backup.db")
    assert [row.key for row in await ledger.rows("crm/d1/1")] == ["long ago"], "the ledger has forgotten them"
    assert await ledger.new_epoch() == 1

    await retry(call(outsides[KEY], "forgotten-KEY").effect())
    await retry(call(outsides[LOOKUP], "forgotten-LOOKUP").effect())
    with pytest.raises(InDoubt):
        await retry(call(outsides[NONE], "forgotten-NONE").effect())
    assert [outside.commits(f"forgotten-{guarantee}") for guarantee, outside in outsides.items()] == [1, 1, 1]
    looking_back = call(outsides[LOOKUP], "long ago")
    await retry(looking_back.effect())
    assert (looking_back.calls, looking_back.looks) == (0, 0), "what is stored as done stays done"

    await ledger.settle_epoch()
    assert await once(call(outsides[NONE], "new").effect())


async def test_after_a_restore_unfinished_rows_are_in_doubt(
    once: Once, retry: Once, vendor: Vendors, call: Any, ledger: SqlLedger
) -> None:
    def refuse() -> None:
        raise Rejected("unknown product")

    def drop() -> None:
        raise SourceUnavailable("refused")

    outside = vendor(LOOKUP)
    for key, failing, error in (("refused", refuse, Rejected), ("released", drop, SourceUnavailable)):
        with pytest.raises(error):
            await once(call(outside, key, before=failing).effect())
        outside.create(key)  # done between the backup and the restore, by an attempt that nobody remembers
    await ledger.new_epoch()
    await ledger.settle_epoch()
    for key in ("refused", "released"):
        assert await retry(call(outside, key).effect(generation=2))
        assert outside.commits(key) == 1


async def test_after_a_restore_a_forgotten_key_may_be_older_than_the_epoch(
    once: Once, retry: Once, vendor: Vendors, call: Any, ledger: SqlLedger
) -> None:
    """The vendor's key life counts from where the ledger's memory ends, not from the restore."""
    outside = vendor(KEY)

    def drop() -> None:
        raise SourceUnavailable("refused")

    with pytest.raises(SourceUnavailable):
        await once(call(outside, "known", before=drop).effect())
    await once(call(outside, "the last thing remembered").effect())
    await asyncio.sleep(1.0)
    await ledger.new_epoch()
    looking = [call(outside, "missing"), call(outside, "known")]
    await asyncio.gather(*(retry(each.effect(key_life=1.8, look=True)) for each in looking))
    assert [(each.looks, outside.commits(each.key)) for each in looking] == [(1, 1), (1, 1)]
    repeating = call(outside, "k2")
    await retry(repeating.effect(key_life=100.0, look=True))
    assert repeating.looks == 0


async def test_what_was_done_before_the_restore_counts_however_it_is_asked_for(
    once: Once, retry: Once, vendor: Vendors, call: Any, ledger: SqlLedger, database: Database
) -> None:
    """A lifecycle that was restored takes its picture anew, and would write another note than it has written."""
    outside = vendor(NONE)
    life = LifecycleRow(
        contract="crm/d1/1", tenant="acme", account="acc", deal="d1", selling_entity="ACME-DE", workflow_id="w"
    )
    await database.write(lambda session: session.add(life))
    await once(call(outside).effect())
    await ledger.new_epoch()
    other = call(outside, product="add-on")
    for _ in range(2):
        assert await once(other.effect()) == Ref(id="r1")
    assert (other.calls, outside.products()) == (0, ["platform"])
    said = await Timeline(database).of("crm/d1/1")
    assert [line.kind for line in said] == ["restored"]

    since = vendor(LOOKUP)
    await retry(call(since, "since").effect())
    with pytest.raises(Rejected, match="other arguments"):
        await once(call(since, "since", "add-on").effect())
    await ledger.settle_epoch()
    with pytest.raises(Rejected, match="other arguments"):
        await once(other.effect())


async def test_nothing_is_sent_when_the_lease_would_not_outlive_the_call(ledger: SqlLedger) -> None:
    mine = await claim(ledger, lease=1)
    assert not await ledger.mark_sent("k", fence=mine.fence, deadline=2)
    assert await ledger.mark_sent("k", fence=mine.fence, deadline=0.5)


async def test_an_overtaken_attempt_changes_nothing(ledger: SqlLedger) -> None:
    old = await claim(ledger, lease=0.05)
    await asyncio.sleep(0.1)
    new = await claim(ledger)
    assert (old.state, new.state, new.fence) == ("send", "send", old.fence + 1)
    assert not await ledger.mark_sent("k", fence=old.fence, deadline=0)
    await ledger.refused("k", fence=old.fence, reason="late")
    await ledger.released("k", fence=old.fence)
    await ledger.unknown("k", fence=old.fence)
    with pytest.raises(Busy) as busy:
        await claim(ledger)
    assert busy.value.retry_after is not None
    assert timedelta(seconds=3) < busy.value.retry_after <= timedelta(seconds=5)
    assert await ledger.mark_sent("k", fence=new.fence, deadline=1)


async def test_a_refusal_that_comes_after_the_success_is_ignored(ledger: SqlLedger) -> None:
    mine = await claim(ledger)
    await ledger.mark_sent("k", fence=mine.fence, deadline=1)
    await ledger.done("k", fence=mine.fence, result={"id": "r1"})
    await ledger.refused("k", fence=mine.fence, reason="late")
    assert (await claim(ledger)).result == {"id": "r1"}


async def test_the_view_is_written_with_the_result(once: Once, vendor: Vendors, call: Any, database: Database) -> None:
    view = LifecycleView(contract="crm/d1/1", stage=Stage.ONBOARDING)
    row = ViewRow(contract="crm/d1/1", run_started=datetime.now(UTC), sequence=7, view=view.model_dump(mode="json"))
    await once(call(vendor(KEY)).effect(view=row))
    stored = await SqlViews(database).get("crm/d1/1")
    assert stored is not None
    assert stored.stage is Stage.ONBOARDING


def test_arguments_are_compared_by_meaning() -> None:
    class Line(Frozen):
        quantity: Any
        tags: frozenset[str] = frozenset()

    assert fingerprint(Line(quantity=Decimal("12"))) == fingerprint(Line(quantity=Decimal("12.00")))
    assert fingerprint(Line(quantity=Decimal("100"))) == fingerprint(Line(quantity=Decimal("1E+2")))
    assert fingerprint(Line(quantity=Decimal("12"))) != fingerprint(Line(quantity=Decimal("12.01")))
    assert fingerprint(Line(quantity={"a": 1, "b": 2})) == fingerprint(Line(quantity={"b": 2, "a": 1}))
