"""Which ERP a stack has: chosen, configured, or remembered; and what that means for its connections and routes."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from starter.erp.guard import Guarded
from starter.local_erp import parse_erp, remember
from starter.mistakes import Mistake
from starter.processes import birth
from starter.settings import Settings, load_settings
from starter.stack_specs import local_specs

ROOT = Path(__file__).parents[3]


def of_demo(state: Path, **chosen: str) -> Settings:
    return load_settings(ROOT / "tenure.toml", state_dir=state, **chosen)  # type: ignore[arg-type]  # pydantic reads them


def test_without_a_choice_the_erp_is_the_sandboxs(tmp_path: Path) -> None:
    settings = of_demo(tmp_path)

    assert settings.erp.system == "sandbox"
    assert settings.landscape.of_kind("erp") == ("erp",)
    assert "erp" not in {spec.name for spec in local_specs(settings, time_travel=False)}


def test_tryton_takes_every_new_order_and_leaves_the_others_where_they_are(tmp_path: Path) -> None:
    settings = of_demo(tmp_path, local_erp="tryton")

    assert settings.connections["tryton"].base_url == "http://127.0.0.1:8702"
    assert settings.landscape.of_kind("erp") == ("erp", "tryton")
    assert settings.landscape.homes["erp"] == "erp"
    assert [(route.kind, route.connection) for route in settings.landscape.routes] == [("erp", "tryton")]
    assert settings.feeds["tryton"].connection == "tryton"


def test_its_two_processes_are_started_before_what_needs_them_and_in_order(tmp_path: Path) -> None:
    specs = {spec.name: spec for spec in local_specs(of_demo(tmp_path, local_erp="tryton"), time_travel=False)}

    assert specs["erp"].after == ("erp-database",)
    assert [port.setting for port in specs["erp"].ports] == ["erp.port"]
    assert specs["erp-database"].stop is signal.SIGINT
    assert not (tmp_path / "erp").exists(), "to look at the specs makes nothing"


def test_the_choice_is_remembered_until_another_one_is_made(tmp_path: Path) -> None:
    remember(of_demo(tmp_path, local_erp="tryton"))
    assert of_demo(tmp_path).erp.system == "tryton"

    remember(of_demo(tmp_path, local_erp="sandbox"))
    assert of_demo(tmp_path).erp.system == "sandbox"


@pytest.mark.parametrize("broken", ["", "[]", '{"system": "try', '{"system": "sap"}'])
def test_a_choice_that_cannot_be_read_is_not_taken_for_the_sandbox(tmp_path: Path, broken: str) -> None:
    (tmp_path / "erp.json").write_text(broken)
    with pytest.raises(Mistake, match=r"erp\.json can't be read: remove it"):
        of_demo(tmp_path)


def test_lifecycles_that_live_with_tryton_keep_it_when_new_orders_go_elsewhere(tmp_path: Path) -> None:
    remember(of_demo(tmp_path, local_erp="tryton"))
    remember(of_demo(tmp_path, local_erp="sandbox"))

    settings = of_demo(tmp_path)

    assert settings.landscape.of_kind("erp") == ("erp", "tryton")
    assert [(route.kind, route.connection) for route in settings.landscape.routes] == [("erp", "erp")]
    assert "erp" in {spec.name for spec in local_specs(settings, time_travel=False)}


def test_a_process_of_the_stack_sees_the_same_erp(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = of_demo(tmp_path, local_erp="tryton")
    for name, value in settings.environment().items():
        monkeypatch.setenv(name, value)

    seen = load_settings()

    assert (seen.connections, seen.feeds, seen.routes) == (settings.connections, settings.feeds, settings.routes)


def test_a_connection_of_the_same_name_is_refused(tmp_path: Path) -> None:
    config = tmp_path / "tenure.toml"
    taken = '[connections.tryton]\nkind = "erp"\nadapter = "tryton"\nbase_url = "https://erp.example.com"\n'
    config.write_text(taken)

    assert load_settings(config).connections["tryton"].base_url == "https://erp.example.com"
    with pytest.raises(Mistake, match=r"connections\.tryton: the name is the local ERP's"):
        load_settings(config, local_erp="tryton")


def test_an_unknown_erp_is_one_clear_line() -> None:
    assert parse_erp(None) is None
    with pytest.raises(Mistake, match="--erp: 'sap' is not one of sandbox, tryton"):
        parse_erp("sap")


# A run that starts a process under guard, says its pid, and waits to be killed.
RUN = """
import sys, time
from pathlib import Path
from starter.erp.guard import Guarded
home = Path(sys.argv[1])
with Guarded(home) as guarded:
    process = guarded.start([sys.executable, "-c", "import time; time.sleep(600)"], home / "log")
    print(process.pid, flush=True)
    time.sleep(600)
"""


def test_a_guarded_process_ends_with_the_run_that_started_it_however_that_ends(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(
        [sys.executable, "-c", RUN, str(home)], stdout=subprocess.PIPE, text=True, env=environment
    ) as run:
        assert run.stdout is not None
        pid = int(run.stdout.readline())
        assert birth(pid) is not None
        run.kill()
    deadline = time.monotonic() + 15
    while (birth(pid) is not None or home.exists()) and time.monotonic() < deadline:
        time.sleep(0.05)

    assert birth(pid) is None
    assert not home.exists()


def test_a_guard_whose_run_ends_well_kills_nobody(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    with Guarded(home) as guarded:
        process = guarded.start([sys.executable, "-c", "import time; time.sleep(600)"], home / "log")

    assert process.returncode == -signal.SIGTERM
    assert not home.exists()


def test_its_port_is_nobody_elses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TENURE_ERP__PORT", "8701")
    monkeypatch.setenv("TENURE_SANDBOX__PORT", "8701")
    with pytest.raises(Mistake, match=r"erp\.port and sandbox\.port are both 8701"):
        load_settings(ROOT / "tenure.toml", state_dir=tmp_path, local_erp="tryton")
