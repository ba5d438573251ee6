"""`tenure cases`: one list of everything that needs a person, and what a person can do about each."""

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Column, Table

from domain.access import Guarded, Sensitive
from domain.masking import masked_text
from starter.cli.running import Json, in_office, in_store, plain, show, user
from starter.cli.times import parse_length, parse_moment
from starter.mistakes import Mistake
from starter.settings import load_settings

if TYPE_CHECKING:
    from starter.case_desk import CaseDesk, Shown
    from starter.case_list import Listed
    from starter.office import Office
    from starter.settling import Outcome
    from store.database import Database
    from store.tables import CaseRow

T = TypeVar("T")

Case = Annotated[str, typer.Argument(help="Case id, the number of its event, or a unique part of the id.")]
STATES = ("open", "resolved", "all")
TAG = re.compile(r"[\w.:-]{1,50}")
LONGEST_LIST = 10_000


class CaseFile(Guarded):
    """One case with its event and its history."""

    case: dict[str, Any]
    event: Annotated[dict[str, Any] | None, Sensitive("payload")]
    support_texts: Annotated[dict[str, str] | None, Sensitive("support_text")]
    history: list[dict[str, Any]]


cases_app = typer.Typer(help="Dead letters and exception cases: everything that needs a person.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    from starter.cli.cases_bulk import each_app

    cases_app.add_typer(each_app, name="each")
    app.add_typer(cases_app, name="cases")


@cases_app.command("list")
def list_cases(
    state: Annotated[str, typer.Option(help="open, resolved or all.")] = "open",
    kind: Annotated[str | None, typer.Option(help="Such as dead_letter, refused_event or early_event.")] = None,
    problem: Annotated[str | None, typer.Option(help="Such as unusable, outage, refused or early.")] = None,
    contract: Annotated[str | None, typer.Option(help="A contract's id, or a part of it.")] = None,
    account: Annotated[str | None, typer.Option()] = None,
    assignee: Annotated[str | None, typer.Option()] = None,
    tag: Annotated[str | None, typer.Option()] = None,
    source: Annotated[str | None, typer.Option(help="Who sent the event, such as crm.")] = None,
    snoozed: Annotated[bool, typer.Option("--snoozed", help="Also those that sleep.")] = False,
    limit: Annotated[int, typer.Option(min=1, max=LONGEST_LIST)] = 200,
    as_json: Json = False,
) -> None:
    """List cases, the newest first, and how many are alike."""
    from starter.case_list import Wanted

    if state not in STATES:
        raise Mistake(f"unknown state {state!r}; known: {', '.join(STATES)}")
    chosen = None if state == "all" else state
    wanted = Wanted(chosen, kind, problem, contract, account, assignee, tag, source, snoozed)
    listed, teams = _at_desk(lambda desk, database: _owned(database, desk.list(wanted, limit), lambda all: all.cases))
    groups = [vars(group) for group in listed.groups]
    cases = [{**_public(case), "team": teams[case.id]} for case in listed.cases]
    show(as_json, {"groups": groups, "cases": cases}, lambda: _print_list(listed, teams))


@cases_app.command("show")
def show_case(case: Case, as_json: Json = False) -> None:
    """Show one case: its event's payload with secrets masked, what was tried, who did what."""
    found, teams = _at_desk(lambda desk, database: _owned(database, desk.show(case), lambda one: [one.case]))
    team = teams[found.case.id]
    history = [{"at": line.at, "by": line.by, "what": masked_text(line.what)} for line in found.history]
    shown = {**_public(found.case), "team": team}
    file = CaseFile(case=shown, event=found.event, support_texts=found.texts, history=history)
    show(as_json, file, lambda: _print_one(found, team))


@cases_app.command()
def edit(
    case: Case,
    payload: Annotated[Path | None, typer.Option(help="The whole new payload (a file).")] = None,
    assignments: Annotated[
        list[str] | None, typer.Option("--set", help="path=value in the payload; an empty value removes the field.")
    ] = None,
    retry: Annotated[bool, typer.Option("--retry", help="Put the event back in as well.")] = False,
    as_json: Json = False,
) -> None:
    """Mend the payload of a case's event. It is taken only if it can be read; the original is kept."""
    if (payload is None) == (not assignments):
        raise Mistake("give either --payload FILE, or --set path=value (once or more)")
    text = _read(payload) if payload else None
    fixes = dict(_assignment(each) for each in assignments or [])

    async def mend(desk: "CaseDesk", database: "Database") -> "int | Outcome":
        edited = await desk.edit(case, user(), payload=text, fixes=fixes or None)
        return await _retried(desk, database, str(edited)) if retry else edited

    done = _at_desk(mend)
    if isinstance(done, int):
        show(
            as_json, {"inbox_id": done}, lambda: print(f"event {done} is edited; now: tenure cases retry event:{done}")
        )
    else:
        _show_outcome(done, as_json)


@cases_app.command()
def retry(
    case: Case,
    like: Annotated[bool, typer.Option("--like", help="All open cases with the same problem, kind and type.")] = False,
    limit: Annotated[int, typer.Option(min=1, max=LONGEST_LIST, help="With --like: at most so many.")] = 100,
    as_json: Json = False,
) -> None:
    """Try a case's event, or its lifecycle's step, again."""
    if like:
        _retry_like(case, limit, as_json)
        return
    found = _at_desk(lambda desk, _: desk.find(case))
    if found.projected and found.state == "open":
        _move_on(found, as_json)
        return
    _show_outcome(_at_desk(lambda desk, database: _retried(desk, database, found.id)), as_json)


@cases_app.command()
def resolve(
    case: Case,
    reason: Annotated[str, typer.Option(help="Why; it is kept with the case.")],
    as_json: Json = False,
) -> None:
    """Close a case. A dead letter's event is ignored from now on; a lifecycle's step is given up, where it can be."""
    if not reason.strip():
        raise Mistake("a case is resolved for a reason; give it with --reason")
    found = _at_desk(lambda desk, _: desk.find(case))
    if found.projected and found.state == "open":
        _move_on(found, as_json, give_up=reason)
        return
    _changed(_at_desk(lambda desk, _: desk.resolve(found.id, user(), reason)), as_json, "is resolved")


@cases_app.command()
def assign(
    case: Case,
    to: Annotated[str | None, typer.Argument(help="Who; you when absent.")] = None,
    nobody: Annotated[bool, typer.Option("--nobody", help="It is nobody's again.")] = False,
    as_json: Json = False,
) -> None:
    """Give a case to somebody."""
    assignee = checked_assignee(to, nobody)
    changed = _at_desk(lambda desk, _: desk.assign(case, user(), assignee))
    _changed(changed, as_json, f"is {assignee or 'nobody'}'s now")


@cases_app.command()
def tag(
    case: Case,
    tags: Annotated[list[str], typer.Argument(help="Words to find it by.")],
    remove: Annotated[bool, typer.Option("--remove", help="Take them away.")] = False,
    as_json: Json = False,
) -> None:
    """Put tags on a case, or take them away."""
    checked_tags(tags)
    changed = _at_desk(lambda desk, _: desk.tag(case, user(), tags, remove=remove))
    _changed(changed, as_json, f"is tagged {', '.join(changed.tags)}" if changed.tags else "has no tags")


@cases_app.command()
def snooze(
    case: Case,
    until: Annotated[str | None, typer.Option(help="A moment, such as 2026-12-01 or 2026-12-01T09:00Z.")] = None,
    length: Annotated[str | None, typer.Option("--for", help="A length of time, such as 4h or 2d.")] = None,
    wake: Annotated[bool, typer.Option("--wake", help="Put it back on the list now.")] = False,
    as_json: Json = False,
) -> None:
    """Take a case off the list for some time."""
    from store.tables import utc_now

    if [until is not None, length is not None, wake].count(True) != 1:
        raise Mistake("give one of --until MOMENT, --for LENGTH, --wake")
    moment = parse_moment(until) if until else utc_now() + parse_length(length) if length else None
    changed = _at_desk(lambda desk, _: desk.snooze(case, user(), moment))
    _changed(changed, as_json, f"sleeps until {moment:%Y-%m-%d %H:%M} UTC" if moment else "is awake")


@cases_app.command()
def note(case: Case, text: Annotated[str, typer.Argument(help="What to keep with it.")], as_json: Json = False) -> None:
    """Write something into a case's history."""
    if not text.strip():
        raise Mistake("an empty note says nothing")
    _changed(_at_desk(lambda desk, _: desk.note(case, user(), text)), as_json, "has your note")


# ── what they share ──────────────────────────────────────────────────────────────────────────────────────────────


def checked_assignee(to: str | None, nobody: bool) -> str | None:
    """Who is meant: you when nobody is named. Raises Mistake."""
    if (nobody and to) or (to is not None and not (to.strip() and to.isprintable() and len(to) < 200)):
        raise Mistake("name one person, or --nobody")
    return None if nobody else (to or user()).strip()


def checked_tags(tags: Sequence[str]) -> None:
    """Raises Mistake for what is no tag."""
    if wrong := [each for each in tags if not TAG.fullmatch(each)]:
        raise Mistake(f"{wrong[0]!r} is no tag: up to 50 letters, digits and . : _ -")


def _at_desk(work: "Callable[[CaseDesk, Database], Awaitable[T]]") -> T:
    """Do one thing with the cases; that needs the store alone."""
    from starter.case_desk import CaseDesk
    from starter.sources.reading import Sources

    sources = Sources(load_settings())
    return in_store(lambda database: work(CaseDesk(database, sources), database))


async def _owned(
    database: "Database", asked: Awaitable[T], cases: "Callable[[T], Sequence[CaseRow]]"
) -> tuple[T, Mapping[str, str]]:
    """With the team of each of the cases, by the configured company's ownership."""
    import wiring
    from starter.owning import teams_of_cases

    found, company = await asked, wiring.read_company(load_settings())
    return found, await database.read(lambda session: teams_of_cases(session, company, cases(found)))


async def _retried(desk: "CaseDesk", database: "Database", name: str) -> "Outcome":
    from starter.settling import outcome_of

    return await outcome_of(database, await desk.retry(name, user()))


def _retry_like(case: str, limit: int, as_json: bool) -> None:
    from starter.settling import outcomes_of

    async def again(desk: "CaseDesk", database: "Database") -> "list[Outcome]":
        return list(await outcomes_of(database, await desk.retry_like(case, user(), limit)))

    outcomes = _at_desk(again)

    def text() -> None:
        for outcome in outcomes:
            print(f"event {outcome.inbox_id}: {outcome.state}{f' ({outcome.reason})' if outcome.reason else ''}")

    show(as_json, [vars(outcome) for outcome in outcomes], text)
    if any(outcome.unused for outcome in outcomes):
        raise typer.Exit(1)


def _move_on(case: "CaseRow", as_json: bool, give_up: str | None = None) -> None:
    async def tell(office: "Office") -> str:
        from starter.case_steps import move_on

        return await move_on(office, case, user(), give_up=give_up)

    message = in_office(tell)
    show(as_json, {"case": case.id, "message": message}, lambda: print(message))


def _show_outcome(outcome: "Outcome", as_json: bool) -> None:
    from starter.cli.commands import show_outcome

    show_outcome(outcome, as_json)


def _changed(case: "CaseRow", as_json: bool, what: str) -> None:
    show(as_json, _public(case), lambda: print(f"{case.id} {what}"))


def _public(case: "CaseRow") -> dict[str, Any]:
    fields: dict[str, Any] = plain(case)
    return {**fields, "title": masked_text(case.title), "reasons": [masked_text(each) for each in case.reasons]}


def _print_list(listed: "Listed", teams: Mapping[str, str]) -> None:
    console = Console()
    if not listed.cases:
        line = listed.unheard or "no case; see also --state all, and --snoozed"
        console.print(masked_text(line), markup=False, highlight=False, soft_wrap=True)
        return
    table = Table(Column("case", overflow="fold"), Column("since", no_wrap=True), "team", "who", "what")
    for case in listed.cases:
        what = " ".join((masked_text(case.title), *(f"#{tag}" for tag in case.tags)))
        row = (case.id, f"{case.opened_at:%Y-%m-%d}", teams[case.id] or case.actor, case.assignee or "", what)
        table.add_row(*(escape(each) for each in row))
    console.print(table)
    if len(listed.groups) > 1 or listed.groups[0].count > len(listed.cases):
        for group in listed.groups:
            alike = " ".join(each for each in (group.kind, group.problem, group.type) if each)
            console.print(f"{group.count:>5}  {escape(alike)}", highlight=False)


def _print_one(found: "Shown", team: str) -> None:
    console, case = Console(), found.case
    console.print(f"[bold]{escape(case.id)}[/bold]  {escape(masked_text(case.title))}", highlight=False)
    sleeps = f", sleeps until {case.snoozed_until:%Y-%m-%d %H:%M} UTC" if case.snoozed_until else ""
    whose = ", ".join(each for each in (team or case.actor, case.assignee) if each)
    console.print(f"{case.state} since {case.opened_at:%Y-%m-%d %H:%M} UTC, {whose}{sleeps}")
    for reason in case.reasons:
        console.print(f"  - {escape(masked_text(reason))}", highlight=False)
    if case.state == "open" and case.mend:
        console.print(f"mend it: {escape(case.mend)}", highlight=False)
    if found.event is not None:
        console.print_json(data=plain(found.event))
    for path, text in (found.texts or {}).items():
        console.print(f"{escape(path)}: {escape(text)}", highlight=False)
    for line in found.history:
        said = escape(f"{line.by}: {masked_text(line.what)}")
        console.print(f"{line.at:%Y-%m-%d %H:%M:%S}  {said}", highlight=False)


def _assignment(text: str) -> tuple[str, str]:
    path, sign, value = text.partition("=")
    if not sign or not path.strip():
        raise Mistake(f"{text!r} is not an assignment; write it as data.completed_on=2026-12-24")
    return path.strip(), value.strip()


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except OSError as error:
        raise Mistake(f"{file}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise Mistake(f"{file} is not UTF-8") from None
