"""`tenure reconcile`: where CRM, ERP, CS and the lifecycles contradict each other, and how that is settled."""

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple, cast

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

# typer carries its own click
from typer._click.core import Context
from typer.core import TyperGroup

from domain.counting import many
from starter.cli.running import Json, in_store, open_office, parse_date, run, show, user
from starter.mistakes import Mistake
from starter.settings import load_settings

if TYPE_CHECKING:
    from domain.reconciling.difference import Difference, Reconciled, Remedy
    from starter.office import Office
    from starter.reconciling.reconciler import Reconciler
    from starter.reconciling.repairs import Repairs
    from store.database import Database

Id = Annotated[str, typer.Argument(help="The difference's id, or the beginning of it.")]
STATUSES = ("open", "ignored", "repaired", "healed", "all")
Why = Annotated[str, typer.Option("--reason", help="Why; it is kept.")]


class _RunFirst(TyperGroup):
    """`tenure reconcile` and `tenure reconcile CONTRACT` are the command `run`."""

    def parse_args(self, ctx: Context, args: list[str]) -> list[str]:
        if not args or args[0] not in (*self.commands, "--help"):
            args = ["run", *args]
        return super().parse_args(ctx, args)


reconcile_app = typer.Typer(
    cls=_RunFirst, help="Compare CRM, ERP, CS and lifecycles: `tenure reconcile [CONTRACT]`, then list, repair, ignore."
)


def register(app: typer.Typer) -> None:
    app.add_typer(reconcile_app, name="reconcile")


@reconcile_app.command("run")
def reconcile(
    contract: Annotated[str | None, typer.Argument(help="One contract; everything when absent.")] = None,
    as_json: Json = False,
) -> None:
    """Read the outside, and keep every difference. No lifecycle is asked, and nothing outside is changed."""
    if contract is not None:
        _one(contract, as_json)
        return

    async def compare() -> Any:
        async with _open() as desk:
            return await desk.reconciler.run()

    done = run(compare())

    def text() -> None:
        print(
            f"{many(done.contracts, 'contract')} compared: {many(done.found, 'difference')}, {done.new} of them new; "
            f"{done.healed} gone, {many(done.waiting, 'contract was', 'contracts were')} not at rest"
        )
        for source in done.sources:
            if source.problem:
                print(f"  {source.source} could not be read: {source.problem}")

    show(as_json, done, text)
    if any(source.problem for source in done.sources):
        raise typer.Exit(1)


def _one(contract: str, as_json: bool) -> None:
    async def compare() -> "list[Difference]":
        async with _open() as desk:
            life = await desk.office.find(contract)
            return list(await desk.reconciler.one(life.contract))

    found = run(compare())
    show(as_json, found, lambda: _table(found) if found else print("no difference"))


@reconcile_app.command("list")
def list_differences(
    status: Annotated[str, typer.Option(help="open, ignored, repaired, healed, or all.")] = "open",
    kind: Annotated[str | None, typer.Option(help="As `tenure reconcile kinds` names it.")] = None,
    klass: Annotated[str | None, typer.Option("--class", help="As quantity, dates, amount.")] = None,
    owner: Annotated[str | None, typer.Option(help="finance, operations, csm or engineer.")] = None,
    contract: Annotated[str | None, typer.Option(help="Of one contract, by its id.")] = None,
    as_json: Json = False,
) -> None:
    """List differences, the oldest first."""
    from domain.reconciling.difference import CLASSES
    from domain.reconciling.kinds import KINDS

    _known("status", status, STATUSES)
    _known("kind", kind, KINDS)
    _known("class", klass, CLASSES)
    _known("owner", owner, sorted({each.owner for each in KINDS.values()}))
    wanted = () if status == "all" else (status,)

    async def read(database: "Database") -> "list[Difference]":
        from store.differences import Differences

        differences = Differences(database)
        return list(await differences.list(status=wanted, kind=kind, klass=klass, owner=owner, contract=contract))

    found = in_store(read)
    show(as_json, found, lambda: _table(found))


@reconcile_app.command("show")
def show_difference(difference: Id, as_json: Json = False) -> None:
    """Show a difference with its history, and how it can be repaired."""

    async def read(database: "Database") -> dict[str, Any]:
        from store.differences import Differences

        differences = Differences(database)
        found = await differences.get(difference)
        if found is None:
            raise Mistake(f"there is no difference {difference}, or several begin so")
        return {"difference": found, "history": list(await differences.notes(found.id))}

    read_back = in_store(read)

    def text() -> None:
        found = read_back["difference"]
        console = Console(width=160)
        console.print(f"[bold]{found.id}[/bold]  {found.kind} ({found.klass}), {found.status}, for {found.owner}")
        console.print(f"  {found.sentence}", highlight=False)
        console.print(f"  ways: {', '.join(found.remedies)}")
        for line in read_back["history"]:
            console.print(f"  {line.at:%Y-%m-%d %H:%M}  {line.by}: {line.what}", highlight=False)

    show(as_json, read_back, text)


@reconcile_app.command()
def repair(
    difference: Id,
    remedy: Annotated[str, typer.Option("--by", help="redrive, accept or link; default: what is proposed first.")] = "",
    record: Annotated[str | None, typer.Option(help="With --by link: the record outside that is meant.")] = None,
    reason: Why = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what it would do, and change nothing.")] = False,
    as_json: Json = False,
) -> None:
    """Settle a difference: have the outside hold the terms, take over what it holds, or say which record is meant.
    Said again after a failure, it goes on where it stood."""

    if remedy:
        _known("way", remedy, ("redrive", "accept", "link"))

    async def mend() -> Any:
        async with _open() as desk:
            way = cast("Remedy", remedy) if remedy else await desk.proposed(difference)
            if dry_run:
                return await desk.repairs.preview(difference, way, by=user(), reason=reason, choice=record)
            return await desk.repairs.repair(difference, way, by=user(), reason=reason, choice=record)

    done = run(mend())

    def text() -> None:
        if dry_run:
            print(f"{done.difference.sentence}\nby {done.remedy}:")
            for number, step in enumerate(done.steps, 1):
                print(f"  {number}. {step}")
        else:
            print(done.settled or "done; it closes with the next run, once everybody shows it")

    show(as_json, done, text)


@reconcile_app.command()
def ignore(
    difference: Id,
    until: Annotated[str, typer.Option(help="The last day on which it is left alone, as 2027-08-25.")],
    reason: Why,
    as_json: Json = False,
) -> None:
    """Leave a difference alone for a while. If it is still there after that day, it is open again."""

    async def leave() -> "Difference":
        async with _open() as desk:
            return await desk.repairs.ignore(difference, by=user(), reason=reason, until=parse_date(until))

    done = run(leave())
    show(as_json, done, lambda: print(f"{done.id} is ignored until {done.ignored_until}"))


@reconcile_app.command()
def runs(as_json: Json = False) -> None:
    """List the last runs over all contracts, the newest first, and how each stands."""

    async def read(database: "Database") -> "list[Reconciled]":
        from store.reconciliations import Reconciliations

        return list(await Reconciliations(database).list())

    found = in_store(read)

    def text() -> None:
        if not found:
            print("no run yet; `tenure reconcile` begins one")
            return
        table = Table("run", "begun", "contracts", "differences", "new", "gone", "how it stands")
        for each in found:
            stands = each.state.replace("_", " ") + (f": {each.problem}" if each.problem else "")
            numbers = map(str, (each.contracts, each.found, each.new, each.healed))
            table.add_row(str(each.id), f"{each.started_at:%Y-%m-%d %H:%M} UTC", *numbers, escape(stands))
        Console(width=160).print(table)

    show(as_json, found, text)


@reconcile_app.command()
def kinds(as_json: Json = False) -> None:
    """Print every kind of difference: its class, its owner, how it is repaired."""
    from domain.reconciling.kinds import KINDS

    def text() -> None:
        table = Table("kind", "class", "owner", "repaired by", "meaning")
        for kind in KINDS.values():
            table.add_row(kind.name, kind.klass, kind.owner, ", ".join(kind.remedies), kind.meaning)
        Console(width=180).print(table)

    show(as_json, list(KINDS.values()), text)


def _known(what: str, word: str | None, words: Iterable[str]) -> None:
    """Raises Mistake for a word that nothing could be found by."""
    if word is not None and word not in (known := list(words)):
        raise Mistake(f"unknown {what} {word!r}; known: {', '.join(known)}")


def _table(found: "list[Difference]") -> None:
    at = datetime.now(UTC)
    table = Table("id", "class", "owner", "days", "what")
    for each in found:
        table.add_row(each.id, each.klass, each.owner, str(each.age_days(at)), each.sentence)
    if found:
        Console(width=180).print(table)
    print(many(len(found), "difference"))


class _Desk(NamedTuple):
    office: "Office"
    reconciler: "Reconciler"
    repairs: "Repairs"

    async def proposed(self, difference: str) -> "Remedy":
        from store.differences import Differences

        found = await Differences(self.office.database).get(difference)
        if found is None:
            raise Mistake(f"there is no difference {difference}, or several begin so")
        return found.remedies[0]


@asynccontextmanager
async def _open() -> AsyncIterator[_Desk]:
    import wiring
    from starter.reconciling.composing import reconciler, repairs

    settings = load_settings()
    async with (
        open_office(settings) as office,
        wiring.open_limits(office.database) as limits,
        wiring.connect_systems(settings, limits) as systems,
    ):
        landscape = wiring.read_landscape(settings, office.company)
        compared = reconciler(settings, office.database, office.client, systems)
        performer = wiring.on_demand(office.database, systems, office.company, landscape)
        yield _Desk(office, compared, repairs(office, compared, systems, performer.perform))
