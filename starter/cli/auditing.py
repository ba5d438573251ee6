"""`tenure audit`, `tenure access`: who read what is sensitive, who commanded what, and why; who may do and see what."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Column, Table

from domain.access import Guarded, Permission, Sensitive
from starter.cli.running import Json, in_store, show
from starter.cli.times import is_length, parse_length, parse_moment
from starter.mistakes import Mistake
from starter.settings import load_settings

if TYPE_CHECKING:
    from datetime import datetime

OUTCOMES = ("begun", "done", "refused", "failed", "denied")


class Trail(Guarded):
    """The newest line first."""

    lines: Annotated[list[dict[str, Any]], Sensitive("audit")]


def register(app: typer.Typer) -> None:
    app.command()(audit)
    app.command()(access)


def access(
    write: Annotated[Path | None, typer.Option(help="Write the tables of the policy into this folder.")] = None,
    as_json: Json = False,
) -> None:
    """Show which role may do what, and sees which sensitive fields, by the policy that is configured."""
    from domain.access.table import as_markdown, rows

    policy = load_settings().access.policy()
    roles, permissions, classes = rows(policy)
    if write is not None:
        write.mkdir(parents=True, exist_ok=True)
        (write / "table.md").write_text(as_markdown(policy), encoding="utf-8")
    data = {each[0]: [role for role, yes in zip(roles, each[1:], strict=True) if yes] for each in permissions + classes}

    def text() -> None:
        for first, lines in (("permission", permissions), ("sensitive field", classes)):
            table = Table(Column(first, no_wrap=True), *roles)
            for line in lines:
                table.add_row(*line)
            Console().print(table)

    show(as_json, data, text)


def audit(
    actor: Annotated[str | None, typer.Option(help="Who: a person's name, or token:NAME.")] = None,
    about: Annotated[str | None, typer.Option(help="A contract's or a case's id, or a part of one.")] = None,
    permission: Annotated[str | None, typer.Option(help="Such as renewal.decide.")] = None,
    kind: Annotated[str | None, typer.Option(help="read or command.")] = None,
    outcome: Annotated[str | None, typer.Option(help=", ".join(OUTCOMES))] = None,
    since: Annotated[
        str | None, typer.Option(help="A moment, such as 2026-12-01, or a length of time, such as 4h.")
    ] = None,
    before: Annotated[int | None, typer.Option(min=1, help="Only lines before the one of this number.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000)] = 200,
    as_json: Json = False,
) -> None:
    """Show the audit trail, the newest line first. Nobody can change it: the database itself refuses to."""
    from store.audit import Audit, Wanted

    possible = {"kind": ("read", "command"), "outcome": OUTCOMES, "permission": tuple(Permission)}
    for name, value in (("kind", kind), ("outcome", outcome), ("permission", permission)):
        known = possible[name]
        if value is not None and value not in known:
            raise Mistake(f"unknown {name} {value!r}; known: {', '.join(known)}")
    wanted = Wanted(actor, about, permission, kind, outcome, _moment(since), before)
    lines = in_store(lambda database: Audit(database).list(wanted, limit))

    def text() -> None:
        table = Table(Column("at (UTC)", no_wrap=True), "who", "what", "about", "outcome", "why")
        for line in lines:
            shown = f" ({line.shown})" if line.shown else ""
            why = " · ".join(each for each in (line.reason, line.detail) if each)
            row = (
                f"{line.at:%Y-%m-%d %H:%M:%S}",
                line.actor,
                f"{line.permission}{shown}",
                line.subject,
                line.outcome,
                why,
            )
            table.add_row(*(escape(each) for each in row))
        Console().print(table if lines else "the trail has no such line")

    show(as_json, Trail(lines=[line.model_dump() for line in lines]), text)


def _moment(since: str | None) -> "datetime | None":
    from store.tables import utc_now

    if since is None:
        return None
    return utc_now() - parse_length(since) if is_length(since) else parse_moment(since)
