"""`tenure events`: the catalog, one contract, and the files that are made from it."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from domain.events import CATALOG
from domain.events.documents import documents
from domain.events.schemas import schemas
from starter.cli.catalog import write_documents
from starter.mistakes import Mistake

TENURE = str(Path(sys.executable).with_name("tenure"))
NAME = "tenure.invoice.partly_paid.v1"


def tenure(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([TENURE, "events", *arguments], capture_output=True, text=True, check=False)


def test_the_catalog_is_listed() -> None:
    listed = tenure()
    assert listed.returncode == 0
    assert all(name in listed.stdout for name in CATALOG)
    (row,) = [row for row in json.loads(tenure("--json").stdout) if row["type"] == NAME]
    assert (row["owner"], row["truth"], row["movement"], row["since"]) == ("finance", "erp", True, "0.2")
    assert row["meaning"] == "A part of an invoice was paid; what stays open stays due."


def test_one_contract_is_shown_with_its_schema() -> None:
    shown = tenure(NAME)
    assert shown.returncode == 0
    assert f"owner: finance · truth: erp · subject: {CATALOG[NAME].contract_.subject} · since 0.2" in shown.stdout
    assert '"credit_note"' not in shown.stdout
    assert '"paid_on"' in shown.stdout
    assert json.loads(tenure(NAME, "--json").stdout) == schemas()[NAME]


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["tenure.invoice.partly_payed.v1"], f"did you mean {NAME}?"),
        (["what"], "unknown event type 'what'; `tenure events` shows those that are known"),
        ([NAME, "--write", "x"], "--write writes all contracts: give no type with it"),
    ],
)
def test_a_mistake_is_one_line(arguments: list[str], line: str, tmp_path: Path) -> None:
    answer = tenure(*arguments)
    assert answer.returncode == 2
    assert answer.stdout == ""
    assert line in answer.stderr
    assert len(answer.stderr.splitlines()) == 1


def test_the_files_are_written_once_and_again(tmp_path: Path) -> None:
    folder = tmp_path / "docs" / "events"
    for _ in range(2):
        write_documents(folder)
        assert {path.name: path.read_text(encoding="utf-8") for path in folder.iterdir()} == documents()


def test_what_breaks_a_contract_is_not_written(tmp_path: Path) -> None:
    """What stands in the folder was accepted: here with a field and an event that the code has no more."""
    write_documents(tmp_path)
    lock = json.loads((tmp_path / "lock.json").read_text(encoding="utf-8"))
    lock[NAME]["properties"]["cheque"] = {"type": "string"}
    lock["tenure.invoice.lost.v1"] = {"type": "object", "properties": {}}
    (tmp_path / "lock.json").write_text(json.dumps(lock), encoding="utf-8")
    (tmp_path / "README.md").write_text("as it was", encoding="utf-8")

    answer = tenure("--write", str(tmp_path))
    assert answer.returncode == 2
    assert answer.stderr.splitlines() == [
        f"tenure: {NAME}: field cheque is gone; leave {NAME} as it is and add tenure.invoice.partly_paid.v2, "
        "with an up-cast",
        "tenure.invoice.lost.v1: the event is gone; keep it, marked as deprecated, and up-cast it to its successor",
    ]
    assert (tmp_path / "README.md").read_text(encoding="utf-8") == "as it was"


def test_a_folder_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    (tmp_path / "lock.json").write_text("<<<<<<< ours", encoding="utf-8")
    with pytest.raises(Mistake, match=r"lock\.json is not JSON"):
        write_documents(tmp_path)
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(Mistake, match="file"):
        write_documents(tmp_path / "file")
