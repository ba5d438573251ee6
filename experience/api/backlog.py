"""The backlog of events, connections, feeds and subscribers."""

from experience.api.capability import capability
from experience.endpoints import endpoint
from experience.reading.backlog import Backlog, backlog
from experience.services import Served

router = capability("backlog")


@router.get("/backlog")
@endpoint(owner="operations", permission="backlog.read", since="1.0")
async def show_backlog(services: Served) -> Backlog:
    """What waits, by source; how long outside systems take; what is dead, and what subscribers have not got."""
    settings = services.settings
    return await services.database.read(
        lambda session: backlog(
            session,
            services.clock(),
            connections=tuple(settings.connections),
            feeds=tuple(settings.feeds),
            subscribers=tuple(settings.subscribers),
        )
    )
