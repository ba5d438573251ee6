"""`tenure leaders`, `leakage`, `forecasts`: the figures, from the store alone."""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Column, Table

from domain.counting import many
from starter.cli.running import Json, in_store, parse_date, show
from starter.mistakes import Mistake
from starter.settings import load_settings

if TYPE_CHECKING:
    from domain.measures.money import Money
    from experience.reading.forecasts import ForecastAgainst
    from experience.reading.frame import Page
    from experience.reading.leaders import Leaders, Retention
    from experience.reading.leakage import LeakageSums, LeakLine
    from starter.reporting import Reporting
    from store.database import Database

First = Annotated[str | None, typer.Option("--since", metavar="DAY", help="The first day; default: a year earlier.")]
Last = Annotated[str | None, typer.Option("--until", metavar="DAY", help="The last day; default: today.")]
Kind = Annotated[str | None, typer.Option(help="not-started, too-early, under-billed or expired-served.")]
EndsFrom = Annotated[str | None, typer.Option("--since", metavar="DAY", help="The first end of a term; default: --on.")]
EndsUntil = Annotated[str | None, typer.Option("--until", metavar="DAY", help="The last one; default: today.")]
MOST = 500

STEPS = {
    "activation": "activation",
    "onboarding": "launch of the onboarding",
    "go_live": "go-live",
    "first_invoice": "first invoice",
}


def register(app: typer.Typer) -> None:
    app.command()(leaders)
    app.command()(leakage)
    app.command()(forecasts)


def leaders(since: First = None, until: Last = None, as_json: Json = False) -> None:
    """Show how long the first steps take, what stays of what there was, and what leaked."""
    from experience.reading import leaders as reading

    async def read(database: "Database") -> "Leaders":
        begins, ends = await reading.period(database, _today())
        first = parse_date(since) if since else begins
        return await reading.leaders(database, _reporting(), first, parse_date(until) if until else ends)

    found = in_store(read)
    show(as_json, found, lambda: _leaders(found))


def leakage(
    kind: Kind = None,
    contract: Annotated[str | None, typer.Option(help="Only of this contract.")] = None,
    settled: Annotated[bool, typer.Option("--all", help="Those that are settled as well.")] = False,
    as_json: Json = False,
) -> None:
    """Show what is billed or served other than the terms say, with the ERP's amounts, the longest first."""
    from domain.measures.leakage import KINDS
    from experience.reading import leakage as reading
    from starter.finding import find_life

    named = next((each for each in KINDS if kind and each == kind.replace("-", "_")), None)
    if kind is not None and named is None:
        raise Mistake(f"unknown kind {kind!r}; known: {', '.join(each.replace('_', '-') for each in KINDS)}")

    async def read(database: "Database") -> tuple["Page[LeakLine]", "LeakageSums"]:
        life = await find_life(database, contract) if contract else None
        wanted = reading.Wanted(kind=named, contract=life.contract if life else None, open=not settled)
        reporting = _reporting()
        page = await reading.leaks(database, reporting, wanted, limit=MOST)
        return page, await reading.sums(database, reporting, _today())

    page, sums = in_store(read)
    show(as_json, {"findings": page, "open": sums}, lambda: _leakage(page, sums))


def forecasts(
    on: Annotated[str, typer.Option("--on", metavar="DAY", help="The day of the forecast.")],
    since: EndsFrom = None,
    until: EndsUntil = None,
    as_json: Json = False,
) -> None:
    """Show what was forecast on a day of the renewals that were to come, against what came."""
    from experience.reading import forecasts as reading

    day, begins, ends = parse_date(on), parse_date(since or on), parse_date(until) if until else None

    async def read(database: "Database") -> "ForecastAgainst":
        today = _today()
        last = (await reading.snapshot_days(database)).last or today
        return await reading.forecast_against(database, _reporting(), day, begins, ends or max(today, last), today)

    found = in_store(read)
    show(as_json, found, lambda: _forecasts(found))


def _reporting() -> "Reporting":
    import wiring
    from starter.reporting import read_reporting

    settings = load_settings()
    return read_reporting(settings, wiring.read_company(settings))


def _today() -> date:
    return datetime.now(UTC).date()


# ── for people ───────────────────────────────────────────────────────────────────────────────────────────────────────


def _leaders(found: "Leaders") -> None:
    table = Table("days from the signature to", "contracts", "median", "nine of ten within", "still waiting")
    for name, title in STEPS.items():
        step = getattr(found.delays, name)
        within = "" if step.slowest_tenth is None else str(step.slowest_tenth)
        median = "" if step.median is None else f"{step.median:g}"
        table.add_row(title, str(step.contracts), median, within, str(step.waiting))
    _say(f"From {found.since} until {found.until}")
    Console().print(table)
    _retention(found.retention)
    leaked = found.leakage
    _say(
        f"Leakage: {leaked.found} found ({amounts(leaked.found_amount)}), {leaked.settled} settled; "
        f"{amounts(leaked.recovered)} of {amounts(leaked.recovered_of)} recovered"
    )
    healed, repaired = sum(found.healed.values()), sum(found.repaired.values())
    _say(f"Differences between the systems: {healed} healed by themselves, {repaired} were repaired")


def _retention(kept: "Retention | None") -> None:
    if kept is None:
        _say("No contract had been measured by then.")
        return
    _say(
        f"Customers: {kept.customers} on {kept.since}, {kept.lost} lost ({percent(kept.logo_churn)}), {kept.gained} new"
    )
    _say(f"Value a year: {amounts(kept.opening)}, of all customers at the end {amounts(kept.closing)}")
    _say(f"Retention: gross {percent(kept.gross)}, net {percent(kept.net)}")
    for each in kept.by_currency if len(kept.by_currency) > 1 else ():
        _say(f"  {each.currency}: gross {percent(each.gross)}, net {percent(each.net)}")
    for rate in kept.rates:
        _say(f"  1 {rate.currency} = {rate.rate:.6g} {rate.to}, of {rate.on} ({rate.source})")
    if kept.unpriced:
        _say(f"  {many(kept.unpriced, 'contract is', 'contracts are')} left out: the ERP has told no amount")


def _leakage(page: "Page[LeakLine]", sums: "LeakageSums") -> None:
    table = Table(*(Column(name, no_wrap=True) for name in ("contract", "since", "amount")), "what", "state")
    for found in page.items:
        amount = "no price" if found.amount is None else f"{found.amount:,} {found.currency}"
        state = found.because or "open"
        if found.closed_on is not None:
            state = f"settled on {found.closed_on}, {found.recovered or 'nothing'} recovered"
        table.add_row(found.contract, str(found.since), amount, found.sentence, state)
    Console().print(table if page.items else "nothing is billed or served other than the terms say")
    if page.next is not None:
        _say(f"and more than {MOST}: choose with --kind or --contract")
    for kind in sums.kinds:
        if kind.findings:
            _say(f"open: {kind.title}, {kind.findings} in {many(kind.contracts, 'contract')}, {amounts(kind.amount)}")
    for connection, problem in sums.problems.items():
        _say(f"{connection} could not be read, so what is known of it is older: {problem}")
    if sums.unread:
        _say(f"{many(sums.unread, 'contract has', 'contracts have')} never been read in the ERP")


def _forecasts(found: "ForecastAgainst") -> None:
    _say(f"As of {found.on}, terms that end from {found.since} until {found.until}")
    table = Table("forecast", "renewals", "worth a year", "renewed", "lost", "open", "undecided", "kept")
    for each in found.categories:
        came = [str(each.came[name]) for name in ("renewed", "lost", "open", "undecided")]
        name = each.category.replace("_", " ")
        table.add_row(name, str(each.contracts), amounts(each.forecast), *came, percent(each.kept))
    Console().print(table)
    if found.unpriced:
        _say(f"{found.unpriced} are not in the amounts: their ERP has told none")


def percent(share: Decimal | None) -> str:
    return "unknown" if share is None else f"{share * 100:.1f} %"


def amounts(money: "Money") -> str:
    """In the reporting currency where all of it can be converted, else by contract currency."""
    if money.reported is not None and not money.reported.left_out:
        return f"{money.reported.amount:,} {money.reported.currency}"
    return " + ".join(f"{amount:,} {currency}" for currency, amount in money.by_currency.items()) or "nothing"


def _say(line: Any) -> None:
    Console().print(line, highlight=False, markup=False)
