"""The path of a contract that is changed in every way, as it is recorded for the corpus."""

from collections.abc import Callable
from datetime import date, timedelta
from decimal import Decimal

from domain.changes.kinds import (
    Amend,
    AmendAtRenewal,
    Change,
    ChangeContract,
    Extend,
    GiveNotice,
    Move,
    Pause,
    Renew,
    Resume,
    Undo,
    WithdrawNotice,
)
from domain.document import apply_fixes
from domain.view import LifecycleView
from tests.house import Life
from tests.workflow.lives import clock, rests, to_day
from workflows.lifecycle import CustomerLifecycle


async def change_in_every_way(life: Life) -> None:
    """From the first term into the second, which is left as it stands there."""
    first = (await life.view()).term_ends
    assert first is not None
    await _given(life, Amend(quantities=_seats(60)), "amended")
    await _given(life, Undo(change="amended"), "undone")
    await _given(life, Extend(ends=first + timedelta(days=31)), "extended")
    await _told(life, Pause(reason="dispute"), "paused")
    await _told(life, AmendAtRenewal(quantities=_seats(70)), "at-renewal")
    await _told(life, Resume(), "resumed")
    await _told(life, GiveNotice(), "notice")
    await _told(life, WithdrawNotice(), "withdrawn")
    document = (await life.orders.revisions(life.contract))[-1].document
    revision = await life.orders.add(life.contract, apply_fixes(document, {"currency": "CHF"}), "finance")
    on = (await clock(life)).date() + timedelta(days=10)
    await _told(life, Move(selling_entity="ACME-DE", currency="CHF", revision=revision, on=on), "moved")
    await to_day(life, on)
    await life.until(lambda view: view.leg == 2 and rests(view))
    starts: date = on + timedelta(days=20)
    await _told(life, Renew(starts=starts, months=6), "renewed")
    await life.until(_done(":renewal-2"))
    await to_day(life, starts)
    await life.until(lambda view: view.term == 2 and rests(view))


async def _given(life: Life, change: Change, name: str) -> None:
    await _told(life, change, name)
    await life.until(_done(f":{name}"))


async def _told(life: Life, change: Change, name: str) -> None:
    command = ChangeContract(id=name, by="csm", change=change)
    await life.handle.execute_update(CustomerLifecycle.change, command)
    await life.until(rests)


def _done(ending: str) -> Callable[[LifecycleView], bool]:
    return lambda view: any(key.endswith(ending) for key in view.effects) and rests(view)


def _seats(number: int) -> dict[str, Decimal]:
    return {"PLATFORM": Decimal(number)}
