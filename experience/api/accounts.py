"""Accounts: the list, one with what rolls up to it, and its financial status."""

from typing import Annotated

from fastapi import Path, Query

from experience.api.asking import Cursor, Limit, found
from experience.api.capability import capability
from experience.endpoints import endpoint
from experience.reading import accounts as reading
from experience.reading.frame import Page
from experience.reading.invoices import FinancialStatus, financial_status
from experience.services import Served

router = capability("accounts")

Name = Annotated[str, Path(description="The account's id in the CRM")]


@router.get("/accounts")
@endpoint(owner="operations", permission="account.read", since="1.0")
async def list_accounts(
    services: Served,
    parent: Annotated[str | None, Query(description="Only accounts right below this one")] = None,
    part: Annotated[str | None, Query(description="A part of the account's id, or of the customer's name")] = None,
    needs_attention: bool | None = None,
    cursor: Cursor = None,
    limit: Limit = 100,
) -> Page[reading.AccountLine]:
    """Accounts that have contracts, by id."""
    wanted = reading.Wanted(parent, part, needs_attention)
    return await reading.accounts(services.database, wanted, cursor=cursor, limit=limit)


@router.get("/accounts/{account}")
@endpoint(owner="operations", permission="account.read", since="1.0")
async def show_account(services: Served, account: Name) -> reading.AccountAnswer:
    """One account: its place in the hierarchy, and what its contracts and those below amount to."""
    return found(await reading.account(services.database, account), f"no account {account}")


@router.get("/accounts/{account}/financial-status")
@endpoint(owner="finance", permission="billing.read", since="1.0")
async def show_financial_status(services: Served, account: Name) -> FinancialStatus:
    """What the account owes, by currency, and which contracts get nothing more on credit."""
    return found(await financial_status(services, account), f"no account {account}")
