"""Invoice collection status."""

from experience.api.asking import Account, Cursor, Limit
from experience.api.capability import capability
from experience.endpoints import endpoint
from experience.reading import invoices as reading
from experience.reading.frame import Page
from experience.services import Served

router = capability("invoices")


@router.get("/invoices")
@endpoint(owner="finance", permission="billing.read", since="1.0")
async def list_invoices(
    services: Served,
    collection: reading.Collection | None = None,
    account: Account = None,
    contract: str | None = None,
    cursor: Cursor = None,
    limit: Limit = 100,
) -> Page[reading.InvoiceLine]:
    """Invoices and how far they are paid, by due date."""
    wanted = reading.Wanted(account, contract, collection)
    return await reading.invoices(services, wanted, cursor=cursor, limit=limit)
