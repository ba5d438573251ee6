"""`tenure connections`, run as a person does, against a box of its own."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from domain.limits import Limit
from store.database import Database
from store.freezing import freeze
from store.limits import SqlLimits
from tests.ports import free_port
from tests.stores import lay

ROOT = Path(__file__).parents[3]
TOKEN = "planted-7d1f-token"
CONFIG = """
state_dir = "state"
[temporal]
port = {nobody}
[sandbox]
port = {box}
token = {{ value = "planted-7d1f-token" }}
[connections.crm]
kind = "crm"
mapping = "{root}/examples/mappings/salesforce.toml"
[connections.books-us]
kind = "erp"
default = true
limits = {{ per_second = 50, burst = 5, concurrent = 4 }}
[connections.books-de]
kind = "erp"
base_url = "http://127.0.0.1:{box}/erp"
token = {{ value = "planted-7d1f-wrong" }}
[[routes]]
kind = "erp"
connection = "books-de"
selling_entities = ["DE01"]
[[routes]]
kind = "erp"
connection = "books-us"
[connections.cs]
kind = "cs"
[connections.support]
kind = "support"
base_url = "http://127.0.0.1:{nobody}"
token = {{ env = "TENURE_SECRET_OF_SUPPORT" }}
[connections.usage]
kind = "usage"
base_url = "http://127.0.0.1:{nobody}/usage"
token = {{ value = "planted-7d1f-usage" }}
"""


class Shell:
    def __init__(self, home: Path) -> None:
        self.home = home
        self.port, self.nobody = free_port(), free_port()
        self.config = home / "tenure.toml"
        self.config.write_text(CONFIG.format(box=self.port, nobody=self.nobody, root=ROOT))

    @property
    def database(self) -> Database:
        (self.home / "state").mkdir(exist_ok=True)
        url = f"sqlite:///{self.home / 'state' / 'store.db'}"
        lay(url)
        return Database(url)

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        environment = os.environ | {"TENURE_CONFIG": str(self.config)}
        command = [sys.executable, "-c", "from starter.cli import main; main()", "connections", *arguments]
        done = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True)
        assert "planted-7d1f" not in done.stdout + done.stderr
        assert "Traceback" not in done.stderr
        return done

    def told(self, *arguments: str, code: int = 0) -> Any:
        done = self.run(*arguments, "--json")
        assert done.returncode == code, done.stderr
        return json.loads(done.stdout)

    def mistake(self, *arguments: str) -> str:
        done = self.run(*arguments)
        assert (done.returncode, done.stdout) == (2, "")
        [line] = done.stderr.splitlines()
        return line.removeprefix("tenure: ")

    def admin(self, path: str, body: Any) -> None:
        httpx.post(f"http://127.0.0.1:{self.port}/admin/{path}", json=body).raise_for_status()


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    return Shell(tmp_path)


@pytest.fixture
def box(shell: Shell) -> Iterator[Shell]:
    """The same, with its box running."""
    command = [sys.executable, "-m", "sandbox", "--port", str(shell.port), "--token", TOKEN]
    process = subprocess.Popen(command, cwd=ROOT)
    try:
        until = time.monotonic() + 30
        while process.poll() is None and time.monotonic() < until:
            try:
                httpx.get(f"http://127.0.0.1:{shell.port}/healthz").raise_for_status()
                break
            except httpx.TransportError:
                time.sleep(0.05)
        yield shell
    finally:
        process.terminate()
        process.wait(timeout=10)


def test_the_list_says_what_there_is_before_anything_was_kept(shell: Shell) -> None:
    found = {each["name"]: each for each in shell.told()}
    assert list(found) == ["crm", "books-us", "books-de", "cs", "support", "usage"]
    assert found["books-us"] == {
        "name": "books-us",
        "kind": "erp",
        "adapter": "sandbox",
        "address": f"http://127.0.0.1:{shell.port}/erp",
        "queue": "tenure-books-us",
        "limits": "50/s, burst 5, 4 at once",
        "limits_given": False,
        "frozen": False,
        "paused": 0.0,
        "state": "open",
    }
    assert not (shell.home / "state").exists()


async def test_the_list_shows_what_is_frozen_paused_and_given_by_hand(shell: Shell) -> None:
    database = shell.database
    await database.write(lambda session: freeze(session, "books-us", "month end"))
    await SqlLimits(database).pause("cs", 90)
    database.close()
    shell.told("limit", "books-us", "--per-second", "3")
    found = {each["name"]: each for each in shell.told()}
    assert (found["books-us"]["state"], found["books-us"]["frozen"]) == ("frozen: month end", True)
    assert (found["books-us"]["limits"], found["books-us"]["limits_given"]) == ("3/s, burst 5, 4 at once", True)
    assert 60 < found["cs"]["paused"] <= 90
    assert found["cs"]["state"].startswith("open; it wants no calls for ")
    assert "month end" in shell.run().stdout


def test_a_check_says_of_each_connection_what_is_wrong_and_how_to_mend_it(box: Shell) -> None:
    found = {each["name"]: each for each in box.told("check", code=1)}
    assert {name for name, each in found.items() if each["fine"]} == {"crm", "books-us", "cs"}
    [wrong] = found["books-de"]["problems"]
    assert wrong["what"] == "erp.probe: HTTP 401: a bearer token is needed"
    assert wrong["mend"].startswith("give it credentials that are accepted there")
    [unset] = found["support"]["problems"]
    assert unset["what"] == "connections.support.token: the environment variable TENURE_SECRET_OF_SUPPORT is not set"
    [away] = found["usage"]["problems"]
    assert away["what"] == "usage.probe: no connection (ConnectError)"
    assert f"http://127.0.0.1:{box.nobody}/usage is right" in away["mend"]
    assert box.run("check").stdout.count("something is wrong") == 3


def test_a_check_of_one_connection_finds_missing_rights_fields_and_a_wrong_clock(box: Shell) -> None:
    assert box.run("check", "books-us").returncode == 0
    box.admin("access", {"system": "erp", "read_only": True, "without": ["external_id"]})
    box.admin("clock", {"now": (datetime.now(UTC) + timedelta(minutes=7)).isoformat()})
    done = box.run("check", "books-us")
    assert done.returncode == 1
    first, *problems = done.stdout.splitlines()
    assert first == f"books-us: something is wrong (sandbox, http://127.0.0.1:{box.port}/erp)"
    assert problems[:2] == [
        "  the credentials may only read the erp; let them write there, too",
        "  the erp has no field external_id; add the text field external_id in the erp",
    ]
    assert problems[2].startswith("  its clock is 420 s ahead of this machine's; set both clocks")
    [told] = box.told("check", "books-us", code=1)
    assert 410 < told["skew"] < 430


def test_a_limit_is_given_shown_and_reset(shell: Shell) -> None:
    assert shell.told("limit", "books-us")["per_second"] == 50
    given = shell.told("limit", "books-us", "--per-second", "2.5", "--concurrent", "1")
    limit = Limit(per_second=2.5, burst=5, concurrent=1).model_dump()
    assert given == {"connection": "books-us", **limit, "given": True, "paused": 0.0}
    assert shell.told("limit", "books-us") == given
    assert shell.told("limit", "books-us", "--unlimited")["per_second"] is None
    assert shell.run("limit", "books-us", "--reset").stdout == "books-us: 50/s, burst 5, 4 at once (from tenure.toml)\n"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["limit", "books"], "there is no connection 'books'; known: crm, books-us, books-de, cs, support, usage"),
        (["check", "books"], "there is no connection 'books'; known: crm, books-us, books-de, cs, support, usage"),
        (
            ["limit", "cs", "--per-second", "0"],
            "a limit is a number above 0 and at most 10000; to stop it: tenure freeze",
        ),
        (["limit", "cs", "--per-second", "nan"], "a limit is a number above 0 and at most 10000"),
        (["limit", "cs", "--burst", "-1"], "a limit is a number above 0 and at most 10000"),
        (["limit", "cs", "--burst", "2"], "--burst: it needs --per-second"),
        (["limit", "cs", "--reset", "--burst", "2"], "give either numbers, or --unlimited, or --reset"),
    ],
)
def test_mistakes_are_one_line(shell: Shell, arguments: list[str], said: str) -> None:
    assert shell.mistake(*arguments).startswith(said)
