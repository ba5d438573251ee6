"""Settings of a stack that shares nothing with any other: its own directory and free ports."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from starter.settings import Settings, load_settings
from tests import ports

FreePort = Callable[[], int]


@pytest.fixture(autouse=True)
def _no_configuration_from_outside(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in list(os.environ):
        if name.startswith(("TENURE_", "TEMPORAL_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("TEMPORAL_CONFIG_FILE", str(tmp_path / "no-such-profile.toml"))


@pytest.fixture
def free_port() -> FreePort:
    return ports.free_port


@pytest.fixture
def settings(tmp_path: Path, free_port: FreePort, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.chdir(tmp_path)
    return load_settings(
        state_dir=tmp_path / "state",
        gateway={"port": free_port()},
        experience={"port": free_port()},
        sandbox={"port": free_port()},
        temporal={"port": free_port(), "ui_port": free_port()},
        tuning={"grace": 2.0},
    )
