"""One stack of real processes for every test here; each test has deals and accounts of its own."""

from collections.abc import AsyncIterator

import pytest

from tests.stack import RunningStack, open_stack


@pytest.fixture(scope="session")
async def running(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[RunningStack]:
    async with open_stack(tmp_path_factory.mktemp("stack")) as stack:
        yield stack


@pytest.fixture
async def town(running: RunningStack) -> AsyncIterator[RunningStack]:
    """The stack, all of it up before a test, and without faults after it."""
    down = [process.name for process in running.stack.status() if process.state == "stopped"]
    await running.start(*down)
    yield running
    await running.box.delete("/admin/faults")
