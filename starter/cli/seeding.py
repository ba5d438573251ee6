"""What `tenure start` does for the company in a box: the deal and its accounts stand in its CRM, as in a real one."""

from typing import Any

import httpx

from starter.settings import Settings


async def put_deal_into_sandbox(settings: Settings, document: dict[str, Any]) -> None:
    """Only where the CRM connection is the local sandbox; what stands there already is left alone."""
    crm = settings.connection_of("crm")
    if settings.connections[crm].base_url is not None:
        return
    account = document.get("account") or {}
    deal = {
        "Id": document.get("deal_id"),
        "Name": document.get("deal_name") or document.get("deal_id"),
        "AccountId": account.get("id"),
        "StageName": "Contracting",
        "CloseDate": document.get("signed_on"),
        "Account": {"Name": account.get("name"), "ParentId": account.get("parent_id")},
    }
    headers = {"Authorization": f"Bearer {settings.token(crm)}"}
    async with httpx.AsyncClient(base_url=settings.base_url(crm), headers=headers, trust_env=False) as http:
        if parent := account.get("parent_id"):
            await http.post("/accounts", json={"Id": parent, "Name": f"Parent of {account.get('name')}"})
        await http.post("/opportunities", json=deal)
