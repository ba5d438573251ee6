"""The audit trail, the newest line first."""

from datetime import datetime
from typing import Annotated

from domain.access import Guarded, Sensitive
from experience.reading.frame import Page, page_of, position
from store.audit import Audit, AuditRow, Wanted
from store.database import Database


class AuditLine(Guarded):
    """One line (store/audit.py): `request` is the same for the lines of one command, begun and what became of it."""

    id: int
    at: datetime
    request: str
    actor: Annotated[str, Sensitive("audit")]
    roles: list[str]
    way: str
    kind: str
    permission: str
    subject: Annotated[str, Sensitive("audit")]
    reason: Annotated[str, Sensitive("audit")]
    shown: list[str]
    outcome: str
    detail: Annotated[str, Sensitive("audit")]


async def audit(database: Database, wanted: Wanted, *, cursor: str | None, limit: int) -> Page[AuditLine]:
    """Raises Mistake for a cursor that is none."""
    if cursor is not None:
        [before] = position(cursor, [int])
        wanted = wanted._replace(before=before)
    rows = await Audit(database).list(wanted, limit + 1)
    newest = rows[0].at if rows else None
    return page_of(rows, limit, lambda row: [str(row.id)], line, {"audit": newest})


def line(row: AuditRow) -> AuditLine:
    values = row.model_dump()
    lists = {name: [each for each in values[name].split(",") if each] for name in ("roles", "shown")}
    return AuditLine(**{**values, **lists})
