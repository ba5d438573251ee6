"""The change feed of any of the sandbox's systems."""

from collections.abc import Callable
from datetime import datetime

import httpx

from adapters.http import Json
from adapters.sandbox import probe_sandbox, sandbox_api
from domain.feeds import ChangePage
from domain.ports import Probed


class SandboxFeed:
    """`client`: base URL with the system's prefix, and the bearer token. `system`: crm, erp, cs, support or usage.

    The box gives a fact's event the same id in its feed, its webhooks and its records.
    """

    def __init__(self, client: httpx.AsyncClient, system: str) -> None:
        self._api = sandbox_api(client, system, {})
        self._system = system

    async def probe(self) -> Probed:
        return await probe_sandbox(self._api, self._system, writes=False)

    async def changes(self, cursor: str, limit: int) -> ChangePage:
        answer = await self._api.read_feed("changes", "changes", {"after": cursor, "limit": str(limit)})
        with self._api.shape("changes"):
            return ChangePage(events=tuple(answer["events"]), cursor=answer["cursor"], more=answer["more"])

    async def head(self) -> str:
        answer = await self._api.read("head", "changes/head")
        with self._api.shape("head"):
            return str(answer["cursor"])

    async def back_fill(self, since: datetime | None, position: str, limit: int) -> ChangePage:
        params = {"after": position, "limit": str(limit)} | ({"since": since.isoformat()} if since else {})
        answer = await self._api.read("back_fill", "records", params)
        with self._api.shape("back_fill"):
            events = tuple(self._snapshot(told) for told in answer["records"])
            return ChangePage(events=events, cursor=answer["next"], more=answer["more"])

    def _snapshot(self, told: Json) -> Json:
        """The event that says what a record says."""
        kind, subject, data = _SNAPSHOTS[told["kind"]](told["record"])
        return {
            "specversion": "1.0",
            "id": told["event"],
            "source": f"/sandbox/{self._system}",
            "type": f"tenure.{kind}.v1",
            "subject": subject,
            "datacontenttype": "application/json",
            "data": data,
        }


Snapshot = tuple[str, str, Json]


def _deal(record: Json) -> Snapshot:
    return "deal.closed_won" if record["IsWon"] else "deal.lost", record["Id"], {"record": record}


def _invoice(record: Json) -> Snapshot:
    """Whether it is overdue follows from its due date."""
    names = ("subscription", "customer", "amount", "currency", "due_on", "version")
    data = {"invoice": record["id"], **{name: record[name] for name in names}}
    if record["paid_on"] is None:
        return "invoice.posted", record["id"], data
    return "invoice.paid", record["id"], {**data, "paid_on": record["paid_on"]}


def _subscription(record: Json) -> Snapshot:
    names = ("contract", "status", "ends", "version")
    data = {"subscription": record["id"], **{name: record[name] for name in names}}
    return "subscription.changed", record["id"], {**data, "entitled": record["status"] in ("active", "ended")}


def _task(record: Json) -> Snapshot:
    names = ("contract", "milestone", "completed_on")
    return "milestone.completed", record["contract"], {name: record[name] for name in names}


def _case(record: Json) -> Snapshot:
    data = {"case": record["id"], **{name: record[name] for name in ("account", "severity", "version")}}
    return f"support_case.{'closed' if record['status'] == 'closed' else 'opened'}", record["id"], data


def _report(record: Json) -> Snapshot:
    names = ("account", "active", "entitled", "as_of")
    return "usage.reported", record["account"], {name: record[name] for name in names}


_SNAPSHOTS: dict[str, Callable[[Json], Snapshot]] = {
    "opportunities": _deal,
    "invoices": _invoice,
    "subscriptions": _subscription,
    "tasks": _task,
    "cases": _case,
    "reports": _report,
}
