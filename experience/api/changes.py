"""Changes to a running contract: previewed, and made; each with an id of its own, by which it can be undone."""

from datetime import date
from decimal import Decimal
from typing import Annotated, Any, Literal

from fastapi import Body
from pydantic import BaseModel, Field

from domain.changes.applying import ChangePreview
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
from experience.api.asking import Contract
from experience.api.capability import capability
from experience.api.commanding import Commanded, Told, life_of
from experience.endpoints import endpoint
from experience.services import Served, Services
from starter import changing
from starter.mistakes import Mistake, Refusal
from starter.office import Office
from store.tables import LifecycleRow
from store.views import SqlViews

router = capability("changes")

Quantity = Annotated[Decimal, Field(ge=0, le=10**12)]


class Asked(BaseModel, extra="forbid"):
    """A change as somebody asks for it: what follows from others is looked up when it is made."""


class ChangeLines(Asked):
    """Lines change on `effective`, today when null. `quantities` are targets, by line or product; `add` are lines as an
    order has them, with their prices; `remove` names lines, or products."""

    kind: Literal["amend"] = "amend"
    quantities: dict[str, Quantity] = {}
    add: list[dict[str, Any]] = []
    remove: list[str] = []
    effective: date | None = None


class ChangeLinesAtRenewal(Asked):
    """The same from the first day of the next term on; `keep` names lines that stay as they are after all."""

    kind: Literal["amend_at_renewal"] = "amend_at_renewal"
    quantities: dict[str, Quantity] = {}
    add: list[dict[str, Any]] = []
    remove: list[str] = []
    keep: list[str] = []


class TermWith(Asked):
    """The running term ends with the one of the contract `other`."""

    kind: Literal["co_term"] = "co_term"
    other: str


class MoveTo(Asked):
    """From a day on another legal entity sells, or another currency is paid in. `fixes`: what is other in the order of
    there, by path, such as `lines[0].unit_price`."""

    kind: Literal["move"] = "move"
    selling_entity: str
    currency: str
    on: date | None = None
    fixes: dict[str, str] = {}


Amending = ChangeLines | ChangeLinesAtRenewal | TermWith | MoveTo | Extend | Pause | Resume | Undo
AskedChange = Annotated[Amending, Body(discriminator="kind")]
Decision = Annotated[Renew | GiveNotice | WithdrawNotice, Body(discriminator="kind")]
Ending = Annotated[End | Terminate | Cancel, Body(discriminator="kind")]


@router.post("/changes/{contract:path}/preview")
@endpoint(owner="operations", permission="lifecycle.change", since="1.0")
async def preview_change(services: Served, contract: Contract, change: AskedChange) -> ChangePreview:
    """What a change would do, and the effects that would come and go. Nothing is changed."""
    return await _foreseen(services, contract, change)


@router.post("/changes/{contract:path}")
@endpoint(owner="operations", permission="lifecycle.change", since="1.0")
async def change_contract(services: Served, command: Commanded, contract: Contract, change: AskedChange) -> Told:
    """Change quantities or lines, extend or co-term the term, move, pause and resume, or undo a change."""
    return await command.tell(lambda office: _make(services, office, contract, change, command.by, command.id))


@router.post("/renewals/{contract:path}/decision/preview")
@endpoint(owner="customer-success", permission="renewal.decide", since="1.0")
async def preview_decision(services: Served, contract: Contract, decision: Decision) -> ChangePreview:
    """What a decision would do. Nothing is decided."""
    return await _foreseen(services, contract, decision)


@router.post("/renewals/{contract:path}/decision")
@endpoint(owner="customer-success", permission="renewal.decide", since="1.0")
async def decide_renewal(services: Served, command: Commanded, contract: Contract, decision: Decision) -> Told:
    """Renew, also early; or take a notice, or take it back."""
    return await command.tell(lambda office: _make(services, office, contract, decision, command.by, command.id))


@router.post("/endings/{contract:path}/preview")
@endpoint(owner="operations", permission="lifecycle.end", since="1.0")
async def preview_ending(services: Served, contract: Contract, ending: Ending) -> ChangePreview:
    """What an end would do. Nothing is ended."""
    return await _foreseen(services, contract, ending)


@router.post("/endings/{contract:path}")
@endpoint(owner="operations", permission="lifecycle.end", since="1.0")
async def end_contract(services: Served, command: Commanded, contract: Contract, ending: Ending) -> Told:
    """End a contract: with its term, on a day, for convenience or for cause; or cancel an order."""
    return await command.tell(lambda office: _make(services, office, contract, ending, command.by, command.id))


async def _make(services: Services, office: Office, contract: str, asked: Asked | Change, by: str, key: str) -> Told:
    life = await life_of(office, contract)
    change = await _resolved(services, office, life, asked, by)
    try:
        answer = await changing.make(office, life, ChangeContract(id=f"api-{key[:16]}", by=by, change=change))
    except Refusal:
        await changing.forget_revision(office, life, change)
        raise
    return Told(message=answer.message, contract=life.contract)


async def _foreseen(services: Services, contract: str, asked: Asked | Change) -> ChangePreview:
    office = services.office
    life = await life_of(office, contract)
    change = await _resolved(services, office, life, asked, "a preview")
    try:
        return await changing.foresee(office, life, ChangeContract(id=changing.new_id(), by="a preview", change=change))
    finally:
        await changing.forget_revision(office, life, change)


async def _resolved(services: Services, office: Office, life: LifecycleRow, asked: Asked | Change, by: str) -> Change:
    """The change itself, with the revision of the order that it is about where it needs one."""
    match asked:
        case ChangeLines():
            removed = tuple(asked.remove)
            change = Amend(quantities=asked.quantities, removed=removed, effective=asked.effective)
            return await changing.add_lines(office, life, change, asked.add, by) if asked.add else change
        case ChangeLinesAtRenewal():
            removed, kept = tuple(asked.remove), tuple(asked.keep)
            later = AmendAtRenewal(quantities=asked.quantities, removed=removed, keep=kept)
            return await changing.add_lines(office, life, later, asked.add, by) if asked.add else later
        case TermWith():
            other = await life_of(office, asked.other)
            view = await SqlViews(office.database).get(other.contract)
            if view is None or view.term_ends is None:
                raise Mistake(f"{other.contract} has no term's end to take over")
            return CoTerm(contract=other.contract, ends=view.term_ends)
        case MoveTo():
            wanted = Move(selling_entity=asked.selling_entity, currency=asked.currency, revision=0, on=asked.on)
            landscape = services.settings.landscape
            return await changing.move_there(office, life, wanted, dict(asked.fixes), by, landscape)
        case Asked():
            raise TypeError(f"{type(asked).__name__} is no change")
    return asked
