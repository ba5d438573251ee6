"""docs/connectors.md says of every operation of every adapter what is proven; and its example works."""

import importlib
import inspect
import pkgutil
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

import adapters
from domain import ports

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "connectors.md").read_text(encoding="utf-8")
PORTS = (
    ports.Crm, ports.CrmReader, ports.Erp, ports.CustomerSuccess, ports.Support, ports.Usage, ports.ChangeFeed,
)  # fmt: skip
PROOFS = {
    "proven live",
    "proven against a contract",
    "from documentation only",
    "proven on the sandbox",
}
NEEDS_NO_SERVICE = {"SqlUsage", "PostgresOutbox"}
"""What they speak to is a database, which every run of the tests has: their live tests need no place of their own."""


@dataclass(frozen=True)
class Row:
    adapter: str
    operation: str
    guarantee: str
    proven: str
    test: str


def methods(kind: type) -> set[str]:
    """The public coroutines of a class or Protocol."""
    found = inspect.getmembers(kind, inspect.iscoroutinefunction)
    return {name for name, _ in found if not name.startswith("_")}


def adapter_classes() -> dict[str, type]:
    """Every class under adapters/ that speaks a whole port to somebody: the recording systems connect to nobody."""
    found: dict[str, type] = {}
    for module in pkgutil.walk_packages(adapters.__path__, "adapters."):
        if module.name.startswith("adapters.recording"):
            continue
        for name, kind in inspect.getmembers(importlib.import_module(module.name), inspect.isclass):
            if kind.__module__ == module.name and any(methods(port) <= methods(kind) for port in PORTS):
                found[name] = kind
    return found


def operations(kind: type) -> set[str]:
    """What an adapter offers: its ports' operations, and its probe."""
    spoken = set[str]().union(*(methods(port) for port in PORTS if methods(port) <= methods(kind)))
    return spoken | ({"probe"} & methods(kind))


def rows() -> list[Row]:
    found, adapter = [], ""
    for line in PAGE.partition("\n## What is proven\n")[2].splitlines():
        if heading := re.match(r"### `(\w+)`$", line):
            adapter = heading[1]
        elif adapter and line.startswith("|") and not line.startswith(("| operation", "|---")):
            names, guarantee, proven, test = (cell.strip() for cell in line.strip("|").split("|"))
            found += [Row(adapter, name.strip(), guarantee, proven, test) for name in names.split(",")]
    return found


ADAPTERS, ROWS = adapter_classes(), rows()


def test_every_adapter_is_on_the_page_and_no_other() -> None:
    assert {"SandboxErp", "TrytonErp", "StripeBilling"} <= set(ADAPTERS)
    assert {row.adapter for row in ROWS} == set(ADAPTERS)


@pytest.mark.parametrize("name", sorted(ADAPTERS))
def test_every_operation_has_one_row_with_the_class_that_is_declared(name: str) -> None:
    kind, told = ADAPTERS[name], [row for row in ROWS if row.adapter == name]
    assert sorted(row.operation for row in told) == sorted(operations(kind))
    declared = {operation: str(each.guarantee) for operation, each in getattr(kind, "effects", {}).items()}
    assert {row.operation: row.guarantee for row in told if row.guarantee != "read"} == declared


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.adapter}.{row.operation}")
def test_a_proof_is_of_its_kind(row: Row) -> None:
    assert row.proven in PROOFS
    assert (ROOT / row.test).is_file()
    assert row.adapter.startswith("Sandbox") == (row.proven == "proven on the sandbox")
    live = row.test.startswith("tests/live/") or row.adapter in NEEDS_NO_SERVICE
    assert live == (row.proven == "proven live")


def test_the_worked_example_passes_its_kit(tmp_path: Path) -> None:
    blocks = re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    assert len(blocks) == 3
    example = tmp_path / "test_relay.py"
    example.write_text("\n\n".join(blocks), encoding="utf-8")
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-c", str(ROOT / "pyproject.toml"), "-p", "no:cacheprovider", example],
        cwd=ROOT, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert run.returncode == 0, run.stdout[-4000:]
    passed = re.search(r"(\d+) passed", run.stdout)
    assert passed is not None, run.stdout[-4000:]
    assert int(passed[1]) > 12
