"""An application, not a library (docs/adr/0001): what is installed, and under which names."""

import re
import subprocess
import sys
import tomllib
from importlib.metadata import Distribution, distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
LOCKS = [ROOT / f"requirements/{name}.txt" for name in ("lock", "bootstrap", "runtime", "build")]
NOT_PACKAGED = {"tests", "docs", "examples", "requirements", "bench", "integrations"}


def _packages() -> set[str]:
    find = PYPROJECT["tool"]["setuptools"]["packages"]["find"]
    return {pattern.removesuffix("*") for pattern in find["include"]}


def _modules() -> set[str]:
    return set(PYPROJECT["tool"]["setuptools"]["py-modules"])


def _canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _top_level_names(distribution: Distribution) -> set[str]:
    """What a distribution puts on the import path: its packages and its single modules."""
    names = set()
    for file in distribution.files or ():
        first = file.parts[0]
        if len(file.parts) == 1 and file.suffix == ".py":
            names.add(file.stem)
        elif len(file.parts) > 1 and file.suffix in (".py", ".so", ".pyd"):
            names.add(first)
    return names


def test_no_installed_distribution_provides_a_name_of_ours() -> None:
    ours = _packages() | _modules() | {"tests"}
    clashes = {
        f"{distribution.name}: {', '.join(sorted(taken))}"
        for distribution in distributions()
        if _canonical(distribution.name) != "tenure" and (taken := _top_level_names(distribution) & ours)
    }
    assert not clashes


def test_the_check_for_clashes_sees_packages_and_modules() -> None:
    seen = {_canonical(found.name): _top_level_names(found) for found in distributions()}
    assert "httpx" in seen["httpx"]
    assert "typing_extensions" in seen["typing-extensions"]


def test_the_packages_named_are_the_directories_that_exist() -> None:
    assert {path.parent.name for path in ROOT.glob("*/__init__.py")} - NOT_PACKAGED == _packages()


def test_the_modules_named_are_the_files_that_exist() -> None:
    assert {path.stem for path in ROOT.glob("*.py")} == _modules()


def test_every_directory_of_code_gets_into_a_wheel() -> None:
    """A directory without __init__.py is left out, except the migrations, which are package data."""
    code = {path.parent for package in _packages() for path in (ROOT / package).rglob("*.py")}
    left_out = {path.relative_to(ROOT).as_posix() for path in code if not (path / "__init__.py").exists()}
    assert left_out <= {"store/migrations", "store/migrations/versions"}


def test_every_file_that_code_reads_gets_into_a_wheel() -> None:
    data = PYPROJECT["tool"]["setuptools"]["package-data"]
    packed = {path for package, globs in data.items() for glob in globs for path in (ROOT / package).glob(glob)}
    kinds = ("toml", "mako", "html", "css", "js")
    read = {path for package in _packages() for kind in kinds for path in (ROOT / package).rglob(f"*.{kind}")}
    assert {path.name for path in read} >= {"stripe.toml", "script.py.mako"}
    assert read <= packed


def test_every_package_has_an_import_contract() -> None:
    contracts = PYPROJECT["tool"]["importlinter"]["contracts"]
    held = {module for contract in contracts for module in contract["source_modules"]}
    assert held == set(PYPROJECT["tool"]["importlinter"]["root_packages"])
    assert {path.parent.name for path in ROOT.glob("*/__init__.py")} - NOT_PACKAGED <= held


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.stem)
def test_a_lock_has_hashes_and_no_address(lock: Path) -> None:
    text = lock.read_text(encoding="utf-8")
    requirements = re.split(r"\n(?=\S)", text.strip())
    pinned = [entry for entry in requirements if not entry.startswith("#")]
    assert pinned
    for entry in pinned:
        assert re.match(r"[A-Za-z0-9._-]+==\S+", entry), entry.splitlines()[0]
        assert "--hash=sha256:" in entry, entry.splitlines()[0]
    assert not re.search(r"://|--(extra-)?index-url|--find-links| @ ", text)


def test_every_dependency_is_in_the_lock() -> None:
    locked = {
        _canonical(name) for name in re.findall(r"(?m)^([A-Za-z0-9._-]+)==", LOCKS[0].read_text(encoding="utf-8"))
    }
    wanted = PYPROJECT["project"]["dependencies"] + PYPROJECT["project"]["optional-dependencies"]["dev"]
    names = {_canonical(match[0]) for wish in wanted if (match := re.match(r"[A-Za-z0-9._-]+", wish))}
    assert names <= locked


def test_the_images_requirements_are_those_of_the_lock() -> None:
    locked, runtime = (set(re.findall(r"(?m)^[A-Za-z0-9._-]+==\S+", lock.read_text())) for lock in (LOCKS[0], LOCKS[2]))
    wanted = {_canonical(re.split(r"[=<>\[]", wish)[0]) for wish in PYPROJECT["project"]["dependencies"]}
    assert runtime <= locked
    assert wanted <= {_canonical(pin.partition("==")[0]) for pin in runtime}


def test_an_old_python_is_refused_in_one_line(tmp_path: Path) -> None:
    old = tmp_path / "python3"
    old.write_text('#!/bin/sh\ncase "$1" in --version) echo Python 3.9.1;; *) exit 1;; esac\n')
    old.chmod(0o755)
    script = str(ROOT / "requirements/install.sh")
    answer = subprocess.run(
        ["bash", script, str(tmp_path / "venv")], env={"PYTHON": str(old), "PATH": "/usr/bin:/bin"},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert answer.returncode == 1
    assert answer.stderr.splitlines() == [
        f"Tenure needs Python 3.11 or later as '{old}' on the PATH (found: Python 3.9.1)."
    ]
    assert not (tmp_path / "venv").exists()


def test_the_install_puts_the_command_beside_the_interpreter() -> None:
    assert (Path(sys.executable).with_name("tenure")).exists()


def test_nothing_is_committed_that_is_ignored() -> None:
    """Such as an environment, a database that a test left, or secrets that were made for one machine."""
    asked = ["git", "-C", str(ROOT), "ls-files", "--cached", "--ignored", "--exclude-standard"]
    found = subprocess.run(asked, capture_output=True, text=True, check=False)
    if found.returncode != 0:
        pytest.skip("not a checkout")
    assert found.stdout == ""
