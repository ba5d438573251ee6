"""What was read of the outside, laid aside in a file of its own: however much it is, memory holds a page of it."""

import sqlite3
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

from pydantic import BaseModel

from domain import keys
from domain.ports.records import (
    AccountRecord,
    CompanyRecord,
    CustomerRecord,
    OpportunityRecord,
    PlanRecord,
    Record,
    RecordKind,
    RunRecord,
    SubscriptionRecord,
)
from domain.reconciling.expected import Expected
from domain.reconciling.outside import Outside

MODELS: Mapping[str, type[BaseModel]] = {
    "customers": CustomerRecord,
    "subscriptions": SubscriptionRecord,
    "accounts": AccountRecord,
    "opportunities": OpportunityRecord,
    "companies": CompanyRecord,
    "plans": PlanRecord,
    "playbooks": PlanRecord,
    "runs": RunRecord,
}
# what selects comes first: without statistics SQLite would else read all of a kind, for every contract
_SCHEMA = """
PRAGMA journal_mode = OFF;
PRAGMA synchronous = OFF;
CREATE TABLE records (connection TEXT NOT NULL, kind TEXT NOT NULL, id TEXT NOT NULL, key TEXT, contract TEXT,
    account TEXT, json TEXT NOT NULL, PRIMARY KEY (id, kind, connection)) WITHOUT ROWID;
CREATE INDEX records_contract ON records (contract, kind, connection);
CREATE INDEX records_key ON records (key, kind, connection);
CREATE INDEX records_account ON records (account, kind, connection);
"""
_LAST = "INSERT OR REPLACE INTO records VALUES (?, ?, ?, ?, ?, ?, ?)"
_FIRST = "INSERT OR IGNORE INTO records VALUES (?, ?, ?, ?, ?, ?, ?)"


class Harvest:
    """Records by connection, of one reading. `path` "" is a file that is gone when it is closed."""

    def __init__(self, path: str = "") -> None:
        self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._db.executescript(_SCHEMA)

    def close(self) -> None:
        self._db.close()

    def put(self, connection: str, kind: RecordKind, records: Iterable[Record]) -> None:
        rows = [
            (connection, kind, each.id, getattr(each, "key", None), _contract(each), _account(each),
             each.model_dump_json(exclude_defaults=True))
            for each in records
        ]  # fmt: skip
        self._db.execute("BEGIN")
        # of a workflow's runs the first that is listed is the last that was begun
        self._db.executemany(_FIRST if kind == "runs" else _LAST, rows)
        self._db.execute("COMMIT")

    def about(self, e: Expected, read: Collection[str], connections: Mapping[str, str]) -> Outside:
        """What may be about a contract. `connections`: by the kind of system."""
        erp, crm, cs = (connections.get(kind, kind) for kind in ("erp", "crm", "cs"))
        opportunity = keys.renewal_opportunity(e.contract, e.term)
        return Outside(
            read=frozenset(read),
            customers=self._find(erp, "customers", ids=(e.customer,), key=e.customer_key),
            subscriptions=self._find(erp, "subscriptions", ids=(e.subscription,), contract=e.contract),
            accounts=self._find(crm, "accounts", ids=(e.account,)),
            opportunities=self._find(
                crm, "opportunities", ids=(e.deal, e.opportunity), contract=e.contract, key=opportunity
            ),
            companies=self._find(cs, "companies", ids=(e.company,), account=e.account),
            plans=self._find(cs, "plans", contract=e.contract, key=keys.onboarding(e.contract)),
            playbooks=self._find(cs, "playbooks", contract=e.contract, key=keys.playbook(e.contract, e.term)),
            runs=self._find(connections.get("workflow", "temporal"), "runs", contract=e.contract),
            customers_of_parent=bool(e.parent and self._find(erp, "customers", account=e.parent)),
        )

    def pages(self, connection: str, kind: RecordKind, size: int = 500) -> Iterator[list[Any]]:
        """Everything of a kind, page by page."""
        after = ""
        while True:
            rows = self._db.execute(
                "SELECT id, json FROM records WHERE connection = ? AND kind = ? AND id > ? ORDER BY id LIMIT ?",
                (connection, kind, after, size),
            ).fetchall()
            if not rows:
                return
            yield [MODELS[kind].model_validate_json(row[1]) for row in rows]
            after = rows[-1][0]

    def _find(
        self,
        connection: str,
        kind: RecordKind,
        *,
        ids: Iterable[str | None] = (),
        contract: str | None = None,
        key: str | None = None,
        account: str | None = None,
    ) -> list[Any]:
        found: dict[str, str] = {}
        asked = [("id", each) for each in ids if each]
        asked += [
            (name, value) for name, value in (("contract", contract), ("key", key), ("account", account)) if value
        ]
        for column, value in asked:
            query = f"SELECT id, json FROM records WHERE connection = ? AND kind = ? AND {column} = ?"  # noqa: S608
            found |= dict(self._db.execute(query, (connection, kind, value)).fetchall())
        return [MODELS[kind].model_validate_json(found[each]) for each in sorted(found)]


def _contract(record: Record) -> str | None:
    named = getattr(record, "contract", None)
    return keys.contract_of(named) if named else None


def _account(record: Record) -> str | None:
    return getattr(record, "account", None)
