"""The gateway as a process of the local stack: it starts from nothing, keeps what it took, and stops gracefully."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
from standardwebhooks import Webhook

from starter.settings import Settings, load_settings
from starter.stack import LocalStack, StackError
from starter.stack_specs import local_specs
from tests.ports import free_port

WITH_A_WEBHOOK = """
[connections.crm]
kind = "crm"
[webhooks.crm]
connection = "crm"
secrets = [{ generated = "secrets/webhook" }]
"""
WITH_A_MISSING_SECRET = WITH_A_WEBHOOK.replace("generated", "file")


@pytest.fixture
def configured(settings: Settings, tmp_path: Path) -> Settings:
    return _with_file(settings, tmp_path, WITH_A_WEBHOOK)


@pytest.fixture
def stack(configured: Settings) -> Iterator[LocalStack]:
    stack = _gateway_alone(configured)
    yield stack
    stack.down()


def _with_file(settings: Settings, directory: Path, text: str) -> Settings:
    file = directory / "tenure.toml"
    file.write_text(text)
    return load_settings(file, **settings.model_dump(include={"state_dir", "gateway", "sandbox", "temporal", "tuning"}))


def _gateway_alone(settings: Settings) -> LocalStack:
    return LocalStack(
        settings,
        lambda settings, *, time_travel: [
            spec for spec in local_specs(settings, time_travel=time_travel) if spec.name == "gateway"
        ],
    )


def _send(settings: Settings, event_id: str) -> httpx.Response:
    body = json.dumps({"specversion": "1.0", "id": event_id, "source": "/crm", "type": "unknown", "data": {}})
    now = datetime.now(UTC)
    headers = {
        "webhook-id": event_id,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": Webhook(settings.webhook_secrets("crm")[0]).sign(event_id, now, body),
    }
    return httpx.post(f"{settings.gateway_url}/webhooks/crm", content=body, headers=headers, trust_env=False)


def _stored(settings: Settings) -> list[str]:
    with closing(sqlite3.connect(settings.state_path / "store.db")) as store:
        return [row[0] for row in store.execute("SELECT event_id FROM inbox ORDER BY id")]


def test_what_was_acknowledged_survives_a_sigkill(stack: LocalStack, configured: Settings) -> None:
    stack.up()
    assert _send(configured, "evt-1").status_code == 202
    stack.kill("gateway")
    assert _stored(configured) == ["evt-1"]
    stack.start("gateway")
    assert _send(configured, "evt-1").json()["status"] == "duplicate"
    assert _send(configured, "evt-2").json()["status"] == "dead_letter"
    assert _stored(configured) == ["evt-1", "evt-2"]


def test_it_stops_gracefully_and_logs_json(stack: LocalStack, configured: Settings) -> None:
    stack.up()
    _send(configured, "evt-1")
    assert stack.kill("gateway", signal.SIGTERM)
    deadline = time.monotonic() + 10
    while stack.status()[0].state != "stopped" and time.monotonic() < deadline:
        time.sleep(0.05)
    assert stack.status()[0].state == "stopped"
    lines = [json.loads(line) for line in stack.log_file("gateway").read_text().splitlines()]
    assert {"process": "gateway", "event_id": "evt-1", "outcome": "dead_letter"}.items() <= {
        key: value for line in lines for key, value in line.items()
    }.items()
    assert "Traceback" not in stack.log_file("gateway").read_text()


def test_a_missing_secret_is_told_at_the_start(settings: Settings, tmp_path: Path) -> None:
    stack = _gateway_alone(_with_file(settings, tmp_path, WITH_A_MISSING_SECRET))
    with pytest.raises(StackError, match=r"tenure gateway: webhooks\.crm\.secrets\[0\]: can't read"):
        stack.up()
    assert stack.status()[0].state == "stopped"


def _start_with(directory: Path) -> "subprocess.CompletedProcess[str]":
    """A gateway with the directory's `tenure.toml`, which can't start."""
    return subprocess.run(
        [sys.executable, "-m", "starter.gateway"],
        cwd=directory,
        env={**os.environ, "TENURE_CONFIG": str(directory / "tenure.toml")},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_a_wrong_file_is_one_line_and_no_traceback(tmp_path: Path) -> None:
    (tmp_path / "tenure.toml").write_text("tenent = 1")
    answer = _start_with(tmp_path)
    assert answer.returncode == 2
    assert answer.stderr.startswith("tenure gateway: ")
    assert "tenent: no such setting" in answer.stderr
    assert len(answer.stderr.splitlines()) == 1


def test_a_store_that_is_away_is_one_line_and_no_traceback(tmp_path: Path) -> None:
    (tmp_path / "tenure.toml").write_text(f'store_url = "postgresql://tenure@127.0.0.1:{free_port()}/tenure"')
    answer = _start_with(tmp_path)
    assert answer.returncode == 1
    assert answer.stderr.splitlines()[-1].startswith("tenure gateway: ")
    assert "Traceback" not in answer.stderr
