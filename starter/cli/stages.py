"""`tenure stages`: how far lifecycles act, stage by stage."""

from typing import TYPE_CHECKING, Annotated

import typer

from domain.messages import CommandAnswer, SetStages
from domain.policies.stages import STAGES
from starter.cli.running import Json, in_office, parse_date, show, user
from starter.mistakes import Mistake, Refusal

if TYPE_CHECKING:
    from starter.office import Office
    from store.tables import LifecycleRow

AssignmentArguments = Annotated[
    list[str] | None,
    typer.Argument(metavar="[CONTRACT] [STAGE=POLICY ...]", help=f"{', '.join(STAGES)} = off, observe or act."),
]


def register(app: typer.Typer) -> None:
    app.command()(stages)


def stages(
    what: AssignmentArguments = None,
    everyone: Annotated[bool, typer.Option("--all", help="Every lifecycle that is open.")] = False,
    since: Annotated[
        str | None, typer.Option(help="Perform what such a stage withheld on this day or later; else it stays so.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Show which stages of a lifecycle are off or only observe, or change that."""
    words = what or []
    chosen = dict(_assignment(word) for word in words if "=" in word)
    names = [word for word in words if "=" not in word]
    if len(names) != (0 if everyone else 1):
        raise Mistake("name one contract, or --all")
    command = SetStages(by=user(), stages=chosen, since=parse_date(since) if since else None)

    async def change(office: "Office") -> dict[str, str]:
        from store.lifecycles import Lifecycles

        lives = await Lifecycles(office.database).list(closed=False) if everyone else [await office.find(names[0])]
        return {life.contract: await _told(office, life, command) for life in lives}

    answers = in_office(change)
    show(as_json, answers, lambda: print("\n".join(f"{name}: {answer}" for name, answer in answers.items())))
    if any(answer.startswith("refused") for answer in answers.values()):
        raise typer.Exit(1)


async def _told(office: "Office", life: "LifecycleRow", command: SetStages) -> str:
    from workflows.lifecycle import CustomerLifecycle

    if not command.stages:
        view = await office.view(life)
        told = ", ".join(f"{stage} {chosen}" for stage, chosen in view.stages.items()) or "every stage acts"
        return f"{told}{' (in shadow: nothing is done)' if view.mode == 'shadow' else ''}"
    try:
        answer: CommandAnswer = await office.command(life, CustomerLifecycle.set_stages, command)
    except Refusal as refusal:
        return f"refused: {refusal}"
    return answer.message


def _assignment(text: str) -> tuple[str, str]:
    stage, _, policy = text.partition("=")
    return stage.strip(), policy.strip()
