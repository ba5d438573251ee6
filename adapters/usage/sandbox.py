"""The sandbox's usage meter."""

from collections.abc import Mapping
from decimal import Decimal

import httpx

from adapters.http import segment
from adapters.sandbox import probe_sandbox, sandbox_api
from domain.effects import EffectClass
from domain.ports import Adoption, Probed


class SandboxUsage:
    """`client`: base URL with the prefix /usage, and the bearer token. Only read."""

    effects: Mapping[str, EffectClass] = {}

    def __init__(self, client: httpx.AsyncClient) -> None:
        self._api = sandbox_api(client, "usage", self.effects)

    async def probe(self) -> Probed:
        return await probe_sandbox(self._api, "usage", writes=False)

    async def adoption(self, account: str) -> Adoption:
        """Raises NotFound for an account of which no usage was ever reported."""
        answer = await self._api.read("adoption", f"accounts/{segment(account)}")
        with self._api.shape("adoption"):
            return Adoption(active=Decimal(answer["active"]), entitled=Decimal(answer["entitled"]))
