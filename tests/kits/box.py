"""A client of all systems of one sandbox, for tests of the sandbox itself."""

from dataclasses import dataclass
from typing import Any

import httpx


@dataclass
class BoxClient:
    http: httpx.AsyncClient

    async def ask(self, method: str, path: str, body: Any = None, *, key: str | None = None) -> httpx.Response:
        return await self.http.request(method, path, json=body, headers={"Idempotency-Key": key} if key else {})

    async def do(self, method: str, path: str, body: Any = None, *, key: str | None = None) -> Any:
        """The answer of a call that must succeed."""
        return (await self.ask(method, path, body, key=key)).raise_for_status().json()

    async def counts(self, system: str) -> dict[str, int]:
        counts: dict[str, int] = (await self.do("GET", "/admin/state"))["counts"].get(system, {})
        return counts

    async def subscription(self) -> dict[str, Any]:
        """An active subscription of a new customer, with one line."""
        new = {"account": "001", "selling_entity": "acme-at", "name": "Hooli GmbH", "currency": "EUR"}
        customer = await self.do("POST", "/erp/customers", new)
        lines = [{"id": "seats", "product": "SEAT", "quantity": "50"}]
        body = {"contract": "crm/1/1", "customer": customer["id"], "currency": "EUR", "lines": lines}
        made: dict[str, Any] = await self.do("POST", "/erp/subscriptions", body)
        await self.do("POST", f"/erp/subscriptions/{made['id']}/activate", {"on": "2026-12-01", "starts": "2026-12-01"})
        return made
