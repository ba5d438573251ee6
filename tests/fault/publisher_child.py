"""A process that publishes until it is killed; prints a line when it begins. Arguments: store url, configuration."""

import asyncio
import os
import sys
from pathlib import Path

from starter.publishing import Patience, Publisher
from starter.settings import load_settings
from store.database import Database

url, config = sys.argv[1:]


async def main() -> None:
    publisher = Publisher(
        Database(url),
        load_settings(Path(config)),
        owner=str(os.getpid()),
        patience=Patience(timeout=0.5, first=0.02, longest=0.1, look=0.05),
    )
    print("publishing", flush=True)  # noqa: T201
    await publisher.run(asyncio.Event())


asyncio.run(main())
