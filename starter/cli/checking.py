"""`tenure replay-check`: would today's code live on what the cluster's lifecycles have lived?"""

import asyncio
import logging
import sys
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from domain.counting import many
from starter.cli.running import Json, open_office, show
from starter.cli.times import parse_moment
from starter.mistakes import Mistake

if TYPE_CHECKING:
    from starter.replaying import Checked

EACH = 100
"""After how many histories a word of how far it is."""
LISTED = 1000


def register(app: typer.Typer) -> None:
    app.command("replay-check")(replay_check)


def replay_check(
    since: Annotated[
        str | None, typer.Option(help="Also what was closed since this day or moment, such as 2026-11-25T10:00Z.")
    ] = None,
    days: Annotated[int | None, typer.Option(min=1, max=36500, help="Also what was closed in so many days.")] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="At most so many histories, the youngest.")] = None,
    contract: Annotated[str | None, typer.Option(help="Only this contract's lifecycle.")] = None,
    as_json: Json = False,
) -> None:
    """Live the histories of open lifecycles again with this code, in its sandbox, and compare: exit code 1 where one
    differs. It wakes none of them, and needs no worker."""
    if since is not None and days is not None:
        raise Mistake("--since and --days say the same: give one of them")
    moment = parse_moment(since) if since else datetime.now(UTC) - timedelta(days=days) if days else None
    if moment is not None and moment > datetime.now(UTC):
        raise Mistake(f"{since} is still to come")

    logging.getLogger("temporalio").setLevel(logging.CRITICAL)  # it would log what differs, with its values

    async def look() -> Tally:
        from starter.replaying import Choice, check_cluster

        tally = Tally()
        async with open_office() as office:
            named = (await office.find(contract)).workflow_id if contract else None
            async for checked in check_cluster(office.client, Choice(moment, named, limit)):
                tally.count(checked)
                if checked.red is not None and not as_json:
                    print(f"{checked.red.of}: {checked.red.what}; {checked.red.advice}")
                if tally.checked % EACH == 0:
                    lived = many(tally.checked, "history", "histories")
                    print(f"{lived} lived again, {tally.red} of them differ", file=sys.stderr)
        return tally

    tally = asyncio.run(look())
    deleted = f", {tally.gone} were deleted meanwhile" if tally.gone else ""
    lived = f"{many(tally.checked, 'history', 'histories')} of {many(tally.events, 'event')}"
    told = f"{lived} lived again, {tally.red} of them differ{deleted}"
    show(as_json, asdict(tally), lambda: print(told))
    if tally.red:
        raise typer.Exit(1)


@dataclass
class Tally:
    """What was found. Of the red ones the first are listed, all are counted."""

    checked: int = 0
    events: int = 0
    gone: int = 0
    red: int = 0
    first: list[dict[str, str]] = field(default_factory=list)

    def count(self, checked: "Checked") -> None:
        if checked.gone:
            self.gone += 1
            return
        self.checked += 1
        self.events += checked.events
        if (red := checked.red) is not None:
            self.red += 1
            if len(self.first) < LISTED:
                self.first.append({"contract": red.of, "run": checked.run_id, "what": red.what, "advice": red.advice})
