"""`tenure cost`: what one lifecycle has cost, of Temporal and of the connected systems."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import typer
from rich.console import Console
from rich.table import Column, Table

from starter.cli.running import Contract, Json, in_office, show
from starter.mistakes import Unanswered

if TYPE_CHECKING:
    from starter.office import Office


def register(app: typer.Typer) -> None:
    app.command()(cost)


def cost(contract: Contract, as_json: Json = False) -> None:
    """Show what a lifecycle has cost so far: actions, history, calls by system, retries."""
    found = in_office(lambda office: cost_of(office, contract))

    def text() -> None:
        console, temporal, store = Console(), found["temporal"], found["store"]
        table = Table("what", Column("how many", justify="right"), title=store["contract"], title_justify="left")
        for kind, number in sorted(temporal["actions"].items(), key=lambda pair: -pair[1]):
            table.add_row(f"actions: {kind}", str(number))
        table.add_row("actions", str(temporal["total"]), style="bold")
        table.add_row(f"history events, {temporal['runs']} run(s)", str(temporal["events"]))
        table.add_row("history bytes", str(temporal["bytes"]))
        table.add_section()
        for system in store["calls"]:
            failed = f" ({system['failed']} failed)" if system["failed"] else ""
            table.add_row(f"calls to {system['connection']}", f"{system['calls']}{failed}")
        table.add_row("effects done", str(store["effects"]))
        table.add_row("effects: attempts after the first", str(store["retries"]))
        table.add_row("events that woke it, of all that came", f"{store['told']} of {store['events']}")
        console.print(table)
        if not temporal["complete"]:
            console.print("an earlier run is over Temporal's retention: its part is not counted")

    show(as_json, found, text)


async def cost_of(office: "Office", contract: str) -> dict[str, Any]:
    """What Temporal's histories say, and what the store says."""
    from temporalio.service import RPCError

    from experience.reading import stories
    from starter.costing import temporal_cost

    life = await office.find(contract)
    try:
        temporal = await temporal_cost(office.client, life.workflow_id)
    except RPCError as error:
        raise Unanswered(f"Temporal does not tell its history ({error.message})") from None
    store = await stories.cost(office.database, life.contract)
    return {
        "temporal": {**asdict(temporal), "actions": dict(temporal.actions), "total": temporal.total},
        "store": store.model_dump(mode="json") if store else {},
    }
