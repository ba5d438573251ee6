"""An app over a fresh store per test."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.experience import Experience, open_experience, sqlite_url


@pytest.fixture
async def experience(tmp_path: Path) -> AsyncIterator[Experience]:
    async with open_experience(sqlite_url(tmp_path)) as opened:
        yield opened
