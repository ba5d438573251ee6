"""The demo's hand in the company in a box: what people and clocks do in the CRM, the ERP and the CS platform."""

import asyncio
import copy
import json
import uuid
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import httpx

PAYLOADS = Path("examples/payloads")


class Box:
    """Talks to the sandbox over HTTP, as its users would."""

    def __init__(self, url: str, token: str) -> None:
        self.http = httpx.AsyncClient(
            base_url=url, headers={"Authorization": f"Bearer {token}"}, timeout=10, trust_env=False
        )

    async def do(self, method: str, path: str, body: Any = None) -> Any:
        answer = await self.http.request(method, path, json=body)
        answer.raise_for_status()
        return answer.json()

    async def reset_clock(self) -> None:
        """Back to the machine's time: an earlier demo has moved it."""
        await self.do("POST", "/admin/clock", {"now": datetime.now(UTC).isoformat()})
        await self.do("DELETE", "/admin/faults")

    async def win(self, deal: str) -> None:
        """A salesperson sets the stage; the CRM sends its webhook."""
        await self.do("PATCH", f"/crm/opportunities/{deal}", {"StageName": "Closed Won"})

    async def webhook_of(self, subject: str) -> dict[str, Any]:
        """The newest webhook about a record."""
        sent = [each for each in await self.do("GET", "/admin/webhooks") if each["body"]["subject"] == subject]
        found: dict[str, Any] = sent[-1]
        return found

    async def records(self, system: str, kind: str, belongs: Callable[[dict[str, Any]], bool]) -> list[dict[str, Any]]:
        """What a system holds, from its own records."""
        state = await self.do("GET", "/admin/state")
        return [record for record in state["records"].get(system, {}).get(kind, []) if belongs(record)]


class Customer:
    """One fictional customer with ids of its own, so that the demo can be played again and again."""

    def __init__(self, home: Path) -> None:
        self._home = home / PAYLOADS
        mark = uuid.uuid4().hex[:6].upper()
        self.account, self.parent = f"001{mark}AbCdEIAV", f"001{mark}PaReNtAA0"
        self.deal, self.upsell = f"006{mark}XyZAIA0", f"006{mark}UpSEIA0"

    def closed_won(self) -> dict[str, Any]:
        """The deal as it stands in the CRM, with its two mistakes, one click before it is won."""
        return self._open("salesforce_new_broken", self.deal)

    def expansion(self) -> dict[str, Any]:
        """25 more seats on the same contract."""
        return {**self._open("salesforce_upsell", self.upsell), "Amends_Deal__c": self.deal}

    def _open(self, name: str, deal: str) -> dict[str, Any]:
        record: dict[str, Any] = copy.deepcopy(json.loads((self._home / f"{name}.json").read_text(encoding="utf-8")))
        record["Account"]["ParentId"] = self.parent
        today = datetime.now(UTC).date().isoformat()
        return {**record, "Id": deal, "AccountId": self.account, "StageName": "Negotiation", "CloseDate": today}


async def until(what: str, probe: Callable[[], Any], seconds: float = 30) -> Any:
    """Ask until the answer is truthy, and return it. AssertionError names what did not happen."""
    give_up = asyncio.get_running_loop().time() + seconds
    while True:
        if answer := await probe():
            return answer
        if asyncio.get_running_loop().time() > give_up:
            raise AssertionError(f"did not happen within {seconds:.0f} s: {what}")
        await asyncio.sleep(0.05)


def day(text: str) -> date:
    return date.fromisoformat(text)
