"""The sandbox's help desk."""

from collections import Counter
from collections.abc import Mapping

import httpx

from adapters.sandbox import probe_sandbox, sandbox_api
from domain.effects import EffectClass
from domain.ports import Probed, SupportCases


class SandboxSupport:
    """`client`: base URL with the prefix /support, and the bearer token. Only read."""

    effects: Mapping[str, EffectClass] = {}

    def __init__(self, client: httpx.AsyncClient) -> None:
        self._api = sandbox_api(client, "support", self.effects)

    async def probe(self) -> Probed:
        return await probe_sandbox(self._api, "support", writes=False)

    async def open_cases(self, account: str) -> SupportCases:
        """An account that the help desk has never heard of has no cases."""
        answer = await self._api.read("open_cases", "cases", {"account": account, "status": "open"})
        with self._api.shape("open_cases"):
            return SupportCases(by_severity=dict(Counter(case["severity"] for case in answer["cases"])))
