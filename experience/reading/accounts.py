"""Accounts, and what the contracts of an account and of those below it amount to."""

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import date, datetime
from typing import NamedTuple

from pydantic import BaseModel
from sqlalchemy import select as columns
from sqlmodel import Session, col, func, select

from domain.glossary import account_hierarchy, active_customer
from domain.policies.account_risk import LEVELS, OVER
from domain.view import Stage
from experience.reading.frame import Answer, Page, page_of, position
from store.board import BoardRow
from store.database import Database
from store.subjects import surviving

DEEPEST = 20  # levels of a hierarchy that are followed down


class Wanted(NamedTuple):
    """Which accounts to list; None means all. `part`: of the account's id, or of its customer's name."""

    parent: str | None = None
    part: str | None = None
    needs_attention: bool | None = None


class AccountLine(BaseModel):
    """An account in a list. `contracts` counts those that are open; `renews_next` is the nearest of their renewals."""

    account: str
    customer: str
    parent: str | None
    contracts: int
    needs_attention: int
    renews_next: date | None
    updated_at: datetime


class Total(BaseModel):
    """What several contracts amount to. `risk`: the worst of those that are open. `active`: see the glossary, "active
    customer"."""

    accounts: int
    contracts: int
    open: int
    active: bool
    risk: str
    by_stage: dict[str, int]
    by_entitlement: dict[str, int]
    on_hold: int
    needs_attention: int
    renews_next: date | None


class AccountAnswer(Answer):
    """`hierarchy`: the account, its parent, and so on up to the ultimate one. `children`: the accounts right below it.
    `own`: of its own contracts, `rolled_up`: of those and of every account below. `merged_into`: it is part of that
    account now."""

    account: str
    customer: str
    merged_into: str | None
    parent: str | None
    hierarchy: list[str]
    children: list[str]
    own: Total
    rolled_up: Total
    contracts: list[str]


async def accounts(database: Database, wanted: Wanted, *, cursor: str | None, limit: int) -> Page[AccountLine]:
    """By account."""
    still = col(BoardRow.stage).not_in(OVER)
    query = columns(
        col(BoardRow.account),
        func.max(col(BoardRow.customer)),
        func.max(col(BoardRow.parent_account)),
        func.count().filter(still),
        func.count().filter(~col(BoardRow.calm)),
        func.min(col(BoardRow.renewal_date)).filter(still),
        func.max(col(BoardRow.updated_at)),
    )
    if wanted.parent is not None:
        query = query.where(col(BoardRow.parent_account) == wanted.parent)
    if wanted.part is not None:
        named = col(BoardRow.account).contains(wanted.part, autoescape=True)
        query = query.where(named | col(BoardRow.customer).icontains(wanted.part, autoescape=True))
    if wanted.needs_attention is not None:
        query = query.where(col(BoardRow.calm) != wanted.needs_attention)
    if cursor is not None:
        query = query.where(col(BoardRow.account) > position(cursor, [str])[0])
    query = query.group_by(col(BoardRow.account)).order_by(col(BoardRow.account)).limit(limit + 1)

    def read(session: Session) -> Page[AccountLine]:
        rows = session.execute(query).all()
        newest = session.exec(select(func.max(BoardRow.updated_at))).one()
        return page_of(rows, limit, lambda row: [row[0]], _line, {"lifecycles": newest})

    return await database.read(read)


async def account(database: Database, name: str) -> AccountAnswer | None:
    """None: no contract is of the account, or of one below it."""

    def read(session: Session) -> AccountAnswer | None:
        own = _of(session, [name])
        below = _below(session, name)
        if not own and not below:
            return None
        now = surviving(session, name)
        parent = next((row.parent_account for row in own if row.parent_account), None)
        rows = [*own, *(row for each in below.values() for row in each)]
        return AccountAnswer(
            account=name,
            customer=next((row.customer for row in own if row.customer), ""),
            merged_into=None if now == name else now,
            parent=parent,
            hierarchy=list(account_hierarchy(name, _Parents(session, {name: parent}))),
            children=sorted(each for each, its in below.items() if any(row.parent_account == name for row in its)),
            own=_total(own),
            rolled_up=_total(rows),
            contracts=[row.contract for row in own],
            freshness={"lifecycles": max(row.updated_at for row in rows)},
        )

    return await database.read(read)


class _Parents(dict[str, str | None]):
    """The parents that the board knows, read as they are asked for."""

    def __init__(self, session: Session, known: dict[str, str | None]) -> None:
        super().__init__(known)
        self._session = session

    def get(self, account: str, default: str | None = None) -> str | None:  # type: ignore[override]  # its default is a str
        if account not in self:
            query = select(BoardRow.parent_account).where(BoardRow.account == account)
            named = self._session.exec(query.where(col(BoardRow.parent_account).is_not(None)).limit(1))
            self[account] = named.first()
        return self[account]


def _of(session: Session, names: Sequence[str]) -> Sequence[BoardRow]:
    query = select(BoardRow).where(col(BoardRow.account).in_(names)).order_by(col(BoardRow.contract))
    return session.exec(query).all()


def _below(session: Session, name: str) -> dict[str, list[BoardRow]]:
    """The contracts of the accounts below this one, by account. In a circle of
    parents each counts once."""
    found: dict[str, list[BoardRow]] = {}
    layer = [name]
    for _ in range(DEEPEST):
        query = select(BoardRow.account).where(col(BoardRow.parent_account).in_(layer)).distinct()
        layer = [each for each in session.exec(query).all() if each != name and each not in found]
        if not layer:
            break
        found |= {each: [] for each in layer}
        for row in _of(session, layer):
            found[row.account].append(row)
    return found


def _total(rows: Iterable[BoardRow]) -> Total:
    rows = list(rows)
    still = [row for row in rows if row.stage not in OVER]
    return Total(
        accounts=len({row.account for row in rows}),
        contracts=len(rows),
        open=len(still),
        active=active_customer(Stage(row.stage) for row in rows),
        risk=max((row.risk for row in still), key=LEVELS.index, default=LEVELS[0]),
        by_stage=dict(sorted(Counter(row.stage for row in rows).items())),
        by_entitlement=dict(sorted(Counter(row.entitlement for row in rows).items())),
        on_hold=sum(row.standing == "on_hold" for row in still),
        needs_attention=sum(not row.calm for row in rows),
        renews_next=min((row.renewal_date for row in still if row.renewal_date), default=None),
    )


def _line(row: Sequence[object]) -> AccountLine:
    names = ("account", "customer", "parent", "contracts", "needs_attention", "renews_next", "updated_at")
    return AccountLine.model_validate(dict(zip(names, row, strict=True)))
