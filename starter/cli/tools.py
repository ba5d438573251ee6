"""`tenure map`, `glossary`, `fast-forward`, `demo`."""

from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from starter.cli.lifecycles import read_document
from starter.cli.orders import read_mapping
from starter.cli.running import Contract, Erp, Json, in_office, parse_date, run, show
from starter.local_erp import parse_erp
from starter.mistakes import Mistake
from starter.settings import load_settings

if TYPE_CHECKING:
    from starter.office import Office

mapping_app = typer.Typer(help="Field mappings from a CRM to the canonical order.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    app.add_typer(mapping_app, name="map")
    app.command()(glossary)
    app.command("fast-forward")(fast_forward)
    app.command()(demo)


@mapping_app.command()
def check(
    payload: Annotated[Path, typer.Argument(help="A deal's record as the CRM returns it (JSON).")],
    mapping: Annotated[Path | None, typer.Option(help="Another mapping than the configured one (TOML).")] = None,
    as_json: Json = False,
) -> None:
    """Print the canonical order that a CRM's payload becomes, and what is missing or wrong in it."""
    import wiring
    from domain.mapping import UnusableRecord, canonical, classify, missing
    from domain.policies.validation import verdict

    settings, record = load_settings(), read_document(payload)
    chosen = read_mapping(settings, mapping)
    try:
        document, kind = canonical(record, chosen), classify(record, chosen)
    except UnusableRecord as error:
        raise Mistake(f"{payload}: {error}") from None
    company = wiring.read_company(settings)
    landscape = wiring.read_landscape(settings, company)
    found = verdict(document, company, 1, parent_known=None, landscape=landscape)

    def text() -> None:
        console = Console()
        console.print(f"A won deal of kind [bold]{kind.value}[/bold]. The canonical order:")
        console.print_json(data=document)
        for path in missing(document):
            console.print(f"missing  {path}")
        for reason in found.reasons:
            console.print(f"wrong    {reason.path}: {reason.message}")
        if not found.reasons:
            console.print("The order is complete and valid (the parent account is checked in the CRM).")
            for of_kind, connection in found.connections.items():
                console.print(f"{of_kind:<8} goes to {connection}")

    reasons = [reason.model_dump() for reason in found.reasons]
    data = {"kind": kind, "order": document, "missing": missing(document), "reasons": reasons}
    show(as_json, {**data, "connections": found.connections}, text)


def glossary(as_json: Json = False) -> None:
    """Print what the words mean here."""
    from domain.glossary import glossary as entries

    def text() -> None:
        console = Console()
        for entry in entries():
            console.print(f"[bold]{entry.term}[/bold]  ({entry.rule_name})\n  {entry.definition}\n", highlight=False)

    show(as_json, entries(), text)


def fast_forward(
    contract: Contract,
    to: Annotated[
        str | None, typer.Option(help="The day to arrive at (in the contract's zone), as 2027-08-25.")
    ] = None,
    by: Annotated[int | None, typer.Option(help="How many days to move.")] = None,
    as_json: Json = False,
) -> None:
    """Move a lifecycle's clock, from due date to due date. Needs a stack that is up with --time-travel."""
    from starter.timemachine import FARTHEST, TimeMachine

    if (to is None) == (by is None):
        raise Mistake("give either --to DATE or --by DAYS")
    if by is not None and by <= 0:
        raise Mistake("time travels forward: --by must be at least 1")
    if by is not None and by > FARTHEST.days:
        raise Mistake(f"--by: at most {FARTHEST.days} days at once")
    settings = load_settings()

    async def travel(office: "Office") -> dict[str, Any]:
        machine = TimeMachine(office, settings)
        life = await office.find(contract)
        stops = await machine.go(life, day=parse_date(to) if to else None, by=timedelta(days=by or 0))
        return {"now": await machine.clock(life), "stops": stops}

    done = in_office(travel)

    def text() -> None:
        table = Table("business time", "stopped for")
        for stop in done["stops"]:
            table.add_row(f"{stop['at']:%Y-%m-%d %H:%M}", stop["why"])
        Console().print(table)

    show(as_json, done, text)


def demo(erp: Erp = None, as_json: Json = False) -> None:
    """Play one customer's life on the local stack, and leave it running."""
    from starter.demo import play

    raise typer.Exit(run(play(load_settings(local_erp=parse_erp(erp)), as_json=as_json)))
