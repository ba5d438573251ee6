"""Changes to a running contract: previewed, and made; each with an id of its own, by which it can be undone."""

from typing import Annotated

from fastapi import Body

from domain.changes.applying import ChangePreview
from domain.changes.kinds import Cancel, End, Extend, GiveNotice, Pause, Renew, Resume, Terminate, Undo, WithdrawNotice
from experience.api.asking import Contract
from experience.api.capability import capability
from experience.api.commanding import Commanded, Told
from experience.endpoints import endpoint
from experience.services import Served, Services
from starter import asking
from starter.asking import ChangeLines, ChangeLinesAtRenewal, MoveTo, TermWith, Wish
from starter.office import Office

router = capability("changes")

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


async def _make(services: Services, office: Office, contract: str, wish: Wish, by: str, key: str) -> Told:
    life = await office.exactly(contract)
    answer = await asking.make(office, services.settings.landscape, life, wish, by, f"api-{key[:16]}")
    return Told(message=answer.message, contract=life.contract)


async def _foreseen(services: Services, contract: str, wish: Wish) -> ChangePreview:
    life = await services.office.exactly(contract)
    return await asking.preview(services.office, services.settings.landscape, life, wish, "a preview")
