"""The effect ledger over SQL: one row per key, decided inside one write transaction, timed by the database's clock."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, NamedTuple

from sqlalchemy import BindParameter, Update, bindparam
from sqlmodel import Session, col, select, update

from domain.books import Claim, ViewRow
from domain.errors import Busy, ConnectionFrozen, Rejected
from domain.routes import any_of
from store.cases import open_case
from store.clocks import business_now
from store.columns import Json
from store.database import Database, change, db_now, insert_values, now, take_turn
from store.dead_letters import put_back
from store.epoch import EPOCH, Epoch, begin_epoch, epoch_of, settle_epoch, under_epoch
from store.fences import check_fence
from store.freezing import EVERYTHING, freeze, freezing, frozen, thaw, why_frozen
from store.inbox import ROUTING, unpark
from store.lifecycles import find_contract, link_new
from store.settings import settings_of
from store.tables import CaseRow, EffectRow, LifecycleRow
from store.timeline import add_line
from store.views import publish_view

# What these make outside has news of its own, which find their contract by its id: (kind of system, kind of record).
FOUND_BY = {
    "create_customer": ("erp", "customer"),
    "create_subscription": ("erp", "subscription"),
    "renew_subscription": ("erp", "subscription"),
    "create_renewal_opportunity": ("crm", "deal"),
}
KINDS = ("crm", "erp", "cs")
"""What stands for the connection in an operation from before connections were named in it."""


class _Asked(NamedTuple):
    """What a claim asks for."""

    key: str
    contract: str
    operation: str
    arguments: str
    generation: int


class _Standing(NamedTuple):
    """An effect, as its end has to know it."""

    contract: str
    operation: str
    state: str


class SqlLedger:
    """domain.books.EffectLedger; and the switches of operations: freeze, thaw, epochs."""

    def __init__(self, database: Database) -> None:
        self._db = database

    async def permit(self, operation: str) -> None:
        names = freezing(_connection(operation))
        _permit(operation, await self._db.read(lambda session: settings_of(session, names)))

    async def claim(
        self, key: str, *, contract: str, operation: str, arguments: str, lease: float, generation: int
    ) -> Claim:
        asked = _Asked(key, contract, operation, arguments, generation)
        return await self._db.write(lambda session: _claim(session, asked, lease))

    async def mark_sent(self, key: str, *, fence: int, deadline: float, absent: bool = False) -> bool:
        values = {"of": key, "by": fence, "deadline": deadline}
        return await self._db.write(lambda session: change(session, _SENT[absent], values)) == 1

    async def done(self, key: str, *, fence: int, result: dict[str, Any], view: ViewRow | None = None) -> bool:
        def done(session: Session) -> bool:
            effect = _Standing(*session.connection().execute(_STANDING, {"key": key}).one())
            if _method(effect.operation) in FOUND_BY:
                take_turn(session, ROUTING)  # an event that is being parked just now must not be missed
            if view is not None:
                publish_view(session, view)
            if effect.state == "DONE":
                return not _is_duplicate(session, _locked(session, key), result)
            change(session, _DONE, {"of": key, "answer": result})
            _make_known(session, effect, result)
            return True

        return await self._db.write(done)

    async def refused(self, key: str, *, fence: int, reason: str) -> None:
        await self._end(key, fence, {"state": "REFUSED", "reason": reason, "doubt_since": None})

    async def released(self, key: str, *, fence: int) -> None:
        def released(session: Session) -> None:
            values = {"lease_until": 0.0, "updated_at": db_now()}
            doubted = col(EffectRow.doubt_since).is_not(None)
            change(session, update(EffectRow).where(*_ours(key, fence), doubted).values(state="SENT", **values))
            change(session, update(EffectRow).where(*_ours(key, fence), ~doubted).values(state="RELEASED", **values))

        await self._db.write(released)

    async def unknown(self, key: str, *, fence: int) -> None:
        await self._end(key, fence, {})

    async def freeze(self, connection: str = EVERYTHING, *, reason: str = "") -> None:
        """No claim for this connection, or for any, until thaw. What is already claimed still goes out."""
        await self._db.write(lambda session: freeze(session, connection, reason))

    async def thaw(self, connection: str = EVERYTHING) -> bool:
        """False when it was not frozen. The dispatcher has what waits for it tried again (starter/thawing.py)."""
        return await self._db.write(lambda session: thaw(session, connection))

    async def frozen(self) -> dict[str, str]:
        """What is frozen now, and why: by connection, or "all"."""
        return await self._db.read(frozen)

    async def new_epoch(self) -> int:
        """To be called once after a restore of the store or of Temporal, before the workers start again."""
        return await self._db.write(begin_epoch)

    async def settle_epoch(self) -> None:
        """Missing keys are new ones again, once the outside systems have been compared with us."""
        await self._db.write(settle_epoch)

    async def rows(self, contract: str) -> list[EffectRow]:
        """A contract's ledger, oldest first."""
        query = select(EffectRow).where(EffectRow.contract == contract).order_by(col(EffectRow.created_at))
        return await self._db.read(lambda session: list(session.exec(query).all()))

    async def _end(self, key: str, fence: int, values: dict[str, Any]) -> None:
        statement = (
            update(EffectRow).where(*_ours(key, fence)).values(lease_until=0.0, updated_at=db_now()).values(**values)
        )
        await self._db.write(lambda session: change(session, statement))


def _ours(key: str | BindParameter[Any], fence: int | BindParameter[Any]) -> tuple[Any, ...]:
    open_states = col(EffectRow.state).in_(("CLAIMED", "SENT"))
    return col(EffectRow.key) == key, col(EffectRow.fence) == fence, open_states


def _sent(absent: bool) -> Update:
    return (
        update(EffectRow)
        .where(*_ours(bindparam("of"), bindparam("by")), col(EffectRow.lease_until) > db_now() + bindparam("deadline"))
        .values(
            state="SENT",
            sent_at=db_now(),
            doubt_since=None if absent else EffectRow.doubt_since,
            arguments=EffectRow.asked_arguments,
            generation=EffectRow.asked_generation,
            updated_at=db_now(),
        )
    )


_SENT = {absent: _sent(absent) for absent in (False, True)}  # made once: every effect passes here
_DONE = (
    update(EffectRow)
    .where(col(EffectRow.key) == bindparam("of"))
    .values(state="DONE", result=bindparam("answer", type_=Json), reason="", doubt_since=None, updated_at=db_now())
)
_STANDING = (
    select(EffectRow.contract, EffectRow.operation, EffectRow.state)
    .where(col(EffectRow.key) == bindparam("key"))
    .with_for_update()
)
_BY_KEY = select(EffectRow).where(col(EffectRow.key) == bindparam("key")).with_for_update()


def _locked(session: Session, key: str) -> EffectRow:
    return session.exec(_BY_KEY, params={"key": key}).one()


def _permit(operation: str, switches: Mapping[str, str]) -> None:
    connection = _connection(operation)
    if found := why_frozen(connection, switches):
        name, reason = found
        why = f" ({reason})" if reason else ""
        thaw_it = f"tenure thaw {name}" if name == connection else "tenure thaw"
        raise ConnectionFrozen(f"{connection} is frozen{why}; `{thaw_it}` lets it go on")


def _connection(operation: str) -> str:
    return operation.partition(".")[0]


def _method(operation: str) -> str:
    return operation.partition(".")[2]


def _claim(session: Session, asked: _Asked, lease: float) -> Claim:
    switches = settings_of(session, [*EPOCH, *freezing(_connection(asked.operation))])
    epoch = epoch_of(switches)
    new = insert_values(session, EffectRow, _first(asked, epoch, now(session), lease), keys=("key",))
    if new and not epoch.missing_in_doubt:  # nobody had it before
        check_fence(session, asked.key, asked.contract, settles=False)
        _permit(asked.operation, switches)
        return Claim(state="send", fence=1, generation=asked.generation)
    row = _locked(session, asked.key)
    under_epoch(row, epoch)
    clock = now(session)
    if row.state in ("DONE", "SENT") and _elsewhere(row.operation, asked.operation):
        where, here = _connection(row.operation), _connection(asked.operation)
        raise Rejected(f"{row.key} was given to {where}, and {here} is another system: it would be there twice")
    check_fence(session, row.key, asked.contract, settles=row.state in ("SENT", "DONE"))
    if row.state == "DONE":
        if row.arguments != asked.arguments and not _before_restore(session, row, epoch):
            raise Rejected(f"{row.key} is done with other arguments; a new intention needs a new key")
        return Claim(state="done", fence=row.fence, generation=row.generation, result=row.result)
    _permit(asked.operation, switches)
    if row.state in ("CLAIMED", "SENT") and row.lease_until > clock:
        left = row.lease_until - clock
        raise Busy(f"{row.key} is under way elsewhere", retry_after=timedelta(seconds=left))
    # generations are counted by contract: what one was refused is no answer to another that shares the key
    if row.state == "REFUSED" and row.contract == asked.contract and row.generation >= asked.generation:
        raise Rejected(row.reason)
    return _take(row, asked, clock, lease)


def _first(asked: _Asked, epoch: Epoch, clock: float, lease: float) -> dict[str, Any]:
    """The row of a key that nobody has had."""
    row = {
        **asked._asdict(),
        "asked_arguments": asked.arguments,
        "asked_generation": asked.generation,
        "reason": "",
        "epoch": epoch.number,
        "created_at": clock,
        "updated_at": clock,
    }
    if not epoch.missing_in_doubt:
        return {**row, "state": "CLAIMED", "fence": 1, "lease_until": clock + lease}
    # this key may be one that the restored database has forgotten
    doubt = {"sent_at": epoch.began, "doubt_since": epoch.remembers_until}
    return {**row, **doubt, "state": "SENT", "fence": 0, "lease_until": 0.0}


def _before_restore(session: Session, row: EffectRow, epoch: Epoch) -> bool:
    """Whether a lifecycle that was restored asks for what it has forgotten to have done. It may ask otherwise now, with
    a picture that was taken anew, say: what was done counts, and the comparison with the outside tells what differs."""
    if not epoch.missing_in_doubt or row.created_at >= epoch.began:
        return False
    life = session.get_one(LifecycleRow, row.contract)
    add_line(
        session,
        row.contract,
        business_at=business_now(life),
        kind="restored",
        summary=f"{row.operation} was done before the restore, and would be done otherwise now: what was done counts",
        ref=f"restored:{epoch.number}:{row.key}",
    )
    return True


def _take(row: EffectRow, asked: _Asked, clock: float, lease: float) -> Claim:
    row.fence += 1
    row.lease_until = clock + lease
    row.updated_at = clock
    row.asked_arguments, row.asked_generation = asked.arguments, asked.generation
    row.operation = asked.operation
    if row.state != "SENT":
        row.state, row.contract = "CLAIMED", asked.contract
        return Claim(state="send", fence=row.fence, generation=asked.generation)
    sent_at = row.sent_at or clock
    row.doubt_since = row.doubt_since or sent_at
    return Claim(
        state="in_doubt",
        fence=row.fence,
        generation=asked.generation,
        same_arguments=row.arguments == asked.arguments,
        sent_age=clock - sent_at,
        doubt_age=clock - row.doubt_since,
        doubt_generation=row.generation,
    )


def _make_known(session: Session, effect: _Standing, result: dict[str, Any]) -> None:
    """The new record is an alias of its contract, and what came in before we knew of it goes on."""
    method = _method(effect.operation)
    # a renewal is a record of its own, and may also make another subscription
    made = result.get("subscription" if method == "renew_subscription" else "id")
    if method not in FOUND_BY or made is None:
        return
    system, kind = FOUND_BY[method]
    # of two ERPs each may have a customer 5; deals are those of the one CRM
    connection = _connection(effect.operation) if system == "erp" else system
    if not link_new(session, connection, kind, made, effect.contract):
        _once_given(session, effect.contract, connection, kind, made)
    else:
        names = dict.fromkeys((connection, system, any_of(system)))
        unpark(session, *(f"{name}:{kind}:{made}" for name in names))
    if kind == "deal":
        hear_of_deal(session, made)


def hear_of_deal(session: Session, deal: str) -> None:
    """A deal that was decided before anybody knew whose it is was taken for somebody else's: it is heard again."""
    case = session.get(CaseRow, f"deal:{deal}")
    if case is not None and case.state == "open" and case.inbox_id is not None:
        put_back(session, case.inbox_id)


def _once_given(session: Session, contract: str, connection: str, kind: str, given: str) -> None:
    """An id that is another contract's already: a system that was restored from a backup counts again from there, and
    what it tells of that id from now on would reach the wrong contract. A customer may be shared."""
    other = find_contract(session, connection, kind, given)
    if kind == "customer" or other is None or other == contract:
        return
    case = CaseRow(
        id=f"reused:{connection}:{kind}:{given}",
        contract=contract,
        kind="reused_id",
        title=f"{connection} has given the {kind} {given} to {contract}, and it is {other}'s",
        reasons=[f"was {connection} restored from a backup? Then it gives numbers again that it has given before"],
        mend=f"tenure freeze {connection}; have its numbers moved on; tenure reconcile; then resolve the case",
    )
    open_case(session, case)


def _elsewhere(was: str, now: str) -> bool:
    """Whether a key is asked of another connection than before; an old row names the kind, which is its home's."""
    return _connection(was) != _connection(now) and _connection(was) not in KINDS


def _is_duplicate(session: Session, row: EffectRow, result: dict[str, Any]) -> bool:
    """Whether two successes name two records outside; then it is kept, and a person is told."""
    stored = (row.result or {}).get("id")
    other = result.get("id")
    if stored == other:
        return False
    row.duplicate = result
    case = CaseRow(
        id=f"duplicate:{row.key}",
        contract=row.contract,
        kind="duplicate",
        title=f"{row.operation} happened twice: {stored} is used, {other} is a duplicate",
        reasons=[f"{row.key} has two records in the outside system: {stored} and {other}"],
        mend=f"remove {other} in {_connection(row.operation)}, then resolve the case",
    )
    open_case(session, case)
    return True
