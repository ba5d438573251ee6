"""`tenure events`: the catalog of event contracts, one of them, or the files that are made from it."""

import difflib
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Column, Table

from domain.counting import many
from starter.cli.running import Json, plain, show
from starter.mistakes import Mistake


def register(app: typer.Typer) -> None:
    app.command()(events)


def events(
    name: Annotated[
        str | None, typer.Argument(metavar="[TYPE]", help="One type, such as tenure.invoice.paid.v1.")
    ] = None,
    write: Annotated[
        Path | None, typer.Option(help="Write schemas, AsyncAPI, table and lock into this folder.")
    ] = None,
    as_json: Json = False,
) -> None:
    """List what can be told to Tenure, and what it tells; or show one contract with its JSON Schema."""
    if write is not None:
        if name is not None:
            raise Mistake("--write writes all contracts: give no type with it")
        write_documents(write)
    elif name is not None:
        show_contract(name, as_json)
    else:
        list_contracts(as_json)


def list_contracts(as_json: bool) -> None:
    from domain.events import CATALOG
    from domain.events.schemas import meaning

    contracts = [CATALOG[name].contract_ for name in sorted(CATALOG)]

    def text() -> None:
        table = Table(Column("type", no_wrap=True), "owner", "truth", "subject", "wakes", "since", "deprecated")
        for one in contracts:
            way = "sent by Tenure" if one.outgoing else one.wakes or "no"
            table.add_row(one.type, one.owner, one.truth, one.subject, way, one.since, one.deprecated or "")
        Console().print(table)

    show(as_json, [plain(one) | {"meaning": meaning(CATALOG[one.type])} for one in contracts], text)


def show_contract(name: str, as_json: bool) -> None:
    from domain.events import CATALOG
    from domain.events.schemas import meaning, schema_of

    if name not in CATALOG:
        close = difflib.get_close_matches(name, CATALOG, n=1)
        hint = f"did you mean {close[0]}?" if close else "`tenure events` shows those that are known"
        raise Mistake(f"unknown event type {name!r}; {hint}")
    data = CATALOG[name]
    contract = data.contract_

    def text() -> None:
        console = Console()
        console.print(f"[bold]{name}[/bold]\n{meaning(data)}", highlight=False, soft_wrap=True)
        way = "Tenure sends it" if contract.outgoing else f"wakes the workflow: {contract.wakes or 'no'}"
        kind = " · a movement, never outdated" if contract.movement else ""
        facts = (
            f"owner: {contract.owner} · truth: {contract.truth} · subject: {contract.subject} · since {contract.since}"
        )
        console.print(f"{facts}\n{way}{kind}", highlight=False, soft_wrap=True)
        if deprecation := contract.deprecation():
            console.print(deprecation, highlight=False, soft_wrap=True)
        console.print_json(data=schema_of(data))

    show(as_json, schema_of(data), text)


def write_documents(folder: Path) -> None:
    """Write what is made from the catalog, unless that would break a contract that stands in the folder."""
    from domain.events.documents import documents, refusals

    try:
        known = {path.name: path.read_text(encoding="utf-8") for path in sorted(folder.glob("*.json"))}
        refused = refusals(known)
        if refused:
            raise Mistake("\n".join(refused))
        folder.mkdir(parents=True, exist_ok=True)
        made = documents()
        for name, content in made.items():
            (folder / name).write_text(content, encoding="utf-8")
    except (OSError, ValueError) as error:
        raise Mistake(f"{folder}: {error}") from None
    print(f"{many(len(made), 'file')} in {folder}")
