"""A fresh, migrated store per test: each test runs on SQLite and on PostgreSQL."""

from collections.abc import Iterator

import pytest

from store.database import Database


@pytest.fixture
def url(either_url: str) -> str:
    return either_url


@pytest.fixture
def database(url: str) -> Iterator[Database]:
    database = Database(url)
    yield database
    database.close()
