"""One house and one browser for all tests of a module."""

from collections.abc import AsyncIterator

import pytest
from temporalio.client import Client

from tests.browser.house import Console, open_console


@pytest.fixture(scope="module")
async def console(temporal: Client, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Console]:
    async with open_console(temporal, tmp_path_factory.mktemp("console")) as opened:
        yield opened
