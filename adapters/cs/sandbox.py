"""The sandbox's customer-success platform: unique companies, plans and playbooks by look-up, notes with neither."""

from collections.abc import Mapping

import httpx

from adapters.http import Json, segment
from adapters.records.sandbox import MENDS, SandboxRecords
from adapters.sandbox import KEY, LEVEL, LOOKUP, NONE, probe_sandbox, sandbox_api
from domain.effects import EffectClass
from domain.errors import ContractBroken, Rejected
from domain.ports import Health, NewCompany, NewOnboarding, NewPlaybook, Probed, Ref


class SandboxCs:
    """`client`: base URL with the prefix /cs, and the bearer token."""

    effects: Mapping[str, EffectClass] = {
        "ensure_company": KEY,
        "launch_onboarding": LOOKUP,
        "set_health": LEVEL,
        "start_playbook": LOOKUP,
        "post_note": NONE,
    }

    def __init__(self, client: httpx.AsyncClient) -> None:
        self._api = sandbox_api(client, "cs", {**self.effects, **MENDS})
        self.records = SandboxRecords(self._api, "cs")

    async def probe(self) -> Probed:
        return await probe_sandbox(self._api, "cs", ("external_id", "parent_external_id"))

    async def ensure_company(self, new: NewCompany, *, key: str) -> Ref:
        """The account is the company's unique external id there, so the key is not sent: a second POST is refused, and
        the company that exists is the answer."""
        body = {"external_id": new.account, "name": new.name, "parent_external_id": new.parent_account}
        try:
            answer = await self._api.write("ensure_company", "POST", "companies", body)
        except Rejected:
            existing = await self._first("find_company", "companies", new.account)
            if existing is None:
                raise
            return existing
        return self._ref("ensure_company", answer)

    async def launch_onboarding(self, new: NewOnboarding, *, key: str) -> Ref:
        body = {"external_id": key, **new.model_dump(mode="json")}
        return self._ref("launch_onboarding", await self._api.write("launch_onboarding", "POST", "plans", body))

    async def find_onboarding(self, key: str) -> Ref | None:
        return await self._first("find_onboarding", "plans", key)

    async def set_health(self, health: Health) -> None:
        path = f"companies/{segment(health.company)}/health"
        answer = await self._api.write("set_health", "PUT", path, health.model_dump(mode="json", exclude={"company"}))
        if answer.get("risk") != health.risk:
            raise ContractBroken("cs.set_health: the answer is not what was set")

    async def start_playbook(self, new: NewPlaybook, *, key: str) -> Ref:
        body = {"external_id": key, **new.model_dump(mode="json")}
        return self._ref("start_playbook", await self._api.write("start_playbook", "POST", "playbooks", body))

    async def find_playbook(self, key: str) -> Ref | None:
        return await self._first("find_playbook", "playbooks", key)

    async def post_note(self, company: str, text: str, *, key: str) -> Ref:
        """At most once is the caller's care: there is nothing here to recognise a note by."""
        path = f"companies/{segment(company)}/notes"
        return self._ref("post_note", await self._api.write("post_note", "POST", path, {"text": text}))

    async def open_tasks(self, company: str) -> int:
        answer = await self._api.read("open_tasks", f"companies/{segment(company)}/tasks", {"status": "open"})
        with self._api.shape("open_tasks"):
            return len([task["id"] for task in answer["tasks"]])

    async def _first(self, operation: str, kind: str, external_id: str) -> Ref | None:
        answer = await self._api.read(operation, kind, {"external_id": external_id})
        with self._api.shape(operation):
            found = [Ref(id=record["id"]) for record in answer[kind]]
        return found[0] if found else None

    def _ref(self, operation: str, answer: Json) -> Ref:
        with self._api.shape(operation):
            return Ref(id=answer["id"])
