"""`tenure simulate` and `tenure what-if`: a contract's life in seconds, and the dated ledger of what it does."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from domain.counting import many
from starter.cli.orders import read_order
from starter.cli.running import Contract, Json, open_office, run, show
from starter.mistakes import Mistake
from starter.sections import KINDS
from starter.settings import load_settings

if TYPE_CHECKING:
    from datetime import date

    from starter.simulation.difference import Difference
    from starter.simulation.life import Future
    from starter.simulation.lines import Line
    from starter.simulation.script import Script

Decider = Literal["renew", "end", "nobody"]
Decide = Annotated[
    Decider | None,
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
    app.command("what-if")(what_if)


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
    from starter.simulation.server import own_server
    from starter.simulation.whole import signed
    from starter.simulation.whole import simulate as live

    settings = load_settings()
    company = wiring.read_company(settings)
    landscape = wiring.read_landscape(settings, company)
    document = read_order(settings, file)
    try:
        begun = signed(document, company, landscape, settings.connection_of("crm"))
    except Mistake as mistake:
        raise Mistake(f"{file}: {mistake}") from None
    chosen = _script(script, begun.on, decide)

    async def lived() -> "Future":
        async with own_server() as client:
            return await live(client, wiring.open_simulation, company, landscape, begun, chosen, years)

    future = run(lived())
    show(as_json, future, lambda: _print_future(future))


def what_if(
    contract: Contract,
    amend: Annotated[
        list[str] | None, typer.Option("--amend", help="A line's (or product's) quantity: 2=75, or 2=+25.")
    ] = None,
    day: Annotated[
        list[str] | None,
        typer.Option("--date", help="On which day that happens (today when absent); or a milestone's: go-live=DATE."),
    ] = None,
    outage: Annotated[
        list[str] | None, typer.Option("--outage", help="A system is down for so many days from then on: erp=3.")
    ] = None,
    renew: Annotated[bool, typer.Option("--renew", help="The renewal is decided then.")] = False,
    end: Annotated[str | None, typer.Option("--end", help="The contract ends on this day.")] = None,
    script: ScriptFile = None,
    decide: Decide = None,
    years: Years = 3,
    as_json: Json = False,
) -> None:
    """Fork a running lifecycle, live it through with and without a change, and print what would differ.

    Nothing is written, and the running one never notices: its state is read, and lives on twice on a server of its
    own, as with `tenure simulate`. Without a change, what will happen is printed.
    """
    import wiring
    from starter.simulation.asking import Asked, Asking, with_asked
    from starter.simulation.difference import difference
    from starter.simulation.fork import Running, read_running
    from starter.simulation.fork import what_if as live_twice
    from starter.simulation.server import own_server

    settings = load_settings()
    company = wiring.read_company(settings)
    landscape = wiring.read_landscape(settings, company)
    asked = Asked(amend or (), day or (), outage or (), renew, end)

    async def read() -> "Running":
        async with open_office(settings) as office:
            return await read_running(office, contract)

    async def lived(running: "Running", wanted: "Script") -> "tuple[Future, Future]":
        async with own_server() as client:
            return await live_twice(client, wiring.open_simulation, company, landscape, running, wanted, years)

    running = run(read())
    written = _script(script, running.today, decide)
    systems = frozenset({*KINDS, *landscape.connections})
    of = Asking(running.state, running.today, running.until(years), company.milestones, systems)
    wanted = with_asked(written, asked.entries(of, len(written.entries) + 1))
    without, instead = run(lived(running, wanted))
    if not wanted.entries:
        show(as_json, without, lambda: _print_future(without))
        return
    found = difference(without, instead)
    show(as_json, found, lambda: _print_difference(found))


def _print_future(future: "Future") -> None:
    """In lines whose width depends on nothing outside of them."""
    _print_lines([("", line) for line in future.lines])
    print()
    if future.stuck:
        print(f"Given up on {future.until}: nothing mends what is open, and it would be tried again for ever.")
    stands = future.stage.replace("_", " ")
    print(
        f"On {future.until}: {f'term {future.term}, ' if future.term else ''}{stands}; {_counted(len(future.cases))}."
    )
    for case in future.cases:
        print(f"  {case.title}")


def _print_difference(found: "Difference") -> None:
    from starter.simulation.difference import unified

    if not found:
        print(f"Nothing would be different until {found.until}.")
        return
    print(f"{found.contract} from {found.begins} until {found.until}: - as it is, + with the change\n")
    _print_lines([(f"{sign} ", line) for sign, line in unified(found)])


def _print_lines(lines: "list[tuple[str, Line]]") -> None:
    wide = max((len(line.key) for _, line in lines), default=0)
    for mark, line in lines:
        print(f"{mark}{line.on}  {line.key:<{wide}}  {line.what}".rstrip())


def _counted(cases: int) -> str:
    return many(cases, "open case") if cases else "no open case"


def _script(file: Path | None, first: "date", decide: Decider | None) -> "Script":
    """The script, if there is one; `decide` on the command line is the last word. Raises Mistake, a line for each."""
    from starter.simulation.script import Script, UnusableScript, read_script

    try:
        read = Script() if file is None else read_script(file.read_text(encoding="utf-8"), first)
    except OSError as error:
        raise Mistake(f"{file}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise Mistake(f"{file}: it is not UTF-8") from None
    except UnusableScript as mistake:
        raise Mistake("\n".join(f"{file}: {line}" for line in str(mistake).splitlines())) from None
    return read if decide is None else read.model_copy(update={"decide": decide})
