"""The audit trail: who read what is sensitive, who commanded what, and why."""

from typing import Annotated, Literal

from fastapi import Query
from pydantic import AwareDatetime

from experience.api.asking import Cursor, Limit
from experience.api.capability import capability
from experience.endpoints import endpoint
from experience.reading import audit as reading
from experience.reading.frame import Page
from experience.services import Served
from store.audit import Wanted

router = capability("audit")


@router.get("/audit")
@endpoint(owner="operations", permission="audit.read", since="1.0")
async def list_audit(
    services: Served,
    actor: Annotated[str | None, Query(description="A person's name, or token:NAME")] = None,
    about: Annotated[str | None, Query(description="A contract's or a case's id, or a part of one")] = None,
    permission: str | None = None,
    kind: Literal["read", "command"] | None = None,
    outcome: Literal["begun", "done", "refused", "failed", "denied"] | None = None,
    since: AwareDatetime | None = None,
    cursor: Cursor = None,
    limit: Limit = 100,
) -> Page[reading.AuditLine]:
    """Lines of the trail, the newest first."""
    wanted = Wanted(actor, about, permission, kind, outcome, since)
    return await reading.audit(services.database, wanted, cursor=cursor, limit=limit)
