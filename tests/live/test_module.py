"""The tests that the Tryton module itself has, in the environment that it is installed in."""

import os
import subprocess

import pytest

from tests.live.tryton import TrytonServer


@pytest.mark.timeout(900)
@pytest.mark.parametrize("backend", ["postgresql", "sqlite"])
def test_the_modules_own_tests_pass(tryton_server: TrytonServer, backend: str) -> None:
    cluster = tryton_server.cluster
    ours = {name: value for name, value in os.environ.items() if not name.startswith(("TRYTOND_", "DB_"))}
    if backend == "postgresql":
        ours["TRYTOND_DATABASE_URI"] = cluster.url("")
    ended = subprocess.run(
        [str(cluster.environment.python), "-m", "trytond_tenure.tests", backend],
        cwd="/",
        env=ours,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout[-6000:]
