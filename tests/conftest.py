"""One Temporal server for a run, or a worker of it: the real one, with time travel. Each test has its own house."""

import shutil
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from temporalio.client import Client
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.testing import WorkflowEnvironment

from starter.stack_specs import TEMPORAL_TIME_TRAVEL
from tests.house import House, open_house
from tests.kits.outbox import outbox_server, outbox_url
from tests.ports import free_port
from workflows.desk import SEARCH_ATTRIBUTES

__all__ = ["outbox_server", "outbox_url"]
pytest_plugins = ["tests.failures", "tests.postgres"]

COUNTED = "counted"
"""The namespace whose actions are counted."""

FAST = [
    *("--dynamic-config-value", "history.transferProcessorMaxPollRPS=2000"),
    *("--dynamic-config-value", "history.timerProcessorMaxPollRPS=2000"),
    *("--dynamic-config-value", "history.visibilityProcessorMaxPollRPS=2000"),
    *("--dynamic-config-value", "system.numConsecutiveWorkflowTaskProblemsToTriggerSearchAttribute=2"),
]


@pytest.fixture(scope="session")
def metrics_port() -> int:
    """Where the run's embedded server tells its metrics."""
    return free_port()


@pytest.fixture(scope="session")
async def temporal(metrics_port: int) -> AsyncIterator[Client]:
    """A client of the run's embedded server, which has one namespace more: what it counts is of one test alone."""
    binary = Path(sys.executable).with_name("temporal")
    async with await WorkflowEnvironment.start_local(
        data_converter=pydantic_data_converter,
        dev_server_existing_path=str(binary if binary.exists() else shutil.which("temporal")),
        dev_server_extra_args=[
            *FAST,
            *TEMPORAL_TIME_TRAVEL,
            *("--metrics-port", str(metrics_port), "--namespace", COUNTED),
        ],
        dev_server_log_level="error",
        search_attributes=SEARCH_ATTRIBUTES,
    ) as environment:
        yield environment.client


@pytest.fixture
async def house(temporal: Client, tmp_path: Path) -> AsyncIterator[House]:
    async with open_house(temporal, tmp_path) as opened:
        yield opened
