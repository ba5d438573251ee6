"""Comparing the systems now, and settling a difference: by a repair, previewed and made, or left for a while."""

from datetime import date
from http import HTTPStatus

from fastapi import Response
from pydantic import BaseModel

from domain.reconciling.difference import Difference, Remedy
from experience.api.asking import DifferenceId, found
from experience.api.capability import capability
from experience.api.commanding import Commanded, Reason, Told
from experience.endpoints import endpoint
from experience.services import Served, Services
from starter.mistakes import Mistake
from starter.office import Office
from starter.problems import Problem
from starter.reconciling.repairs import Preview, Repairs
from store.database import Database
from store.differences import Differences

router = capability("repairs")


class Wanted(BaseModel, extra="forbid"):
    """`choice`: which record is meant, where the remedy needs one."""

    remedy: Remedy
    reason: Reason
    choice: str | None = None


class Ignored(BaseModel, extra="forbid"):
    """`until`: the last day on which it is left."""

    reason: Reason
    until: date


@router.post("/reconciliation/runs", status_code=HTTPStatus.ACCEPTED)
@endpoint(owner="finance", permission="reconciliation.run", since="1.0")
async def begin_reconciliation(services: Served, command: Commanded, response: Response) -> Told:
    """Compare everything now, as the schedule does. The answer does not wait for it: Location says where it shows."""
    runs = services.runs
    if runs is None:
        raise _not_connected()

    async def begin(database: Database) -> Told:
        number = await runs.begin(database)
        return Told(message=f"the reconciliation {number} is under way", run=number)

    begun = await command.write(begin)
    response.headers["Location"] = f"/api/v1/reconciliation/runs{f'/{begun.run}' if begun.run else ''}"
    return begun


@router.post("/reconciliation/differences/{difference}/repair/preview")
@endpoint(owner="finance", permission="reconciliation.repair", since="1.0")
async def preview_repair(services: Served, difference: DifferenceId, wanted: Wanted) -> Preview:
    """What a repair would do, in words and in order. Nothing is changed."""
    known = await _known(services, difference)
    return await _repairs(services).preview(
        known.id, wanted.remedy, by="a preview", reason=wanted.reason, choice=wanted.choice
    )


@router.post("/reconciliation/differences/{difference}/repair")
@endpoint(owner="finance", permission="reconciliation.repair", since="1.0")
async def repair_difference(services: Served, command: Commanded, difference: DifferenceId, wanted: Wanted) -> Told:
    """Repair it. What was begun and broke off goes on when it is asked again."""
    known, repairs = await _known(services, difference), _repairs(services)

    async def repair(_: Office) -> Told:
        after = await repairs.repair(known.id, wanted.remedy, by=command.by, reason=wanted.reason, choice=wanted.choice)
        return Told(message=after.settled or f"it is {after.status}", contract=after.contract)

    return await command.tell(repair)


@router.post("/reconciliation/differences/{difference}/ignore")
@endpoint(owner="finance", permission="reconciliation.repair", since="1.0")
async def ignore_difference(services: Served, command: Commanded, difference: DifferenceId, ignored: Ignored) -> Told:
    """Leave it, for a reason, until the end of a day."""
    known = await _known(services, difference)
    if ignored.until <= services.clock().date():
        raise Mistake(f"{ignored.until} is over: a difference is left until a day to come")

    async def leave(database: Database) -> Told:
        if await Differences(database).ignore(known.id, command.by, ignored.reason, ignored.until) is None:
            raise Problem(HTTPStatus.CONFLICT, f"{known.id} is settled already: {known.settled}")
        return Told(message=f"it is left until {ignored.until}", contract=known.contract)

    return await command.write(leave)


async def _known(services: Services, name: str) -> Difference:
    """One that the asker serves. Raises Problem (404)."""
    return found(await Differences(services.database).get(name), f"no difference {name}")


def _repairs(services: Services) -> Repairs:
    if services.repairs is None:
        raise _not_connected()
    return services.repairs


def _not_connected() -> Problem:
    return Problem(HTTPStatus.SERVICE_UNAVAILABLE, "this process is not connected to the outside systems")
