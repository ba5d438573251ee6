"""The gate tells what breaks a lifecycle from what does not: a few mutants here, all of them with `make mutants`."""

import ast
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from starter.replaying.corpus import recorded_paths
from tests.replay.mutating.operators import Edit, NoSuchPlace, mutated
from tests.replay.mutating.site import BREAKING, HARMLESS

ROOT = Path(__file__).resolve().parents[2]


def test_every_mutant_can_be_made_of_todays_code(tmp_path: Path) -> None:
    """After a change of workflow code: give the mutation that is named here its new words."""
    assert len(BREAKING) >= 40
    assert len(HARMLESS) >= 20
    names = [site.name for site in (*BREAKING, *HARMLESS)]
    assert len(set(names)) == len(names)
    paths = {path for _, path in recorded_paths()}
    for site in (*BREAKING, *HARMLESS):
        assert site.shows in paths
        try:
            site.write(tmp_path)
        except NoSuchPlace as error:
            pytest.fail(f"{site.name} [{site.file}, {site.scope}]: {error}")
        ast.parse((tmp_path / site.file).read_text())


@pytest.mark.timeout(300)
def test_a_few_of_them_are_judged_rightly() -> None:
    """Others each day; the seed is in what is printed."""
    seed = datetime.now(UTC).date().toordinal()
    done = subprocess.run(
        [sys.executable, "-m", "tests.replay.mutate", "--few", "3", "--seed", str(seed)],
        cwd=ROOT, capture_output=True, text=True, timeout=280, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "3 breaking and 3 harmless mutants, 0 judged wrongly" in done.stdout


@pytest.mark.parametrize(
    ("edit", "becomes"),
    [
        (Edit("remove", "first()"), "def f():\n    pass\n    second()\n"),
        (Edit("swap", "first()"), "def f():\n    second()\n    first()\n"),
        (Edit("insert", "second()", "third()"), "def f():\n    first()\n    third()\n    second()\n"),
        (Edit("only if", "second()", "ready"), "def f():\n    first()\n    if ready:\n        second()\n"),
        (Edit("replace", "second", "other"), "def f():\n    first()\n    other()\n"),
    ],
    ids=lambda value: value.operator if isinstance(value, Edit) else "",
)
def test_an_operator_changes_what_it_names(edit: Edit, becomes: str) -> None:
    assert mutated("def f():\n    first()\n    second()\n", "f", (edit,)) == becomes


@pytest.mark.parametrize("at", ["third()", "same()"])
def test_a_place_that_is_not_there_once_is_refused(at: str) -> None:
    with pytest.raises(NoSuchPlace):
        mutated("same()\nsame()\n", "", (Edit("remove", at),))
