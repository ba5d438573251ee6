"""`tenure simulate`: a contract's life in seconds, and the dated ledger of what it would do outside."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from starter.cli.lifecycles import read_document
from starter.cli.running import Json, run, show
from starter.mistakes import Mistake
from starter.settings import load_settings

if TYPE_CHECKING:
    from starter.settings import Settings
    from starter.simulation.life import Future
    from starter.simulation.lines import Line

Decide = Annotated[
    Literal["renew", "end", "nobody"] | None,
    typer.Option(
        "--decide",
        help="Who decides on renewals that the script does not: renew or end, on the last day for notice; or nobody "
        "(the default), which leaves it to the contract's clause.",
    ),
]
Years = Annotated[int, typer.Option("--years", min=1, max=30, help="How many years to live through.")]
ScriptFile = Annotated[
    Path | None,
    typer.Option(
        "--script",
        help="What happens on the way (TOML): tables [[at]] with on = 2027-03-01 or after = '3 months', and one of "
        "event, command, change, outage. Before them decide = 'renew', or milestones = 'none'.",
    ),
]


def register(app: typer.Typer) -> None:
    app.command()(simulate)


def simulate(
    file: Annotated[Path, typer.Argument(help="A contract (TOML), or a won deal's record (JSON).")],
    years: Years = 3,
    script: ScriptFile = None,
    decide: Decide = None,
    as_json: Json = False,
) -> None:
    """Live a contract through, from its signature on, and print what would be done outside, day by day.

    It runs the real code on a Temporal server of its own, in seconds, and touches nothing: the connected systems are
    stood for by ones that only record. What the script does not say goes well: milestones are reached when the
    onboarding plan says, invoices are paid, no system is down. The same file gives the same ledger on any day.
    """
    import wiring
    from starter.simulation.script import Script, UnusableScript, read_script
    from starter.simulation.server import own_server
    from starter.simulation.whole import signed as signed_order
    from starter.simulation.whole import simulate as live

    settings = load_settings()
    company = wiring.read_company(settings)
    landscape = wiring.read_landscape(settings, company)
    try:
        begun = signed_order(_order(settings, file), company, landscape, settings.connection_of("crm"))
    except Mistake as mistake:
        raise Mistake(f"{file}: {mistake}") from None

    async def lived() -> "Future":
        chosen = read_script(_text(script), begun.on) if script else Script()
        if decide is not None:
            chosen = chosen.model_copy(update={"decide": decide})
        async with own_server() as client:
            return await live(client, wiring.open_simulation, company, landscape, begun, chosen, years)

    try:
        future = run(lived())
    except UnusableScript as mistake:
        raise Mistake(_each(script, str(mistake))) from None
    show(as_json, future, lambda: print_future(future))


def print_future(future: "Future") -> None:
    """The ledger, in lines whose width depends on nothing outside of them."""
    print_lines(future.lines)
    print()
    stands = f"term {future.term}, {future.stage.replace('_', ' ')}" if future.term else future.stage.replace("_", " ")
    print(f"On {future.until}: {stands}; {_counted(len(future.cases))}.")
    for case in future.cases:
        print(f"  {case.title}")


def print_lines(lines: "tuple[Line, ...]", mark: str = "") -> None:
    wide = max((len(line.key) for line in lines), default=0)
    for line in lines:
        print(f"{mark}{line.on}  {line.key:<{wide}}  {line.what}".rstrip())


def _counted(cases: int) -> str:
    return "no open case" if not cases else "one open case" if cases == 1 else f"{cases} open cases"


def _order(settings: "Settings", file: Path) -> dict[str, Any]:
    import wiring
    from domain.mapping import UnusableRecord, canonical

    document = read_document(file)
    if file.suffix == ".toml":
        return document
    try:
        return canonical(document, wiring.read_mapping(settings))
    except UnusableRecord as error:
        raise Mistake(str(error)) from None


def _text(script: Path) -> str:
    try:
        return script.read_text(encoding="utf-8")
    except OSError as error:
        raise Mistake(f"{script}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise Mistake(f"{script}: it is not UTF-8") from None


def _each(script: Path | None, lines: str) -> str:
    return "\n".join(f"{script}: {line}" for line in lines.splitlines())
