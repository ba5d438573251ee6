"""`tenure simulate` as a user runs it: no stack is up, nothing is left behind, and the same file is the same ledger."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.stack import ROOT

ANNUAL = "examples/contracts/annual_saas.toml"


def simulate(*words: str, state: Path) -> subprocess.CompletedProcess[str]:
    ours = {name: value for name, value in os.environ.items() if not name.startswith(("TENURE_", "TEMPORAL_"))}
    command = [sys.executable, "-c", "from starter.cli import main; main()", "simulate", *words]
    environment = {**ours, "TENURE_STATE_DIR": str(state)}
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120)


def test_twice_the_same_to_the_byte_and_nothing_is_left(tmp_path: Path) -> None:
    script = tmp_path / "script.toml"
    script.write_text('decide = "renew"\n[[at]]\nafter = "2 months"\noutage = { system = "erp", days = 1 }\n')
    first, second = [simulate(ANNUAL, "--script", str(script), state=tmp_path / "state") for _ in range(2)]
    assert (first.returncode, first.stderr) == (0, "")
    assert first.stdout.encode() == second.stdout.encode()
    lines = first.stdout.splitlines()
    assert lines[0].startswith("2026-11-20  activation:crm/EX-ANNUAL-1/1 ")
    assert lines[-1] == "On 2029-11-20: term 4, serving; no open case."
    assert not (tmp_path / "state").exists()


def test_as_json_it_is_the_same_ledger(tmp_path: Path) -> None:
    done = simulate(ANNUAL, "--years", "1", "--json", state=tmp_path / "state")
    future = json.loads(done.stdout)
    assert [line["on"] for line in future["lines"]] == sorted(line["on"] for line in future["lines"])
    assert (future["contract"], future["stage"]) == ("crm/EX-ANNUAL-1/1", "out_of_term")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["nowhere.toml"], "tenure: nowhere.toml: No such file or directory"),
        (
            ["examples/payloads/salesforce_new_broken.json"],
            "tenure: examples/payloads/salesforce_new_broken.json: the order can't be activated as it is:",
        ),
        ([ANNUAL, "--years", "0"], "tenure: Invalid value for '--years'"),
        ([ANNUAL, "--decide", "maybe"], "tenure: Invalid value for '--decide'"),
        ([ANNUAL, "--script", "nowhere.toml"], "tenure: nowhere.toml: No such file or directory"),
        ([ANNUAL, "--script", "README.md"], "tenure: README.md: it is not TOML"),
    ],
)
def test_what_can_t_be_simulated_is_told_at_once(words: list[str], told: str, tmp_path: Path) -> None:
    done = simulate(*words, state=tmp_path / "state")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(told)
    assert "Traceback" not in done.stderr
