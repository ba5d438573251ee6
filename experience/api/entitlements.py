"""Subscription entitlement state."""

from domain.policies.entitlement import Entitled
from experience.api.asking import Account, Contract, Cursor, Limit, found
from experience.api.capability import capability
from experience.endpoints import endpoint
from experience.reading import entitlements as reading
from experience.reading.frame import Page
from experience.services import Served

router = capability("entitlements")


@router.get("/entitlements")
@endpoint(owner="finance", permission="billing.read", since="1.0")
async def list_entitlements(
    services: Served, level: Entitled | None = None, account: Account = None, cursor: Cursor = None, limit: Limit = 100
) -> Page[reading.EntitlementLine]:
    """Whether each contract may be used, and why, by contract."""
    wanted = reading.Wanted(level, account)
    return await reading.entitlements(services, wanted, cursor=cursor, limit=limit)


@router.get("/entitlements/{contract:path}")
@endpoint(owner="finance", permission="billing.read", since="1.0")
async def show_entitlement(services: Served, contract: Contract) -> reading.EntitlementAnswer:
    """Whether one contract may be used, and what the ERP itself says of it."""
    return found(await reading.entitlement(services, contract), f"no lifecycle {contract}")
