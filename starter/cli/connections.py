"""`tenure connections`: which outside systems there are, whether each can be worked with, and what limits they have."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Column, Table

from domain.limits import Limit, Standing
from starter.cli.running import Json, run, show
from starter.mistakes import Mistake
from starter.settings import Settings, load_settings

if TYPE_CHECKING:
    from sqlmodel import Session

T = TypeVar("T")
SOMETHING_WRONG = 1

Name = Annotated[str, typer.Argument(metavar="CONNECTION", help="As in tenure.toml.")]

connections_app = typer.Typer(help="Outside systems: list them, try them, limit what they are asked.")


def register(app: typer.Typer) -> None:
    app.add_typer(connections_app, name="connections")


@connections_app.callback(invoke_without_command=True)
def list_all(context: typer.Context, as_json: Json = False) -> None:
    """List the outside systems: what each is, where, its task queue, its limits, and whether it is frozen or paused."""
    if context.invoked_subcommand is not None:
        return
    settings = load_settings()
    standings, frozen = _in_store(settings, _state, write=False) if settings.store_exists() else ({}, {})
    found = [_listed(settings, name, standings.get(name, Standing()), frozen) for name in settings.connections]

    def text() -> None:
        titles = ("name", "kind", "adapter", "address", "queue", "limits", "state")
        table = Table(*(Column(title, overflow="fold") for title in titles))
        for each in found:
            limits = each["limits"] + (" (given by hand)" if each["limits_given"] else "")
            table.add_row(*(escape(each[field]) for field in titles[:5]), limits, escape(each["state"]))
        Console().print(table)

    show(as_json, found, text)


@connections_app.command()
def check(
    name: Annotated[
        str | None, typer.Argument(metavar="[CONNECTION]", help="As in tenure.toml; all without one.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Try each connection: credentials, rights, clock, needed fields. Says what is wrong, and how to mend it. Changes
    nothing anywhere. Exit code 1 when something is wrong."""
    from starter.cli.trying import try_connections

    settings = load_settings()
    chosen = list(settings.connections) if name is None else [_known(settings, name)]
    found = run(try_connections(settings, chosen))

    def text() -> None:
        for tried in found:
            print(f"{tried.name}: {'fine' if tried.fine else 'something is wrong'} ({tried.adapter}, {tried.address})")
            for problem in tried.problems:
                print(f"  {problem.what}; {problem.mend}")

    show(as_json, [{**tried.model_dump(mode="json"), "fine": tried.fine} for tried in found], text)
    if not all(tried.fine for tried in found):
        raise typer.Exit(SOMETHING_WRONG)


@connections_app.command()
def limit(
    name: Name,
    per_second: Annotated[float | None, typer.Option(help="Calls per second, of all processes together.")] = None,
    burst: Annotated[int | None, typer.Option(help="How many may go at once after a pause.")] = None,
    concurrent: Annotated[int | None, typer.Option(help="How many may be without an answer.")] = None,
    unlimited: Annotated[bool, typer.Option("--unlimited", help="Neither rate nor number at once.")] = False,
    reset: Annotated[bool, typer.Option("--reset", help="What tenure.toml says; ends a pause, too.")] = False,
    as_json: Json = False,
) -> None:
    """Limit what a connection is asked, at once and for every running process; it wins over tenure.toml until --reset.
    Without an option: show the limit that holds."""
    from store.limits import give_limit, reset_limit, standings

    settings = load_settings()
    configured = settings.connections[_known(settings, name)].limits
    fields = {"per_second": per_second, "burst": burst, "concurrent": concurrent}
    given: dict[str, Any] = {field: value for field, value in fields.items() if value is not None}
    if sum((bool(given), unlimited, reset)) > 1:
        raise Mistake("give either numbers, or --unlimited, or --reset")
    if unlimited:
        given = {"per_second": None, "concurrent": None}
    _refuse_nonsense(name, given)

    def change(session: "Session") -> Standing:
        former = standings(session).get(name, Standing()).limit(configured)
        if burst is not None and per_second is None and former.per_second is None:
            raise Mistake("--burst: it needs --per-second, without which there is nothing that it could limit")
        if reset:
            reset_limit(session, name)
        elif given:
            give_limit(session, name, given)
        return standings(session).get(name, Standing())

    standing = _in_store(settings, change, write=reset or bool(given))
    holds = standing.limit(configured)
    by_hand = standing.given is not None
    answer = {"connection": name, **holds.model_dump(), "given": by_hand, "paused": round(standing.paused, 1)}
    whence = "given by hand; --reset goes back to tenure.toml" if by_hand else "from tenure.toml"
    show(as_json, answer, lambda: print(f"{name}: {holds} ({whence}){_pause(standing)}"))


def _refuse_nonsense(name: str, given: dict[str, Any]) -> None:
    try:
        Limit.model_validate(given)
    except ValueError:
        stop = f"; to stop it: tenure freeze {name}" if 0 in given.values() else ""
        raise Mistake(f"a limit is a number above 0 and at most 10000{stop}") from None


def _known(settings: Settings, name: str) -> str:
    if name not in settings.connections:
        raise Mistake(f"there is no connection {name!r}; known: {', '.join(settings.connections)}")
    return name


def _listed(settings: Settings, name: str, standing: Standing, frozen: dict[str, str]) -> dict[str, Any]:
    from store.freezing import EVERYTHING

    connection = settings.connections[name]
    by = next((each for each in (EVERYTHING, name) if each in frozen), None)
    state = "open" if by is None else "frozen" + (f": {frozen[by]}" if frozen[by] else "")
    return {
        "name": name,
        "kind": connection.kind,
        "adapter": connection.adapter,
        "address": address_of(settings, name),
        "queue": settings.task_queue(name),
        "limits": str(standing.limit(connection.limits)),
        "limits_given": standing.given is not None,
        "frozen": by is not None,
        "paused": round(standing.paused, 1),
        "state": state + _pause(standing),
    }


def address_of(settings: Settings, name: str) -> str:
    """Where a connection leads, as far as it is no secret."""
    connection = settings.connections[name]
    where = settings.base_url(name) or ("the database of `url`" if connection.url else "the vendor's own")
    return f"{where} ({connection.database})" if connection.database else where


def _pause(standing: Standing) -> str:
    return f"; it wants no calls for {standing.paused:.0f} s" if standing.paused else ""


def _state(session: "Session") -> tuple[dict[str, Standing], dict[str, str]]:
    from store.freezing import frozen
    from store.limits import standings

    return standings(session), frozen(session)


def _in_store(settings: Settings, work: "Callable[[Session], T]", *, write: bool) -> T:
    """The store alone: none of this needs Temporal."""
    import wiring

    database = wiring.open_store(settings)
    try:
        return database.write_sync(work) if write else database.read_sync(work)
    finally:
        database.close()
