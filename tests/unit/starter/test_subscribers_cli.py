"""`tenure subscribers`, run as a person does: another process, its output and its exit code."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from sqlmodel import Session, select

from starter.settings import SettingsError, load_settings
from store.database import Database
from store.outgoing import relay
from store.tables import OutgoingDeliveryRow, OutgoingRow
from tests.stores import lay

CONFIG = """
state_dir = "state"
[subscribers.crm]
url = "https://crm.example.com/hook"
secrets = [{ value = "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA" }]
"""


class Shell:
    def __init__(self, home: Path) -> None:
        self.home = home
        self.config = home / "tenure.toml"
        self.config.write_text(CONFIG)

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        environment = os.environ | {"TENURE_CONFIG": str(self.config)}
        tenure = Path(sys.executable).with_name("tenure")
        return subprocess.run(
            [str(tenure), "subscribers", *arguments], env=environment, cwd=self.home, capture_output=True, text=True
        )

    def mistake(self, *arguments: str) -> str:
        done = self.run(*arguments)
        assert (done.returncode, done.stdout) == (2, "")
        [line] = done.stderr.splitlines()
        return line.removeprefix("tenure: ")


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    """Of two contracts the first event is held, and a second one waits behind it."""
    (tmp_path / "state").mkdir()
    url = f"sqlite:///{tmp_path / 'state' / 'store.db'}"
    lay(url)
    database = Database(url)

    def fill(session: Session) -> None:
        for n, contract in enumerate(("crm/d1/1", "crm/d2/1") * 2):
            session.add(OutgoingRow(event_id=f"{n}", contract=contract, type="t", body={}, created_at=1.0))
        session.flush()
        relay(session, {"crm": ("*",)})
        for row in session.exec(select(OutgoingDeliveryRow).limit(2)):
            row.state, row.problem = "held", "it answered 500"

    database.write_sync(fill)
    database.close()
    return Shell(tmp_path)


def test_the_list_says_what_each_has_not_got_and_why(shell: Shell) -> None:
    [crm] = json.loads(shell.run("--json").stdout)
    assert (crm["name"], crm["url"], crm["state"]) == ("crm", "https://crm.example.com/hook", "active")
    assert (crm["pending"], crm["held"], crm["problem"]) == (2, 2, "it answered 500")
    assert crm["oldest"] > 0
    text = shell.run().stdout
    assert "crm" in text
    assert "500" in text
    shell.config.write_text('state_dir = "state"')
    assert json.loads(shell.run("--json").stdout)[0]["state"] == "not configured"


def test_held_events_are_retried_and_skipped(shell: Shell) -> None:
    done = json.loads(shell.run("retry", "crm", "--contract", "d2", "--json").stdout)
    assert done == {"subscriber": "crm", "contract": "crm/d2/1", "events": 1}
    assert shell.run("skip", "crm").stdout == "1 held event(s) for crm: skipped\n"
    assert shell.mistake("retry", "crm") == "nothing is held for crm"
    [crm] = json.loads(shell.run("--json").stdout)
    assert (crm["pending"], crm["held"]) == (3, 0)


def test_a_mistake_is_one_line(shell: Shell) -> None:
    assert shell.mistake("retry", "erp") == "there is no subscriber 'erp'; known: crm"
    assert shell.mistake("skip", "crm", "--contract", "crm/") == (
        "crm, contract 'crm/': it could be crm/d1/1, crm/d2/1"
    )
    assert shell.mistake("skip", "crm", "--contract", "d3").endswith("nothing of such a contract is held")


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ('url = "http://crm.example.com"', "url: plain http goes to this machine only; use https"),
        ('url = "https://jo:pw@crm.example.com"', "url: write it as https://host/path, without a user or password"),
        ('url = "https://crm.example.com:99999"', "url: Port out of range 0-65535"),
        ('url = "crm"', "url: write it as https://host/path, without a user or password"),
        ('types = ["tenure.lifecyle.*"]', "types: 'tenure.lifecyle.*' matches no event that Tenure publishes"),
        ("secrets = []", "secrets: Tuple should have at least 1 item after validation, not 0"),
        ("colour = 1", "colour: no such setting"),
    ],
)
def test_a_subscriber_that_can_not_be_is_refused(tmp_path: Path, line: str, reason: str) -> None:
    key = line.partition(" ")[0]
    kept = [each for each in CONFIG.splitlines() if not each.startswith(f"{key} ")]
    config = tmp_path / "tenure.toml"
    config.write_text("\n".join([*kept, line]))
    with pytest.raises(SettingsError) as refused:
        load_settings(config)
    assert str(refused.value) == f"{config}: subscribers.crm.{reason}"
