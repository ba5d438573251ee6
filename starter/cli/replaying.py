"""`tenure replay` and `tenure relearn`: after a restore, Temporal is told again, or the store asks again."""

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from domain.counting import many
from starter.cli.running import Json, show
from starter.cli.times import is_length, parse_length, parse_moment
from starter.mistakes import Mistake
from starter.settings import load_settings

if TYPE_CHECKING:
    from store.replay import Replayed

Since = Annotated[
    str | None, typer.Option(help="For so long, such as 10m, or from a moment on, such as 2026-11-25T10:00Z.")
]


def register(app: typer.Typer) -> None:
    app.command()(replay)
    app.command()(relearn)


def replay(
    since: Since = None,
    source: Annotated[str | None, typer.Option(help="Only events of this source, such as crm.")] = None,
    contract: Annotated[str | None, typer.Option(help="Only events of this contract.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only count what would be delivered again.")] = False,
    as_json: Json = False,
) -> None:
    """Deliver recorded events again: harmless where they were heard, and healing where the server forgot them."""
    length = parse_length(since) if since and is_length(since) else None
    moment = parse_moment(since) if since and length is None else None
    if moment is not None and moment > datetime.now(UTC):
        raise Mistake(f"{since} is still to come")

    async def again() -> "Replayed":
        import wiring
        from starter.finding import find_life
        from store.replay import Choice, replay, seconds_ago, sources

        database = wiring.open_store(load_settings())
        try:
            known = await database.read(sources) if source else ()
            if source and source not in known:
                raise Mistake(f"no event ever came from {source!r}; known: {', '.join(known) or 'none'}")
            named = (await find_life(database, contract)).contract if contract else None
            begins = moment.timestamp() if moment else None
            if length is not None:
                begins = await database.read(lambda session: seconds_ago(session, length.total_seconds()))
            choice = Choice(begins, source, named)
            return await database.write(lambda session: replay(session, choice, dry_run=dry_run))
        finally:
            database.close()

    done = asyncio.run(again())
    word = "would be" if dry_run else "will be"
    show(
        as_json,
        {**done._asdict(), "dry_run": dry_run},
        lambda: print(
            f"{many(done.deliveries, 'event')} of {many(done.contracts, 'contract')} {word} delivered again, "
            f"{done.routed_anew} that were never used {word} judged anew"
        ),
    )


def relearn(as_json: Json = False) -> None:
    """Have a store that was restored ask every lifecycle for what it has forgotten: views, cases, what is whose."""
    from starter.cli.running import open_office
    from starter.reconciling.reconciler import HOMES
    from starter.relearning import Relearnt
    from starter.relearning import relearn as ask

    async def asked() -> "Relearnt":
        settings = load_settings()
        async with open_office(settings) as office:
            homes = {**HOMES, **settings.landscape.homes}
            return await ask(office.database, office.client, settings.tenant, homes)

    found = asyncio.run(asked())
    said = [f"{many(found.asked, 'lifecycle was', 'lifecycles were')} asked"]
    if found.silent:
        said.append(f"{len(found.silent)} did not answer, say it again: {', '.join(found.silent[:5])}")
    if found.unknown:
        said.append(f"{len(found.unknown)} are not in the store, `tenure reconcile`: {', '.join(found.unknown[:5])}")
    show(as_json, found._asdict(), lambda: print("; ".join(said)))
