"""One real activation, written down: which activity made which requests, in which order, as a script for the floor."""

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import Client

from bench.bare import DEAL, Action, Call, Script
from bench.town import Town

Record = Mapping[str, Any]

BESIDE = ("list_records", "invoices", "subscription_state")
"""What the house asks while it activates, and not for it."""

TURNS = ("crm.validate_order", "erp.activate_order")
"""Activities that everything after them waits for: with each of them a phase ends."""
NAMELESS = ("find_customer", "similar_customers")
"""Calls in which the deal is not named."""
MAKES = {
    "create_customer": ("erp", "customers", "account"),
    "create_subscription": ("erp", "subscriptions", "contract"),
    "ensure_company": ("cs", "companies", "external_id"),
}
"""Operations whose answer names what later paths do: where the record lies, and which field of it names the deal."""


async def recorded(town: Town, client: Client, workflow_id: str, deal: str) -> Script:
    """The script of a lifecycle that has come to rest."""
    activities = [each async for each in _activities(client, workflow_id)]
    answer = await town.box.get("/admin/calls")
    answer.raise_for_status()
    calls = [
        each for each in answer.json() if each["system"] in ("crm", "erp", "cs") and each["operation"] not in BESIDE
    ]
    ids = _ids(await town.records(), deal)
    calls = [call for call in calls if call["operation"] in NAMELESS or _names(call, {deal, *ids.values()})]
    phases: list[dict[str, list[Action]]] = [defaultdict(list)]
    for name, began, ended in activities:
        system = name.partition(".")[0]
        mine = [call for call in calls if call["system"] == system and began <= _at(call) <= ended]
        phases[-1][system].append(Action(system=system, name=name, calls=[_call(call, deal, ids) for call in mine]))
        if name in TURNS:
            phases.append(defaultdict(list))
    return Script(phases=[dict(phase) for phase in phases if phase])


async def _activities(client: Client, workflow_id: str) -> Any:
    """Name, start and end of each, in the order in which they were asked for."""
    history = await client.get_workflow_handle(workflow_id).fetch_history()
    by_id: dict[int, list[Any]] = {}
    for event in history.events:
        match event.WhichOneof("attributes"):
            case "activity_task_scheduled_event_attributes":
                name = event.activity_task_scheduled_event_attributes.activity_type.name
                by_id[event.event_id] = [name, 0.0, 0.0]
            case "activity_task_started_event_attributes":
                by_id[event.activity_task_started_event_attributes.scheduled_event_id][1] = _seconds(event)
            case "activity_task_completed_event_attributes":
                by_id[event.activity_task_completed_event_attributes.scheduled_event_id][2] = _seconds(event)
    for name, began, ended in by_id.values():
        yield name, began, ended


def _seconds(event: HistoryEvent) -> float:
    return event.event_time.ToMicroseconds() / 1e6


def _at(call: Record) -> float:
    return datetime.fromisoformat(call["received_at"]).timestamp()


def _names(call: Record, names: set[str]) -> bool:
    text = json.dumps([call["path"], call["key"], call["body"]])
    return any(name in text for name in names)


def _call(call: Record, deal: str, ids: Mapping[str, str]) -> Call:
    """With the deal's name taken out of it: whoever performs it fills in another's."""
    body = call["body"]
    return Call(
        method=call["method"],
        path=call["path"].replace(deal, DEAL),
        key=call["key"].replace(deal, DEAL) if call["key"] else None,
        body=None if body is None else _without(body, deal),
        teaches=ids.get(call["operation"]),
    )


def _without(body: Any, deal: str) -> Any:
    if isinstance(body, str):
        return body.replace(deal, DEAL)
    if isinstance(body, dict):
        return {name: _without(value, deal) for name, value in body.items()}
    return [_without(value, deal) for value in body] if isinstance(body, list) else body


def _ids(records: Mapping[str, Mapping[str, Sequence[Record]]], deal: str) -> dict[str, str]:
    """By operation, the id of the record that it made for this deal."""
    found = {}
    for operation, (system, kind, field) in MAKES.items():
        found[operation] = next(str(each["id"]) for each in records[system][kind] if deal in each[field])
    return found
