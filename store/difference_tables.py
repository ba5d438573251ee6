"""The rows of reconciliation: differences, what was done about each, repairs under way, and the runs over all."""

from datetime import date, datetime
from typing import Any

from sqlalchemy import Index, Text
from sqlmodel import Field, SQLModel

from store.columns import Json, Moment, Serial
from store.tables import utc_now


class DifferenceRow(SQLModel, table=True):
    """A difference, as domain.reconciling.difference.Difference says. `checked_by`: the number of the last run that
    found it. `changed_at`: when the row was last written."""

    __tablename__ = "differences"
    __table_args__ = (
        Index("ix_differences_status", "status", "found_at"),
        Index("ix_differences_contract", "contract", "status"),
        Index("ix_differences_changed", "changed_at", "id"),
    )

    id: str = Field(primary_key=True)
    kind: str
    klass: str
    system: str
    contract: str | None = None
    account: str = ""
    connection: str = ""
    subject: str = ""
    sentence: str = Field(sa_type=Text)
    ours: str = Field(default="", sa_type=Text)
    theirs: str = Field(default="", sa_type=Text)
    owner: str
    status: str = "open"
    found_at: datetime = Field(default_factory=utc_now, sa_type=Moment)
    seen_at: datetime = Field(default_factory=utc_now, sa_type=Moment)
    closed_at: datetime | None = Field(default=None, sa_type=Moment)
    settled: str = Field(default="", sa_type=Text)
    ignored_until: date | None = None
    reason: str = Field(default="", sa_type=Text)
    changed_at: datetime = Field(default_factory=utc_now, sa_type=Moment, sa_column_kwargs={"onupdate": utc_now})


class DifferenceNoteRow(SQLModel, table=True):
    """One line of a difference's history; never changed."""

    __tablename__ = "difference_notes"

    id: int | None = Field(default=None, primary_key=True, sa_type=Serial)
    difference: str = Field(index=True)
    at: datetime = Field(default_factory=utc_now, sa_type=Moment)
    by: str
    what: str = Field(sa_type=Text)


class RepairRow(SQLModel, table=True):
    """A repair that was decided. `mends`: what it does, in order; `results`: what those that are done have made.

    `state`: begun, done or failed. Its number is a part of the keys of its effects, so that it is done once.
    """

    __tablename__ = "repairs"
    __table_args__ = (Index("ix_repairs_difference", "difference", "state"),)

    id: int | None = Field(default=None, primary_key=True, sa_type=Serial)
    difference: str
    remedy: str
    by: str
    reason: str = Field(default="", sa_type=Text)
    mends: list[dict[str, Any]] = Field(sa_type=Json)
    results: list[str] = Field(default_factory=list, sa_type=Json)
    state: str = "begun"
    at: datetime = Field(default_factory=utc_now, sa_type=Moment)


class ReconciliationRow(SQLModel, table=True):
    """A run over all contracts; `sources` as domain.reconciling.difference.Freshness. `alive_at`: when its process last
    said that it goes on; `problem`: what broke it off, where the process could still say so."""

    __tablename__ = "reconciliations"

    id: int | None = Field(default=None, primary_key=True, sa_type=Serial)
    started_at: datetime = Field(default_factory=utc_now, sa_type=Moment)
    ended_at: datetime | None = Field(default=None, sa_type=Moment)
    alive_at: datetime | None = Field(default=None, sa_type=Moment)
    problem: str = Field(default="", sa_type=Text)
    contracts: int = 0
    waiting: int = 0
    found: int = 0
    new: int = 0
    healed: int = 0
    sources: list[dict[str, Any]] = Field(default_factory=list, sa_type=Json)
