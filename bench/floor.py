"""The floor that the gateway is measured against: a bare route of the same framework, with one insert into the same
kind of database. It checks nothing, reads nothing, and has no layer between itself and the database.

`python -m bench.floor PORT sqlite FILE`, or `python -m bench.floor PORT postgresql URL`.
"""

import asyncio
import sqlite3
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import psycopg
import uvicorn
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse

THREADS = 4  # connections to PostgreSQL at once, as many as the gateway has
TABLE = "CREATE TABLE IF NOT EXISTS bare (id INTEGER PRIMARY KEY, payload TEXT NOT NULL)"

Insert = Callable[[str], None]


def create_app(insert: Insert, threads: int) -> FastAPI:
    app = FastAPI(openapi_url=None)
    pool = ThreadPoolExecutor(threads)

    @app.post("/bare", status_code=202)
    async def bare(request: Request) -> JSONResponse:
        body = (await request.body()).decode()
        await asyncio.get_running_loop().run_in_executor(pool, insert, body)
        return JSONResponse({"status": "accepted"}, status_code=202)

    @app.get("/readyz")
    async def readyz() -> dict[str, str]:
        return {"status": "ok"}

    return app


def into_sqlite(file: str) -> Insert:
    """One connection, as durable as the store's: WAL and synchronous=FULL."""
    connection = sqlite3.connect(file, isolation_level=None, check_same_thread=False)
    for statement in ("PRAGMA journal_mode=WAL", "PRAGMA synchronous=FULL", TABLE):
        connection.execute(statement)

    def insert(body: str) -> None:
        connection.execute("INSERT INTO bare (payload) VALUES (?)", (body,))

    return insert


def into_postgresql(url: str) -> Insert:
    """One connection for each thread, each insert committed by itself."""
    mine = threading.local()
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(TABLE.replace("INTEGER PRIMARY KEY", "BIGSERIAL PRIMARY KEY"))

    def insert(body: str) -> None:
        if not hasattr(mine, "connection"):
            mine.connection = psycopg.connect(url, autocommit=True)
        mine.connection.execute("INSERT INTO bare (payload) VALUES (%s)", (body,))

    return insert


def main(port: str, kind: str, place: str) -> None:
    app = create_app(into_sqlite(place), 1) if kind == "sqlite" else create_app(into_postgresql(place), THREADS)
    uvicorn.run(app, host="127.0.0.1", port=int(port), log_config=None, access_log=False)


if __name__ == "__main__":
    main(*sys.argv[1:])
