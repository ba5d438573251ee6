"""The demo on the real ERP, as `make demo ERP=tryton` plays it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.ports import free_port

ROOT = Path(__file__).parents[2]
TENURE = str(Path(sys.executable).with_name("tenure"))
PORTS = ("TEMPORAL__PORT", "TEMPORAL__UI_PORT", "GATEWAY__PORT", "EXPERIENCE__PORT", "SANDBOX__PORT", "ERP__PORT")


@pytest.mark.timeout(600)
def test_everything_happens_once_in_tryton_too(tmp_path: Path) -> None:
    ours = {name: value for name, value in os.environ.items() if not name.startswith(("TENURE_", "TEMPORAL_"))}
    ours |= {f"TENURE_{name}": str(free_port()) for name in PORTS} | {"TENURE_STATE_DIR": str(tmp_path / "state")}

    def tenure(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([TENURE, *words], cwd=ROOT, env=ours, capture_output=True, text=True, timeout=500)

    try:
        played = tenure("demo", "--erp", "tryton", "--json")
        assert played.returncode == 0, played.stderr
        proof = json.loads(played.stdout)
        assert {what for what in proof if what.endswith("(Tryton)")} >= {
            f"{what} (Tryton)" for what in ("customers", "subscriptions", "amendments", "renewals", "paid invoices")
        }
        assert all(count["wanted"] == count["found"] == 1 for count in proof.values()), proof
        states = {process["name"]: process["state"] for process in json.loads(tenure("status", "--json").stdout)}
        assert states["erp"] == states["erp-database"] == "ready"
    finally:
        stopped = tenure("down", "--json")
    assert {"erp", "erp-database"} <= set(json.loads(stopped.stdout)["stopped"])
