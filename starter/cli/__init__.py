"""The command line: `tenure`. Every mistake is one line on stderr and exit code 2, never a traceback."""

import sys

import typer

from starter.cli import (
    accounts,
    api,
    auditing,
    cases,
    catalog,
    changing,
    checking,
    commands,
    connections,
    costing,
    deploying,
    explaining,
    figures,
    finance,
    forecasting,
    freezing,
    importing,
    lifecycles,
    promises,
    reconciling,
    regrouping,
    replaying,
    simulating,
    stack,
    stages,
    subscribers,
    tokens,
    tools,
)
from starter.cli.guarding import guard

app = typer.Typer(
    name="tenure",
    help="One durable lifecycle per customer contract, from closed-won to renewal.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
for part in (
    stack,
    lifecycles,
    costing,
    commands,
    stages,
    importing,
    changing,
    finance,
    accounts,
    forecasting,
    figures,
    regrouping,
    reconciling,
    cases,
    connections,
    freezing,
    deploying,
    replaying,
    checking,
    simulating,
    explaining,
    catalog,
    api,
    subscribers,
    promises,
    auditing,
    tokens,
    tools,
):
    part.register(app)
guard(app)


def main() -> None:
    """Entry point of the `tenure` command."""
    from starter.cli.running import run_app

    sys.exit(run_app(app))


__all__ = ["app", "main"]
