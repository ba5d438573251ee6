"""`tenure freeze` and `thaw` on a store of their own; they need no Temporal."""

import json
from collections.abc import Callable
from typing import Any

import pytest
import typer

from starter.cli import app
from starter.mistakes import Mistake
from starter.settings import Settings

Tenure = Callable[..., Any]


@pytest.fixture
def tenure(settings: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Tenure:
    """Runs a command; answers its JSON, or its text."""
    for name, value in settings.environment().items():
        monkeypatch.setenv(name, value)

    def run(*words: str, text: bool = False) -> Any:
        command = typer.main.get_command(app)
        code = command.main([*words, *(() if text else ("--json",))], standalone_mode=False, prog_name="tenure")
        assert code in (0, None)
        out = capsys.readouterr().out
        return out if text else json.loads(out)

    return run


def test_what_is_frozen_is_shown_with_its_reason_and_thaws_one_by_one(tenure: Tenure) -> None:
    assert "frozen" not in tenure("status", text=True)
    assert tenure("freeze", "erp", "--reason", "year-end  closing") == {"frozen": "erp", "reason": "year-end closing"}
    assert "every connection is frozen; `tenure thaw` lets it go on" in tenure("freeze", text=True)
    shown = tenure("status", text=True)
    assert "frozen: erp (year-end closing)" in shown
    assert "frozen: all" in shown
    assert tenure("thaw") == {"thawed": "all", "frozen": {"erp": "year-end closing"}}
    assert tenure("thaw", "erp", text=True) == "erp goes on\n"
    assert "frozen" not in tenure("status", text=True)


def test_a_freeze_without_a_reason_keeps_the_one_that_was_given(tenure: Tenure) -> None:
    tenure("freeze", "erp", "--reason", "year-end")
    tenure("freeze", "erp")
    assert tenure("thaw", "erp")["frozen"] == {}
    tenure("freeze", "erp", "--reason", "[red]audit[/red]")
    tenure("freeze", "erp")
    assert "[red]audit" in tenure("connections", text=True).replace("\n", "")


def test_all_is_a_name_of_everything(tenure: Tenure) -> None:
    assert tenure("freeze", "all")["frozen"] == "all"
    assert tenure("thaw", "all") == {"thawed": "all", "frozen": {}}


def test_what_is_frozen_with_everything_thaws_with_everything(tenure: Tenure) -> None:
    tenure("freeze")
    with pytest.raises(Mistake, match="erp is frozen with everything: `tenure thaw` lets it all go on"):
        tenure("thaw", "erp")


def test_status_makes_no_store_where_there_is_none(tenure: Tenure, settings: Settings) -> None:
    tenure("status")
    assert not (settings.state_path / "store.db").exists()


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (("freeze", "sap"), "there is no connection 'sap'; known: crm, erp, cs, support, usage"),
        (("thaw", "sap"), "there is no connection 'sap'; known: crm, erp, cs, support, usage"),
        (("thaw", "erp"), "erp is not frozen; frozen: cs"),
        (("thaw",), "every connection at once is not frozen; frozen: cs"),
        (("freeze", "erp", "--reason", "x" * 201), "--reason: one line of at most 200 characters"),
        (("freeze", "erp", "--reason", "a\x07b"), "--reason: one line of at most 200 characters"),
    ],
)
def test_a_mistake_is_one_line(tenure: Tenure, words: tuple[str, ...], complaint: str) -> None:
    tenure("freeze", "cs")
    with pytest.raises(Mistake) as error:
        tenure(*words)
    assert str(error.value) == complaint


def test_a_connection_that_is_gone_from_the_configuration_can_still_be_thawed(
    tenure: Tenure, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TENURE_CONNECTIONS", '{"old": {"kind": "erp"}}')
    tenure("freeze", "old")
    monkeypatch.delenv("TENURE_CONNECTIONS")
    assert tenure("thaw", "old") == {"thawed": "old", "frozen": {}}
