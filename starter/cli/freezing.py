"""`tenure freeze`, `thaw`: the kill switch of one connection, or of all."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from starter.cli.running import Json, is_unicode, show
from starter.mistakes import Mistake
from starter.settings import Settings, load_settings

if TYPE_CHECKING:
    from sqlmodel import Session

T = TypeVar("T")
LONGEST_REASON = 200

Name = Annotated[str | None, typer.Argument(metavar="[CONNECTION]", help="As in tenure.toml; all without one.")]


def register(app: typer.Typer) -> None:
    app.command()(freeze)
    app.command()(thaw)


def freeze(
    connection: Name = None,
    reason: Annotated[str, typer.Option(help="Why; whoever meets the freeze is told.")] = "",
    as_json: Json = False,
) -> None:
    """Stop every effect outside, of one connection or of all. Events are still accepted; what is on its way arrives."""
    from store import freezing

    settings, reason = load_settings(), " ".join(reason.split())
    connection = None if connection == freezing.EVERYTHING else connection
    chosen = _chosen(settings, connection)
    if len(reason) > LONGEST_REASON or not is_unicode(reason) or not reason.isprintable():
        raise Mistake(f"--reason: one line of at most {LONGEST_REASON} characters")
    _in_store(settings, lambda session: freezing.freeze(session, chosen, reason))
    back = "tenure thaw" if connection is None else f"tenure thaw {connection}"
    show(
        as_json,
        {"frozen": chosen, "reason": reason},
        lambda: print(f"{connection or 'every connection'} is frozen; `{back}` lets it go on"),
    )


def thaw(connection: Name = None, as_json: Json = False) -> None:
    """Let effects go on, of one connection or of all; whoever waited tries again within a minute."""
    from store import freezing

    settings = load_settings()
    connection = None if connection == freezing.EVERYTHING else connection
    # a connection that is gone from tenure.toml can still be thawed
    switched = frozen_in(settings)
    chosen = connection if connection in switched else _chosen(settings, connection)
    if chosen not in switched and freezing.EVERYTHING in switched:
        raise Mistake(f"{connection} is frozen with everything: `tenure thaw` lets it all go on")
    if chosen not in switched:
        also = f"; frozen: {', '.join(switched)}" if switched else ""
        raise Mistake(f"{connection or 'every connection at once'} is not frozen{also}")
    _in_store(settings, lambda session: freezing.thaw(session, chosen))
    left = frozen_in(settings)
    show(
        as_json,
        {"thawed": chosen, "frozen": left},
        lambda: print(
            f"{connection or 'what was frozen as a whole'} goes on"
            + (f"; still frozen: {', '.join(left)}" if left else "")
        ),
    )


def frozen_in(settings: Settings) -> dict[str, str]:
    """What is frozen and why: by connection, or "all". Makes no store where there is none yet."""
    from store import freezing

    if not settings.store_exists():
        return {}
    return _in_store(settings, freezing.frozen)


def _chosen(settings: Settings, connection: str | None) -> str:
    from store.freezing import EVERYTHING

    if connection is None:
        return EVERYTHING
    if connection not in settings.connections:
        raise Mistake(f"there is no connection {connection!r}; known: {', '.join(settings.connections)}")
    return connection


def _in_store(settings: Settings, work: "Callable[[Session], T]") -> T:
    """The store alone: a freeze must be possible when Temporal does not answer."""
    import wiring

    database = wiring.open_store(settings)
    try:
        return database.write_sync(work)
    finally:
        database.close()
