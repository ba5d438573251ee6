"""Order activation."""

from experience.api.asking import Contract, Cursor, Limit, found
from experience.api.capability import capability
from experience.endpoints import endpoint
from experience.reading import activations as reading
from experience.reading.frame import Page
from experience.services import Served

router = capability("activations")


@router.get("/activations")
@endpoint(owner="operations", permission="lifecycle.read", since="1.0")
async def list_activations(services: Served, cursor: Cursor = None, limit: Limit = 100) -> Page[reading.ActivationLine]:
    """The orders that are not activated yet, by contract."""
    return await reading.activations(services, cursor=cursor, limit=limit)


@router.get("/activations/{contract:path}")
@endpoint(owner="operations", permission="lifecycle.read", since="1.0")
async def show_activation(services: Served, contract: Contract) -> reading.ActivationAnswer:
    """How far one order is on its way into the ERP, step by step."""
    return found(await reading.activation(services, contract), f"no lifecycle {contract}")
