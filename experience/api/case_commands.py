"""Working on cases, one or several: assign, tag, note, snooze; edit the event, try it again, resolve."""

import json
from datetime import datetime
from typing import Annotated, Any

from pydantic import AwareDatetime, BaseModel, Field

from domain.counting import many
from experience.api.asking import CaseId
from experience.api.capability import capability
from experience.api.commanding import Cases, Commanded, Once, Reason, Told, ToldOfEach
from experience.endpoints import endpoint
from experience.services import Served, Services
from starter.case_desk import CaseDesk
from starter.case_steps import check_among_many, move_on
from starter.mistakes import Mistake
from starter.office import Office
from starter.sources.reading import Sources
from store.database import Database
from store.tables import CaseRow

router = capability("case commands")

Tag = Annotated[str, Field(pattern=r"^[\w.:-]{1,50}$")]
AT_ONCE = 100


class Assignment(BaseModel, extra="forbid"):
    """`to`: who; nobody when null."""

    to: Annotated[str, Field(min_length=1, max_length=199, pattern=r"\S")] | None = None


class Tags(BaseModel, extra="forbid"):
    tags: list[Tag] = Field(min_length=1, max_length=20)
    remove: bool = False


class Remark(BaseModel, extra="forbid"):
    text: Annotated[str, Field(min_length=1, max_length=4000, pattern=r"\S")]


class Snooze(BaseModel, extra="forbid"):
    """`until`: off the list until then; null wakes it."""

    until: AwareDatetime | None = None


class Edit(BaseModel, extra="forbid"):
    """Either the whole new `payload`, or `fixes` of it by path."""

    payload: dict[str, Any] | None = None
    fixes: dict[str, str] | None = None


class Again(BaseModel, extra="forbid"):
    """`alike`: all open cases with the same problem, kind and type, at most a hundred."""

    alike: bool = False


class Resolution(BaseModel, extra="forbid"):
    reason: Annotated[Reason, Field(pattern=r"\S")]


class Chosen(BaseModel, extra="forbid"):
    """`cases`: their ids, or their events' numbers."""

    cases: Cases


class AssignmentOfEach(Chosen, Assignment):
    """`to`: who; nobody when null."""


class TagsOfEach(Chosen, Tags):
    """The same tags for each."""


class ResolutionOfEach(Chosen, Resolution):
    """The same reason for each."""


@router.post("/cases/assign")
@endpoint(owner="operations", permission="case.work", since="1.0")
async def assign_cases(command: Commanded, assignment: AssignmentOfEach) -> ToldOfEach:
    """Give several cases to somebody, or to nobody; each is answered for by itself."""
    return await command.each(assignment.cases, "", lambda one, case: _assign(one, case, assignment))


@router.post("/cases/tag")
@endpoint(owner="operations", permission="case.work", since="1.0")
async def tag_cases(command: Commanded, tags: TagsOfEach) -> ToldOfEach:
    """Put tags on several cases, or take them away."""
    return await command.each(tags.cases, "", lambda one, case: _tag(one, case, tags))


@router.post("/cases/retry")
@endpoint(owner="operations", permission="case.retry", since="1.0")
async def retry_cases(services: Served, command: Commanded, chosen: Chosen) -> ToldOfEach:
    """Try the events, or the lifecycles' steps, of several cases again."""

    async def retry(one: Once, case: str) -> Told:
        check_among_many(await CaseDesk(services.database).find(case))
        return await _retry(services, one, case, Again())

    return await command.each(chosen.cases, "", retry)


@router.post("/cases/resolve")
@endpoint(owner="operations", permission="case.resolve", since="1.0")
async def resolve_cases(services: Served, command: Commanded, resolution: ResolutionOfEach) -> ToldOfEach:
    """Close several cases for one reason."""
    reason = resolution.reason
    return await command.each(resolution.cases, reason, lambda one, case: _resolve(services, one, case, reason))


@router.post("/cases/{case:path}/assign")
@endpoint(owner="operations", permission="case.work", since="1.0")
async def assign_case(command: Commanded, case: CaseId, assignment: Assignment) -> Told:
    """Give a case to somebody, or to nobody."""
    return await _assign(command, case, assignment)


@router.post("/cases/{case:path}/tag")
@endpoint(owner="operations", permission="case.work", since="1.0")
async def tag_case(command: Commanded, case: CaseId, tags: Tags) -> Told:
    """Put tags on a case, or take them away."""
    return await _tag(command, case, tags)


@router.post("/cases/{case:path}/note")
@endpoint(owner="operations", permission="case.work", since="1.0")
async def note_case(command: Commanded, case: CaseId, remark: Remark) -> Told:
    """Write something into a case's history."""

    async def note(database: Database) -> Told:
        return _told(await CaseDesk(database).note(case, command.by, remark.text), "it has your note")

    return await command.write(note)


@router.post("/cases/{case:path}/snooze")
@endpoint(owner="operations", permission="case.work", since="1.0")
async def snooze_case(command: Commanded, case: CaseId, snooze: Snooze) -> Told:
    """Take a case off the list for some time, or put it back on."""
    until: datetime | None = snooze.until

    async def sleep(database: Database) -> Told:
        found = await CaseDesk(database).snooze(case, command.by, until)
        return _told(found, f"it sleeps until {until:%Y-%m-%d %H:%M %Z}" if until else "it is awake")

    return await command.write(sleep)


@router.post("/cases/{case:path}/edit")
@endpoint(owner="operations", permission="case.edit", since="1.0")
async def edit_case(services: Served, command: Commanded, case: CaseId, edit: Edit) -> Told:
    """Mend the payload of a case's event. It is taken only if it can be read; the original is kept."""
    if (edit.payload is None) == (not edit.fixes):
        raise Mistake("give either payload or fixes")
    text = None if edit.payload is None else json.dumps(edit.payload)

    async def mend(database: Database) -> Told:
        event = await _desk(services, database).edit(case, command.by, payload=text, fixes=edit.fixes)
        return Told(message=f"event {event} is edited; try it again", case=case, event=event)

    return await command.write(mend)


@router.post("/cases/{case:path}/retry")
@endpoint(owner="operations", permission="case.retry", since="1.0")
async def retry_case(services: Served, command: Commanded, case: CaseId, again: Again) -> Told:
    """Try a case's event, or its lifecycle's step, again. The case goes when that is settled."""
    return await _retry(services, command, case, again)


@router.post("/cases/{case:path}/resolve")
@endpoint(owner="operations", permission="case.resolve", since="1.0")
async def resolve_case(services: Served, command: Commanded, case: CaseId, resolution: Resolution) -> Told:
    """Close a case. A dead letter's event is ignored from now on; a lifecycle's step is given up, where it can be."""
    return await _resolve(services, command, case, resolution.reason)


async def _assign(command: Once, case: str, assignment: Assignment) -> Told:
    async def assign(database: Database) -> Told:
        found = await CaseDesk(database).assign(case, command.by, assignment.to)
        return _told(found, f"it is {assignment.to or 'nobody'}'s now")

    return await command.write(assign)


async def _tag(command: Once, case: str, tags: Tags) -> Told:
    async def tag(database: Database) -> Told:
        found = await CaseDesk(database).tag(case, command.by, tags.tags, remove=tags.remove)
        return _told(found, f"it is tagged {', '.join(found.tags)}" if found.tags else "it has no tags")

    return await command.write(tag)


async def _retry(services: Services, command: Once, case: str, again: Again) -> Told:
    found = await CaseDesk(services.database).find(case)
    if found.projected and found.state == "open" and not again.alike:
        return await command.tell(lambda office: _move_on(office, found, command.by))

    async def retry(database: Database) -> Told:
        desk = _desk(services, database)
        if again.alike:
            events = await desk.retry_like(found.id, command.by, AT_ONCE)
            return _told(found, f"{many(len(events), 'event is', 'events are')} put back in")
        event = await desk.retry(found.id, command.by)
        return Told(message=f"event {event} is put back in", case=found.id, contract=found.contract, event=event)

    return await command.write(retry)


async def _resolve(services: Services, command: Once, case: str, reason: str) -> Told:
    found = await CaseDesk(services.database).find(case)
    if found.projected and found.state == "open":
        return await command.tell(lambda office: _move_on(office, found, command.by, give_up=reason))

    async def resolve(database: Database) -> Told:
        return _told(await CaseDesk(database).resolve(found.id, command.by, reason), "it is resolved")

    return await command.write(resolve)


async def _move_on(office: Office, case: CaseRow, by: str, *, give_up: str | None = None) -> Told:
    return Told(message=await move_on(office, case, by, give_up=give_up), case=case.id, contract=case.contract)


def _desk(services: Services, database: Database) -> CaseDesk:
    return CaseDesk(database, Sources(services.settings))


def _told(case: CaseRow, message: str) -> Told:
    return Told(message=message, case=case.id, contract=case.contract)
