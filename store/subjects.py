"""Whom an event concerns: from what its source names to the contracts of ours."""

from collections.abc import Iterable, Sequence

from sqlmodel import Session, col, select

from domain.events import Subject
from store.database import insert_once
from store.lifecycles import find_contract
from store.tables import AccountAliasRow, LifecycleRow

DEEPEST = 20  # merges of merged accounts that are followed


def concerned(session: Session, subjects: Iterable[Subject]) -> Sequence[str]:
    """The contracts that the first known subject stands for; none when nobody knows any of them (yet)."""
    for subject in subjects:
        if found := _contracts(session, subject.alias):
            return found
    return []


def known(session: Session, alias: str) -> bool:
    """Whether an alias that an event waits for finds a contract by now."""
    return bool(_contracts(session, alias))


def open_of_account(session: Session, account: str) -> Sequence[LifecycleRow]:
    """The open lifecycles of an account, and of those that were merged with it."""
    query = select(LifecycleRow).where(col(LifecycleRow.account).in_(_merged(session, account)))
    query = query.where(~col(LifecycleRow.closed))
    return session.exec(query.order_by(col(LifecycleRow.created_at), col(LifecycleRow.contract))).all()


def merge_account(session: Session, account: str, into: str) -> bool:
    """From now on either id stands for both. False when that was known, or would go round in a circle."""
    if account == into or account in _ancestors(session, into):
        return False
    return insert_once(session, AccountAliasRow(account=account, into=into), keys=("account",))


def _contracts(session: Session, alias: str) -> Sequence[str]:
    system, kind, foreign_id = alias.split(":", 2)
    if (system, kind) == ("tenure", "contract"):
        return [foreign_id] if session.get(LifecycleRow, foreign_id) else []
    if (system, kind) == ("crm", "account"):
        return [life.contract for life in open_of_account(session, foreign_id)]
    contract = find_contract(session, system, kind, foreign_id)
    if contract is None:
        return []
    return _sharing_customer(session, contract) if (system, kind) == ("erp", "customer") else [contract]


def _sharing_customer(session: Session, contract: str) -> Sequence[str]:
    """A customer of the ERP is one account at one selling entity; it may pay for several contracts."""
    first = session.get_one(LifecycleRow, contract)
    lives = open_of_account(session, first.account)
    return [life.contract for life in lives if life.selling_entity == first.selling_entity]


def _merged(session: Session, account: str) -> set[str]:
    """Every id that stands for this account: what it went into, and all that went into that."""
    root = _ancestors(session, account)[-1]
    found, layer = {root}, [root]
    while layer:
        query = select(AccountAliasRow.account).where(col(AccountAliasRow.into).in_(layer))
        layer = [each for each in session.exec(query) if each not in found]
        found.update(layer)
    return found


def _ancestors(session: Session, account: str) -> list[str]:
    """The account, what it was merged into, and so on."""
    chain = [account]
    while len(chain) < DEEPEST and (alias := session.get(AccountAliasRow, chain[-1])) is not None:
        chain.append(alias.into)
    return chain
