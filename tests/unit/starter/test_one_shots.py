"""The commands that an installation runs once and that end: migrations, and the epoch after a restore."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from store.database import Database
from store.epoch import read_epoch
from store.migrate import head

ROOT = Path(__file__).parents[3]


def run(module: str, *arguments: str, url: str) -> tuple[int, str, str]:
    environment = {**os.environ, "TENURE_STORE_URL": url, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", module, *arguments]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout, done.stderr


def test_migrations_run_by_themselves_and_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for _ in range(2):
        answer = run("starter.migrate", url=f"sqlite:///{tmp_path / 'new.db'}")
        assert answer == (0, f"the store is at revision {head()}\n", "")


def test_an_epoch_begins_and_is_settled(either_url: str) -> None:
    code, told, _ = run("starter.epoch", "begin", url=either_url)
    assert (code, told.partition(":")[0]) == (0, "epoch 1")
    database = Database(either_url)
    try:
        assert database.read_sync(read_epoch).missing_in_doubt
        assert run("starter.epoch", "settle", url=either_url)[0] == 0
        after = database.read_sync(read_epoch)
    finally:
        database.close()
    assert (after.number, after.missing_in_doubt) == (1, False)


@pytest.mark.parametrize("command", [("starter.migrate",), ("starter.epoch", "begin")])
def test_what_is_wrong_is_one_line(command: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    code, _, said = run(*command, url="postgresql://nobody@127.0.0.1:9/tenure")
    assert (code, said.count("\n")) == (1, 1)
    assert "the store does not answer" in said
    code, _, said = run(*command, url="mysql://db/tenure")
    assert (code, said.count("\n")) == (2, 1)
