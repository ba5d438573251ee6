"""A process that calls a vendor within a shared limit; prints a line for each answer.

Arguments: store url, the vendor's address, calls per second and calls at once (0: no such limit), number of calls.
"""

import asyncio
import sys

import httpx

from adapters.limits import LimitedTransport
from adapters.turns import Limits
from domain.limits import Limit
from store.database import Database
from store.limits import SqlLimits

url, address, per_second, at_once, calls = sys.argv[1:]


async def main() -> None:
    database = Database(url)
    limits = Limits(SqlLimits(database))
    limiter = limits.of("erp", Limit(per_second=float(per_second) or None, concurrent=int(at_once) or None))
    transport = LimitedTransport(httpx.AsyncHTTPTransport(), limiter)

    async def call() -> None:
        async with limiter.ahead(60):
            print((await client.get("/")).status_code, flush=True)  # noqa: T201

    async with httpx.AsyncClient(transport=transport, base_url=address, timeout=30) as client:
        await asyncio.gather(*(call() for _ in range(int(calls))))
    await limits.close()
    database.close()


asyncio.run(main())
