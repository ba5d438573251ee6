"""Commands to a running lifecycle, and events into the inbox. A refusal names its reason and changes nothing."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from domain.access import Guarded, Sensitive
from domain.calendar import civil_date
from domain.messages import CommandAnswer, RetryStep
from starter.cli.lifecycles import read_document
from starter.cli.running import Contract, Json, in_office, in_store, parse_date, show, user
from starter.mistakes import Mistake
from starter.settings import load_settings

if TYPE_CHECKING:
    from starter.office import Office
    from starter.settling import Outcome
    from store.database import Database

Reason = Annotated[str, typer.Option(help="Why; it is kept with the contract.")]


class ReceivedEvent(Guarded):
    """One event as it came in."""

    id: int | None
    source: str
    state: str
    reason: str
    payload: Annotated[Any, Sensitive("payload")]
    support_texts: Annotated[dict[str, str] | None, Sensitive("support_text")]


LONGEST_NUMBER = 18  # digits that the store's 64 bits certainly hold


def register(app: typer.Typer) -> None:
    for command in (milestone, event, signal, fix):
        app.command()(command)


def milestone(
    contract: Contract,
    name: Annotated[str, typer.Argument(help="The milestone, such as go-live.")],
    on: Annotated[str | None, typer.Option(help="The day it was reached; today when absent.")] = None,
    as_json: Json = False,
) -> None:
    """Report a milestone as reached."""

    async def report(office: "Office") -> "Outcome":
        life = await office.find(contract)
        if name not in office.company.milestones:
            raise Mistake(f"unknown milestone {name!r}; the plan has {', '.join(sorted(office.company.milestones))}")
        view = await office.view(life)
        day = parse_date(on) if on else civil_date(view.as_of or datetime.now(UTC), view.zone)
        data = {"contract": life.contract, "milestone": name, "completed_on": day.isoformat()}
        return await office.outcome(await office.send("tenure.milestone.completed.v1", data))

    show_outcome(in_office(report), as_json)


def event(
    what: Annotated[str, typer.Argument(help="A CloudEvent (JSON file), or the number of a received event.")],
    again: Annotated[bool, typer.Option("--again", help="Put a dead, parked or refused event back in.")] = False,
    payload: Annotated[Path | None, typer.Option(help="With --again: the mended event (JSON file).")] = None,
    as_json: Json = False,
) -> None:
    """Send an event, look at a received one, or repeat one that could not be used."""
    number = _event_number(what)
    if number is None and (again or payload):
        raise Mistake("--again and --payload go with the number of a received event")
    if number is not None and not again:
        show(True, in_store(lambda database: _received(database, number)), lambda: None)
        return

    file = payload if number is not None else Path(what)
    body = read_document(file) if file else None

    async def send(office: "Office") -> "Outcome":
        if number is not None:
            await office.again(number, user(), body)
            return await office.outcome(number)
        return await office.outcome(await office.accept("cli", body or {}))

    show_outcome(in_office(send), as_json)


def _event_number(what: str) -> int | None:
    """None: it is no number, so a file's name. Raises Mistake for one that no event can have."""
    if not (what.isascii() and what.isdigit()):
        return None
    if len(what) > LONGEST_NUMBER:
        raise Mistake(f"there is no event {what}")
    return int(what)


async def _received(database: "Database", number: int) -> ReceivedEvent:
    from domain.masking import masked_text
    from starter.payloads import shown, texts
    from starter.sources.reading import Sources
    from store.inbox import Inbox

    row = await Inbox(database).get(number)
    if row is None:
        raise Mistake(f"there is no event {number}")
    written = Sources(load_settings()).of_support(row.source, row.type)
    return ReceivedEvent(
        id=row.id,
        source=row.source,
        state=row.state,
        reason=masked_text(row.reason),
        payload=shown(row.payload, written=written),
        support_texts=texts(row.payload) if written else None,
    )


def signal(
    contract: Contract,
    body: Annotated[str, typer.Argument(help='The event as JSON: {"kind": "milestone_reached", ...}.')],
    as_json: Json = False,
) -> None:
    """Signal a running workflow directly, past the inbox. One that can't be used opens a case."""
    try:
        told = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise Mistake(f"the signal is not JSON: {error}") from None

    async def tell(office: "Office") -> None:
        from temporalio.service import RPCError

        from workflows.lifecycle import CustomerLifecycle

        life = await office.find(contract)
        try:
            await office.handle(life).signal(CustomerLifecycle.tell, told)
        except RPCError as error:
            raise Mistake(f"the lifecycle can't be signalled: {error.message}") from None

    in_office(tell)
    show(as_json, {"signalled": True}, lambda: print("signalled; `tenure show` tells what became of it"))


def fix(
    contract: Contract,
    assignments: Annotated[
        list[str] | None, typer.Option("--set", help="path=value in the order; an empty value removes the field.")
    ] = None,
    retry: Annotated[str | None, typer.Option(help="Try the step of this open case now.")] = None,
    done_as: Annotated[str | None, typer.Option(help="With --retry: it was done outside, under this id.")] = None,
    drop: Annotated[bool, typer.Option("--drop", help="With --retry: it shall not be done at all.")] = False,
    on: Annotated[str | None, typer.Option(help="With --retry: date it on this day instead.")] = None,
    as_json: Json = False,
) -> None:
    """Mend what a lifecycle waits for: correct its order, or try a failed step again."""
    ways = [way for way in (done_as, drop, on) if way]
    if bool(assignments) == bool(retry) or (ways and not retry) or len(ways) > 1:
        raise Mistake("give --set path=value (once or more), or --retry CASE (with --done-as ID, --drop or --on DATE)")
    if retry:
        day = parse_date(on) if on else None
        _command(contract, "retry_step", RetryStep(case=retry, by=user(), done_as=done_as, drop=drop, on=day), as_json)
        return
    from starter.changing import parse_assignment

    fixes = dict(map(parse_assignment, assignments or []))

    async def mend(office: "Office") -> CommandAnswer:
        return await office.fix_and_wait(await office.find(contract), fixes, user())

    show_answer(in_office(mend), as_json)


def _command(contract: str, update: str, command: Any, as_json: bool) -> None:
    async def give(office: "Office") -> CommandAnswer:
        from workflows.lifecycle import CustomerLifecycle

        return await office.command(await office.find(contract), getattr(CustomerLifecycle, update), command)

    show_answer(in_office(give), as_json)


def show_answer(answer: CommandAnswer, as_json: bool) -> None:
    show(as_json, answer, lambda: print(answer.message))


def show_outcome(outcome: "Outcome", as_json: bool) -> None:
    def text() -> None:
        print(f"event {outcome.inbox_id}: {outcome.state}{f' ({outcome.reason})' if outcome.reason else ''}")
        for contract, answer in outcome.answers.items():
            print(f"  {contract}: {answer}")

    fields = ("inbox_id", "state", "reason", "answers")
    show(as_json, {name: getattr(outcome, name) for name in fields}, text)
    if outcome.unused:
        raise typer.Exit(1)
