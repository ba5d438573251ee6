"""What the long-running processes share: settings, logs, signals, waiting for Temporal, and a clean end."""

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Awaitable, Callable
from typing import NoReturn

import structlog
from temporalio.client import Client

from domain.errors import SourceUnavailable
from starter.logs import configure_logging
from starter.ready import beat, withdraw_ready
from starter.settings import Settings, SettingsError, load_settings
from starter.tracing import configure_tracing, stop_tracing

RECONNECT_AFTER = 2.0

log = structlog.get_logger()


def run_process(name: str, serve: Callable[[Settings, asyncio.Event], Awaitable[None]]) -> NoReturn:
    """Serve until SIGTERM or SIGINT sets the event. A bad configuration is one line on stderr and exit code 2."""
    try:
        settings = load_settings()
        configure_logging(name, settings.log_level)
        configure_tracing(name, settings.tracing)
        asyncio.run(_until_signalled(serve, settings))
    except SettingsError as error:
        sys.stderr.write(f"tenure {name}: {error}\n")
        sys.exit(2)
    except SourceUnavailable as error:  # while it begins; later it waits, and tries again
        sys.exit(f"tenure {name}: {error}")
    stop_tracing()
    # a process that ends right after its Temporal client can abort (sdk-python #300); everything is written by now
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


async def _until_signalled(serve: Callable[[Settings, asyncio.Event], Awaitable[None]], settings: Settings) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    withdraw_ready()
    beating = asyncio.create_task(beat())
    try:
        await serve(settings, stop)
    finally:
        beating.cancel()


async def connected(connect: Callable[[], Awaitable[Client]], stop: asyncio.Event) -> Client | None:
    """A client, as soon as Temporal answers; None when told to stop before."""
    while not stop.is_set():
        try:
            return await connect()
        except RuntimeError as error:  # what the SDK raises for a connection that fails
            log.warning("Temporal does not answer, trying again", error=str(error))
            await pause(stop, RECONNECT_AFTER)
    return None


async def pause(stop: asyncio.Event, seconds: float) -> None:
    """Wait, but not longer than until told to stop."""
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(stop.wait(), seconds)
