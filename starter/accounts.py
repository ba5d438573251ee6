"""Accounts are merged and split: a state machine in the store, which whoever runs it again brings to its end.

| state | done so far | next |
|---|---|---|
| fenced | no claim is given for either account | wait for what is on its way; then move every row in one transaction |
| moved | the rows name the other account | tell each running lifecycle |
| done | the fences are lifted; what waited goes on | |
| returning | fenced again | look for news, which bars the way back; then move the rows back |
| returned | the rows are as they were | tell each running lifecycle |
| undone | the fences are lifted | |
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

from sqlmodel import Session
from temporalio.client import (
    Client,
    WorkflowUpdateFailedError,
    WorkflowUpdateRPCTimeoutOrCancelledError,
)
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError, RPCStatusCode

from domain.messages import MoveAccount
from domain.moving import check_back
from domain.refused import Refused
from starter.delivery import business_now
from starter.handles import LifecycleHandle, lifecycle_handle
from starter.mistakes import Mistake, Refusal
from store import moves
from store.cases import open_case, resolve_case
from store.database import Database
from store.moves import CannotMove
from store.streams import Streams
from store.tables import CaseRow, LifecycleRow
from store.timeline import add_line
from store.transit import AccountMoveRow
from workflows.lifecycle import CustomerLifecycle

OWNER, LEASE = "accounts", 120.0
LOOK_AGAIN = 0.2
SHOWN = 5
ANSWERS_WITHIN = timedelta(seconds=20)


class AccountMoves:
    """`patience`: seconds that it waits for what is on its way. `reached` is called after each lasting step."""

    def __init__(
        self,
        database: Database,
        client: Client,
        *,
        patience: float = 150.0,
        reached: Callable[[str], None] = lambda state: None,
    ) -> None:
        self._db = database
        self._client = client
        self._streams = Streams(database)
        self._patience = patience
        self._reached = reached

    async def merge(self, account: str, into: str, by: str) -> AccountMoveRow:
        """Everything of one account is another's, or goes on to be. Raises Refusal or Mistake."""
        return await self._open(moves.MERGE, account, into, by, ())

    async def split(self, account: str, into: str, contracts: Sequence[str], by: str) -> AccountMoveRow:
        """Some contracts of an account are another's. Raises Refusal or Mistake."""
        return await self._open(moves.SPLIT, account, into, by, contracts)

    async def undo(self, account: str, by: str) -> AccountMoveRow:
        """Take the last merge or split of an account back, while nothing new happened. Raises Refusal or Mistake."""

        def begin(session: Session) -> AccountMoveRow:
            move = moves.last_move(session, account)
            if move is None:
                raise Refusal(f"{account} was never merged or split")
            if move.state in (moves.FENCED, moves.MOVED, moves.DONE):
                moves.begin_return(session, move)
            return move

        move = await self._db.write(begin)
        self._reached(moves.RETURNING)
        return await self._run(move)

    async def preview(self, kind: str, account: str, into: str, contracts: Sequence[str]) -> dict[str, Any]:
        """What a merge or split would do; nothing is changed. Raises Refusal."""

        def look(session: Session) -> dict[str, Any]:
            move = moves.running_move(session, account, into)
            try:
                if move is None:
                    moves.check_move(session, kind, account, into, contracts)
                    move = AccountMoveRow(kind=kind, account=account, into=into, by="", state="", started_at=0)
            except CannotMove as why:
                raise Refusal(str(why)) from None
            going = list(contracts) or moves.contracts_of(session, account)
            return {
                "contracts": going,
                "those of the other": moves.contracts_of(session, into),
                "outside": moves.known_of(session, account),
                "outside, of the other": moves.known_of(session, into),
                "waits for": moves.in_the_way(session, move),
            }

        return await self._db.read(look)

    # ── the machine ─────────────────────────────────────────────────────────────────────────────────────────────

    async def _open(self, kind: str, account: str, into: str, by: str, contracts: Sequence[str]) -> AccountMoveRow:
        def opened(session: Session) -> AccountMoveRow:
            last = moves.last_move(session, account)
            if last is not None and last.state == moves.DONE and _is(last, kind, account, into, contracts):
                return last  # the same again changes nothing
            try:
                return moves.open_move(session, kind, account, into, by, contracts)
            except CannotMove as why:
                raise Refusal(str(why)) from None

        move = await self._db.write(opened)
        self._reached(move.state)
        return await self._run(move)

    async def _run(self, move: AccountMoveRow) -> AccountMoveRow:
        """From wherever it stands to its end."""
        while move.state in moves.RUNNING:
            match move.state:
                case moves.FENCED:
                    await self._drained(move)
                    move = await self._shifted(move, moves.shift)
                case moves.MOVED:
                    await self._tell(move, back=False)
                    move = await self._step(move, _settle)
                case moves.RETURNING:
                    await self._no_news(move)
                    move = await self._shifted(move, moves.unshift)
                case moves.RETURNED:
                    await self._tell(move, back=True)
                    move = await self._step(move, moves.settle_return)
            self._reached(move.state)
        return move

    async def _drained(self, move: AccountMoveRow) -> None:
        """Wait until nothing of either account is on its way."""
        until = asyncio.get_running_loop().time() + self._patience
        while left := await self._db.read(lambda session: moves.in_the_way(session, move)):
            if asyncio.get_running_loop().time() >= until:
                raise Mistake(
                    f"{moves.describe(move)} waits for {', '.join(left)}: settle their cases and run it again, or take "
                    f"it back with tenure accounts undo {move.account}; until then both accounts stay fenced"
                )
            await asyncio.sleep(LOOK_AGAIN)

    async def _shifted(
        self, move: AccountMoveRow, shift: Callable[[Session, AccountMoveRow, Collection[str]], bool]
    ) -> AccountMoveRow:
        """Move the rows while nobody can start one of the lifecycles: what is started then, starts with the new row."""
        while True:
            beginning = await self._db.read(lambda session: _beginning(session, move))
            async with self._held(beginning) as held:
                shifted = await self._step(move, lambda session, row: shift(session, row, held))
            if shifted.state != move.state:
                return shifted

    async def _step(self, move: AccountMoveRow, work: Callable[[Session, AccountMoveRow], object]) -> AccountMoveRow:
        """One lasting step, unless somebody else has taken it meanwhile."""

        def step(session: Session) -> AccountMoveRow:
            row = session.get_one(AccountMoveRow, move.id, with_for_update=True)
            if row.state == move.state:
                work(session, row)
            return row

        return await self._db.write(step)

    @asynccontextmanager
    async def _held(self, contracts: Sequence[str]) -> AsyncIterator[Sequence[str]]:
        fences: dict[str, int] = {}
        try:
            while len(fences) < len(contracts):
                for contract in contracts:
                    fence = None if contract in fences else await self._streams.lease(contract, OWNER, LEASE)
                    if fence is not None:
                        fences[contract] = fence
                if len(fences) < len(contracts):
                    await asyncio.sleep(LOOK_AGAIN)
            yield contracts
        finally:
            for contract, fence in fences.items():
                await self._streams.release(contract, fence)

    # ── the lifecycles ──────────────────────────────────────────────────────────────────────────────────────────

    async def _tell(self, move: AccountMoveRow, *, back: bool) -> None:
        """Each running lifecycle, one after another. One that was told before answers the same."""
        account, into = (move.into, move.account) if back else (move.account, move.into)
        for contract in move.contracts:

            def command(session: Session, contract: str = contract) -> tuple[LifecycleRow, MoveAccount]:
                told = MoveAccount(
                    move=str(move.id),
                    account=account,
                    into=into,
                    known={} if back else moves.known_of(session, into),
                    sent=moves.sent_of(session, contract),
                    back=back,
                )
                return session.get_one(LifecycleRow, contract), told

            life, told = await self._db.read(command)
            if life.closed:
                continue
            try:
                await self._handle(life).execute_update(
                    CustomerLifecycle.move_account, told, id=f"move:{move.id}:{into}", rpc_timeout=ANSWERS_WITHIN
                )
            except WorkflowUpdateFailedError as error:
                why = error.cause.message if isinstance(error.cause, ApplicationError) else str(error)
                raise Refusal(f"{contract} does not follow: {why}") from None
            except (RPCError, WorkflowUpdateRPCTimeoutOrCancelledError) as error:
                self._wait_for(move, contract, error)

    async def _no_news(self, move: AccountMoveRow) -> None:
        """Nothing has happened that the way back would lose; else it stays done. Raises Refusal."""
        news = await self._db.read(lambda session: moves.news_since(session, move))
        for contract in [] if news else move.contracts:
            life = await self._life(contract)
            if life.closed:
                continue
            try:
                state = await self._handle(life).query(CustomerLifecycle.state, rpc_timeout=ANSWERS_WITHIN)
                check_back(state, move.into, move.account)
            except Refused as refused:
                news = [*news, str(refused)]
            except RPCError as error:
                self._wait_for(move, contract, error)
        if news:
            await self._step(move, moves.give_up_return)
            more = f", and {len(news) - SHOWN} more" if len(news) > SHOWN else ""
            raise Refusal(f"{moves.describe(move)} can't be undone; since then: {', '.join(news[:SHOWN])}{more}")

    async def _life(self, contract: str) -> LifecycleRow:
        return await self._db.read(lambda session: session.get_one(LifecycleRow, contract))

    def _handle(self, life: LifecycleRow) -> LifecycleHandle:
        return lifecycle_handle(self._client, life.workflow_id)

    def _wait_for(self, move: AccountMoveRow, contract: str, error: Exception) -> None:
        """Raises Mistake, unless there is no such lifecycle: it is over, or not begun, and begins with the new row."""
        if isinstance(error, RPCError) and error.status is RPCStatusCode.NOT_FOUND:
            return
        raise Mistake(
            f"{moves.describe(move)} has got as far as {contract}, which does not answer; run it again to go on"
        ) from None


def _is(move: AccountMoveRow, kind: str, account: str, into: str, contracts: Sequence[str]) -> bool:
    same = (move.kind, move.account, move.into) == (kind, account, into)
    return same and (kind == moves.MERGE or set(contracts) == set(move.contracts))


def _beginning(session: Session, move: AccountMoveRow) -> list[str]:
    contracts = move.contracts if move.contracts else moves.contracts_of(session, move.account)
    return moves.not_started(session, contracts)


def _settle(session: Session, move: AccountMoveRow) -> None:
    """It is done, and told to whom it concerns."""
    moves.settle(session, move)
    what = (
        f"was merged into {move.into}" if move.kind == moves.MERGE else f"was split: {', '.join(move.contracts)} went"
    )
    for contract in move.contracts:
        life = session.get_one(LifecycleRow, contract)
        add_line(
            session,
            contract,
            business_at=business_now(life),
            kind="account",
            summary=f"its account is {move.into}, not {move.account} any more ({move.kind} by {move.by})",
            ref=f"account-move:{move.id}",
        )
        resolve_case(session, f"account_merged:{contract}", f"{move.account} {what}")
    for double in move.kept["doubles"]:
        open_case(session, _double(move, double))


def _double(move: AccountMoveRow, double: dict[str, str]) -> CaseRow:
    """What stays twice outside, or is shared by two accounts now: nothing is merged or split there by itself."""
    customer = double["key"].startswith("customer:")
    what, where = ("customer", "the ERP") if customer else ("company", "CS")
    if move.kind == moves.MERGE:
        title = f"one account has two records as a {what} in {where}: {double['stays']} and {double['other']}"
        reason = (
            f"{double['other']} was {move.account}'s; what is new goes to {double['stays']}, which is {move.into}'s"
        )
        mend = f"merge them in {where} if you want to, then tenure cases resolve"
    else:
        title = f"two accounts share the {what} {double['other']} in {where}"
        reason = (
            f"{', '.join(move.contracts)} went from {move.account} to {move.into}, and {double['other']} stays theirs"
        )
        mend = f"part them in {where} if you want to, then tenure cases resolve"
    return CaseRow(
        id=f"account-move:{move.id}:{double['key']}",
        account=move.into,
        kind="shared_record",
        problem="shared_record",
        title=title,
        reasons=[reason],
        actor="finance" if customer else "ops",
        mend=mend,
    )
