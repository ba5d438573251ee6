"""`tenure import`, `tenure export`: customers who were there before Tenure, and lifecycles from house to house."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

# typer carries its own click
from typer._click.core import Context
from typer.core import TyperGroup

from domain.access import FieldClass
from domain.counting import many
from starter.cli.guarding import demand_sight
from starter.cli.running import Json, in_store, open_office, parse_date, run, show, user
from starter.mistakes import Mistake
from starter.settings import Settings, load_settings

if TYPE_CHECKING:
    from starter.importing.entry import Entrance
    from starter.importing.promoting import Compared
    from starter.office import Office
    from store.database import Database
    from store.transit import ImportRow

CutOver = Annotated[
    str | None, typer.Option("--cut-over", help="What is due before this day is the old process's; default: today.")
]
Everyone = Annotated[bool, typer.Option("--all", help="Every contract that is in shadow.")]


class _FileFirst(TyperGroup):
    """`tenure import FILE` is `tenure import contracts FILE`: whatever is no command names what is to be imported."""

    def parse_args(self, ctx: Context, args: list[str]) -> list[str]:
        if args and args[0] not in (*self.commands, "--help"):
            args = ["contracts", *args]
        return super().parse_args(ctx, args)


import_app = typer.Typer(
    cls=_FileFirst,
    no_args_is_help=True,
    help="Bring in customers who were there before Tenure: `tenure import FILE`, then report, then promote.",
)


def register(app: typer.Typer) -> None:
    app.add_typer(import_app, name="import")
    app.command("export")(export)


@import_app.command()
def contracts(
    file: Annotated[Path | None, typer.Argument(help="Contracts that live already (JSON lines, JSON or TOML).")] = None,
    connection: Annotated[str | None, typer.Option("--from", help="Take them from this ERP instead.")] = None,
    defaults: Annotated[
        Path | None, typer.Option(help="What no contract says and all share, such as terms (TOML or JSON).")
    ] = None,
    cut_over: CutOver = None,
    state: Annotated[
        bool, typer.Option("--state", help="FILE is what `tenure export` wrote: lifecycles go on as they were.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Read contracts and take every one as far as it goes: checked, known, in shadow. Say it again after a crash."""
    if state and file is not None and not (connection or defaults or cut_over):
        _bring_states(file, as_json)
        return
    if state:
        raise Mistake("--state goes with the file that `tenure export` wrote, and with nothing else")
    if (file is None) == (connection is None):
        raise Mistake("name either a FILE or, with --from, a connection to an ERP")
    source = file or Path()
    day = parse_date(cut_over) if cut_over else datetime.now(UTC).date()

    async def bring() -> dict[str, Any]:
        from starter.cli.lifecycles import read_document
        from starter.importing.files import read_contracts, to_rows
        from starter.importing.machine import Importer
        from store.imports import Imports

        shared = read_document(defaults) if defaults else {}
        async with open_entrance() as (office, entrance, settings):
            if connection is None:
                rows = read_contracts(source, crm=office.crm, cut_over=day, defaults=shared)
            else:
                found = await _listed(entrance.erps, connection)
                rows = to_rows(found, crm=office.crm, cut_over=day, defaults=shared)
            importer = Importer(
                office.database, office.client, entrance, task_queue=settings.temporal.task_queue_prefix
            )
            waiting = await importer.run(rows)
            return {"read": len(rows), "counts": await Imports(office.database).counts(), "waiting": waiting}

    done = run(bring())

    def text() -> None:
        print(f"{many(done['read'], 'contract')} read; {_counted(done['counts'])}")
        for contract, why in list(done["waiting"].items())[:10]:
            print(f"  {contract} waits: {why}")
        if done["counts"].get("refused"):
            print("  `tenure import status` says why some were refused; corrected, read them again")

    show(as_json, done, text)
    if done["waiting"]:
        raise typer.Exit(1)


@import_app.command()
def status(as_json: Json = False) -> None:
    """How far the contracts are, and why some were refused."""

    async def read(database: "Database") -> dict[str, Any]:
        from store.imports import Imports

        imports = Imports(database)
        stuck = [row for row in await imports.waiting(("refused", "shadow")) if row.reasons]
        return {
            "counts": await imports.counts(),
            "refused": [
                {"contract": row.contract, "place": row.place, "state": row.state, "reasons": row.reasons}
                for row in stuck
            ],
        }

    found = in_store(read)

    def text() -> None:
        print(_counted(found["counts"]) or "nothing was imported yet; begin with: tenure import FILE")
        for each in found["refused"]:
            what = "not promoted" if each["state"] == "shadow" else "refused"
            print(f"{each['contract']} ({each['place']}) {what}:")
            for reason in each["reasons"]:
                print(f"  {reason}")

    show(as_json, found, text)


@import_app.command()
def report(
    contract: Annotated[str | None, typer.Argument(help="One contract; all that are in shadow when absent.")] = None,
    as_json: Json = False,
) -> None:
    """What Tenure would have done since the contracts entered, against what the old process did. Writes nothing."""
    from domain.comparison import KINDS, Kind

    async def compare() -> list["Compared"]:
        from starter.importing.promoting import Promotion

        async with open_entrance() as (office, entrance, _):
            promotion = Promotion(office.database, office.client, entrance)
            return await promotion.report(await _shadows(office, contract))

    compared = run(compare())

    def text() -> None:
        counts: dict[Kind, int] = {}
        table = Table("contract", "due", "what", "which", "in words")
        for each in compared:
            for found in each.differences:
                counts[found.kind] = counts.get(found.kind, 0) + 1
                table.add_row(each.contract, str(found.on or ""), found.what, KINDS[found.kind], found.words)
            if each.unread:
                table.add_row(each.contract, "", "the ERP could not be asked", "", each.unread)
        if table.row_count:
            Console(width=200).print(table)
        told = ", ".join(f"{number} × {KINDS[kind]}" for kind, number in sorted(counts.items()))
        print(f"{many(len(compared), 'contract')} in shadow; {told or 'no difference'}")

    show(as_json, compared, text)


@import_app.command()
def promote(
    contract: Annotated[str | None, typer.Argument(help="Contract id, CRM deal id, or a part of either.")] = None,
    everyone: Everyone = False,
    cut_over: CutOver = None,
    perform: Annotated[list[str] | None, typer.Option(help="Do this withheld step, whatever its day.")] = None,
    leave: Annotated[list[str] | None, typer.Option(help="Leave this withheld step undone.")] = None,
    as_json: Json = False,
) -> None:
    """Make contracts in shadow live. What the old process had to do is never done, the rest once. Say it again after a
    crash."""
    if (contract is None) != everyone:
        raise Mistake("name one contract, or --all")
    if everyone and (perform or leave):
        raise Mistake("--perform and --leave are a word on one contract; name it")
    day = parse_date(cut_over) if cut_over else None

    async def make_live() -> dict[str, str]:
        from starter.importing.promoting import Promotion

        async with open_entrance() as (office, entrance, _):
            promotion, rows = Promotion(office.database, office.client, entrance), await _shadows(office, contract)
            if contract is None:
                return await promotion.each(rows, user(), day)
            [row] = rows
            said = await promotion.promote(row, user(), cut_over=day, perform=perform or (), leave=leave or ())
            return {row.contract: said}

    answers = run(make_live())
    refused = [answer for answer in answers.values() if answer.startswith("refused")]

    def text() -> None:
        for name, answer in answers.items():
            if not everyone or answer.startswith("refused"):
                print(f"{name}: {answer}")
        if everyone:
            print(f"{len(answers) - len(refused)} are live, {len(refused)} were refused")

    show(as_json, answers, text)
    if refused:
        raise typer.Exit(1)


def export(
    contract: Annotated[str | None, typer.Argument(help="Contract id, CRM deal id, or a part of either.")] = None,
    everyone: Annotated[bool, typer.Option("--all", help="Every lifecycle, and how far feeds were read.")] = False,
) -> None:
    """Write whole lifecycles to stdout, one JSON object a line: `tenure import --state FILE` brings them into another
    house. Take this one down before they live on there."""
    if (contract is None) != everyone:
        raise Mistake("name one contract, or --all")
    demand_sight(tuple(kind for kind in FieldClass if kind is not FieldClass.AUDIT))

    async def write() -> None:
        from starter.importing.carrying import exported, exported_all

        async with open_office() as office:
            async for each in exported_all(office) if contract is None else exported(office, [contract]):
                print(json.dumps(each, ensure_ascii=False))

    run(write())


def _bring_states(file: Path, as_json: bool) -> None:
    async def bring() -> dict[str, str]:
        from starter.importing.carrying import Carrier

        settings = load_settings()
        lines = [(f"{file.name}:{n}", line) for n, line in enumerate(_text(file).splitlines(), 1) if line.strip()]
        async with open_office(settings) as office:
            return await Carrier(office, task_queue=settings.temporal.task_queue_prefix).bring(lines)

    brought = run(bring())
    show(as_json, brought, lambda: print("\n".join(f"{name}: {what}" for name, what in brought.items())))


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except OSError as error:
        raise Mistake(f"{file}: {error.strerror}") from None
    except ValueError as error:
        raise Mistake(f"{file}: {error}") from None


@asynccontextmanager
async def open_entrance() -> AsyncIterator[tuple["Office", "Entrance", Settings]]:
    """The office, and what an import asks of the connected ERPs, within their limits."""
    import wiring
    from starter.importing.entry import Entrance

    settings = load_settings()
    async with (
        open_office(settings) as office,
        wiring.open_limits(office.database) as limits,
        wiring.connect_systems(settings, limits) as systems,
    ):
        landscape = wiring.read_landscape(settings, office.company)
        erps = {name: system.port for name, system in systems.items() if system.kind == "erp"}
        yield office, Entrance(office.company, landscape, office.crm, erps), settings


async def _shadows(office: "Office", contract: str | None) -> list["ImportRow"]:
    """The contracts in shadow, or the one that is named. Raises Mistake when it is in none."""
    from store.imports import Imports

    imports = Imports(office.database)
    if contract is not None:
        row = await imports.get((await office.find(contract)).contract)
        if row is None or row.state not in ("shadow", "promoted"):
            raise Mistake(f"{contract} is not in shadow; `tenure import status` tells who is")
        return [row]
    rows: list[ImportRow] = []
    while page := await imports.waiting(["shadow"], after=rows[-1].contract if rows else ""):
        rows += page
    return rows


async def _listed(erps: Any, connection: str) -> list[tuple[str, Any]]:
    """Every contract that an ERP tells of, with its place."""
    port = erps.get(connection)
    if port is None:
        raise Mistake(f"there is no connection {connection!r} to an ERP; there are {', '.join(erps)}")
    if not hasattr(port, "subscriptions"):
        raise Mistake(f"the adapter of {connection!r} can't list subscriptions; write them into a file instead")
    found: list[tuple[str, Any]] = []
    cursor: str | None = None
    while True:
        page = await port.subscriptions(cursor)
        found += [(f"{connection}:{each.id}", {**each.order, "existing": each.existing}) for each in page.subscriptions]
        if (cursor := page.cursor) is None:
            return found


def _counted(counts: dict[str, int]) -> str:
    order = ("read", "checked", "known", "shadow", "promoted", "refused")
    return ", ".join(f"{counts[state]} {state}" for state in order if counts.get(state))
