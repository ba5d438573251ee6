"""`tenure api`: what the capability API offers, or its description written to a folder."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Column, Table

from starter.cli.running import Json, show
from starter.mistakes import Mistake

FILE = "openapi.json"


def register(app: typer.Typer) -> None:
    app.command()(api)


def api(
    write: Annotated[Path | None, typer.Option(help="Write the OpenAPI description into this folder.")] = None,
    as_json: Json = False,
) -> None:
    """List the API's operations, with who answers for them and what one must hold to ask; or write the description,
    unless that would break somebody."""
    from experience.openapi import document

    made = document()
    if write is not None:
        _write(write, made)
        return
    operations = [
        {"operation": f"{method.upper()} {path}", **{name: each.get(f"x-{name}") for name in _COLUMNS}}
        for path, methods in made["paths"].items()
        for method, each in methods.items()
    ]

    def text() -> None:
        table = Table(Column("operation", no_wrap=True), *_COLUMNS)
        for each in operations:
            table.add_row(*(str(value or "") for value in each.values()))
        Console().print(table)

    show(as_json, operations, text)


_COLUMNS = ("owner", "permission", "since", "sunset")


def _write(folder: Path, made: dict[str, Any]) -> None:
    from experience.compatibility import api_breaks
    from experience.openapi import text

    file = folder / FILE
    try:
        known = json.loads(file.read_text(encoding="utf-8")) if file.exists() else None
        if known is not None and (broken := api_breaks(known, made, datetime.now(UTC).date())):
            raise Mistake("\n".join(broken))
        folder.mkdir(parents=True, exist_ok=True)
        file.write_text(text(made), encoding="utf-8")
    except (OSError, ValueError) as error:
        raise Mistake(f"{file}: {error}") from None
    print(file)
