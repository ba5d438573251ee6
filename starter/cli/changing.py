"""`tenure amend`, `extend`, `coterm`, `notice`, `withdraw`, `pause`, `resume`, `undo`, `changes`: a running contract is
changed. Each has a preview, `--dry-run`, and each is refused with its reason."""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from domain.changes.kinds import (
    Amend,
    AmendAtRenewal,
    Cancel,
    Change,
    ChangeContract,
    CoTerm,
    End,
    Extend,
    GiveNotice,
    Move,
    Pause,
    Renew,
    Resume,
    Terminate,
    Undo,
    WithdrawNotice,
)
from starter.cli.commands import assignment
from starter.cli.running import Contract, Json, in_office, parse_date, show, user
from starter.mistakes import Mistake, Refusal

if TYPE_CHECKING:
    from domain.changes.applying import ChangePreview
    from domain.messages import CommandAnswer
    from starter.office import Office
    from store.tables import LifecycleRow

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
    from starter.changing import add_lines, parse_line, parse_quantities

    if at_renewal and effective:
        raise Mistake("--effective names a day, --at-renewal the next term's first: give one of them")
    if keep and not at_renewal:
        raise Mistake("--keep goes with --at-renewal")
    fields: dict[str, Any] = {"quantities": parse_quantities(quantities or []), "removed": tuple(remove or ())}
    rows = [parse_line(text) for text in add or []]
    day = parse_date(effective) if effective else None

    async def give(office: "Office") -> "ChangePreview | CommandAnswer":
        life = await office.find(contract)
        change: Amend | AmendAtRenewal = (
            AmendAtRenewal(**fields, keep=tuple(keep or ())) if at_renewal else Amend(**fields, effective=day)
        )
        if rows:
            change = await add_lines(office, life, change, rows, user())
        return await _give_revised(office, life, change, name, dry_run=dry_run)

    _show(in_office(give), as_json)


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

    async def made(office: "Office") -> Change:
        found = await office.find(other)
        ends = (await office.view(found)).term_ends
        if ends is None:
            raise Mistake(f"{found.contract} has no term's end to take over")
        return CoTerm(contract=found.contract, ends=ends)

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
    import wiring
    from starter.changing import move_there
    from starter.settings import load_settings

    fixes, day = dict(assignment(text) for text in assignments or []), parse_date(on) if on else None

    async def give(office: "Office") -> "ChangePreview | CommandAnswer":
        life = await office.find(contract)
        wanted = Move(selling_entity=entity, currency=currency, revision=0, on=day)
        landscape = wiring.read_landscape(load_settings(), office.company)
        change = await move_there(office, life, wanted, fixes, user(), landscape)
        return await _give_revised(office, life, change, name, dry_run=dry_run)

    _show(in_office(give), as_json)


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


Made = Change | Callable[["Office"], Awaitable[Change]]


def _change(contract: str, made: Made, name: str | None, *, dry_run: bool, as_json: bool) -> None:
    async def give(office: "Office") -> "ChangePreview | CommandAnswer":
        life = await office.find(contract)
        change = await made(office) if callable(made) else made
        return await _give(office, life, change, name, dry_run=dry_run)

    _show(in_office(give), as_json)


async def _give_revised(
    office: "Office", life: "LifecycleRow", change: Change, name: str | None, *, dry_run: bool
) -> "ChangePreview | CommandAnswer":
    """A change with a revision of the order document, which goes again if the change is refused or only looked at."""
    from starter.changing import forget_revision

    try:
        answer = await _give(office, life, change, name, dry_run=dry_run)
    except Refusal:
        await forget_revision(office, life, change)
        raise
    if dry_run:
        await forget_revision(office, life, change)
    return answer


async def _give(
    office: "Office", life: "LifecycleRow", change: Change, name: str | None, *, dry_run: bool
) -> "ChangePreview | CommandAnswer":
    from starter.changing import foresee, make, new_id

    command = ChangeContract(id=name or new_id(), by=user(), change=change)
    if dry_run:
        return await foresee(office, life, command)
    answer = await make(office, life, command)
    answer.message += f"   (tenure undo '{life.contract}' {command.id})"
    return answer


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
