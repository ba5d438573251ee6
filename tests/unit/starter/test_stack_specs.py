"""What the local stack starts, and with which flags."""

import pytest

from starter.secrets import make_secrets
from starter.settings import READY_FILE_VARIABLE, Settings
from starter.stack_specs import ProcessSpec, local_specs

TIME_SKIPPING = "frontend.WorkflowTimeSkippingEnabled=true"


def specs(settings: Settings, *, time_travel: bool = False) -> dict[str, ProcessSpec]:
    return {spec.name: spec for spec in local_specs(settings, time_travel=time_travel)}


def test_the_whole_stack_in_order_of_dependency(settings: Settings) -> None:
    stack = specs(settings)
    assert list(stack) == ["temporal", "sandbox", "gateway", "experience", "dispatcher", "worker"]
    assert {name for name, spec in stack.items() if "temporal" in spec.after} == {"dispatcher", "worker"}
    assert {port.number for spec in stack.values() for port in spec.ports} == set(settings.ports().values())


def test_the_server_is_tuned_private_and_quiet(settings: Settings) -> None:
    command = specs(settings)["temporal"].command
    flags = " ".join(command)
    assert f"--ip 127.0.0.1 --port {settings.temporal.port} --ui-port {settings.temporal.ui_port}" in flags
    assert f"--db-filename {settings.state_path / 'temporal.db'}" in flags
    assert "history.transferProcessorMaxPollRPS=2000" in command
    assert "journal_mode=WAL" in command
    assert "--ui-disable-news-fetch" in command


def test_time_is_skipped_only_when_asked(settings: Settings) -> None:
    assert TIME_SKIPPING not in specs(settings)["temporal"].command
    command = specs(settings, time_travel=True)["temporal"].command
    assert TIME_SKIPPING in command
    assert 'history.timerProcessorMaxTimeShift="10ms"' in command


def test_no_server_is_started_when_another_one_is_named(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEMPORAL_ADDRESS", "cluster.example:7233")
    stack = specs(settings)
    assert list(stack) == ["sandbox", "gateway", "experience", "dispatcher", "worker"]
    assert not any(spec.after for spec in stack.values())


def test_our_processes_get_these_settings_and_tell_when_they_are_ready(settings: Settings) -> None:
    stack = specs(settings)
    for name in ("gateway", "experience", "dispatcher", "worker"):
        assert settings.environment().items() <= stack[name].environment.items()
    for name in ("dispatcher", "worker"):
        spec = stack[name]
        assert spec.ready_file is not None
        assert spec.environment[READY_FILE_VARIABLE] == str(spec.ready_file)
        assert not spec.ready()
        spec.ready_file.parent.mkdir(parents=True, exist_ok=True)
        spec.ready_file.touch()
        assert spec.ready()


def test_a_sandbox_without_a_webhook_source_sends_none(settings: Settings) -> None:
    make_secrets(settings)
    assert "--webhook-url" not in specs(settings)["sandbox"].command
