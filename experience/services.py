"""What every endpoint works with."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

from fastapi import Depends, Request

from starter.office import Office
from starter.reconciling.asked import AskedRuns
from starter.reconciling.repairs import Repairs
from starter.settings import Settings
from store.database import Database
from store.tables import utc_now


@dataclass(frozen=True)
class Services:
    """Reads come from `database` and never wake a workflow; commands go through `office`, and `repairs` and `runs`
    where the process is connected to the outside systems.

    `clock` is technical time (UTC): a contract's own time stands in its view.
    """

    database: Database
    office: Office
    settings: Settings
    repairs: Repairs | None = None
    runs: AskedRuns | None = None
    clock: Callable[[], datetime] = utc_now


def services_of(request: Request) -> Services:
    """The services of the app that was asked; for somebody who was let in, narrowed to what they serve."""
    found: Services = getattr(request.state, "services", request.app.state.services)
    return found


Served = Annotated[Services, Depends(services_of)]
"""The type of an endpoint's parameter: `services: Served`."""
