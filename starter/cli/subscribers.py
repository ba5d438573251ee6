"""`tenure subscribers`: who is told what lifecycles decide, what each has not got yet, and what to do about it."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer
from rich.console import Console
from rich.table import Column, Table

from starter.cli.running import Json, show
from starter.mistakes import Mistake
from starter.settings import Settings, load_settings

if TYPE_CHECKING:
    from sqlmodel import Session

T = TypeVar("T")

Name = Annotated[str, typer.Argument(help="The subscriber's name in tenure.toml.")]
OfContract = Annotated[str | None, typer.Option("--contract", help="Only this contract's; its id or a part of it.")]

subscribers_app = typer.Typer(help="Subscribers: what each has not got yet; retry or skip what is held.")


def register(app: typer.Typer) -> None:
    app.add_typer(subscribers_app, name="subscribers")


@subscribers_app.callback(invoke_without_command=True)
def list_all(context: typer.Context, as_json: Json = False) -> None:
    """List who is told what lifecycles decide, and what each has not got yet."""
    if context.invoked_subcommand is not None:
        return
    from store.outgoing import backlog, known_subscribers

    settings = load_settings()

    def read(session: "Session") -> list[dict[str, Any]]:
        names = sorted({*settings.subscribers, *known_subscribers(session)})
        return [_told(settings, name) | backlog(session, name)._asdict() for name in names]

    found = _in_store(settings, read, write=False)

    def text() -> None:
        table = Table(Column("name", no_wrap=True), "url", "pending", "oldest", "held", "last problem")
        for each in found:
            state = each["state"]
            where = each["url"] if state == "active" else f"{each['url']} ({state})".strip()
            counts = str(each["pending"]), _age(each["oldest"]), str(each["held"])
            table.add_row(each["name"], where, *counts, each["problem"])
        if found:
            Console().print(table)
        else:
            print("no subscriber yet; add one as [subscribers.NAME] to tenure.toml")

    show(as_json, found, text)


@subscribers_app.command()
def retry(name: Name, contract: OfContract = None, as_json: Json = False) -> None:
    """Send again what is held for a subscriber, in order, for another day."""
    from store.outgoing import retry_held

    _settle(name, contract, retry_held, "sent again", as_json)


@subscribers_app.command()
def skip(name: Name, contract: OfContract = None, as_json: Json = False) -> None:
    """Give up what is held for a subscriber, so that what came later goes on."""
    from store.outgoing import skip_held

    _settle(name, contract, skip_held, "skipped", as_json)


def _settle(
    name: str, contract: str | None, work: "Callable[[Session, str, str | None], int]", done: str, as_json: bool
) -> None:
    from store.outgoing import held_contracts, known_subscribers

    settings = load_settings()

    def settle(session: "Session") -> dict[str, Any]:
        known = {*settings.subscribers, *known_subscribers(session)}
        if name not in known:
            raise Mistake(f"there is no subscriber {name!r}; known: {', '.join(sorted(known)) or 'none'}")
        held = held_contracts(session, name)
        chosen = None if contract is None else _one(contract, held, name)
        if not held:
            raise Mistake(f"nothing is held for {name}")
        return {"subscriber": name, "contract": chosen, "events": work(session, name, chosen)}

    answer = _in_store(settings, settle, write=True)
    show(as_json, answer, lambda: print(f"{answer['events']} held event(s) for {name}: {done}"))


def _one(part: str, held: Sequence[str], name: str) -> str:
    """The one contract with something held that is meant. Raises Mistake for none, or several."""
    found = [part] if part in held else [contract for contract in held if part in contract]
    if len(found) != 1:
        which = f"it could be {', '.join(found[:5])}" if found else "nothing of such a contract is held"
        raise Mistake(f"{name}, contract {part!r}: {which}")
    return found[0]


def _told(settings: Settings, name: str) -> dict[str, Any]:
    subscriber = settings.subscribers.get(name)
    if subscriber is None:
        return {"name": name, "url": "", "state": "not configured", "types": []}
    state = "paused" if subscriber.paused else "active"
    return {"name": name, "url": subscriber.url, "state": state, "types": list(subscriber.types)}


def _age(seconds: float | None) -> str:
    if seconds is None:
        return ""
    for size, unit in ((86_400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"


def _in_store(settings: Settings, work: "Callable[[Session], T]", *, write: bool) -> T:
    """What is asked here needs no Temporal."""
    import wiring

    database = wiring.open_store(settings)
    try:
        return database.write_sync(work) if write else database.read_sync(work)
    finally:
        database.close()
