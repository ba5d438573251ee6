"""The list of exception cases: finding one, and choosing some."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from pydantic_core import to_json
from sqlalchemy import String, cast, literal_column
from sqlalchemy import select as columns
from sqlmodel import Session, col, func, or_, select

from starter.finding import SHORTEST_NAME
from starter.mistakes import Unknown
from store.tables import CaseRow, InboxRow, utc_now


class Wanted(NamedTuple):
    """Which cases to list; None means all. `state`: open, resolved, or None for both."""

    state: str | None = "open"
    kind: str | None = None
    problem: str | None = None
    contract: str | None = None
    account: str | None = None
    assignee: str | None = None
    tag: str | None = None
    source: str | None = None
    snoozed: bool = False


@dataclass(frozen=True)
class Group:
    """Cases that are alike, which `retry --like` takes together."""

    problem: str
    kind: str
    type: str
    count: int
    newest: datetime


@dataclass(frozen=True)
class Listed:
    cases: Sequence[CaseRow]
    groups: Sequence[Group]
    unheard: str | None = None


def find_case(session: Session, name: str) -> CaseRow:
    if case := session.get(CaseRow, name):
        return case
    query = select(CaseRow).order_by(col(CaseRow.opened_at).desc())
    if name.isdecimal() and len(name) < 19:
        found = session.exec(query.where(CaseRow.inbox_id == int(name)).limit(5)).all()
    elif len(name.strip()) >= SHORTEST_NAME:
        part = query.where(col(CaseRow.id).contains(name, autoescape=True))
        found = session.exec(part.where(CaseRow.state == "open").limit(5)).all()
    else:
        found = []
    still_open = [case for case in found if case.state == "open"]
    if len(still_open or found) == 1:
        return (still_open or found)[0]
    if not found:
        raise Unknown(f"unknown case {name!r}; `tenure cases list` shows those that are open")
    raise Unknown(f"{name!r} is not unique: {', '.join(case.id for case in found)}")


def listed(session: Session, wanted: Wanted, limit: int) -> Listed:
    where = chosen(wanted)
    # the empty text is written out: PostgreSQL takes two parameters of one value for two expressions
    type_, newest = func.coalesce(col(InboxRow.type), literal_column("''")), func.max(col(CaseRow.opened_at))
    joined = col(InboxRow.id) == col(CaseRow.inbox_id)
    groups = (
        columns(col(CaseRow.problem), col(CaseRow.kind), type_, func.count(), newest)
        .select_from(CaseRow)
        .join(InboxRow, joined, isouter=True)
        .where(*where)
        .group_by(col(CaseRow.problem), col(CaseRow.kind), type_)
        .order_by(newest.desc())
    )
    cases = select(CaseRow).join(InboxRow, joined, isouter=True).where(*where)
    newest_first = cases.order_by(col(CaseRow.opened_at).desc(), col(CaseRow.id))
    found = session.execute(groups).all()
    alike = [Group(*values) for values in found]
    return Listed(session.exec(newest_first.limit(limit)).all(), alike, None if alike else unheard(session, wanted))


def unheard(session: Session, wanted: Wanted) -> str | None:
    """One line on the first word that no case ever had, with those that cases have: it may be mistyped."""
    asked = {
        "kind": (wanted.kind, CaseRow.kind), "problem": (wanted.problem, CaseRow.problem),
        "source": (wanted.source, InboxRow.source), "assignee": (wanted.assignee, CaseRow.assignee),
    }  # fmt: skip
    for what, (word, column) in asked.items():
        if word is None:
            continue
        had = (
            columns(col(column))
            .select_from(CaseRow)
            .join(InboxRow, col(InboxRow.id) == col(CaseRow.inbox_id), isouter=True)
        )
        known = sorted({each for each in session.execute(had.distinct()).scalars() if each})
        if word not in known:
            return f"no case has the {what} {word!r}; cases have: {', '.join(known) or 'none'}"
    return None


def chosen(wanted: Wanted) -> list[Any]:
    equal = {
        CaseRow.state: wanted.state, CaseRow.kind: wanted.kind, CaseRow.problem: wanted.problem,
        CaseRow.account: wanted.account, CaseRow.assignee: wanted.assignee, InboxRow.source: wanted.source,
    }  # fmt: skip
    where: list[Any] = [col(column) == value for column, value in equal.items() if value is not None]
    if wanted.contract is not None:
        where.append(col(CaseRow.contract).contains(wanted.contract, autoescape=True))
    if wanted.tag is not None:
        where.append(cast(CaseRow.tags, String).contains(to_json(wanted.tag).decode(), autoescape=True))
    if not wanted.snoozed:
        where.append(or_(col(CaseRow.snoozed_until).is_(None), col(CaseRow.snoozed_until) <= utc_now()))
    return where
