"""`tenure start`, `list`, `show`, `watch`: lifecycles begin, and are looked at."""

import asyncio
import json
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.markdown import Markdown
from rich.table import Column, Table

from starter.cli.running import Contract, Json, in_office, in_store, is_unicode, plain, show
from starter.cli.seeding import put_deal_into_sandbox
from starter.mistakes import Mistake
from starter.settings import load_settings

if TYPE_CHECKING:
    from starter.office import Office
    from store.database import Database

Stage = Annotated[str | None, typer.Option(help="Only lifecycles in this stage, such as serving or renewal.")]
Attention = Annotated[bool, typer.Option("--attention", help="Only lifecycles with an open case.")]


def register(app: typer.Typer) -> None:
    app.command()(start)
    app.command("list")(list_all)
    app.command("show")(show_one)
    app.command()(watch)


def start(
    file: Annotated[Path, typer.Argument(help="A contract (TOML), or a won deal's record (JSON).")],
    as_json: Json = False,
) -> None:
    """Start a lifecycle from a file, as intake would from a webhook. The same deal again starts nothing."""
    document = read_document(file)

    async def begin(office: "Office") -> str:
        from domain.mapping import UnusableRecord, canonical, summary

        if file.suffix == ".toml":
            await put_deal_into_sandbox(settings, document)
            return await office.begin(document)
        try:
            deal, order = summary(document, office.mapping), canonical(document, office.mapping)
        except UnusableRecord as error:
            raise Mistake(f"{file}: {error}") from None
        await put_deal_into_sandbox(settings, order)
        sent = await office.send("tenure.deal.closed_won.v1", {"record": document}, event_id=f"start:{deal.version}")
        outcome = await office.outcome(sent)
        if outcome.state in ("dead", "parked"):
            raise Mistake(outcome.reason)
        return (await office.find(deal.deal_id)).contract

    settings = load_settings()
    contract = in_office(begin)
    show(as_json, {"contract": contract}, lambda: print(contract))


def read_document(file: Path) -> dict[str, Any]:
    """A TOML or JSON file. Raises Mistake in one line."""
    try:
        text = file.read_text(encoding="utf-8")
        read = tomllib.loads(text) if file.suffix == ".toml" else json.loads(text)
        proper = is_unicode(json.dumps(plain(read), ensure_ascii=False))
    except OSError as error:
        raise Mistake(f"{file}: {error.strerror}") from None
    except (ValueError, RecursionError) as error:
        raise Mistake(f"{file}: {error}") from None
    if not isinstance(read, dict):
        raise Mistake(f"{file} holds no object")
    if not proper:
        raise Mistake(f"{file} holds half a surrogate pair, which is no text")
    return plain(read) if file.suffix == ".toml" else read


def list_all(stage: Stage = None, attention: Attention = False, as_json: Json = False) -> None:
    """List lifecycles from the store, the nearest renewal first."""
    from domain.view import LifecycleView
    from domain.view import Stage as Known
    from store.views import SqlViews

    if stage is not None and stage not in list(Known):
        raise Mistake(f"unknown stage {stage!r}; known: {', '.join(Known)}")

    async def read(database: "Database") -> list[LifecycleView]:
        rows = await SqlViews(database).list(stage=stage, needs_attention=attention or None)
        return [LifecycleView.model_validate(row.view) for row in rows]

    views = in_store(read)

    def text() -> None:
        short = ("contract", "stage", "term", "renewal", "risk")
        table = Table(*(Column(name, no_wrap=True) for name in short), "next")
        for view in views:
            renewal = str(view.renewal_date or "")
            table.add_row(view.contract, view.stage, str(view.term or ""), renewal, view.risk, view.next_step)
        Console().print(table if views else "no lifecycle yet; start one with: tenure start FILE")

    show(as_json, views, text)


def show_one(contract: Contract, as_json: Json = False) -> None:
    """Show one lifecycle: where it stands, what it waits for, its timeline and effects."""
    from domain.projection import details
    from store.ledger import SqlLedger
    from store.timeline import Timeline

    async def read(office: "Office") -> dict[str, Any]:
        life = await office.find(contract)
        lines = await Timeline(office.database).of(life.contract)
        return {
            "view": await office.view(life),
            "timeline": [{"at": line.business_at, "kind": line.kind, "what": line.summary} for line in lines],
            "effects": [
                {"key": row.key, "state": row.state, "result": row.result}
                for row in await SqlLedger(office.database).rows(life.contract)
            ],
        }

    found = in_office(read)

    def text() -> None:
        console = Console()
        console.print(Markdown(details(found["view"])))
        table = Table("business time", "what happened", title="Timeline", title_justify="left")
        for line in found["timeline"]:
            table.add_row(f"{line['at']:%Y-%m-%d %H:%M}", line["what"])
        console.print(table)

    show(as_json, found, text)


def watch(contract: Contract, as_json: Json = False) -> None:
    """Print a lifecycle's state whenever it changes, until it is closed."""
    from domain.view import Stage as Known

    async def follow(office: "Office") -> None:
        life, last = await office.find(contract), ""
        while True:
            view = await office.view(life)
            face = view.model_dump_json(exclude={"as_of", "last_seq"})
            if face != last:
                last = face
                print(
                    face if as_json else f"{view.as_of:%Y-%m-%d %H:%M}  {view.stage:<18} {view.next_step}", flush=True
                )
            if view.stage in (Known.ENDED, Known.CANCELLED):
                return
            await asyncio.sleep(0.3)

    in_office(follow)
