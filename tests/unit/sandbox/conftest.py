"""A box in memory, and a client of all its systems."""

from collections.abc import AsyncIterator

import httpx
import pytest

from sandbox.app import create_app
from tests.kits.box import BoxClient


@pytest.fixture
async def box() -> AsyncIterator[BoxClient]:
    app = create_app(":memory:")
    headers = {"authorization": "Bearer sandbox"}
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://box", headers=headers) as http:
        yield BoxClient(http)
    await app.state.box.close()
