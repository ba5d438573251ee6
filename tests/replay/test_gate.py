"""The replay gate is green over the corpus, and red for each kind of change that would break a running lifecycle."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from starter.replaying.corpus import EXPECTED, HISTORIES, HISTORY, check_corpus, recorded_paths
from tests.replay.paths import PATHS
from tests.replay.record import version

ROOT = Path(__file__).resolve().parents[2]
CODE = ("activities", "domain", "starter", "workflows")


@pytest.mark.parametrize("path", sorted({path for _, path in recorded_paths()}))
async def test_every_recorded_life_can_still_be_lived(path: str) -> None:
    assert list(map(str, await check_corpus(only=[path]))) == []


def test_this_versions_corpus_holds_every_path() -> None:
    assert {path for held, path in recorded_paths() if held == version()} == set(PATHS)


def gate(copy: Path, path: str) -> tuple[int, str]:
    """Run the gate over one path with the code in `copy`, in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-m", "starter.replaying", str(HISTORIES), path],
        cwd=copy,
        env={**os.environ, "PYTHONPATH": str(copy), "RUST_LOG": "off", "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done.returncode, done.stderr


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The code that a worker replays with, and the gate, to be changed by a test."""
    for package in CODE:
        shutil.copytree(ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__", "histories"))
    return tmp_path


def change(copy: Path, file: str, old: str, new: str) -> None:
    code = (copy / file).read_text()
    assert code.count(old) == 1, f"{file} has {code.count(old)} times {old!r}: give the test its new wording"
    (copy / file).write_text(code.replace(old, new))


def test_an_unchanged_copy_is_green(copy: Path) -> None:
    assert gate(copy, "happy") == (0, "")


def test_a_change_of_what_people_are_shown_is_green(copy: Path) -> None:
    change(copy, "domain/projection.py", "waits for the milestone", "is waiting for the milestone")
    change(copy, "domain/outcomes.py", "create the customer in the ERP", "make the customer in the ERP")
    assert gate(copy, "happy") == (0, "")


@pytest.mark.parametrize(
    ("path", "file", "old", "new", "told"),
    [
        pytest.param(
            "happy",
            "workflows/lifecycle.py",
            "    async def _engage(self) -> None:\n",
            "    async def _engage(self) -> None:\n        await asyncio.sleep(1)\n",
            "can't be replayed",
            id="a command inserted",
        ),
        pytest.param(
            "churn",
            "workflows/renewal.py",
            "            self._lanes.ask(plan.start_playbook(s, term, review))\n",
            "",
            "can't be replayed",
            id="a command removed",
        ),
        pytest.param(
            "happy",
            "domain/reactions.py",
            'state.quantities[line.id] if event.mode == "difference" else 0',
            "0",
            "quantities",
            id="an activity's input changed",
        ),
        pytest.param(
            "bad_order_fixed",
            "domain/keys.py",
            'return f"subscription:{contract}"',
            'return f"the-subscription:{contract}"',
            "the-subscription:",
            id="an effect's key changed",
        ),
        pytest.param(
            "churn",
            "domain/calendar.py",
            "return term.ends - timedelta(days=_window_days(terms))\n",
            "return term.ends - timedelta(days=_window_days(terms) + 1)\n",
            "timer",
            id="a timer moved",
        ),
        pytest.param(
            "cancelled_early",
            "workflows/lifecycle.py",
            'outcome="cancelled" if s.cancelled else "ended"',
            'outcome="ended"',
            "result",
            id="the result changed",
        ),
        pytest.param(
            "churn",
            "domain/steps.py",
            "hexdigest()[:16]",
            "hexdigest()[:12]",
            "final state is another: .told",
            id="the final state changed",
        ),
        pytest.param(
            "continued",
            "domain/steps.py",
            "hexdigest()[:16]",
            "hexdigest()[:12]",
            "can't be replayed",
            id="what an earlier run had told is told anew",
        ),
    ],
)  # fmt: skip
def test_a_breaking_change_is_red_and_says_what_to_do(
    copy: Path, path: str, file: str, old: str, new: str, told: str
) -> None:
    change(copy, file, old, new)
    code, message = gate(copy, path)
    assert code == 1
    assert f"replay gate: 0.1.0/{path}: " in message
    assert told in message
    assert "workflow.patched" in message
    assert "python -m tests.replay.record" in message


def test_a_history_with_anothers_expectations_is_red(copy: Path, tmp_path: Path) -> None:
    folder, recorded = tmp_path / "mixed", HISTORIES / "0.1.0"
    (folder / "0.1.0").mkdir(parents=True)
    shutil.copy(recorded / f"churn{HISTORY}", folder / "0.1.0" / f"churn{HISTORY}")
    shutil.copy(recorded / f"happy{EXPECTED}", folder / "0.1.0" / f"churn{EXPECTED}")
    done = subprocess.run(
        [sys.executable, "-m", "starter.replaying", str(folder)],
        cwd=copy, env={**os.environ, "PYTHONPATH": str(copy)}, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert "replay gate: 0.1.0/churn: " in done.stderr
