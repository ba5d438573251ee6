"""`tenure deploy`: new workflow code is rolled over the lifecycles that run, and back."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from domain.counting import many
from starter.cli.running import Json, connect, run, show
from starter.mistakes import Mistake, Refusal
from starter.settings import Settings, load_settings

if TYPE_CHECKING:
    from temporalio.client import Client

    from starter.deploying.pinned import Pace, Rolled
    from starter.deploying.standing import Standing
    from starter.stack import LocalStack
    from store.database import Database

Rate = Annotated[float, typer.Option(min=0.1, max=1000, help="Lifecycles that are moved or looked at, a second.")]
Patience = Annotated[float, typer.Option(min=1, help="Give up when none has moved for so many seconds.")]

OURS = ("worker", "dispatcher", "gateway", "experience")
"""What begins again with new code, in this order: nobody may say what the worker does not know yet."""

deploy_app = typer.Typer(help="Roll new workflow code over the lifecycles that run, and back.")


def register(app: typer.Typer) -> None:
    app.add_typer(deploy_app, name="deploy")


@deploy_app.callback(invoke_without_command=True)
def deploy(context: typer.Context, rate: Rate = 20.0, patience: Patience = 900.0, as_json: Json = False) -> None:
    """Deploy this code: replay gate, then every lifecycle on it. Killed in the middle and said again, it goes on."""
    if context.invoked_subcommand is not None:
        return
    from starter.deploying import in_place, pinned
    from starter.deploying.build import code_build
    from starter.deploying.standing import versions_of

    settings, build = load_settings(), code_build()
    pace, say = _pace(rate, patience), _progress(as_json)

    async def done() -> "Rolled":
        async with _opened(settings) as (client, database):
            versions = versions_of(client, settings)
            if settings.deploys.pinned:
                return await pinned.deploy(versions, build, _gate, pace, say)
            restart = _restart(settings)
            return await in_place.deploy(client, database, versions, build, _gate, pace, say, restart=restart)

    rolled = run(done())
    verb = "moved to" if settings.deploys.pinned else "looked at with"
    _show(as_json, rolled, f"{many(rolled.moved, 'lifecycle')} {verb} version {rolled.build}")


@deploy_app.command()
def rollback(
    to: Annotated[str | None, typer.Option(help="Another version than the one before (pinned).")] = None,
    rate: Rate = 20.0,
    patience: Patience = 900.0,
    as_json: Json = False,
) -> None:
    """Take a deploy back. Pinned: every lifecycle goes back to the version before. In place, to be said with the newer
    code: it hands every lifecycle over to the older one, which is then put in place and deployed."""
    from starter.deploying import pinned
    from starter.deploying.standing import versions_of

    settings = load_settings()
    pace, say = _pace(rate, patience), _progress(as_json)
    if not settings.deploys.pinned and to is not None:
        raise Mistake("--to: in place it is the code that is put in place next; leave it out")

    async def done() -> "Rolled":
        async with _opened(settings) as (client, _):
            versions = versions_of(client, settings)
            if settings.deploys.pinned:
                return await pinned.roll_back(versions, to, pace, say)
            return await _hand_over(settings, client, pace, say)

    rolled = run(done())
    if settings.deploys.pinned:
        _show(as_json, rolled, f"{many(rolled.moved, 'lifecycle')} moved back to version {rolled.build}")
    else:
        _show(
            as_json,
            rolled,
            f"{many(rolled.moved, 'lifecycle waits', 'lifecycles wait')} for the older code: "
            "put it in place, then `tenure up` and `tenure deploy`",
        )


@deploy_app.command()
def status(as_json: Json = False) -> None:
    """Show the versions, how many lifecycles live on each, and which can't go on."""
    from starter.deploying.standing import standing

    settings = load_settings()

    async def read() -> "Standing":
        async with _opened(settings) as (client, database):
            return await standing(client, database, settings)

    found = run(read())

    def text() -> None:
        table = Table("version", "status", "workers", "lifecycles", "stuck")
        for each in found.versions:
            counts = (str(each.lifecycles), str(each.stuck)) if found.pinned else ("", "")
            table.add_row(each.build, each.status, "at work" if each.works else "none", *counts)
        Console().print(table)
        print(f"this code is version {found.build}; {many(found.open, 'lifecycle is', 'lifecycles are')} open")
        if found.pinned and found.unversioned:
            print(f"{many(found.unversioned, 'is', 'are')} on no version yet")
        if not found.pinned:
            print(f"{found.visited} of them were looked at with this code")
        for workflow_id in found.stuck:
            print(f"stuck: {workflow_id}")

    show(as_json, found, text)


def _pace(rate: float, patience: float) -> "Pace":
    from starter.deploying.pinned import Pace

    return Pace(rate=rate, patience=patience)


def _progress(as_json: bool) -> Callable[[str], None]:
    return (lambda _: None) if as_json else Console(stderr=True, highlight=False).print


async def _gate() -> list[str]:
    from starter.replaying import check_corpus

    return [str(red) for red in await check_corpus()]


@asynccontextmanager
async def _opened(settings: Settings) -> "AsyncIterator[tuple[Client, Database]]":
    import wiring

    database = wiring.open_store(settings)
    try:
        yield await connect(settings), database
    finally:
        database.close()


def _stack(settings: Settings) -> "LocalStack | None":
    """The local stack, where its worker is up."""
    from starter.stack import LocalStack

    stack = LocalStack(settings)
    return stack if any(each.name == "worker" and each.state != "stopped" for each in stack.status()) else None


def _restart(settings: Settings) -> Callable[[], None] | None:
    stack = _stack(settings)
    if stack is None:
        return None

    def again() -> None:
        up = {each.name for each in stack.status() if each.state != "stopped"}
        for name in OURS:
            if name in up:
                stack.restart(name)

    return again


async def _hand_over(settings: Settings, client: "Client", pace: "Pace", say: Callable[[str], None]) -> "Rolled":
    """With a worker of this process in the place of the stack's, which is stopped and stays so."""
    import worker
    from starter.deploying.build import code_build
    from starter.deploying.handing_over import BeginsNothing, hand_over, tell_of_others_only
    from starter.deploying.pinned import Rolled
    from starter.deploying.standing import versions_of
    from starter.sections import Reconciliation

    versions, build, stack = versions_of(client, settings), code_build(), _stack(settings)
    if (polling := await versions.polling()) and build not in polling:
        known = ", ".join(sorted(polling))
        raise Refusal(f"this code is version {build}, and {known} is at work: say it with that one's code")
    if stack is not None:
        await asyncio.to_thread(stack.stop, "worker")
        say("the worker is stopped")
    elif polling:
        raise Refusal("workers were at work a minute ago: stop them, and say it again then")
    tell_of_others_only()
    stop = asyncio.Event()
    quiet = settings.model_copy(update={"reconciliation": Reconciliation(every=0)})
    serving = asyncio.create_task(worker.serve(quiet, stop, beside=[BeginsNothing()]))
    handing = asyncio.create_task(hand_over(client, versions, pace, say))
    try:
        await asyncio.wait([serving, handing], return_when=asyncio.FIRST_COMPLETED)
        if not handing.done():
            await serving  # raises what has ended it
            raise Mistake("the worker that hands over has ended; said again, it goes on")
        return Rolled(build, await handing)
    finally:
        handing.cancel()
        stop.set()
        await asyncio.gather(serving, return_exceptions=True)


def _show(as_json: bool, rolled: "Rolled", summary: str) -> None:
    def text() -> None:
        print(summary)
        for build in rolled.retired:
            print(f"retired: {build}")
        for build in rolled.idle:
            print(f"no lifecycle is on {build} any more: stop its workers; Temporal forgets it by itself then")
        for each in rolled.stuck:
            print(f"stuck: {each} can't make a task; its case says why")

    show(as_json, {**vars(rolled)}, text)
    if rolled.stuck:
        raise typer.Exit(1)
