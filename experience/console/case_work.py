"""What is done about cases from their page: one, or several that were chosen. The same as at the command line."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from typing import Annotated, Literal

from fastapi import APIRouter, Form, Request
from starlette.responses import Response

from domain.counting import many
from experience.bulk import each_case
from experience.console.page import asker, go
from experience.console.words import path
from experience.endpoints import endpoint
from experience.services import Served, Services
from starter.case_desk import CaseDesk
from starter.case_steps import check_among_many, move_on
from starter.mistakes import Mistake, Refusal
from starter.sources.reading import Sources
from store.tables import CaseRow, utc_now

HERE = "/console/cases"
NAPS = {"4h": timedelta(hours=4), "1d": timedelta(days=1), "7d": timedelta(days=7)}

Word = Annotated[str, Form(max_length=200)]
Why = Annotated[str, Form(max_length=2000)]
Chosen = Annotated[list[str], Form()]

router = APIRouter()


@router.post("/console/case/retry/{case:path}", response_model=None)
@endpoint(owner="operations", permission="case.retry", since="1.0")
async def retry(request: Request, services: Served, case: str, like: Annotated[bool, Form()] = False) -> Response:
    """Its event, or its lifecycle's step, is tried again; `like`: the events of all cases like it."""
    desk, by = _desk(services), asker(request).subject
    if like:
        again = await desk.retry_like(case, by)
        return _back(request, case, f"{many(len(again), 'event is', 'events are')} tried again")
    return _back(request, case, await _retried(services, desk, case, by))


@router.post("/console/case/edit/{case:path}", response_model=None)
@endpoint(owner="operations", permission="case.edit", since="1.0")
async def edit(
    request: Request,
    services: Served,
    case: str,
    payload: Annotated[str, Form(max_length=1_000_000)],
    retry: Annotated[bool, Form()] = False,
) -> Response:
    """Its event gets another payload, if that can be used; what was shown hidden in it stays what it was."""
    desk, by = _desk(services), asker(request).subject
    found = await desk.find(case)
    number = await desk.edit(found.id, by, payload=payload)
    if not retry:
        return _back(request, found.id, f"event {number} is edited")
    return _back(request, found.id, f"event {number} is edited; {await _retried(services, desk, found.id, by)}")


@router.post("/console/case/resolve/{case:path}", response_model=None)
@endpoint(owner="operations", permission="case.resolve", since="1.0")
async def resolve(request: Request, services: Served, case: str, reason: Why) -> Response:
    """Closed for a reason: a dead letter's event is ignored from now on, a lifecycle's step is given up."""
    return _back(request, case, await _resolved(services, case, asker(request).subject, reason))


@router.post("/console/case/assign/{case:path}", response_model=None)
@endpoint(owner="operations", permission="case.work", since="1.0")
async def assign(request: Request, services: Served, case: str, to: Word = "") -> Response:
    """To somebody; to nobody when nobody is named."""
    changed = await _desk(services).assign(case, asker(request).subject, to.strip() or None)
    return _back(request, case, f"{changed.assignee or 'nobody'} has it now")


@router.post("/console/case/tag/{case:path}", response_model=None)
@endpoint(owner="operations", permission="case.work", since="1.0")
async def tag(
    request: Request, services: Served, case: str, tags: Word, remove: Annotated[bool, Form()] = False
) -> Response:
    await _desk(services).tag(case, asker(request).subject, _words(tags), remove=remove)
    return _back(request, case)


@router.post("/console/case/snooze/{case:path}", response_model=None)
@endpoint(owner="operations", permission="case.work", since="1.0")
async def snooze(
    request: Request, services: Served, case: str, length: Annotated[Literal["4h", "1d", "7d", "wake"], Form()]
) -> Response:
    """Off the list for some time, or back on it."""
    until = None if length == "wake" else utc_now() + NAPS[length]
    await _desk(services).snooze(case, asker(request).subject, until)
    return _back(request, case, f"it sleeps until {until:%Y-%m-%d %H:%M} UTC" if until else "it is awake")


@router.post("/console/case/note/{case:path}", response_model=None)
@endpoint(owner="operations", permission="case.work", since="1.0")
async def note(request: Request, services: Served, case: str, text: Why) -> Response:
    if not text.strip():
        raise Mistake("an empty note says nothing")
    await _desk(services).note(case, asker(request).subject, text)
    return _back(request, case)


# ── several at once ──────────────────────────────────────────────────────────────────────────────────────────────


@router.post("/console/chosen/retry", response_model=None)
@endpoint(owner="operations", permission="case.retry", since="1.0")
async def retry_chosen(request: Request, services: Served, case: Chosen) -> Response:
    desk, by = _desk(services), asker(request).subject

    async def again(each: str) -> str:
        check_among_many(await desk.find(each))
        return await _retried(services, desk, each, by)

    return await _each(request, case, "retried", again)


@router.post("/console/chosen/resolve", response_model=None)
@endpoint(owner="operations", permission="case.resolve", since="1.0")
async def resolve_chosen(request: Request, services: Served, case: Chosen, reason: Why = "") -> Response:
    by = asker(request).subject
    return await _each(request, case, "resolved", lambda each: _resolved(services, each, by, reason), reason)


@router.post("/console/chosen/assign", response_model=None)
@endpoint(owner="operations", permission="case.work", since="1.0")
async def assign_chosen(request: Request, services: Served, case: Chosen, to: Word = "") -> Response:
    desk, by = _desk(services), asker(request).subject
    return await _each(request, case, "assigned", lambda each: desk.assign(each, by, to.strip() or None))


@router.post("/console/chosen/tag", response_model=None)
@endpoint(owner="operations", permission="case.work", since="1.0")
async def tag_chosen(request: Request, services: Served, case: Chosen, tags: Word = "") -> Response:
    desk, by, words = _desk(services), asker(request).subject, _words(tags)
    return await _each(request, case, "tagged", lambda each: desk.tag(each, by, words))


async def _each(
    request: Request, cases: Sequence[str], what: str, work: Callable[[str], Awaitable[object]], reason: str = ""
) -> Response:
    """What one refuses holds up no other, and is said."""
    lines = await each_case(cases, reason, work)
    refused = [f"{line.case}: {line.message}" for line in lines if not line.done]
    done = len(lines) - len(refused)
    if refused and not done:
        raise Refusal("; ".join(refused[:5]))
    kept = f"; {len(refused)} not: {'; '.join(refused[:3])}" if refused else ""
    return go(request, HERE, told=f"{done} {what}{kept}")


# ── what they share ──────────────────────────────────────────────────────────────────────────────────────────────


def _desk(services: Services) -> CaseDesk:
    return CaseDesk(services.database, Sources(services.settings))


def _words(text: str) -> list[str]:
    words = text.replace(",", " ").split()
    if not words or any(len(word) > 50 for word in words):
        raise Mistake("name a tag, of at most 50 letters")
    return words


async def _retried(services: Services, desk: CaseDesk, case: str, by: str) -> str:
    found = await desk.find(case)
    if found.projected and found.state == "open":
        return await move_on(services.office, found, by)
    number = await desk.retry(found.id, by)
    outcome = await services.office.outcome(number)
    if outcome.unused:
        reason = outcome.reason or "; ".join(outcome.answers.values())
        return f"event {number} was tried, and is still of no use: {reason}"
    return f"event {number} is used: {outcome.state}"


async def _resolved(services: Services, case: str, by: str, reason: str) -> str:
    if not reason.strip():
        raise Mistake("a case is resolved for a reason")
    desk = _desk(services)
    found: CaseRow = await desk.find(case)
    if found.projected and found.state == "open":
        return await move_on(services.office, found, by, give_up=reason)
    await desk.resolve(found.id, by, reason)
    return "the case is resolved"


def _back(request: Request, case: str, told: str = "") -> Response:
    return go(request, f"{HERE}/{path(case)}", told=told)
