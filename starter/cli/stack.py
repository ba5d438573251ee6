"""`tenure up`, `down`, `status`, `setup`: the local stack, and what a Temporal namespace needs."""

from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from domain.errors import TenureError
from starter.cli.running import Erp, Json, connect, run, show
from starter.local_erp import parse_erp, remember
from starter.mistakes import Mistake
from starter.settings import load_settings

TimeTravel = Annotated[bool, typer.Option("--time-travel", help="Let `tenure fast-forward` move lifecycles' clocks.")]


def register(app: typer.Typer) -> None:
    for command in (up, down, status, setup):
        app.command()(command)


def up(time_travel: TimeTravel = False, erp: Erp = None, as_json: Json = False) -> None:
    """Start the local stack: Temporal, the sandbox, gateway, experience, dispatcher, worker. Harmless when it is up.

    With `--erp tryton` a real ERP, too: Tryton on PostgreSQL, which new orders then go to.
    """
    from starter.stack import LocalStack

    settings = load_settings(local_erp=parse_erp(erp))
    stack = LocalStack(settings)
    say = Console(stderr=True).print
    started = stack.up(time_travel=time_travel, on_progress=(lambda _: None) if as_json else say)
    remember(settings)
    show(
        as_json,
        {"started": started},
        lambda: print(
            f"{'started ' + ', '.join(started) if started else 'it was up already'}\n"
            f"Temporal UI  http://127.0.0.1:{settings.temporal.ui_port}\nGateway      {settings.gateway_url}\n"
            f"Console      {settings.experience_url}/console\nAPI          {settings.experience_url}/api/v1"
        ),
    )


def down(as_json: Json = False) -> None:
    """Stop the local stack and free its ports; its data stays."""
    from starter.stack import LocalStack

    stopped = LocalStack(load_settings()).down()
    show(as_json, {"stopped": stopped}, lambda: print(f"stopped {', '.join(stopped)}" if stopped else "nothing was up"))


def status(as_json: Json = False) -> None:
    """Show each process of the local stack."""
    from starter.cli.freezing import frozen_in
    from starter.stack import LocalStack

    settings = load_settings()
    found = LocalStack(settings).status()
    try:
        frozen = [f"{name} ({why})" if why else name for name, why in frozen_in(settings).items()]
    except (Mistake, TenureError) as error:
        frozen = [f"nobody knows what: {error}"]

    def text() -> None:
        table = Table("process", "state", "pid", "port", "address")
        for each in found:
            table.add_row(each.name, each.state, str(each.pid or ""), str(each.port or ""), each.url or "")
        Console().print(table)
        for what in frozen:
            print(f"frozen: {what}")

    fields = ("name", "state", "pid", "port", "url")
    show(as_json, [{name: getattr(each, name) for name in fields} for each in found], text)


def setup(as_json: Json = False) -> None:
    """Add search attributes and the feeds' schedules to the Temporal namespace, and migrate the store."""
    from temporalio.service import RPCError

    import wiring
    from starter.schedules import ensure_schedules
    from starter.searching import add_search_attributes

    async def add() -> tuple[list[str], list[str]]:
        settings = load_settings()
        wiring.open_store(settings).close()
        client = await connect(settings)
        try:
            return await add_search_attributes(client), await ensure_schedules(client, settings)
        except RPCError as error:
            raise Mistake(f"Temporal refuses it: {error.message}") from None

    added, schedules = run(add())

    def text() -> None:
        print(f"added {', '.join(added)}" if added else "everything is there")
        if schedules:
            print(f"schedules: {', '.join(schedules)}")

    show(as_json, {"added": added, "schedules": schedules}, text)
