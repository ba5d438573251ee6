"""What the outside systems hold, as somebody who works in them sees it: their records, in the order of their making."""

import json
import sqlite3
from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from bench.faults.lives import Life

ASKED = """
    SELECT n, system, kind, json FROM documents
    WHERE :kinds = '[]' OR kind IN (SELECT value FROM json_each(:kinds)) ORDER BY n
"""


@dataclass(frozen=True)
class Document:
    """`n` orders all records of all systems by when they were made."""

    n: int
    system: str
    kind: str
    record: Mapping[str, Any]

    @property
    def living(self) -> bool:
        return not self.record.get("archived") and self.record.get("status") != "cancelled"


@dataclass(frozen=True)
class Outside:
    """All records."""

    documents: Sequence[Document]

    def of(self, life: Life) -> dict[tuple[str, str], list[Document]]:
        """A life's records by system and kind; its renewal opportunities are a kind of their own."""
        found: dict[tuple[str, str], list[Document]] = {}
        for each in sorted([*self._owned[life.account], *self._owned[life.contract]], key=lambda each: each.n):
            kind = "renewal opportunities" if each.kind == "opportunities" else each.kind
            found.setdefault((each.system, kind), []).append(each)
        return found

    def notes_at(self, account: str) -> list[str]:
        """The ids of what was noted at a customer, oldest first."""
        return [str(each.record["id"]) for each in self._owned.get(account, ()) if each.kind == "notes"]

    @cached_property
    def _owned(self) -> Mapping[str, list[Document]]:
        """What lives, by the account or the contract that it is about."""
        living = [each for each in self.documents if each.living]
        companies = {each.record["id"]: str(each.record["external_id"]) for each in living if each.kind == "companies"}
        owned: dict[str, list[Document]] = defaultdict(list)
        for each in living:
            owned[_owner(each, companies)].append(each)
        return owned


def _owner(each: Document, companies: Mapping[str, str]) -> str:
    record = each.record
    match each.system, each.kind:
        case "erp", "customers":
            return str(record.get("account"))
        case "cs", "companies":
            return str(record.get("external_id"))
        case "cs", "health" | "notes":
            return companies.get(str(record.get("company")), "")
        case "crm", "opportunities":
            key = str(record.get("Tenure_External_Id__c") or "")
            return key.removeprefix("renewal-opportunity:").rpartition(":")[0]
    return str(record.get("contract"))


def read_outside(box: Path, *kinds: str) -> Outside:
    """From the box's own database; `kinds`: these alone, all when none is named."""
    with closing(sqlite3.connect(f"file:{box}?mode=ro", uri=True)) as db:
        rows = db.execute(ASKED, {"kinds": json.dumps(kinds)}).fetchall()
    return Outside([Document(n, system, kind, json.loads(text)) for n, system, kind, text in rows])
