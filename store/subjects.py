"""Whom an event concerns: from what its source names to the contracts of ours."""

from collections.abc import Iterable, Sequence

from sqlmodel import Session, col, select

from domain import keys
from domain.events import Subject, UnusableEvent
from domain.routes import Landscape
from domain.view import Stage
from store.database import insert_once
from store.lifecycles import contracts_of_deal, find_contract
from store.tables import AccountAliasRow, LifecycleRow, LifecycleViewRow

DEEPEST = 20  # merges of merged accounts that are followed


def concerned(
    session: Session, subjects: Iterable[Subject], landscape: Landscape, source: str | None = None
) -> Sequence[str]:
    """The contracts that the first known subject stands for; none when nobody knows any of them (yet).

    `source`: the connection whose event it is, which is meant where a record of its kind is named. Raises UnusableEvent
    where several systems have a record by that id and the source is none of them.
    """
    for subject in subjects:
        if found := _contracts(session, specific(subject, landscape, source), landscape):
            return found
    return []


def specific(subject: Subject, landscape: Landscape, source: str | None) -> str:
    """The alias of a subject, with the connection whose record it is in place of its kind."""
    kind, rest = subject.alias.split(":", 1)
    return f"{landscape.meant_by(kind, source)}:{rest}" if kind == "erp" else subject.alias


def known(session: Session, alias: str, landscape: Landscape) -> bool:
    """Whether an alias that an event waits for finds a contract by now."""
    try:
        return bool(_contracts(session, alias, landscape))
    except UnusableEvent:
        return True  # it waits for nothing any more


def open_of_account(session: Session, account: str) -> Sequence[LifecycleRow]:
    """The open lifecycles of an account, and of those that were merged with it."""
    query = select(LifecycleRow).where(col(LifecycleRow.account).in_(_merged(session, account)))
    query = query.where(~col(LifecycleRow.closed))
    return session.exec(query.order_by(col(LifecycleRow.created_at), col(LifecycleRow.contract))).all()


def of_customer(session: Session, life: LifecycleRow) -> Sequence[LifecycleRow]:
    """The lifecycles of the account at the same selling entity, closed ones too: one customer in whichever ERP."""
    query = select(LifecycleRow).where(col(LifecycleRow.account).in_(_merged(session, life.account)))
    query = query.where(LifecycleRow.selling_entity == life.selling_entity)
    return session.exec(query.order_by(col(LifecycleRow.created_at), col(LifecycleRow.contract))).all()


def surviving(session: Session, account: str) -> str:
    """The account that this one is part of now, or itself."""
    return _ancestors(session, account)[-1]


def merged_accounts(session: Session) -> dict[str, str]:
    """Every account's id that is gone, with the account that it is part of now."""
    into = {row.account: row.into for row in session.exec(select(AccountAliasRow))}

    def last(account: str, steps: int = DEEPEST) -> str:
        return last(into[account], steps - 1) if account in into and steps else account

    return {account: last(account) for account in into}


def ended_of_account(session: Session, account: str) -> Sequence[LifecycleRow]:
    """The ended contracts of an account, and of those that were merged with it, the latest first."""
    query = (
        select(LifecycleRow)
        .join(LifecycleViewRow, col(LifecycleViewRow.contract) == col(LifecycleRow.contract))
        .where(col(LifecycleRow.account).in_(_merged(session, account)), col(LifecycleRow.closed))
        .where(LifecycleViewRow.stage == Stage.ENDED)
        .order_by(col(LifecycleViewRow.updated_at).desc(), col(LifecycleRow.contract))
    )
    return session.exec(query).all()


def merge_account(session: Session, account: str, into: str) -> bool:
    """From now on either id stands for both. False when that was known, or would go round in a circle."""
    if account == into or account in _ancestors(session, into):
        return False
    return insert_once(session, AccountAliasRow(account=account, into=into), keys=("account",))


def _contracts(session: Session, alias: str, landscape: Landscape) -> Sequence[str]:
    system, kind, foreign_id = alias.split(":", 2)
    if (system, kind) == ("tenure", "contract"):
        named = keys.contract_of(foreign_id)
        return [named] if session.get(LifecycleRow, named) else []
    if (system, kind) == ("crm", "account"):
        return [life.contract for life in open_of_account(session, foreign_id)]
    if system == "crm":
        return contracts_of_deal(session, foreign_id)
    names = landscape.known_as("erp", system)
    found = {name: contract for name in names if (contract := find_contract(session, name, kind, foreign_id))}
    if len({landscape.served_by("erp", name) for name in found}) > 1:
        raise UnusableEvent(
            f"{' and '.join(found)} have a {kind} {foreign_id} each, and the event says not whose it is"
        )
    for name, contract in found.items():
        erp = landscape.served_by("erp", name)
        return _sharing_customer(session, contract, erp, landscape) if kind == "customer" else [contract]
    return []


def _sharing_customer(session: Session, contract: str, erp: str, landscape: Landscape) -> Sequence[str]:
    """A customer of an ERP is one account at one selling entity; it may pay for several contracts."""
    first = session.get_one(LifecycleRow, contract)
    lives = [life for life in open_of_account(session, first.account) if life.selling_entity == first.selling_entity]
    if len(landscape.of_kind("erp")) < 2:
        return [life.contract for life in lives]
    return [life.contract for life in lives if life.contract == contract or _erp_of(session, life, landscape) == erp]


def _erp_of(session: Session, life: LifecycleRow, landscape: Landscape) -> str | None:
    """The ERP that a contract went to; None while that is not decided."""
    shown = session.get(LifecycleViewRow, life.contract)
    if shown is None:
        return None
    recorded = shown.view.get("connections", {}).get("erp")
    if recorded is None and shown.stage == Stage.ORDER_ACTIVATION:
        return None
    return landscape.served_by("erp", recorded)


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
