"""The rows of contracts on their way: into Tenure, and from one account to another."""

from datetime import date, datetime
from typing import Any

from sqlalchemy import BigInteger, Index, Text
from sqlmodel import Field, SQLModel

from store.columns import Json, Moment, Serial
from store.tables import utc_now


class ImportRow(SQLModel, table=True):
    """One contract that lived before Tenure, on its way in.

    `state`: read, checked, known, shadow, promoted or refused. `place`: where in which file, or connection, it was
    found. `document` is the order as it was read, until it is known: from then on the orders have it. `existing`: its
    facts, since the check with what the ERP says. `entered_on`: the day of the check, in the contract's zone; what was
    due before is done.
    """

    __tablename__ = "imports"
    __table_args__ = (Index("ix_imports_state", "state", "contract"),)

    contract: str = Field(primary_key=True)
    place: str = Field(sa_type=Text)
    state: str = "read"
    document: dict[str, Any] | None = Field(default=None, sa_type=Json)
    existing: dict[str, Any] = Field(sa_type=Json)
    cut_over: date
    entered_on: date | None = None
    reasons: list[str] = Field(default_factory=list, sa_type=Json)
    changed_at: datetime = Field(default_factory=utc_now, sa_type=Moment)


class AccountFenceRow(SQLModel, table=True):
    """An account for which the ledger gives no claim. `into`: it is gone for good, since it is part of that one now;
    else a move is under way.
    """

    __tablename__ = "account_fences"

    account: str = Field(primary_key=True)
    move: int = Field(sa_type=BigInteger)
    into: str | None = None


class AccountMoveRow(SQLModel, table=True):
    """Contracts on their way from one account to another, or back.

    `kind`: merge or split. `state`: where it stands (starter/accounts.py). `contracts`: those that move. `kept`: what
    was before, for the way back. `done_at` is on the database's clock.
    """

    __tablename__ = "account_moves"

    id: int | None = Field(default=None, primary_key=True, sa_type=Serial)
    kind: str
    account: str = Field(index=True)
    into: str
    by: str
    state: str
    contracts: list[str] = Field(default_factory=list, sa_type=Json)
    kept: dict[str, Any] = Field(default_factory=dict, sa_type=Json)
    started_at: float
    done_at: float = 0.0
