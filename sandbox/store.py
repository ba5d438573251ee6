"""The box's database: one table of JSON documents for all systems, beside calls, stored answers and the outbox."""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

Record = dict[str, Any]

_SCHEMA = """
PRAGMA journal_mode = WAL;
PRAGMA synchronous = NORMAL;
CREATE TABLE IF NOT EXISTS documents (
    n INTEGER PRIMARY KEY AUTOINCREMENT, system TEXT NOT NULL, kind TEXT NOT NULL, id TEXT NOT NULL,
    external_id TEXT, json TEXT NOT NULL, UNIQUE (system, kind, id));
CREATE INDEX IF NOT EXISTS documents_external ON documents (system, kind, external_id);
CREATE TABLE IF NOT EXISTS calls (
    n INTEGER PRIMARY KEY AUTOINCREMENT, at TEXT NOT NULL, received_at TEXT NOT NULL, system TEXT NOT NULL,
    operation TEXT NOT NULL, method TEXT NOT NULL, path TEXT NOT NULL, key TEXT, status INTEGER, body TEXT);
CREATE TABLE IF NOT EXISTS answers (
    system TEXT NOT NULL, key TEXT NOT NULL, request TEXT NOT NULL, status INTEGER NOT NULL, body TEXT NOT NULL,
    PRIMARY KEY (system, key));
CREATE TABLE IF NOT EXISTS outbox (
    n INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, system TEXT NOT NULL, body TEXT NOT NULL,
    state TEXT NOT NULL DEFAULT 'pending', attempts INTEGER NOT NULL DEFAULT 0, answered INTEGER);
CREATE TABLE IF NOT EXISTS traces (event TEXT PRIMARY KEY, traceparent TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS changed (
    system TEXT NOT NULL, kind TEXT NOT NULL, id TEXT NOT NULL, at TEXT NOT NULL, PRIMARY KEY (system, kind, id));
CREATE TABLE IF NOT EXISTS counters (name TEXT PRIMARY KEY, value INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS settings (name TEXT PRIMARY KEY, value TEXT NOT NULL);
"""


class Store:
    """All access is synchronous and from the event loop's thread, so one call's work is atomic against the others."""

    def __init__(self, path: str) -> None:
        self.db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self.db.row_factory = sqlite3.Row
        self.db.executescript(_SCHEMA)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        self.db.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self.db.execute("ROLLBACK")
            raise
        self.db.execute("COMMIT")

    def next_number(self, name: str) -> int:
        row = self.db.execute(
            "INSERT INTO counters VALUES (?, 1) ON CONFLICT (name) DO UPDATE SET value = value + 1 RETURNING value",
            (name,),
        ).fetchone()
        return int(row["value"])

    # ── documents ────────────────────────────────────────────────────────────────────────────────────────────────

    def put(self, system: str, kind: str, record_id: str, record: Record, external_id: str | None = None) -> Record:
        """Insert, or replace the document of the same id; it keeps its place in the order of creation."""
        self.db.execute(
            "INSERT INTO documents (system, kind, id, external_id, json) VALUES (?, ?, ?, ?, ?)"
            " ON CONFLICT (system, kind, id) DO UPDATE SET json = excluded.json,"
            " external_id = coalesce(excluded.external_id, external_id)",
            (system, kind, record_id, external_id, json.dumps(record)),
        )
        self.db.execute(
            "INSERT OR REPLACE INTO changed VALUES (?, ?, ?, ?)",
            (system, kind, record_id, datetime.now(UTC).isoformat(timespec="microseconds")),
        )
        return record

    def changed_since(self, system: str, since: str, after: int, limit: int) -> list[tuple[int, str, Record]]:
        """Number, kind and content of the documents whose last change is not before `since`, by their number."""
        rows = self.db.execute(
            "SELECT n, kind, json FROM documents LEFT JOIN changed USING (system, kind, id)"
            " WHERE system = ? AND n > ? AND coalesce(at, ?) >= ? ORDER BY n LIMIT ?",
            (system, after, since, since, limit),
        )
        return [(row["n"], row["kind"], json.loads(row["json"])) for row in rows]

    def get(self, system: str, kind: str, record_id: str) -> Record | None:
        found = self._documents("system = ? AND kind = ? AND id = ?", system, kind, record_id)
        return found[0] if found else None

    def find(self, system: str, kind: str, external_id: str) -> list[Record]:
        """Oldest first, without those that were put away."""
        living = "json_extract(json, '$.archived') IS NULL"
        return self._documents(f"system = ? AND kind = ? AND external_id = ? AND {living}", system, kind, external_id)

    def all(self, system: str, kind: str) -> list[Record]:
        return self._documents("system = ? AND kind = ?", system, kind)

    def page(
        self, system: str, kind: str, after: int, limit: int, fields: tuple[str, ...], about: str | None
    ) -> list[tuple[int, Record]]:
        """Number and content of the documents after a number; only those that say `about` in one of the fields."""
        said = " OR ".join(f"json_extract(json, '$.{field}') = ?4" for field in fields)
        query = f"""
            SELECT n, json FROM documents
            WHERE system = ?1 AND kind = ?2 AND n > ?3 AND (?4 IS NULL OR id = ?4 OR {said}) ORDER BY n LIMIT ?5
        """  # noqa: S608
        rows = self.db.execute(query, (system, kind, after, about, limit))
        return [(row["n"], json.loads(row["json"])) for row in rows]

    def everything(self) -> dict[str, dict[str, list[Record]]]:
        records: dict[str, dict[str, list[Record]]] = {}
        for row in self.db.execute("SELECT system, kind, json FROM documents ORDER BY n"):
            records.setdefault(row["system"], {}).setdefault(row["kind"], []).append(json.loads(row["json"]))
        return records

    def _documents(self, where: str, *values: str) -> list[Record]:
        rows = self.db.execute(f"SELECT json FROM documents WHERE {where} ORDER BY n", values)  # noqa: S608
        return [json.loads(row["json"]) for row in rows]

    # ── calls ────────────────────────────────────────────────────────────────────────────────────────────────────

    def record_call(
        self, *, at: datetime, system: str, operation: str, method: str, path: str, key: str | None, body: Any
    ) -> int:
        """A call is recorded when it comes in; its status stays null while (or because) nobody was answered."""
        cursor = self.db.execute(
            "INSERT INTO calls (at, received_at, system, operation, method, path, key, body)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (
                at.isoformat(),
                datetime.now(UTC).isoformat(),
                system,
                operation,
                method,
                path,
                key,
                None if body is None else json.dumps(body),
            ),
        )
        return int(cursor.lastrowid or 0)

    def record_status(self, call: int, status: int) -> None:
        self.db.execute("UPDATE calls SET status = ? WHERE n = ?", (status, call))

    def calls(self, system: str | None, operation: str | None) -> list[Record]:
        rows = self.db.execute(
            "SELECT * FROM calls WHERE (?1 IS NULL OR system = ?1) AND (?2 IS NULL OR operation = ?2) ORDER BY n",
            (system, operation),
        )
        return [{**dict(row), "body": None if row["body"] is None else json.loads(row["body"])} for row in rows]

    # ── settings ─────────────────────────────────────────────────────────────────────────────────────────────────

    def setting(self, name: str, default: str) -> str:
        row = self.db.execute("SELECT value FROM settings WHERE name = ?", (name,)).fetchone()
        return default if row is None else str(row["value"])

    def set_setting(self, name: str, value: str) -> None:
        self.db.execute("INSERT OR REPLACE INTO settings VALUES (?, ?)", (name, value))

    def clear(self) -> None:
        with self.transaction():
            for table in ("documents", "changed", "calls", "answers", "outbox", "traces", "counters", "settings"):
                self.db.execute(f"DELETE FROM {table}")  # noqa: S608

    def close(self) -> None:
        self.db.close()
