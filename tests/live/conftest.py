"""The real systems that these tests drive: Tryton on PostgreSQL, served as the local stack serves it."""

from collections.abc import Iterator

import pytest

from tests.live.tryton import Tryton, TrytonServer, open_server


@pytest.fixture(scope="session")
def tryton_server() -> Iterator[TrytonServer]:
    """One PostgreSQL and one Tryton per run, on a socket and ports of their own; gone when the run ends, however."""
    with open_server() as server:
        yield server


@pytest.fixture(scope="module")
def tryton(tryton_server: TrytonServer) -> Iterator[Tryton]:
    """A freshly seeded database for each test file, served."""
    with tryton_server.fresh() as fresh:
        yield fresh
