"""Limits over SQL: a token bucket for each connection, decided in one transaction, timed by the database's clock."""

import math
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlmodel import Field, Session, SQLModel, col, delete, select, update

from domain.limits import AHEAD, SECOND, STALE, TRANSIT, Ended, Limit, Standing, Taken, room, soon
from store.columns import Json, Serial
from store.database import Database, change, insert_once, now

LEASE = 15.0  # of a turn, without a word of its holder; it is told when it ends, and renewed while it does not
LOOK_AGAIN = 0.1  # another process may tell at any moment that a call is over
_LONGEST = STALE + TRANSIT + SECOND  # until nothing that left, or may still leave, on a turn given now can count


class LimitRow(SQLModel, table=True):
    """The state of a connection's limit. `given`: the fields of the limit that win over the configuration.

    `earliest`: the instant from which the bucket fills. All instants are the database's clock.
    """

    __tablename__ = "limits"

    connection: str = Field(primary_key=True)
    given: dict[str, Any] | None = Field(default=None, sa_type=Json)
    earliest: float = 0.0
    paused_until: float = 0.0


class TurnRow(SQLModel, table=True):
    """One call that was allowed: it counts at their door until `counts_until`, and as one of those at once until
    `lease_until`."""

    __tablename__ = "turns"

    id: int | None = Field(default=None, primary_key=True, sa_type=Serial)
    connection: str = Field(index=True)
    counts_until: float
    lease_until: float


class SqlLimits:
    """domain.limits.LimitBook."""

    def __init__(self, database: Database) -> None:
        self._db = database

    async def standings(self) -> Mapping[str, Standing]:
        return await self._db.read(standings)

    async def take(
        self,
        connection: str,
        configured: Limit,
        wanted: int,
        *,
        ended: Sequence[Ended] = (),
        held: Iterable[int] = (),
        spare: bool = False,
    ) -> Taken:
        kept = tuple(held)
        return await self._db.write(lambda session: _take(session, connection, configured, wanted, ended, kept, spare))

    async def pause(self, connection: str, seconds: float) -> None:
        def pause(session: Session) -> None:
            row = _locked(session, connection)
            row.paused_until = max(row.paused_until, now(session) + seconds)

        await self._db.write(pause)


def standings(session: Session) -> dict[str, Standing]:
    """Of every connection of which there is something to say."""
    clock = now(session)
    found = {
        row.connection: Standing(given=row.given, paused=max(row.paused_until - clock, 0.0))
        for row in session.exec(select(LimitRow))
    }
    return {connection: standing for connection, standing in found.items() if standing != Standing()}


def give_limit(session: Session, connection: str, fields: Mapping[str, Any]) -> None:
    """From now on these fields win over the configuration, in every process."""
    row = _locked(session, connection)
    row.given = (row.given or {}) | dict(fields)


def reset_limit(session: Session, connection: str) -> None:
    """The configuration holds again, and a pause that the other side has asked for is over."""
    row = _locked(session, connection)
    row.given, row.paused_until = None, 0.0


def _locked(session: Session, connection: str) -> LimitRow:
    insert_once(session, LimitRow(connection=connection), keys=("connection",))
    return session.get_one(LimitRow, connection, with_for_update=True, populate_existing=True)


def _take(
    session: Session,
    connection: str,
    configured: Limit,
    wanted: int,
    ended: Sequence[Ended],
    held: Sequence[int],
    spare: bool,
) -> Taken:
    row = _locked(session, connection)
    asked = time.monotonic()  # before the clock is read: a turn is not used later than it counts
    clock = now(session)
    seen = time.monotonic()  # and after it: nor sooner than it may be
    limit = Standing(given=row.given).limit(configured)
    given_back = _settle(session, ended, held, clock)
    if limit.per_second is not None:
        row.earliest -= given_back / limit.per_second
    _forget(session, connection, clock)
    if row.paused_until > clock:
        return Taken(turns=(), wait=row.paused_until - clock, limit=limit, paused=True, asked=asked, seen=seen)
    columns = select(TurnRow.counts_until, TurnRow.lease_until).where(TurnRow.connection == connection)
    turns = session.exec(columns).all()
    counted = sorted(until for until, _ in turns if until > clock)
    active = sum(until > clock for _, until in turns)
    left = room(
        limit,
        wanted=wanted,
        clock=clock,
        earliest=row.earliest,
        counted=len(counted),
        active=active,
        spare=spare,
    )
    at_once = wanted if limit.concurrent is None else min(wanted, limit.concurrent - active)
    later, row.earliest = soon(
        limit,
        wanted=0 if spare else at_once - left.turns,
        clock=clock,
        earliest=left.earliest,
        counted=[*counted, *[math.inf] * left.turns],
    )
    leaves = (*[clock] * left.turns, *later)
    given = [
        TurnRow(connection=connection, counts_until=leave + _LONGEST, lease_until=leave + LEASE) for leave in leaves
    ]
    session.add_all(given)
    session.flush()
    rate = row.earliest - clock + (1 / limit.per_second if spare and limit.per_second else 0.0)
    ahead = 0.0 if spare else AHEAD
    wait = _wait(limit, rate - ahead, [until - clock - ahead for until in counted], active, len(given))
    return Taken(
        turns=tuple(turn.id for turn in given if turn.id is not None),
        wait=0.0 if len(given) == wanted else wait,
        limit=limit,
        paused=False,
        asked=asked,
        seen=seen,
        after=tuple(leave - clock for leave in leaves),
    )


def _wait(limit: Limit, rate: float, counted: Sequence[float], active: int, given: int) -> float:
    """After how many seconds the next turn may be taken."""
    waits = [rate]
    if limit.in_a_second is not None and (over := len(counted) + given - limit.in_a_second) >= 0:
        # told to be over sooner, most of them: a turn that was just given is not among them
        waits.append(min(counted[over], LOOK_AGAIN) if over < len(counted) else LOOK_AGAIN)
    if limit.concurrent is not None and active + given >= limit.concurrent:
        waits.append(LOOK_AGAIN)
    return max(*waits, 0.001)


def _settle(session: Session, ended: Sequence[Ended], held: Sequence[int], clock: float) -> int:
    """Note what has become of turns; returns how many were not made use of."""
    given_back = 0
    for end in ended:
        if end.how == "not made":
            given_back += session.exec(delete(TurnRow).where(col(TurnRow.id) == end.turn)).rowcount
            continue
        counts = clock - end.age + SECOND + (TRANSIT if end.how == "given up" else 0.0)
        mine = update(TurnRow).where(col(TurnRow.id) == end.turn)
        change(session, mine.values(lease_until=0.0))
        change(session, mine.where(col(TurnRow.counts_until) > counts).values(counts_until=counts))
    if held:
        change(session, update(TurnRow).where(col(TurnRow.id).in_(held)).values(lease_until=clock + LEASE))
    return given_back


def _forget(session: Session, connection: str, clock: float) -> None:
    over = (col(TurnRow.counts_until) <= clock, col(TurnRow.lease_until) <= clock)
    session.exec(delete(TurnRow).where(col(TurnRow.connection) == connection, *over))
    # a clock that was set back must not leave a connection counted out for as long
    ahead = col(TurnRow.counts_until) > clock + _LONGEST + 1
    session.exec(delete(TurnRow).where(col(TurnRow.connection) == connection, ahead))
