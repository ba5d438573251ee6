"""`tenure cases each`: the same for all cases that a filter chooses, each answered for by itself."""

from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from domain.counting import many
from domain.masking import masked_text
from starter.cli.cases import LONGEST_LIST, checked_assignee, checked_tags
from starter.cli.guarding import part_of_command
from starter.cli.running import Json, in_office, in_store, show, user
from starter.mistakes import Mistake
from starter.settings import load_settings

if TYPE_CHECKING:
    from starter.bulk import Line
    from starter.case_desk import CaseDesk
    from starter.case_list import Wanted
    from starter.office import Office
    from store.database import Database
    from store.tables import CaseRow

Kind = Annotated[str | None, typer.Option(help="Such as dead_letter, refused_event or early_event.")]
Problem = Annotated[str | None, typer.Option(help="Such as unusable, outage, refused or early.")]
Contract = Annotated[str | None, typer.Option(help="A contract's id, or a part of it.")]
Account = Annotated[str | None, typer.Option()]
Assignee = Annotated[str | None, typer.Option(help="Those that somebody has.")]
Tagged = Annotated[str | None, typer.Option("--tagged", help="Those with a tag.")]
Source = Annotated[str | None, typer.Option(help="Who sent the event, such as crm.")]
Everything = Annotated[bool, typer.Option("--all", help="Every open case, where nothing else chooses.")]
Limit = Annotated[int, typer.Option(min=1, max=LONGEST_LIST, help="At most so many, the newest first.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only list what would be chosen.")]

each_app = typer.Typer(help="The same for all open cases that a filter chooses.", no_args_is_help=True)


@each_app.command()
def assign(
    to: Annotated[str | None, typer.Argument(help="Who; you when absent.")] = None,
    nobody: Annotated[bool, typer.Option("--nobody", help="They are nobody's again.")] = False,
    kind: Kind = None, problem: Problem = None, contract: Contract = None, account: Account = None,
    assignee: Assignee = None, tagged: Tagged = None, source: Source = None, everything: Everything = False,
    limit: Limit = 200, dry_run: DryRun = False, as_json: Json = False,
) -> None:  # fmt: skip
    """Give the chosen cases to somebody."""
    whose = checked_assignee(to, nobody)
    wanted = _wanted(kind, problem, contract, account, assignee, tagged, source, everything)

    async def give(desk: "CaseDesk", case: "CaseRow") -> str:
        await desk.assign(case.id, user(), whose)
        return f"is {whose or 'nobody'}'s now"

    _each(wanted, limit, dry_run, as_json, give)


@each_app.command()
def tag(
    tags: Annotated[list[str], typer.Argument(help="Words to find them by.")],
    remove: Annotated[bool, typer.Option("--remove", help="Take them away.")] = False,
    kind: Kind = None, problem: Problem = None, contract: Contract = None, account: Account = None,
    assignee: Assignee = None, tagged: Tagged = None, source: Source = None, everything: Everything = False,
    limit: Limit = 200, dry_run: DryRun = False, as_json: Json = False,
) -> None:  # fmt: skip
    """Put tags on the chosen cases, or take them away."""
    checked_tags(tags)
    wanted = _wanted(kind, problem, contract, account, assignee, tagged, source, everything)

    async def put(desk: "CaseDesk", case: "CaseRow") -> str:
        changed = await desk.tag(case.id, user(), tags, remove=remove)
        return f"is tagged {', '.join(changed.tags)}" if changed.tags else "has no tags"

    _each(wanted, limit, dry_run, as_json, put)


@each_app.command()
def retry(
    kind: Kind = None, problem: Problem = None, contract: Contract = None, account: Account = None,
    assignee: Assignee = None, tagged: Tagged = None, source: Source = None, everything: Everything = False,
    limit: Limit = 200, dry_run: DryRun = False, as_json: Json = False,
) -> None:  # fmt: skip
    """Try the events, or the lifecycles' steps, of the chosen cases again."""
    wanted = _wanted(kind, problem, contract, account, assignee, tagged, source, everything)

    async def again(desk: "CaseDesk", case: "CaseRow") -> str:
        return f"event {await desk.retry(case.id, user())} is put back in"

    _each(wanted, limit, dry_run, as_json, again, moving=_try_step)


@each_app.command()
def resolve(
    reason: Annotated[str, typer.Option(help="Why; it is kept with each case.")],
    kind: Kind = None, problem: Problem = None, contract: Contract = None, account: Account = None,
    assignee: Assignee = None, tagged: Tagged = None, source: Source = None, everything: Everything = False,
    limit: Limit = 200, dry_run: DryRun = False, as_json: Json = False,
) -> None:  # fmt: skip
    """Close the chosen cases for one reason."""
    if not reason.strip():
        raise Mistake("cases are resolved for a reason; give it with --reason")
    wanted = _wanted(kind, problem, contract, account, assignee, tagged, source, everything)

    async def close(desk: "CaseDesk", case: "CaseRow") -> str:
        await desk.resolve(case.id, user(), reason)
        return "is resolved"

    _each(wanted, limit, dry_run, as_json, close, moving=partial(_give_up, reason), reason=reason)


Work = Callable[["CaseDesk", "CaseRow"], Awaitable[str]]
Moving = Callable[["Office", "CaseRow"], Awaitable[str]]


async def _try_step(office: "Office", case: "CaseRow") -> str:
    from starter.case_steps import check_among_many, move_on

    check_among_many(case)
    return await move_on(office, case, user())


async def _give_up(reason: str, office: "Office", case: "CaseRow") -> str:
    from starter.case_steps import move_on

    return await move_on(office, case, user(), give_up=reason)


def _wanted(
    kind: str | None, problem: str | None, contract: str | None, account: str | None,
    assignee: str | None, tagged: str | None, source: str | None, everything: bool,
) -> "Wanted":  # fmt: skip
    """Open cases. Raises Mistake where nothing chooses: all of them are meant only where somebody says so."""
    from starter.case_list import Wanted

    chosen = (kind, problem, contract, account, assignee, tagged, source)
    if everything == any(chosen):
        raise Mistake(
            "choose cases by --kind, --problem, --contract, --account, --assignee, --tagged or --source; or --all"
        )
    return Wanted("open", kind, problem, contract, account, assignee, tagged, source)


def _each(
    wanted: "Wanted",
    limit: int,
    dry_run: bool,
    as_json: bool,
    work: Work,
    *,
    moving: Moving | None = None,
    reason: str = "",
) -> None:
    """`moving`: what is done about a case that a lifecycle waits with, instead of `work`."""
    found = in_store(lambda database: _desk(database).list(wanted, limit))
    count, cases = sum(group.count for group in found.groups), list(found.cases)
    if dry_run:
        _show_chosen(cases, count, as_json)
        return
    projected = moving is not None and any(case.projected for case in cases)

    async def all_of_them(database: "Database", office: "Office | None" = None) -> "list[Line]":
        from starter.bulk import each_case

        desk, by_id = _desk(database), {case.id: case for case in cases}

        async def one(name: str) -> str:
            case = by_id[name]
            if office is not None and moving is not None and case.projected:
                return await moving(office, case)
            return await work(desk, case)

        def traced(name: str) -> AbstractAsyncContextManager[None]:
            return part_of_command(database, name, reason)

        return await each_case([case.id for case in cases], one, traced)

    lines = in_office(lambda office: all_of_them(office.database, office)) if projected else in_store(all_of_them)
    _show_done(lines, count, as_json)


def _desk(database: "Database") -> "CaseDesk":
    from starter.case_desk import CaseDesk
    from starter.sources.reading import Sources

    return CaseDesk(database, Sources(load_settings()))


def _show_chosen(cases: "Sequence[CaseRow]", count: int, as_json: bool) -> None:
    def text() -> None:
        for case in cases:
            print(f"{case.id}: {masked_text(case.title)}")
        print(f"{many(len(cases), 'case')}{_of(len(cases), count)} would be chosen; nothing was done")

    show(as_json, {"cases": [case.id for case in cases], "found": count}, text)


def _show_done(lines: "Sequence[Line]", count: int, as_json: bool) -> None:
    done = sum(line.done is True for line in lines)

    def text() -> None:
        for line in lines:
            print(f"{line.case} {line.message}" if line.done else f"{line.case}: {line.message}")
        print(f"{done} of {many(len(lines), 'case')} done{_of(len(lines), count)}")

    show(as_json, {"cases": [line.model_dump() for line in lines], "found": count}, text)
    if done < len(lines):
        raise typer.Exit(1)


def _of(shown: int, count: int) -> str:
    return f" ({many(count - shown, 'more is', 'more are')} like this)" if count > shown else ""
