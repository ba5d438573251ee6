"""`python -m starter.epoch begin|settle`: after a restore of a database, before the workers start again, and when all
outside systems have been compared with the store."""

import argparse
import asyncio
import sys

from domain.errors import SourceUnavailable
from starter.settings import SettingsError, load_settings
from store.database import Database
from store.ledger import SqlLedger
from store.migrate import migrate


async def declare(url: str, what: str) -> str:
    """What is so from now on, in a line. Raises SourceUnavailable."""
    await asyncio.to_thread(migrate, url)
    database = Database(url)
    try:
        ledger = SqlLedger(database)
        if what == "settle":
            await ledger.settle_epoch()
            return "a key that the ledger does not know is a new one"
        number = await ledger.new_epoch()
        return f"epoch {number}: what the ledger does not know to be done, counts as sent"
    finally:
        await asyncio.to_thread(database.close)


def main() -> str:
    parser = argparse.ArgumentParser(prog="python -m starter.epoch")
    parser.add_argument("what", choices=["begin", "settle"])
    what = parser.parse_args().what
    return asyncio.run(declare(load_settings().database_url, what))


if __name__ == "__main__":
    try:
        sys.stdout.write(f"{main()}\n")
    except SettingsError as error:
        sys.stderr.write(f"tenure epoch: {error}\n")
        sys.exit(2)
    except SourceUnavailable as error:
        sys.exit(f"tenure epoch: {error}")
