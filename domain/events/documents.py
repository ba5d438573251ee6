"""The files of `docs/events/`, made from the catalog: one schema per event, AsyncAPI, a table, and the lock.

The lock holds the shape of each event that was accepted last, one a line. It says no more than the schemas beside it,
and that is its use: a change has to pass both, and neither is written by hand.
"""

import json
from collections.abc import Mapping
from typing import Any

from domain.events.base import CATALOG
from domain.events.compatibility import catalog_breaks, shape
from domain.events.schemas import Catalog, Schema, asyncapi, meaning, schemas

LOCK = "lock.json"
ASYNCAPI = "asyncapi.json"
TABLE = "README.md"
_HEAD = """# Events

Every event that Tenure takes from other systems or sends to them: CloudEvents 1.0, named
`tenure.<entity>.<past-tense-verb>.v<N>`. All of this is made from `domain/events/` by `make events`; `tenure events`
shows it, `tenure events TYPE` shows one. [`asyncapi.json`](asyncapi.json) describes all of them in AsyncAPI 3.0.

Readers ignore fields that they don't know. A field that is removed, narrowed, or newly required is a new version of the
type: `make events` refuses to write it into an existing one ([ADR 7](../adr/0007-event-contracts.md)).

*Truth* is the system that is right when two differ. A *movement* adds to what is known, such as a payment, and is never
outdated; anything else may be outdated by what is newer.
"""
_COLUMNS = ("name", "owner", "meaning", "truth", "subject", "movement", "wakes the workflow", "since", "deprecated")


def documents(catalog: Catalog = CATALOG) -> dict[str, str]:
    """Every generated file, by name."""
    of_all = schemas(catalog)
    files = {f"{name}.json": _pretty(schema) for name, schema in of_all.items()}
    files[ASYNCAPI] = _pretty(asyncapi(catalog))
    files[TABLE] = _table(catalog)
    files[LOCK] = _lock(of_all)
    return files


def refusals(files: Mapping[str, str], catalog: Catalog = CATALOG) -> list[str]:
    """Why the catalog must not be written over `files`, those that are accepted: one line per break of a contract.

    Raises ValueError when one of the files is broken itself.
    """
    new, found = schemas(catalog), []
    for known in (_parsed(LOCK, files.get(LOCK, "{}")), _accepted(files)):
        found += catalog_breaks(known, new)
    return list(dict.fromkeys(found))


def _accepted(files: Mapping[str, str]) -> dict[str, Schema]:
    return {
        name.removesuffix(".json"): _parsed(name, text)
        for name, text in sorted(files.items())
        if name.startswith("tenure.") and name.endswith(".json")
    }


def _parsed(name: str, text: str) -> dict[str, Any]:
    try:
        read = json.loads(text)
    except ValueError as error:
        raise ValueError(f"{name} is not JSON: {error}") from None
    if not isinstance(read, dict):
        raise ValueError(f"{name} holds no object")
    return read


def _pretty(document: dict[str, Any]) -> str:
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _lock(of_all: Mapping[str, Schema]) -> str:
    lines = (f"{json.dumps(name)}: {json.dumps(shape(schema), sort_keys=True)}" for name, schema in of_all.items())
    return "{\n" + ",\n".join(lines) + "\n}\n"


def _table(catalog: Catalog) -> str:
    parts = [_HEAD]
    for outgoing, title in ((False, "What Tenure takes"), (True, "What Tenure sends")):
        rows = [_row(catalog, name) for name in sorted(catalog) if catalog[name].contract_.outgoing is outgoing]
        lines = [" | ".join(row) for row in (_COLUMNS, ("---",) * len(_COLUMNS), *rows)]
        parts.append(f"## {title}\n\n" + "".join(f"| {line} |\n" for line in lines))
    return "\n".join(parts)


def _row(catalog: Catalog, name: str) -> tuple[str, ...]:
    contract = catalog[name].contract_
    ended = contract.deprecated or ""
    cells = (
        f"[`{name}`]({name}.json)",
        contract.owner,
        meaning(catalog[name]),
        contract.truth,
        contract.subject,
        "yes" if contract.movement else "no",
        contract.wakes or "no",
        contract.since,
        f"{ended}, by `{contract.replaced_by}`" if contract.replaced_by else ended,
    )
    return tuple(cell.replace("|", "\\|") for cell in cells)
