"""Files of contracts that live already: TOML (one contract, or several under `[[contracts]]`), JSON, or JSON lines."""

import json
import tomllib
from datetime import date
from pathlib import Path
from typing import Any

from domain import keys
from starter.mistakes import Mistake
from store.transit import ImportRow

LONGEST_ID = 200  # a workflow id may have 255 bytes on some servers


def read_contracts(file: Path, *, crm: str, cut_over: date, defaults: dict[str, Any] | None = None) -> list[ImportRow]:
    """The contracts of a file, as rows to be imported. `defaults` fill what a contract does not say. Raises Mistake,
    with every place that names no contract, or one that stands there twice."""
    return to_rows(_entries(file), crm=crm, cut_over=cut_over, defaults=defaults)


def to_rows(
    entries: list[tuple[str, Any]], *, crm: str, cut_over: date, defaults: dict[str, Any] | None = None
) -> list[ImportRow]:
    """The same for contracts from anywhere, each with its place."""
    rows: dict[str, ImportRow] = {}
    wrong = []
    for place, entry in entries:
        document = _filled(defaults or {}, entry) if isinstance(entry, dict) else {}
        account = document.get("account")
        names = (document.get("deal_id"), account.get("id") if isinstance(account, dict) else None)
        if not all(isinstance(name, str) and name.isprintable() and 0 < len(name) <= LONGEST_ID for name in names):
            wrong.append(f"{place}: it has no deal_id and account.id, both text")
            continue
        existing = document.pop("existing", None)
        contract = keys.contract_id(crm, str(names[0]))
        if contract in rows:
            wrong.append(f"{place}: {contract} stands in {rows[contract].place} too")
            continue
        facts = existing if isinstance(existing, dict) else {}
        rows[contract] = ImportRow(
            contract=contract, place=place, document=document, existing=facts, cut_over=cut_over, reasons=[]
        )
    if wrong:
        more = f" (and {len(wrong) - 10} more)" if len(wrong) > 10 else ""
        raise Mistake("; ".join(wrong[:10]) + more)
    return list(rows.values())


def _entries(file: Path) -> list[tuple[str, Any]]:
    try:
        text = file.read_text(encoding="utf-8")
        if file.suffix in (".jsonl", ".ndjson"):
            lines = [(number, line) for number, line in enumerate(text.splitlines(), 1) if line.strip()]
            return [(f"{file.name}:{number}", _line(file, number, line)) for number, line in lines]
        read = tomllib.loads(text) if file.suffix == ".toml" else json.loads(text)
        read = json.loads(json.dumps(read, default=str))  # dates of TOML become the text that JSON has
    except OSError as error:
        raise Mistake(f"{file}: {error.strerror}") from None
    except (ValueError, RecursionError) as error:
        raise Mistake(f"{file}: {error}") from None
    found = read if isinstance(read, list) else read.get("contracts", [read]) if isinstance(read, dict) else None
    if not isinstance(found, list):
        raise Mistake(f"{file} holds no contracts")
    return [(f"{file.name}#{number}", entry) for number, entry in enumerate(found, 1)]


def _line(file: Path, number: int, line: str) -> Any:
    try:
        return json.loads(line)
    except (ValueError, RecursionError) as error:
        raise Mistake(f"{file}, line {number}: {error}") from None


def _filled(defaults: dict[str, Any], entry: dict[str, Any]) -> dict[str, Any]:
    """What the entry says, and what the defaults say where it is silent, table by table."""
    filled = dict(defaults)
    for name, value in entry.items():
        under = defaults.get(name)
        filled[name] = _filled(under, value) if isinstance(under, dict) and isinstance(value, dict) else value
    return filled
