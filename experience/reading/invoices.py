"""Invoices as the ERP and billing told of them, and how far they are paid: by invoice, and by account."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import date
from decimal import Decimal
from typing import Annotated, Literal, NamedTuple

from pydantic import BaseModel
from sqlalchemy import JSON, type_coerce
from sqlmodel import Session, col, func, select, tuple_

from domain.access import Guarded, Sensitive
from domain.facts import DISPUTE, INVOICE, MOVEMENT, Fact, Owed, newer, owed
from domain.policies.collections import is_delinquent
from experience.reading.contracts import currencies, day_of
from experience.reading.frame import Answer, Page, page_of, position
from experience.reading.freshness import heard
from experience.services import Services
from starter.delivery import zone_of
from store.board import BoardRow
from store.tables import FactRow, LifecycleRow

Collection = Literal["paid", "open", "overdue", "delinquent", "disputed"]
KINDS = (INVOICE, MOVEMENT, DISPUTE)


class Wanted(NamedTuple):
    """Which invoices to list; None means all."""

    account: str | None = None
    contract: str | None = None
    collection: Collection | None = None


class InvoiceLine(Guarded):
    """One invoice. `collection`: open until its due date, then overdue, and delinquent after the company's grace; a
    disputed one is not dunned for. Amounts are in `currency`, that of the contracts that it bills."""

    invoice: str
    account: str
    contracts: list[str]
    due_on: date
    collection: Collection
    days_overdue: int
    currency: str
    amount: Annotated[Decimal, Sensitive("amount")]
    open: Annotated[Decimal, Sensitive("amount")]


class Sums(Guarded):
    """What an account owes in one currency. `due`: of what is open, what is past its due date."""

    currency: str
    invoices: int
    unpaid: int
    delinquent: int
    disputed: int
    invoiced: Annotated[Decimal, Sensitive("amount")]
    open: Annotated[Decimal, Sensitive("amount")]
    due: Annotated[Decimal, Sensitive("amount")]


class Held(BaseModel):
    """A contract that gets nothing more on credit, and why."""

    contract: str
    reason: str


class FinancialStatus(Answer):
    """Where an account stands with its payments. `standing`: the worst of its invoices, or on_hold."""

    account: str
    customer: str
    contracts: list[str]
    standing: Literal["good", "open", "overdue", "delinquent", "on_hold"]
    oldest_due: date | None
    sums: list[Sums]
    holds: list[Held]


async def invoices(services: Services, wanted: Wanted, *, cursor: str | None, limit: int) -> Page[InvoiceLine]:
    """By due date. With a filter by collection a page may hold fewer than `limit`, also where another follows."""

    def read(session: Session) -> Page[InvoiceLine]:
        due = func.min(type_coerce(FactRow.data, JSON)["due_on"].as_string())
        owner = (BoardRow.account, FactRow.entity_id)
        query = select(*owner, due).join(FactRow, col(FactRow.contract) == col(BoardRow.contract))
        query = query.where(FactRow.kind == INVOICE).group_by(*owner)
        if wanted.account is not None:
            query = query.where(BoardRow.account == wanted.account)
        if wanted.contract is not None:
            query = query.where(FactRow.contract == wanted.contract)
        place = (due, col(BoardRow.account), col(FactRow.entity_id))
        if cursor is not None:
            query = query.having(tuple_(*place) > tuple_(*position(cursor, [str, str, str])))
        rows = session.exec(query.order_by(*place).limit(limit + 1)).all()
        lines = {
            (line.account, line.invoice): line for line in _lines(session, services, [row[:2] for row in rows[:limit]])
        }
        page = page_of(
            rows,
            limit,
            lambda row: [row[2], row[0], row[1]],
            lambda row: lines[row[0], row[1]],
            heard(session, services.settings),
        )
        if wanted.collection is None:
            return page
        return page.model_copy(update={"items": [line for line in page.items if line.collection == wanted.collection]})

    return await services.database.read(read)


async def financial_status(services: Services, account: str) -> FinancialStatus | None:
    """None: the account has no contract."""

    def read(session: Session) -> FinancialStatus | None:
        board = session.exec(select(BoardRow).where(BoardRow.account == account).order_by(col(BoardRow.contract))).all()
        if not board:
            return None
        contracts = [row.contract for row in board]
        facts = _facts(session, contracts)
        names = sorted({fact.entity for each in facts.values() for fact in each if fact.kind == INVOICE})
        lines = _lines(session, services, [(account, name) for name in names])
        held = [(row.contract, view_hold(session, row.contract)) for row in board if row.standing == "on_hold"]
        unpaid = [line.due_on for line in lines if line.collection in ("overdue", "delinquent")]
        return FinancialStatus(
            account=account,
            customer=next((row.customer for row in board if row.customer), ""),
            contracts=contracts,
            standing="on_hold" if held else _worst(line.collection for line in lines),
            oldest_due=min(unpaid, default=None),
            sums=_sums(lines),
            holds=[Held(contract=contract, reason=reason) for contract, reason in held],
            freshness=heard(session, services.settings),
        )

    return await services.database.read(read)


def view_hold(session: Session, contract: str) -> str:
    from store.tables import LifecycleViewRow

    row = session.get(LifecycleViewRow, contract)
    return (row.view.get("hold") or "") if row else ""


def _lines(session: Session, services: Services, wanted: Sequence[tuple[str, str]]) -> list[InvoiceLine]:
    """The invoices by (account, id), in that order: put together from what each contract of the account was told."""
    accounts = sorted({account for account, _ in wanted})
    of_account = defaultdict[str, list[LifecycleRow]](list)
    for life in session.exec(select(LifecycleRow).where(col(LifecycleRow.account).in_(accounts))).all():
        of_account[life.account].append(life)
    contracts = [life.contract for lives in of_account.values() for life in lives]
    facts, money = _facts(session, contracts), currencies(session, contracts)
    grace = services.office.company.collections
    lines: list[InvoiceLine] = []
    standing: dict[str, dict[str, Owed]] = {}
    for account, invoice in wanted:
        lives = of_account[account]
        if account not in standing:
            merged = _newest(fact for life in lives for fact in facts.get(life.contract, []))
            standing[account] = {each.status.id: each for each in owed(merged)}
        billed = [life for life in lives if any(_tells(fact, invoice) for fact in facts.get(life.contract, []))]
        each = standing[account][invoice]
        today = day_of(billed[0], zone_of(session, billed[0].contract), services.clock)
        late = 0 if each.status.paid else max(0, (today - each.status.due_on).days)
        collection: Collection = "overdue" if late else "open"
        if each.status.paid:
            collection = "paid"
        elif each.status.disputed:
            collection = "disputed"
        elif is_delinquent(each.status.due_on, each.status.paid, today, grace):
            collection = "delinquent"
        lines.append(
            InvoiceLine(
                invoice=invoice,
                account=account,
                contracts=[life.contract for life in billed],
                due_on=each.status.due_on,
                collection=collection,
                days_overdue=late,
                currency=money.get(billed[0].contract, ""),
                amount=each.amount,
                open=each.open,
            )
        )
    return lines


def _facts(session: Session, contracts: Sequence[str]) -> dict[str, list[Fact]]:
    found = defaultdict[str, list[Fact]](list)
    rows = select(FactRow).where(col(FactRow.contract).in_(contracts), col(FactRow.kind).in_(KINDS))
    for row in session.exec(rows).all():
        found[row.contract].append(Fact(row.kind, row.entity_id, row.version, row.data))
    return found


def _newest(facts: Iterable[Fact]) -> list[Fact]:
    """Of a record that several contracts know, what is newest."""
    newest: dict[tuple[str, str], Fact] = {}
    for fact in facts:
        known = newest.get((fact.kind, fact.entity))
        if known is None or newer(fact.version, fact.data, than=known):
            newest[fact.kind, fact.entity] = fact
    return [newest[name] for name in sorted(newest)]


def _tells(fact: Fact, invoice: str) -> bool:
    return fact.kind == INVOICE and fact.entity == invoice


def _worst(collections: Iterable[Collection]) -> Literal["good", "open", "overdue", "delinquent"]:
    found = set(collections)
    for standing in ("delinquent", "overdue", "open"):
        if standing in found:
            return standing
    return "good"


def _sums(lines: Iterable[InvoiceLine]) -> list[Sums]:
    by_currency = defaultdict[str, list[InvoiceLine]](list)
    for line in lines:
        by_currency[line.currency].append(line)
    return [
        Sums(
            currency=currency,
            invoices=len(each),
            unpaid=sum(line.collection != "paid" for line in each),
            delinquent=sum(line.collection == "delinquent" for line in each),
            disputed=sum(line.collection == "disputed" for line in each),
            invoiced=sum((line.amount for line in each), Decimal(0)),
            open=sum((line.open for line in each), Decimal(0)),
            due=sum((line.open for line in each if line.days_overdue), Decimal(0)),
        )
        for currency, each in sorted(by_currency.items())
    ]
