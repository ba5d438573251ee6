"""Starting a lifecycle, and mending what one waits for."""

from datetime import date
from typing import Any

from pydantic import BaseModel, Field

from domain.messages import RetryStep
from experience.api.asking import Contract
from experience.api.capability import capability
from experience.api.commanding import Commanded, Told
from experience.endpoints import endpoint
from experience.reading.contracts import seen
from experience.services import Served
from starter.mistakes import Mistake, Refusal, Unanswered
from starter.office import Office

router = capability("lifecycle commands")

PATIENCE = 3.0
"""Seconds for which an answer waits until an event is settled; it is not lost after that."""


class Start(BaseModel, extra="forbid"):
    """`order`: the order's document, as docs/terms.md has it."""

    order: dict[str, Any]


class Fix(BaseModel, extra="forbid"):
    """`fixes`: values of the order by path, such as `ship_to.address.postal_code`; null removes the field."""

    fixes: dict[str, str | None] = Field(min_length=1)


class Retry(BaseModel, extra="forbid"):
    """`case`: which of the lifecycle's own cases, such as `order`. With `done_as` the step was done outside under that
    id, with `drop` it shall not be done at all, with `on` it is dated anew."""

    case: str
    done_as: str | None = None
    drop: bool = False
    on: date | None = None


class Milestone(BaseModel, extra="forbid"):
    """`on`: the day on which it was reached; today, in the contract's zone, when null."""

    milestone: str
    on: date | None = None


@router.post("/lifecycles")
@endpoint(owner="operations", permission="lifecycle.start", since="1.0")
async def start_lifecycle(command: Commanded, start: Start) -> Told:
    """Start the lifecycle of an order, once per deal."""

    async def begin(office: Office) -> Told:
        contract = await office.begin(start.order)
        return Told(message=f"{contract} begins", contract=contract)

    return await command.tell(begin)


@router.post("/lifecycles/{contract:path}/fix")
@endpoint(owner="operations", permission="lifecycle.fix", since="1.0")
async def fix_order(command: Commanded, contract: Contract, fix: Fix) -> Told:
    """Correct an order that waits, and have it checked again; the answer says what is still wrong."""

    async def mend(office: Office) -> Told:
        life = await office.exactly(contract)
        answer = await office.fix_and_wait(life, dict(fix.fixes), command.by)
        return Told(message=answer.message, contract=life.contract)

    return await command.tell(mend)


@router.post("/lifecycles/{contract:path}/retry")
@endpoint(owner="operations", permission="lifecycle.fix", since="1.0")
async def retry_step(command: Commanded, contract: Contract, retry: Retry) -> Told:
    """Try the step of an open case now; or say that it was done outside, or shall not be done."""
    if [retry.done_as is not None, retry.drop, retry.on is not None].count(True) > 1:
        raise Mistake("give one of done_as, drop and on")

    async def again(office: Office) -> Told:
        life = await office.exactly(contract)
        told = RetryStep(case=retry.case, by=command.by, done_as=retry.done_as, drop=retry.drop, on=retry.on)
        answer = await office.give(life, "retry_step", told)
        return Told(message=answer.message, contract=life.contract)

    return await command.tell(again)


@router.post("/lifecycles/{contract:path}/milestones")
@endpoint(owner="customer-success", permission="milestone.report", since="1.0")
async def report_milestone(services: Served, command: Commanded, contract: Contract, reached: Milestone) -> Told:
    """Report a milestone as reached."""
    known = services.office.company.milestones
    if reached.milestone not in known:
        raise Mistake(f"unknown milestone {reached.milestone!r}; the plan has {', '.join(sorted(known))}")

    async def report(office: Office) -> Told:
        life = await office.exactly(contract)
        here = await office.database.read(lambda session: seen(session, life.contract, services.clock))
        day = reached.on or (here.today if here else services.clock().date())
        data = {"contract": life.contract, "milestone": reached.milestone, "completed_on": day.isoformat()}
        sent = await office.send("tenure.milestone.completed.v1", data, event_id=command.id)
        return await settled(office, sent, life.contract)

    return await command.tell(report)


async def settled(office: Office, event: int, contract: str) -> Told:
    """What became of an event of ours, or that it is kept. Raises Refusal where nothing could be done with it."""
    try:
        outcome = await office.outcome(event, seconds=PATIENCE)
    except Unanswered as waits:
        return Told(message=str(waits), contract=contract, event=event)
    if outcome.unused:
        raise Refusal(outcome.reason or outcome.answers.get(contract, outcome.state))
    return Told(message=outcome.answers.get(contract, outcome.state), contract=contract, event=event)
