"""What operations watch beside events and promises: stages, cases, differences, and the answers of the systems."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, select
from sqlmodel import Session, col

from domain.call_times import CallTimes
from store.call_times import call_times
from store.clocks import swept_at
from store.difference_tables import DifferenceRow, ReconciliationRow
from store.settings import set_setting, setting
from store.tables import CaseRow, LifecycleViewRow, utc_now

STUCK = "stuck_lifecycle"
LOOKED = "watchdog_looked"
NOTED_EVERY = 30.0

Counts = dict[tuple[str, ...], int]
NEVER = float("inf")


@dataclass(frozen=True)
class Watch:
    """`lifecycles` by stage; `oldest_cases` (seconds) by kind; open `differences` by kind and owner; `calls` by
    connection; `stuck`: lifecycles that can't make their workflow task, looked for `watched` seconds ago. What never
    was is infinitely many seconds ago.
    """

    lifecycles: Counts
    clocks_swept: float
    oldest_cases: dict[str, float]
    differences: Counts
    oldest_difference: float
    healed: int
    reconciled: float
    calls: dict[str, CallTimes]
    stuck: int
    watched: float


def watch(session: Session) -> Watch:
    moment = utc_now()
    is_open = col(DifferenceRow.status) == "open"
    oldest = session.connection().execute(select(func.min(col(DifferenceRow.found_at))).where(is_open)).scalar()
    healed = select(func.coalesce(func.sum(col(ReconciliationRow.healed)), 0))
    ended = select(func.max(col(ReconciliationRow.ended_at)))
    return Watch(
        lifecycles=_count(session, [col(LifecycleViewRow.stage)]),
        clocks_swept=_since(swept_at(session), moment),
        oldest_cases=_oldest_cases(session, moment),
        differences=_count(session, [col(DifferenceRow.kind), col(DifferenceRow.owner)], is_open),
        oldest_difference=0.0 if oldest is None else _since(oldest, moment),
        healed=int(session.connection().execute(healed).scalar_one()),
        reconciled=_since(session.connection().execute(ended).scalar(), moment),
        calls=call_times(session),
        stuck=_count(session, [col(CaseRow.kind)], col(CaseRow.state) == "open", col(CaseRow.kind) == STUCK).get(
            (STUCK,), 0
        ),
        watched=_since(looked_at(session), moment),
    )


def looked_at(session: Session) -> datetime | None:
    """When the watchdog last looked for lifecycles that can't go on; None before the first time."""
    found = setting(session, LOOKED)
    return datetime.fromisoformat(found) if found else None


def look_is_due(session: Session) -> bool:
    """Whether a look of the watchdog is worth a note: every half minute is enough."""
    before = looked_at(session)
    return before is None or (utc_now() - before).total_seconds() >= NOTED_EVERY


def note_look(session: Session) -> None:
    set_setting(session, LOOKED, utc_now().isoformat())


def _count(session: Session, by: Sequence[Any], *where: Any) -> Counts:
    named = [each.label(f"label_{n}") for n, each in enumerate(by)]
    query = select(*named, func.count()).where(*where).group_by(*(each.name for each in named))
    return {tuple(labels): count for *labels, count in session.connection().execute(query)}


def _oldest_cases(session: Session, moment: datetime) -> dict[str, float]:
    oldest = select(col(CaseRow.kind), func.min(col(CaseRow.opened_at))).where(col(CaseRow.state) == "open")
    found = session.connection().execute(oldest.group_by(col(CaseRow.kind)))
    return {kind: _since(opened, moment) for kind, opened in found}


def _since(then: datetime | None, moment: datetime) -> float:
    return NEVER if then is None else max(0.0, (moment - then).total_seconds())
