"""`python -m experience`: the process that serves the API and the console."""

import asyncio
import contextlib
import signal
import sys

import uvicorn

import wiring
from domain.errors import SourceUnavailable
from experience.app import create_app
from experience.services import Services
from starter.logs import configure_logging
from starter.mistakes import Mistake
from starter.office import Office
from starter.reconciling.asked import AskedRuns
from starter.reconciling.composing import reconciler, repairs
from starter.settings import Settings, load_settings
from starter.sources.reading import Sources
from starter.tracing import configure_tracing, stop_tracing
from store.database import Database


async def serve(settings: Settings, database: Database) -> None:
    """Until SIGTERM or SIGINT; requests under way are answered first."""
    # reads need no Temporal: it is connected to with the first command
    client = await wiring.connect(settings, lazy=True)
    office = Office(
        database,
        client,
        wiring.read_company(settings),
        wiring.read_mapping(settings),
        settings.connection_of("crm"),
        Sources(settings),
    )
    async with wiring.open_limits(database) as limits, wiring.connect_systems(settings, limits) as systems:
        landscape = wiring.read_landscape(settings, office.company)
        performer = wiring.on_demand(database, systems, office.company, landscape)
        compared = reconciler(settings, database, client, systems)
        mending = repairs(office, compared, systems, performer.perform)
        async with AskedRuns(compared) as runs:
            server = uvicorn.Server(
                uvicorn.Config(
                    create_app(Services(database, office, settings, mending, runs)),
                    host=settings.experience.host,
                    port=settings.experience.port,
                    log_config=None,
                    access_log=False,
                    timeout_graceful_shutdown=int(settings.tuning.grace),
                )
            )
            await server.serve()


def main() -> int:
    settings = load_settings()
    configure_logging("experience", settings.log_level)
    configure_tracing("experience", settings.tracing)
    # uvicorn raises the signal again when it is done; it must not end the process before the store is closed.
    signal.signal(signal.SIGTERM, lambda *_: None)
    database = wiring.open_store(settings)
    try:
        with contextlib.suppress(KeyboardInterrupt):
            asyncio.run(serve(settings, database))
    finally:
        database.close()
        stop_tracing()
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (Mistake, SourceUnavailable) as error:
        sys.exit(f"tenure experience: {error}")
