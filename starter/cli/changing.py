"""`tenure amend`, `extend`, `coterm`, `notice`, `withdraw`, `pause`, `resume`, `undo`, `changes`: a running contract is
changed. Each has a preview, `--dry-run`, and each is refused with its reason."""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from domain.changes.kinds import (
    Cancel,
    Change,
    End,
    Extend,
    GiveNotice,
    Pause,
    Renew,
    Resume,
    Terminate,
    Undo,
    WithdrawNotice,
)
from starter.cli.running import Contract, Json, in_office, parse_date, show, user
from starter.mistakes import Mistake
from starter.settings import load_settings

if TYPE_CHECKING:
    from domain.changes.applying import ChangePreview
    from domain.messages import CommandAnswer
    from starter.asking import Wish
    from starter.office import Office

DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would happen; change nothing.")]
Name = Annotated[
    str | None, typer.Option("--id", help="Names the intention: the same again changes nothing. One is made if absent.")
]
Reason = Annotated[str, typer.Option(help="Why; it is kept with the contract.")]


def register(app: typer.Typer) -> None:
    for command in (amend, extend, coterm, move, renew, notice, withdraw, end, cancel, pause, resume, undo, changes):
        app.command()(command)


def amend(
    contract: Contract,
    quantities: Annotated[list[str] | None, typer.Argument(help="LINE=QUANTITY, or PRODUCT=QUANTITY; targets.")] = None,
    add: Annotated[
        list[str] | None,
        typer.Option(help="A new line: product=ANALYTICS,quantity=10,unit_price=20."),
    ] = None,
    remove: Annotated[list[str] | None, typer.Option(help="A line, or its product. With --add: a swap.")] = None,
    effective: Annotated[str | None, typer.Option(help="From which day; today when absent. May be past.")] = None,
    at_renewal: Annotated[bool, typer.Option("--at-renewal", help="With the first day of the next term.")] = False,
    keep: Annotated[list[str] | None, typer.Option(help="With --at-renewal: a line that stays after all.")] = None,
    dry_run: DryRun = False,
    name: Name = None,
    as_json: Json = False,
) -> None:
    """Change quantities, add, remove or swap lines: on a day, or with the next term."""
    from starter.asking import ChangeLines, ChangeLinesAtRenewal
    from starter.changing import parse_line, parse_quantities

    if at_renewal and effective:
        raise Mistake("--effective names a day, --at-renewal the next term's first: give one of them")
    if keep and not at_renewal:
        raise Mistake("--keep goes with --at-renewal")
    lines: dict[str, Any] = {
        "quantities": parse_quantities(quantities or []),
        "add": [parse_line(text) for text in add or []],
        "remove": remove or [],
    }
    day = parse_date(effective) if effective else None
    wish = ChangeLinesAtRenewal(**lines, keep=keep or []) if at_renewal else ChangeLines(**lines, effective=day)
    _change(contract, wish, name, dry_run=dry_run, as_json=as_json)


def extend(
    contract: Contract,
    ends: Annotated[str, typer.Option(help="The first day that the longer term does not serve.")],
    dry_run: DryRun = False,
    name: Name = None,
    as_json: Json = False,
) -> None:
    """Make the running term longer; the terms after it are counted from its new end."""
    _change(contract, Extend(ends=parse_date(ends)), name, dry_run=dry_run, as_json=as_json)


def coterm(
    contract: Contract,
    other: Annotated[str, typer.Option("--with", help="The contract whose term's end is taken over.")],
    dry_run: DryRun = False,
    name: Name = None,
    as_json: Json = False,
) -> None:
    """Let the running term end with another contract's."""
    from starter.asking import TermWith

    async def made(office: "Office") -> "Wish":
        return TermWith(other=(await office.find(other)).contract)

    _change(contract, made, name, dry_run=dry_run, as_json=as_json)


def move(
    contract: Contract,
    entity: Annotated[str, typer.Option(help="The legal entity that sells from then on.")],
    currency: Annotated[str, typer.Option(help="The currency that is paid in from then on.")],
    on: Annotated[str | None, typer.Option(help="The first day there; today when absent.")] = None,
    assignments: Annotated[
        list[str] | None,
        typer.Option("--set", help="path=value in the order of there: lines[0].unit_price=90."),
    ] = None,
    dry_run: DryRun = False,
    name: Name = None,
    as_json: Json = False,
) -> None:
    """Move a contract to another legal entity or currency: its subscription ends here, and begins there."""
    from starter.asking import MoveTo
    from starter.changing import parse_assignment

    fixes, day = dict(parse_assignment(text) for text in assignments or []), parse_date(on) if on else None
    wish = MoveTo(selling_entity=entity, currency=currency, on=day, fixes=fixes)
    _change(contract, wish, name, dry_run=dry_run, as_json=as_json)


def renew(
    contract: Contract,
    early: Annotated[bool, typer.Option("--early", help="Though the renewal window is not open yet.")] = False,
    starts: Annotated[str | None, typer.Option(help="Early: the next term begins on that day already.")] = None,
    months: Annotated[int | None, typer.Option(min=1, max=600, help="How long the next term is.")] = None,
    dry_run: DryRun = False,
    name: Name = None,
    as_json: Json = False,
) -> None:
    """Decide that the running term is followed by another: in its renewal window, or before."""
    change = Renew(early=early, starts=parse_date(starts) if starts else None, months=months)
    _change(contract, change, name, dry_run=dry_run, as_json=as_json)


def notice(
    contract: Contract,
    received: Annotated[str | None, typer.Option(help="The day it was received; today when absent.")] = None,
    reason: Reason = "notice by the customer",
    dry_run: DryRun = False,
    name: Name = None,
    as_json: Json = False,
) -> None:
    """The customer gave notice: the contract ends with its term, or as soon as its notice allows."""
    change = GiveNotice(received_on=parse_date(received) if received else None, reason=reason)
    _change(contract, change, name, dry_run=dry_run, as_json=as_json)


def withdraw(contract: Contract, dry_run: DryRun = False, name: Name = None, as_json: Json = False) -> None:
    """Take a notice, or another decided end, back."""
    _change(contract, WithdrawNotice(), name, dry_run=dry_run, as_json=as_json)


def end(
    contract: Contract,
    reason: Reason,
    on: Annotated[str | None, typer.Option(help="The first day not served; the term's end when absent.")] = None,
    ground: Annotated[
        str | None, typer.Option("--for", help="convenience (notice and minimum term are kept) or cause.")
    ] = None,
    dry_run: DryRun = False,
    name: Name = None,
    as_json: Json = False,
) -> None:
    """End a live contract: with its term, on a day, or for convenience or cause."""
    day = parse_date(on) if on else None
    if ground not in (None, "convenience", "cause"):
        raise Mistake(f"--for: {ground!r} is neither convenience nor cause")
    change: Change = Terminate(ground=ground, reason=reason, on=day) if ground else End(reason=reason, on=day)
    _change(contract, change, name, dry_run=dry_run, as_json=as_json)


def cancel(
    contract: Contract, reason: Reason, dry_run: DryRun = False, name: Name = None, as_json: Json = False
) -> None:
    """Cancel an order that the ERP has not activated yet; what was done is undone."""
    _change(contract, Cancel(reason=reason), name, dry_run=dry_run, as_json=as_json)


def pause(
    contract: Contract,
    reason: Reason,
    until: Annotated[str | None, typer.Option(help="It goes on by itself on that day.")] = None,
    dry_run: DryRun = False,
    name: Name = None,
    as_json: Json = False,
) -> None:
    """Decide nothing and begin no effect, until resumed; events are still taken."""
    change = Pause(reason=reason, until=parse_date(until) if until else None)
    _change(contract, change, name, dry_run=dry_run, as_json=as_json)


def resume(contract: Contract, dry_run: DryRun = False, name: Name = None, as_json: Json = False) -> None:
    """Let a paused lifecycle go on: what fell due in the meantime is decided now."""
    _change(contract, Resume(), name, dry_run=dry_run, as_json=as_json)


def undo(
    contract: Contract,
    change: Annotated[str, typer.Argument(help="The change's id; `tenure changes` lists them.")],
    dry_run: DryRun = False,
    name: Name = None,
    as_json: Json = False,
) -> None:
    """Take a change back, or say why it can't be."""
    _change(contract, Undo(change=change), name, dry_run=dry_run, as_json=as_json)


def changes(contract: Contract, as_json: Json = False) -> None:
    """List the changes that were made to a contract, with what they changed."""

    async def read(office: "Office") -> list[dict[str, Any]]:
        state = await office.state(await office.find(contract))
        return [record.model_dump(mode="json", exclude={"steps"}) for record in state.changes]

    made = in_office(read)

    def text() -> None:
        table = Table("id", "on", "change", "by", "what changed")
        for record in made:
            what = [f"{path}: {record['before'].get(path)} → {value}" for path, value in record["after"].items()]
            kind = record["change"]["kind"] + (f" (undone by {record['undone_by']})" if record["undone_by"] else "")
            table.add_row(record["id"], record["on"], kind, record["by"], "\n".join(what))
        Console().print(table if made else "nothing was changed since the order")

    show(as_json, made, text)


def _change(
    contract: str,
    asked: "Wish | Callable[[Office], Awaitable[Wish]]",
    name: str | None,
    *,
    dry_run: bool,
    as_json: bool,
) -> None:
    async def give(office: "Office") -> "ChangePreview | CommandAnswer":
        from starter import asking
        from starter.changing import new_id

        life = await office.find(contract)
        wish = await asked(office) if callable(asked) else asked
        landscape, by = load_settings().landscape, user()
        if dry_run:
            return await asking.preview(office, landscape, life, wish, by)
        id = name or new_id()
        answer = await asking.make(office, landscape, life, wish, by, id)
        answer.message += f"   (tenure undo '{life.contract}' {id})"
        return answer

    _show(in_office(give), as_json)


def _show(answer: "ChangePreview | CommandAnswer", as_json: bool) -> None:
    from domain.changes.applying import ChangePreview

    def text() -> None:
        print(answer.message if not isinstance(answer, ChangePreview) else f"would be done: {answer.message}")
        if isinstance(answer, ChangePreview):
            for each in answer.differences:
                print(f"  {each.what}: {each.before} → {each.after}")
            for mark, effects in (("+", answer.effects), ("-", answer.dropped)):
                for effect in effects:
                    print(f"  {mark} {effect.on}  {effect.title}  ({effect.key})")

    show(as_json, answer, text)
