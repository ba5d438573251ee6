"""`tenure sla`, `tenure notices`: what is promised and late, and what people were told."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Column, Table

from starter.cli.running import Json, in_store, show
from starter.mistakes import Mistake
from starter.settings import load_settings

if TYPE_CHECKING:
    from domain.company import Company
    from experience.reading.frame import Page
    from experience.reading.sla import ClockLine, SlaAnswer
    from store.database import Database
    from store.notices import NoticeRow, Standing

MOST = 200

notices_app = typer.Typer(help="Notices: what each channel has told people, and what it holds.")


def register(app: typer.Typer) -> None:
    app.command()(sla)
    app.add_typer(notices_app, name="notices")


def sla(
    kind: Annotated[str | None, typer.Option(help="Only clocks of this kind, such as billing-started.")] = None,
    state: Annotated[str | None, typer.Option(help="Only those that are so: warned, breached, missed …")] = None,
    contract: Annotated[str | None, typer.Option(help="Only this contract's.")] = None,
    team: Annotated[str | None, typer.Option(help="Only this team's.")] = None,
    as_json: Json = False,
) -> None:
    """Show what is promised, how it is kept, and the clocks that run, the most urgent first."""
    import wiring
    from domain.sla import ClockState
    from domain.targets import ClockKind
    from experience.reading import sla as reading
    from starter.finding import find_life

    chosen_kind = _one_of("kind", kind, ClockKind)
    chosen_state = _one_of("state", state, ClockState)
    company = wiring.read_company(load_settings())
    if team is not None and company.team(team) is None:
        raise Mistake(f"unknown team {team!r}; known: {', '.join(each.id for each in company.teams) or 'none'}")

    async def read(database: "Database") -> tuple["SlaAnswer", "Page[ClockLine]"]:
        life = await find_life(database, contract) if contract else None
        wanted = reading.Wanted(
            ClockKind(chosen_kind) if chosen_kind else None,
            ClockState(chosen_state) if chosen_state else None,
            life.contract if life else None,
            team=team,
        )
        page = await reading.clocks(database, wanted, cursor=None, limit=MOST)
        return await reading.sla(database), page

    answer, page = in_store(read)
    show(as_json, {"promises": answer, "clocks": page}, lambda: _print_sla(company, answer, page))


@notices_app.callback(invoke_without_command=True)
def notices(context: typer.Context, as_json: Json = False) -> None:
    """List the channels, and how much each has told, still has to tell, or holds."""
    if context.invoked_subcommand is not None:
        return
    from store.notices import standing

    settings = load_settings()

    async def read(database: "Database") -> "list[Standing]":
        return await database.read(lambda session: standing(session, settings.channels))

    found = in_store(read)

    def text() -> None:
        table = Table(Column("channel", no_wrap=True), "kind", "pending", "told", "held", "doubtful", "last problem")
        for each in found:
            channel = settings.channels.get(each.channel)
            counts = (str(number) for number in (each.pending, each.sent, each.held, each.doubtful))
            table.add_row(each.channel, channel.kind if channel else "not configured", *counts, each.problem)
        if found:
            Console().print(table)
        else:
            print("no channel yet; add one as [channels.NAME] to tenure.toml, and name it in a team's `tell`")

    show(as_json, [each._asdict() for each in found], text)


@notices_app.command(name="show")
def show_channel(channel: str, as_json: Json = False) -> None:
    """Show what a channel was given to tell, the newest first."""
    from store.notices import recent

    async def read(database: "Database") -> "Sequence[NoticeRow]":
        return await database.read(lambda session: recent(session, channel))

    found = in_store(read)

    def text() -> None:
        for row in found:
            print(f"{datetime.fromtimestamp(row.created_at, UTC):%Y-%m-%d %H:%M}  {row.state:<8}  {row.text}")
        if not found:
            print(f"{channel} has been given nothing")

    show(as_json, found, text)


@notices_app.command()
def retry(channel: str, as_json: Json = False) -> None:
    """Tell what a channel holds, for another day. What may have arrived is never told again."""
    from store.notices import retry_held

    settings = load_settings()
    if channel not in settings.channels:
        raise Mistake(f"there is no channel {channel!r}; known: {', '.join(sorted(settings.channels)) or 'none'}")

    async def write(database: "Database") -> int:
        return await database.write(lambda session: retry_held(session, channel))

    told = in_store(write)
    show(as_json, {"channel": channel, "notices": told}, lambda: print(f"{told} held notice(s) of {channel} go out"))


def _one_of(what: str, given: str | None, known: type) -> str | None:
    if given is None:
        return None
    name = given.replace("-", "_")
    values = [str(each.value) for each in known]  # type: ignore[attr-defined]  # enums, all of them
    if name not in values:
        raise Mistake(f"unknown {what} {given!r}; known: {', '.join(each.replace('_', '-') for each in values)}")
    return name


def _print_sla(company: "Company", answer: "SlaAnswer", page: "Page[ClockLine]") -> None:
    from domain.targets import target_for

    table = Table("promise", "running", "warned", "late", "met", "missed", "kept")
    for each in answer.kinds:
        promise = target_for(company.sla, each.kind, "").in_words()
        kept = "" if each.kept is None else f"{each.kept:.0%}"
        counts = (str(number) for number in (each.running, each.warned, each.late, each.met, each.missed))
        table.add_row(promise, *counts, kept)
    Console().print(table)
    if not page.items:
        return
    clocks = Table(Column("state", no_wrap=True), "due (UTC)", "what", "contract", "team")
    for line in page.items:
        due = f"{line.due:%Y-%m-%d %H:%M}" if line.due else ""
        clocks.add_row(line.state.value, due, line.what, line.contract or "", line.team)
    Console().print(clocks)
