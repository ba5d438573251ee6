"""How the command line runs: settings and connections opened for one command, mistakes in one line, output as JSON."""

import asyncio
import contextlib
import io
import json
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import date
from typing import TYPE_CHECKING, Annotated, Any, TextIO, TypeVar

import typer
from pydantic import BaseModel

# typer carries its own click and has no public name for the base of its usage errors
from typer._click.exceptions import ClickException, NoArgsIsHelpError

from domain.access.within import unmarked
from domain.errors import TenureError
from starter.cli.guarding import asker, seen, visible_to_asker
from starter.cli.guarding import user as user
from starter.local_erp import ERPS
from starter.mistakes import Mistake
from starter.settings import Settings, load_settings

if TYPE_CHECKING:
    from temporalio.client import Client

    from starter.office import Office
    from store.database import Database

T = TypeVar("T")

Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]
Erp = Annotated[
    str | None, typer.Option("--erp", metavar="ERP", help=f"{' or '.join(ERPS)}; default: the one of last time.")
]
Contract = Annotated[str, typer.Argument(help="Contract id, CRM deal id, or a unique part of either.")]

MISTAKE = 2


def run_app(app: typer.Typer) -> int:
    """Run the command that argv names; its exit code."""
    command = typer.main.get_command(app)
    try:
        if not all(map(is_unicode, sys.argv)):
            raise Mistake("an argument is not UTF-8")
        result = command.main(standalone_mode=False, prog_name="tenure")
        code = result if isinstance(result, int) else 0
    except NoArgsIsHelpError as help_page:
        print(help_page.format_message())
        code = 0
    except ClickException as error:
        code = complain(error.format_message())
    except typer.Exit as leaving:
        code = leaving.exit_code
    except BrokenPipeError:  # the reader, such as `head`, has seen enough
        os._exit(0)
    except (typer.Abort, KeyboardInterrupt):
        code = 130
    except (Mistake, TenureError) as error:
        code = complain(visible_to_asker(str(error)))
    with contextlib.suppress(BrokenPipeError):
        sys.stdout.flush()
    sys.stderr.flush()
    # a process that ends right after its Temporal client can abort (sdk-python #300); everything is printed by now
    os._exit(code)


def complain(message: str) -> int:
    """One line (a log's tail may follow it) on stderr."""
    print(f"tenure: {message}", file=sys.stderr)
    return MISTAKE


def is_unicode(text: str) -> bool:
    """Whether a text can be stored and sent: bytes that are no UTF-8, and half surrogate pairs, can't."""
    return text.isascii() or not any("\ud800" <= letter <= "\udfff" for letter in text)


def run(work: Awaitable[T]) -> T:
    async def awaited() -> T:
        return await work

    return asyncio.run(awaited())


@asynccontextmanager
async def open_office(settings: Settings | None = None) -> AsyncIterator["Office"]:
    """The office of the configured company. Raises Mistake when Temporal does not answer."""
    import wiring
    from starter.office import Office
    from starter.sources.reading import Sources

    settings = settings or load_settings()
    company, mapping = wiring.read_company(settings), wiring.read_mapping(settings)
    database = wiring.open_store(settings)
    try:
        office = Office(
            database, await connect(settings), company, mapping, settings.connection_of("crm"), Sources(settings)
        )
        yield office.serving(asker())
    finally:
        database.close()


async def connect(settings: Settings) -> "Client":
    """A client of Temporal. Raises Mistake when it does not answer."""
    import wiring

    try:
        return await asyncio.wait_for(wiring.connect(settings), 5)
    except (RuntimeError, TimeoutError):
        raise Mistake(
            "Temporal does not answer; start the local stack with `tenure up`, or see `tenure status`"
        ) from None


def in_office(work: Callable[["Office"], Awaitable[T]]) -> T:
    """Do one thing in the office."""

    async def done() -> T:
        async with open_office() as office:
            return await work(office)

    return asyncio.run(done())


def in_store(work: Callable[["Database"], Awaitable[T]]) -> T:
    """Do one thing with the store alone: Temporal may be away."""

    async def done() -> T:
        import wiring
        from store.reach import serving

        database = wiring.open_store(load_settings())
        try:
            return await work(serving(database, asker()))
        finally:
            database.close()

    return asyncio.run(done())


def show(as_json: bool, data: Any, text: Callable[[], None]) -> None:
    """Print `data` as JSON, or let `text` print it for people. Whoever must not see all of it gets the JSON, in which
    what is hidden is null: what a text says nobody can mask."""
    known, hidden = seen(data)
    if as_json or hidden:
        print(json.dumps(plain(known), indent=2, ensure_ascii=False))
    else:
        with contextlib.redirect_stdout(_Unmarked(sys.stdout)):
            text()


class _Unmarked(io.TextIOBase):
    """Standard output for who sees everything: what is marked as sensitive in a text goes out without its marks."""

    def __init__(self, out: TextIO) -> None:
        self._out = out

    def write(self, text: str) -> int:
        self._out.write(unmarked(text))
        return len(text)

    def flush(self) -> None:
        self._out.flush()

    def isatty(self) -> bool:
        return self._out.isatty()

    def fileno(self) -> int:
        return self._out.fileno()

    @property
    def encoding(self) -> str:  # type: ignore[override]  # the base declares it as a variable
        return self._out.encoding


def plain(data: Any) -> Any:
    """Plain JSON values of models, rows and what holds them."""
    if isinstance(data, BaseModel):
        return data.model_dump(mode="json")
    if isinstance(data, dict):
        return {str(key): plain(value) for key, value in data.items()}
    if isinstance(data, list | tuple):
        return [plain(item) for item in data]
    return data if data is None or isinstance(data, str | int | float | bool) else str(data)


def parse_date(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise Mistake(f"{text!r} is not a date; write it as 2027-08-25") from None
