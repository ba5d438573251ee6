"""A change as somebody asks for it, from whatever client. What it needs of others is looked up when it is previewed or
made: the revision of the order in which its lines stand, the term's end of another contract."""

from datetime import date
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field

from domain.changes.applying import ChangePreview
from domain.changes.kinds import Amend, AmendAtRenewal, Change, ChangeContract, CoTerm, Move
from domain.messages import CommandAnswer
from domain.routes import Landscape
from starter import changing
from starter.mistakes import Mistake, Refusal
from starter.office import Office
from store.tables import LifecycleRow

Quantity = Annotated[Decimal, Field(ge=0, le=changing.MOST)]


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
    there, by path, such as `lines[0].unit_price`; null removes the field."""

    kind: Literal["move"] = "move"
    selling_entity: str
    currency: str
    on: date | None = None
    fixes: dict[str, str | None] = {}


Wish = Asked | Change
"""What is asked for: a change itself, or one that is still to be looked up."""


async def preview(office: Office, landscape: Landscape, life: LifecycleRow, wish: Wish, by: str) -> ChangePreview:
    """What it would do. Nothing is written: a revision of the order is only imagined. Raises Refusal and Mistake."""
    change = await _resolved(office, landscape, life, wish, by, keep=False)
    return await changing.foresee(office, life, ChangeContract(id=changing.new_id(), by=by, change=change))


async def make(office: Office, landscape: Landscape, life: LifecycleRow, wish: Wish, by: str, id: str) -> CommandAnswer:
    """Make it, once by its id: said again after a lost answer, no other revision comes of it. Raises Refusal with the
    lifecycle's reason, Mistake when nobody answers."""
    change = await _made_before(office, life, wish, id) or await _resolved(office, landscape, life, wish, by)
    try:
        return await changing.make(office, life, ChangeContract(id=id, by=by, change=change))
    except Refusal:
        await changing.forget_revision(office, life, change)
        raise


async def _made_before(office: Office, life: LifecycleRow, wish: Wish, id: str) -> Change | None:
    """What was made of a wish that writes a revision, where it was made already. Raises Refusal where the id is of
    something else."""
    if not isinstance(wish, ChangeLines | ChangeLinesAtRenewal | MoveTo):
        return None
    made = next((each for each in (await office.state(life)).changes if each.id == id), None)
    if made is not None and not _asks_for(wish, made.change):
        raise Refusal(f"{id} is the id of another change, made on {made.on}")
    return made.change if made else None


def _asks_for(wish: ChangeLines | ChangeLinesAtRenewal | MoveTo, change: Change) -> bool:
    """As far as a change says it: what added lines cost stands in the order alone."""
    if isinstance(wish, MoveTo):
        asked = (wish.selling_entity, wish.currency, wish.on)
        return isinstance(change, Move) and asked == (change.selling_entity, change.currency, change.on)
    if isinstance(wish, ChangeLines):
        if not isinstance(change, Amend) or wish.effective != change.effective:
            return False
    elif not isinstance(change, AmendAtRenewal) or tuple(wish.keep) != change.keep:
        return False
    lines = (wish.quantities, tuple(wish.remove), [row.get("product") for row in wish.add])
    return lines == (change.quantities, change.removed, [line.product for line in change.added])


async def _resolved(
    office: Office, landscape: Landscape, life: LifecycleRow, wish: Wish, by: str, *, keep: bool = True
) -> Change:
    match wish:
        case ChangeLines():
            change = Amend(quantities=wish.quantities, removed=tuple(wish.remove), effective=wish.effective)
            return await changing.add_lines(office, life, change, wish.add, by, keep=keep) if wish.add else change
        case ChangeLinesAtRenewal():
            removed, kept = tuple(wish.remove), tuple(wish.keep)
            later = AmendAtRenewal(quantities=wish.quantities, removed=removed, keep=kept)
            return await changing.add_lines(office, life, later, wish.add, by, keep=keep) if wish.add else later
        case TermWith():
            other = await office.exactly(wish.other)
            if (ends := (await office.view(other)).term_ends) is None:
                raise Mistake(f"{other.contract} has no term's end to take over")
            return CoTerm(contract=other.contract, ends=ends)
        case MoveTo():
            wanted = Move(selling_entity=wish.selling_entity, currency=wish.currency, revision=0, on=wish.on)
            return await changing.move_there(office, life, wanted, wish.fixes, by, landscape, keep=keep)
        case Asked():
            raise TypeError(f"{type(wish).__name__} is no change")
    return wish
