"""`tenure tokens`: by which machines come in; make one, see which there are, revoke one."""

from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Column, Table

from starter.cli.guarding import asker
from starter.cli.running import Json, in_store, show
from starter.cli.times import parse_length
from starter.mistakes import Mistake
from starter.settings import load_settings

if TYPE_CHECKING:
    from store.database import Database
    from store.tokens import TokenRow

LONGEST = timedelta(days=366)

tokens_app = typer.Typer(help="Tokens of machines: make one, see which there are, revoke one.")


def register(app: typer.Typer) -> None:
    app.add_typer(tokens_app, name="tokens")


@tokens_app.callback(invoke_without_command=True)
def list_all(
    context: typer.Context,
    gone: Annotated[bool, typer.Option("--all", help="Those that are revoked or have expired as well.")] = False,
    as_json: Json = False,
) -> None:
    """List the tokens, the newest first. What they open with is known to nobody but their owners."""
    if context.invoked_subcommand is not None:
        return
    from store.tokens import Tokens

    found = [_told(row) for row in in_store(lambda database: Tokens(database).list(gone=gone))]

    def text() -> None:
        table = Table(Column("id", no_wrap=True), "name", "roles", "scopes", "regions", "expires", "last used")
        for each in found:
            lists = (" ".join(each[name]) for name in ("roles", "scopes", "regions"))
            ends = "revoked" if each["revoked_at"] else f"{each['expires_at']:%Y-%m-%d}"
            used = f"{each['used_at']:%Y-%m-%d %H:%M}" if each["used_at"] else "never"
            table.add_row(each["id"], each["name"], *lists, ends, used)
        Console().print(table if found else "no token yet; make one with: tenure tokens create NAME")

    show(as_json, found, text)


@tokens_app.command()
def create(
    name: Annotated[str, typer.Argument(help="Which machine it is for, such as warehouse.")],
    role: Annotated[list[str], typer.Option(help="Such as finance; once or more.")],
    scope: Annotated[
        list[str], typer.Option(help="What it may do of what its roles may, such as export.read or case.*.")
    ],
    region: Annotated[list[str] | None, typer.Option(help="Only what is of this region; once or more.")] = None,
    lifetime: Annotated[str, typer.Option("--for", help="How long it opens, such as 12h or 90d.")] = "90d",
    as_json: Json = False,
) -> None:
    """Make a token for a machine. It is shown this once; the store keeps a hash."""
    from store.tokens import Tokens

    length, regions = parse_length(lifetime), tuple(region or ("*",))
    _check(name, role, scope, regions, length)

    async def make(database: "Database") -> "tuple[TokenRow, str]":
        return await Tokens(database).create(
            name.strip(), roles=role, scopes=scope, regions=regions, by=asker().subject, lifetime=length
        )

    row, token = in_store(make)

    def text() -> None:
        print(token)
        print(f"opens until {row.expires_at:%Y-%m-%d %H:%M} UTC; tenure tokens revoke {row.id}")

    show(as_json, {**_told(row), "token": token}, text)


@tokens_app.command()
def revoke(
    token: Annotated[str, typer.Argument(help="The token's id, not the token itself.")], as_json: Json = False
) -> None:
    """End a token at once."""
    from store.tokens import Tokens

    row = in_store(lambda database: Tokens(database).revoke(token))
    if row is None:
        raise Mistake("there is no token of this id; `tenure tokens --all` shows them")
    show(as_json, _told(row), lambda: print(f"{row.name} ({row.id}) opens nothing any more"))


def _check(name: str, roles: list[str], scopes: list[str], regions: tuple[str, ...], length: timedelta) -> None:
    """Raises Mistake for a token that could do nothing, or other than is meant."""
    access = load_settings().access
    policy = access.policy()
    if not name.strip().isprintable() or not 0 < len(name.strip()) <= 100:
        raise Mistake("a token has a name of up to 100 letters")
    if unknown := [each for each in roles if each not in policy.roles]:
        raise Mistake(f"unknown role {unknown[0]!r}; known: {', '.join(policy.roles)}")
    if not timedelta() < length <= LONGEST:
        raise Mistake(f"a token opens for at most {LONGEST.days} days")
    try:
        access.check_regions(regions)
        machine = policy.principal(name, roles=roles, scopes=scopes, regions=regions, kind="machine")
    except ValueError as error:
        raise Mistake(str(error)) from None
    if not machine.permissions:
        raise Mistake(f"it could do nothing: the roles {', '.join(roles)} may do none of {', '.join(scopes)}")
    if beyond := {*machine.permissions, *machine.sees} - {*asker().permissions, *asker().sees}:
        raise Mistake(f"nobody gives what they have not: {', '.join(sorted(beyond))}")


def _told(row: "TokenRow") -> dict[str, Any]:
    return row.model_dump(exclude={"hashed"})
