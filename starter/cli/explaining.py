"""`tenure terms explain`: what a contract's terms mean, day by day, before anything is started."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from starter.cli.orders import read_order
from starter.cli.running import Json, parse_date, show
from starter.mistakes import Mistake
from starter.settings import load_settings

if TYPE_CHECKING:
    from datetime import date

    from domain.billing import BillingFacts
    from domain.company import Company
    from domain.explain import Entry, Explanation
    from domain.order import Order, Reason

terms_app = typer.Typer(help="The terms of a contract, in words.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    app.add_typer(terms_app, name="terms")


# one command alone would be taken for the whole of `tenure terms`
@terms_app.callback()
def _terms() -> None:
    pass


@terms_app.command()
def explain(
    file: Annotated[Path, typer.Argument(help="A contract (TOML), or a won deal's record (JSON).")],
    terms: Annotated[int, typer.Option(min=1, max=60, help="How many terms, or yearly reviews, to show.")] = 3,
    signed: Annotated[str | None, typer.Option(help="The day of signature, where it is another.")] = None,
    activated: Annotated[str | None, typer.Option(help="The day on which the ERP activates the order.")] = None,
    milestone: Annotated[list[str] | None, typer.Option(help="NAME=DATE, such as go-live=2027-02-01.")] = None,
    mapping: Annotated[Path | None, typer.Option(help="Another mapping than the configured one (TOML).")] = None,
    as_json: Json = False,
) -> None:
    """Print the calendar of a contract: what is billed from when, each term, window and cut-off, and what happens if
    nobody decides. What its terms contradict themselves in is listed instead, and the exit code is 1.
    """
    import wiring
    from domain.explain import explain as explained
    from domain.policies.validation import lines_of, parse_order

    settings = load_settings()
    company = wiring.read_company(settings)
    document = read_order(settings, file, mapping)
    order, unreadable = parse_order(document | ({"signed_on": str(parse_date(signed))} if signed else {}))
    if reasons := _contradictions(order, unreadable, company):
        _refuse(reasons, as_json)
    facts = _facts(order, company, activated, milestone or [])
    told = explained(
        order.terms,
        lines_of(order, company),
        facts,
        purchase_order=order.purchase_order.known() if order.purchase_order else None,
        count=terms,
    )
    show(as_json, told, lambda: print_explanation(told))


def print_explanation(told: "Explanation") -> None:
    """The summary, then a line for each entry."""
    print("\n".join(told.summary))
    print()
    for entry in told.entries:
        print(f"{_day(entry):<14}  {entry.topic.value:<14}  {entry.what} ({entry.reckoned})")
    if told.awaited:
        print(f"\nNot known yet: {', '.join(told.awaited)}.")
        print("Give what you know with --signed, --activated and --milestone NAME=DATE.")


def _day(entry: "Entry") -> str:
    if entry.on is None:
        return "not known yet"
    return f"by {entry.on}" if entry.at_latest else str(entry.on)


def _contradictions(order: "Order", unreadable: tuple["Reason", ...], company: "Company") -> list["Reason"]:
    """What is wrong with terms and lines. Parties and taxes have no part in the calendar."""
    from domain.policies.line_checks import line_reasons
    from domain.policies.ramp_checks import ramp_reasons
    from domain.policies.terms_checks import terms_reasons

    left_out = {reason.path for reason in unreadable}
    judged = (*line_reasons(order, company), *terms_reasons(order), *ramp_reasons(order))
    found = [*unreadable, *(reason for reason in judged if reason.path not in left_out)]
    return list(dict.fromkeys(found))


def _refuse(reasons: list["Reason"], as_json: bool) -> None:
    show(as_json, {"reasons": reasons}, lambda: _print_reasons(reasons))
    raise typer.Exit(1)


def _print_reasons(reasons: list["Reason"]) -> None:
    for reason in reasons:
        print(f"{reason.path}: {reason.message}", file=sys.stderr)


def _facts(order: "Order", company: "Company", activated: str | None, reached: list[str]) -> "BillingFacts":
    from domain.billing import BillingFacts
    from domain.policies.day_checks import reachable

    milestones: dict[str, date] = {}
    for written in reached:
        name, _, day = written.partition("=")
        if name not in company.milestones:
            raise Mistake(f"--milestone {written}: known are {', '.join(sorted(company.milestones))}")
        milestones[name] = parse_date(day)
    on = parse_date(activated) if activated else None
    for option, at in [("--activated", on), *((f"--milestone {name}", at) for name, at in milestones.items())]:
        if at is not None and order.signed_on is not None and at < order.signed_on:
            raise Mistake(f"{option}: {at} is before the signature on {order.signed_on}")
        if at is not None and not reachable(at):
            raise Mistake(f"{option}: {at} is too far away to count from")
    return BillingFacts(signed_on=order.signed_on, activated_on=on, milestones=milestones)
