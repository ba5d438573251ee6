"""`tenure consolidate`, `split-contract`: two contracts become one at a renewal, or one becomes two."""

from typing import TYPE_CHECKING, Annotated

import typer

from starter.cli.running import Contract, Json, in_office, show, user

if TYPE_CHECKING:
    from starter.office import Office
    from starter.regrouping import Regrouped

DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would happen; change nothing.")]


def register(app: typer.Typer) -> None:
    app.command()(consolidate)
    app.command("split-contract")(split_contract)


def consolidate(
    contract: Contract,
    into: Annotated[str, typer.Argument(help="The contract that takes the lines over.")],
    dry_run: DryRun = False,
    as_json: Json = False,
) -> None:
    """End a contract with its term, and serve its lines in another one from that day on."""

    async def work(office: "Office") -> "Regrouped":
        from starter.regrouping import consolidate

        return await consolidate(office, await office.find(contract), await office.find(into), user(), dry_run=dry_run)

    _show(in_office(work), as_json)


def split_contract(
    contract: Contract,
    lines: Annotated[str, typer.Option(help="The lines that go, by id or product: LINE,LINE.")],
    dry_run: DryRun = False,
    as_json: Json = False,
) -> None:
    """Let lines leave a contract with its term, as a contract of their own from that day on."""

    async def work(office: "Office") -> "Regrouped":
        from starter.regrouping import split_off

        names = [name.strip() for name in lines.split(",") if name.strip()]
        return await split_off(office, await office.find(contract), names, user(), dry_run=dry_run)

    _show(in_office(work), as_json)


def _show(regrouped: "Regrouped", as_json: bool) -> None:
    from domain.changes.applying import ChangePreview

    def text() -> None:
        for contract, answer in regrouped.changes.items():
            print(f"{contract}: {'would be done: ' if isinstance(answer, ChangePreview) else ''}{answer.message}")
            for each in answer.differences if isinstance(answer, ChangePreview) else []:
                print(f"  {each.what}: {each.before} → {each.after}")
        if regrouped.begins:
            print(f"begins: {regrouped.begins}")

    show(as_json, regrouped, text)
