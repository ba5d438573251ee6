"""`tenure accounts`: merge two accounts, split one, take that back, and see what was moved."""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer
from rich.console import Console
from rich.table import Table

from starter.cli.running import Json, in_office, in_store, show, user

if TYPE_CHECKING:
    from starter.accounts import AccountMoves
    from starter.office import Office
    from store.database import Database
    from store.transit import AccountMoveRow

T = TypeVar("T")

Account = Annotated[str, typer.Argument(help="The account's id in the CRM.")]
Into = Annotated[str, typer.Argument(help="The id of the account that takes over.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Show what it would do, and change nothing.")]

accounts_app = typer.Typer(help="Merge accounts, split one, and take that back.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    app.add_typer(accounts_app, name="accounts")


@accounts_app.command()
def merge(account: Account, into: Into, dry_run: DryRun = False, as_json: Json = False) -> None:
    """Make everything of one account another's. Run again after a failure, it goes on where it stood."""
    if dry_run:
        _preview("merge", account, into, [], as_json)
    else:
        _done(lambda moves: moves.merge(account, into, user()), as_json)


@accounts_app.command()
def split(
    account: Account,
    into: Into,
    contract: Annotated[list[str], typer.Option(help="A contract that goes; once for each.")],
    dry_run: DryRun = False,
    as_json: Json = False,
) -> None:
    """Give some contracts of an account to another account."""

    async def found(office: "Office") -> list[str]:
        return [(await office.find(name)).contract for name in contract]

    contracts = in_office(found)
    if dry_run:
        _preview("split", account, into, contracts, as_json)
    else:
        _done(lambda moves: moves.split(account, into, contracts, user()), as_json)


@accounts_app.command()
def undo(account: Account, as_json: Json = False) -> None:
    """Take the last merge or split of an account back, while nothing new has happened since."""
    _done(lambda moves: moves.undo(account, user()), as_json)


@accounts_app.command("list")
def list_moves(as_json: Json = False) -> None:
    """List merges and splits, the latest first, with those that are under way."""

    async def read(database: "Database") -> list[dict[str, Any]]:
        from store.moves import latest_moves

        return [_plain(row) for row in await database.read(latest_moves)]

    found = in_store(read)

    def text() -> None:
        table = Table("what", "account", "into", "state", "contracts", "by")
        for row in found:
            contracts = ", ".join(row["contracts"])
            table.add_row(row["kind"], row["account"], row["into"], row["state"], contracts, row["by"])
        Console().print(table if found else "no account was merged or split yet")

    show(as_json, found, text)


def _preview(kind: str, account: str, into: str, contracts: list[str], as_json: bool) -> None:
    found = _with_moves(lambda moves: moves.preview(kind, account, into, contracts))

    def text() -> None:
        for what, those in found.items():
            lines = [f"{key} = {id}" for key, id in those.items()] if isinstance(those, dict) else those
            print(f"{what}:")
            print("\n".join(f"  {line}" for line in lines) if lines else "  none")

    show(as_json, found, text)


def _done(work: "Callable[[AccountMoves], Awaitable[AccountMoveRow]]", as_json: bool) -> None:
    row = _plain(_with_moves(work))
    what = f"the {row['kind']} of {row['account']} into {row['into']} is {row['state']}"
    show(as_json, row, lambda: print(f"{what}; contracts: {', '.join(row['contracts']) or 'none'}"))


def _with_moves(work: "Callable[[AccountMoves], Awaitable[T]]") -> T:
    async def done(office: "Office") -> T:
        from starter.accounts import AccountMoves

        return await work(AccountMoves(office.database, office.client))

    return in_office(done)


def _plain(row: "AccountMoveRow") -> dict[str, Any]:
    return {name: getattr(row, name) for name in ("id", "kind", "account", "into", "state", "contracts", "by")}
