"""`tenure forecast`: what somebody expects of a renewal, beside what the facts say."""

from typing import TYPE_CHECKING, Annotated

import typer

from domain.messages import CommandAnswer, ForecastRenewal
from domain.policies.forecast import CATEGORIES
from starter.cli.commands import show_answer
from starter.cli.running import Contract, Json, in_office, user
from starter.mistakes import Mistake

if TYPE_CHECKING:
    from starter.office import Office


def register(app: typer.Typer) -> None:
    app.command()(forecast)


def forecast(
    contract: Contract,
    category: Annotated[
        str | None, typer.Argument(metavar="[CATEGORY]", help="commit, best-case, at-risk or churn.")
    ] = None,
    reason: Annotated[str, typer.Option(help="Why; it is shown with the forecast.")] = "",
    withdraw: Annotated[bool, typer.Option("--withdraw", help="Take back what was forecast by hand.")] = False,
    as_json: Json = False,
) -> None:
    """Forecast a renewal by hand. It stands beside the computed one until it is withdrawn, or the decision."""
    if (category is None) != withdraw:
        raise Mistake("give a category, or --withdraw")
    named = next((each for each in CATEGORIES if category and each == category.replace("-", "_")), None)
    if category is not None and named is None:
        raise Mistake(
            f"unknown category {category!r}; known: {', '.join(each.replace('_', '-') for each in CATEGORIES)}"
        )
    command = ForecastRenewal(by=user(), category=named, reason=reason)

    async def give(office: "Office") -> CommandAnswer:
        from starter.forecasting import forecast as tell

        return await tell(office, await office.find(contract), command)

    show_answer(in_office(give), as_json)
