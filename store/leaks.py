"""Leakage that was found, until it is settled, and what of it was recovered."""

from collections.abc import Sequence
from datetime import date
from decimal import Decimal

from sqlalchemy import Index, Text
from sqlmodel import Field, Session, SQLModel, col, or_, select

from domain.measures.leakage import Kind, Leak


class LeakRow(SQLModel, table=True):
    """One finding of a contract's line. `amount` by `counted_on`, and `recovered`, are texts of decimals in `currency`;
    None where the ERP tells no price. `closed_on`: the day since which it is found no more. `quantity`: what the ERP
    bills of a line that is under-billed.
    """

    __tablename__ = "leaks"
    __table_args__ = (Index("ix_leaks_open", "closed_on", "kind"), Index("ix_leaks_contract", "contract"))

    id: str = Field(primary_key=True)
    contract: str
    account: str
    kind: str
    line: str
    product: str
    since: date
    found_on: date
    counted_on: date
    sentence: str = Field(sa_type=Text)
    because: str = Field(default="", sa_type=Text)
    currency: str
    amount: str | None = None
    closed_on: date | None = None
    recovered: str | None = None
    quantity: str | None = None

    @property
    def leak(self) -> Leak:
        named = self.model_dump(include=set(Leak.model_fields) - _DECIMALS)
        return Leak(**named, **{name: _decimal(getattr(self, name)) for name in _DECIMALS})


_DECIMALS = {"amount", "quantity"}


def _decimal(text: str | None) -> Decimal | None:
    return None if text is None else Decimal(text)


def open_leaks(session: Session, contract: str) -> Sequence[LeakRow]:
    """What is found of a contract and not settled."""
    query = select(LeakRow).where(LeakRow.contract == contract, col(LeakRow.closed_on).is_(None))
    return session.exec(query.order_by(col(LeakRow.id))).all()


def leaks_between(session: Session, since: date, until: date) -> Sequence[LeakRow]:
    """What was found, or settled, on the days from one to another."""
    found = col(LeakRow.found_on).between(since, until)
    query = select(LeakRow).where(or_(found, col(LeakRow.closed_on).between(since, until)))
    return session.exec(query.order_by(col(LeakRow.id))).all()


def keep_leak(session: Session, contract: str, account: str, leak: Leak, today: date) -> LeakRow:
    """Note a finding, or what it amounts to today. One that comes back on the day on which it was settled is open
    again."""
    row = next(
        (each for each in open_leaks(session, contract) if (each.kind, each.line) == (leak.kind, leak.line)), None
    )
    if row is None:
        name = _name(contract, leak.kind, leak.line, today)
        row = session.get(LeakRow, name) or LeakRow(
            id=name,
            contract=contract,
            found_on=today,
            account=account,
            counted_on=today,
            **leak.model_dump(exclude=_DECIMALS),
        )
        session.add(row)
    row.sqlmodel_update(leak.model_dump(exclude={*_DECIMALS, "kind", "line"}))
    row.account, row.counted_on = account, max(today, row.counted_on)
    row.amount, row.quantity = (None if each is None else str(each) for each in (leak.amount, leak.quantity))
    row.closed_on = row.recovered = None
    return row


def close_leak(row: LeakRow, on: date, amount: Decimal | None, recovered: Decimal) -> None:
    """It is found no more. `amount`: what it had come to."""
    row.closed_on = row.counted_on = on
    row.amount = None if amount is None else str(amount)
    row.recovered = None if amount is None else str(recovered)


def _name(contract: str, kind: Kind, line: str, found_on: date) -> str:
    return f"{kind}:{contract}:{line}:{found_on.isoformat()}"
