"""Renewal eligibility and renewal readiness."""

from datetime import date

from domain.policies.forecast import Category
from experience.api.asking import Account, Contract, Cursor, Limit, found
from experience.api.capability import capability
from experience.endpoints import endpoint
from experience.reading import renewals as reading
from experience.reading.frame import Page
from experience.services import Served

router = capability("renewals")


@router.get("/renewals")
@endpoint(owner="customer-success", permission="renewal.read", since="1.0")
async def list_renewals(
    services: Served,
    renews_from: date | None = None,
    renews_before: date | None = None,
    forecast: Category | None = None,
    decided: bool | None = None,
    account: Account = None,
    cursor: Cursor = None,
    limit: Limit = 100,
) -> Page[reading.RenewalLine]:
    """The renewals that are ahead, the nearest first."""
    wanted = reading.Wanted(renews_from, renews_before, forecast, decided, account)
    return await reading.renewals(services, wanted, cursor=cursor, limit=limit)


@router.get("/renewals/{contract:path}/eligibility")
@endpoint(owner="customer-success", permission="renewal.read", since="1.0")
async def show_eligibility(services: Served, contract: Contract) -> reading.EligibilityAnswer:
    """Whether a contract can be renewed now, and why not."""
    return found(await reading.eligibility(services, contract), f"no lifecycle {contract}")


@router.get("/renewals/{contract:path}/readiness")
@endpoint(owner="customer-success", permission="renewal.read", since="1.0")
async def show_readiness(services: Served, contract: Contract) -> reading.ReadinessAnswer:
    """How ready the customer is to renew, with its reasons, and how fresh each source was."""
    return found(await reading.readiness(services, contract), f"no lifecycle {contract}")
