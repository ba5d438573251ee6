"""The sandbox as a kit's world: one box in memory, called in-process, seen and disturbed through its /admin."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from email.utils import format_datetime
from typing import Any, Generic, TypeVar

import httpx
from fastapi import FastAPI

from domain.ports import NewCustomer
from sandbox.app import create_app
from tests.kits.samples import ErpSample
from tests.kits.world import Disturbance

P = TypeVar("P")

_KINDS = {
    "create_customer": ("erp", "customers"),
    "create_subscription": ("erp", "subscriptions"),
    "activate_order": ("erp", "activations"),
    "start_billing": ("erp", "billing_starts"),
    "amend_subscription": ("erp", "amendments"),
    "change_term": ("erp", "term_changes"),
    "renew_subscription": ("erp", "renewals"),
    "end_subscription": ("erp", "endings"),
    "cancel_subscription": ("erp", "cancellations"),
    "create_renewal_opportunity": ("crm", "opportunities"),
    "ensure_company": ("cs", "companies"),
    "launch_onboarding": ("cs", "plans"),
    "start_playbook": ("cs", "playbooks"),
    "post_note": ("cs", "notes"),
}
_NAMES = {"write_status": "update_opportunity", "probe": "whoami"}


class SandboxWorld(Generic[P]):
    def __init__(
        self,
        system: str,
        adapter: Callable[[httpx.AsyncClient], P],
        app: FastAPI,
        names: Mapping[str, str] | None = None,
    ) -> None:
        self._system = system
        self._names = {**_NAMES, **(names or {})}
        self.sample = ErpSample()
        self.app = app
        self.http = client(app)
        self._clients = [client(app, f"/{system}"), client(app, f"/{system}", accepted=False)]
        self.port, self.stranger = (adapter(each) for each in self._clients)

    async def disturb(self, operation: str, how: Disturbance) -> None:
        until = format_datetime(datetime.now(UTC) + timedelta(seconds=90), usegmt=True)
        details: dict[str, dict[str, Any]] = {
            "commit_late": {"seconds": 0.2},
            "hang": {"seconds": 60},
            "misshapen": {"kind": "garbage", "answer": '{"other": []}'},
            "rate_limit": {"retry_after": "7"},
            "rate_limit_until": {"kind": "rate_limit", "retry_after": until},
            "refuse": {"reason": "blocked: ap@hooli.example"},
        }
        times = None if operation == "*" else 1
        fault = {
            "system": self._system,
            "operation": self._names.get(operation, operation),
            "kind": how,
            "times": times,
        }
        await self._admin("POST", "faults", {**fault, **details.get(how, {})})

    async def heal(self) -> None:
        await self._admin("DELETE", "faults")

    async def count(self, operation: str) -> int:
        system, kind = _KINDS[operation]
        return len(await self._records(system, kind))

    async def value(self, operation: str, record: str) -> Mapping[str, object]:
        if operation == "set_health":
            [health] = [each for each in await self._records("cs", "health") if each["company"] == record] or [{}]
            return {name: value for name, value in health.items() if name not in ("company", "set_at")}
        if operation in ("create_customer", "set_credit_hold"):
            [customer] = [each for each in await self._records("erp", "customers") if each["id"] == record]
            if operation == "set_credit_hold":
                return dict(customer.get("credit_hold") or {"held": False, "reason": ""})
            return dict(NewCustomer.model_validate(_told(customer)))
        [deal] = [each for each in await self._records("crm", "opportunities") if each["Id"] == record]
        renews = deal.get("Tenure_Renewal_Date__c")
        return {
            "contract": deal.get("Tenure_Contract__c"),
            "status": deal.get("Tenure_Status__c"),
            "erp_customer": deal.get("ERP_Customer__c"),
            "erp_subscription": deal.get("ERP_Subscription__c"),
            "renewal_date": date.fromisoformat(renews) if renews else None,
        }

    # ── the ERP's ───────────────────────────────────────────────────────────────────────────────────────────────

    async def today(self) -> date:
        return (await self.pass_time(timedelta(0))).date()

    async def put_customer(self, new: NewCustomer) -> str:
        return str((await self._post("erp/customers", new.model_dump(mode="json")))["id"])

    async def invoice(self, customer: str, subscription: str, *, overdue: bool = False) -> str:
        due = await self.today() + timedelta(days=-10 if overdue else 30)
        body = {"customer": customer, "subscription": subscription, "amount": "100.50", "due_on": due.isoformat()}
        return str((await self._post("erp/invoices", body))["id"])

    async def close_books(self) -> tuple[date, date]:
        opens = await self.today() - timedelta(days=2)
        await self._admin("POST", "books", {"opens_on": opens.isoformat()})
        return opens - timedelta(days=1), opens

    async def pay(self, invoice: str) -> None:
        await self._post(f"erp/invoices/{invoice}/pay", {})

    # ── any system's ────────────────────────────────────────────────────────────────────────────────────────────

    async def calls(self, operation: str) -> int:
        query = {"system": self._system, "operation": self._names.get(operation, operation)}
        return len((await self.http.get("/admin/calls", params=query)).raise_for_status().json())

    async def deal(self) -> tuple[str, str]:
        account = await self._post("crm/accounts", {"Name": "Hooli GmbH"})
        deal = {
            "AccountId": account["Id"],
            "Name": "Hooli 50 seats",
            "StageName": "Proposal",
            "CloseDate": "2026-11-20",
        }
        return account["Id"], (await self._post("crm/opportunities", deal))["Id"]

    async def put_deal(self, record: dict[str, Any]) -> None:
        await self._post("crm/opportunities", record)

    async def change_deal(self, deal: str, **fields: Any) -> None:
        (await self.http.patch(f"/crm/opportunities/{deal}", json=fields)).raise_for_status()

    async def pass_time(self, by: timedelta) -> datetime:
        """Returns what it is o'clock then."""
        await self._admin("POST", "clock", {"advance_seconds": by.total_seconds()})
        return datetime.fromisoformat((await self.http.get("/admin/clock")).raise_for_status().json()["now"])

    async def open_case(self, account: str, severity: int) -> str:
        return str((await self._post("support/cases", {"account": account, "severity": severity}))["id"])

    async def close_case(self, case: str) -> None:
        await self._post(f"support/cases/{case}/close", {})

    async def report(self, account: str, active: Decimal, entitled: Decimal) -> None:
        body = {"active": str(active), "entitled": str(entitled)}
        (await self.http.put(f"/usage/accounts/{account}", json=body)).raise_for_status()

    async def complete_a_task(self, company: str) -> None:
        tasks = await self._records("cs", "tasks")
        task = next(task for task in tasks if task["company"] == company and task["status"] == "open")
        await self._post(f"cs/tasks/{task['id']}/complete", {})

    async def close(self) -> None:
        for each in (self.http, *self._clients):
            await each.aclose()

    async def _records(self, system: str, kind: str) -> list[dict[str, Any]]:
        state = (await self.http.get("/admin/state")).raise_for_status().json()
        records: list[dict[str, Any]] = state["records"].get(system, {}).get(kind, [])
        return records

    async def _admin(self, method: str, path: str, body: dict[str, Any] | None = None) -> None:
        (await self.http.request(method, f"/admin/{path}", json=body)).raise_for_status()

    async def _post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        answer: dict[str, Any] = (await self.http.post(f"/{path}", json=body)).raise_for_status().json()
        return answer


def _told(customer: dict[str, Any]) -> dict[str, Any]:
    """What was told of a customer, without what the ERP has of its own."""
    return {name: value for name, value in customer.items() if name in NewCustomer.model_fields}


def client(app: FastAPI, prefix: str = "", *, accepted: bool = True) -> httpx.AsyncClient:
    return httpx.AsyncClient(
        transport=httpx.ASGITransport(app),
        base_url=f"http://box{prefix}",
        headers={"authorization": "Bearer sandbox" if accepted else "Bearer wrong"},
    )


@asynccontextmanager
async def sandbox_world(
    system: str, adapter: Callable[[httpx.AsyncClient], P], names: Mapping[str, str] | None = None
) -> AsyncIterator[SandboxWorld[P]]:
    """`names`: what the box calls an operation of the port, where it has another name for it."""
    app = create_app(":memory:")
    world = SandboxWorld(system, adapter, app, names)
    try:
        yield world
    finally:
        await world.close()
        await app.state.box.close()
