"""Fences around accounts: while one is merged or split, the ledger gives no claim to an effect of it."""

from sqlalchemy import Executable, bindparam
from sqlmodel import Session, col, delete, or_, select

from domain import keys
from domain.errors import AccountFenced
from store.database import insert_once, share_turn, take_turn
from store.tables import LifecycleRow
from store.transit import AccountFenceRow

FENCES = "fences"


def _fences() -> Executable:
    of_contract = select(LifecycleRow.account).where(LifecycleRow.contract == bindparam("of")).scalar_subquery()
    account = col(AccountFenceRow.account)
    concerned = or_(account == of_contract, account.in_(bindparam("named", expanding=True)))
    return select(AccountFenceRow.account, AccountFenceRow.into).where(concerned)


_FENCES = _fences()  # made once: every effect passes here


def check_fence(session: Session, key: str, contract: str, *, settles: bool) -> None:
    """Raises AccountFenced for an effect of a fenced account, and for a key of one that is part of another by now.

    `settles`: an earlier attempt has sent it; that is brought to its end, so that the fence need not wait for ever.
    """
    share_turn(session, FENCES)  # who fences waits for the claims that have not seen it
    named = keys.accounts_in(key)
    for fence in session.connection().execute(_FENCES, {"of": contract, "named": list(named)}).all():
        if fence.into is not None and fence.account in named:
            raise AccountFenced(f"the account {fence.account} is part of {fence.into} now, and so is what {key} names")
        if fence.into is None and not settles:
            raise AccountFenced(
                f"the account {fence.account} is being merged or split; it goes on by itself afterwards"
            )


def fence(session: Session, account: str, move: int, into: str | None = None) -> None:
    """`into`: for good, since the account is part of that one now."""
    take_turn(session, FENCES)
    lift(session, account)
    insert_once(session, AccountFenceRow(account=account, move=move, into=into), keys=("account",))


def lift(session: Session, account: str) -> None:
    session.connection().execute(delete(AccountFenceRow).where(col(AccountFenceRow.account) == account))


def fenced(session: Session) -> list[str]:
    """The accounts that are on the move."""
    return list(session.exec(select(AccountFenceRow.account).where(col(AccountFenceRow.into).is_(None))))


def gone_into(session: Session, account: str) -> str | None:
    """The account that this one was merged into."""
    row = session.get(AccountFenceRow, account)
    return None if row is None else row.into
