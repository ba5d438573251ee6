"""The search for planted secrets finds what it is for."""

import base64
import json
from pathlib import Path

import pytest

from tests.planted import configuration, decoded, environment, everything, plant

VARIABLES = environment(f"postgresql://tenure:{plant('store')}@db/tenure")
PLANTED = everything(VARIABLES, plant("store"))
TEXT = configuration(Path("/nowhere"), temporal=1, ui=2, gateway=3, experience=5, box=4, subscriber="http://x")


@pytest.mark.parametrize("before", ["", "x", "xy", "Bearer "])
def test_every_value_is_found_in_every_form(before: str) -> None:
    assert len(PLANTED.values) == 16
    for value in PLANTED.values:
        text = f"{before}{value}@host/?x=1"
        for form in (text, json.dumps({"a": text}), text.encode().hex(), base64.b64encode(text.encode()).decode()):
            assert PLANTED.found_in(form), form


def test_nothing_is_found_where_nothing_is() -> None:
    assert PLANTED.found_in(TEXT) == []
    assert PLANTED.found_in(base64.b64encode(bytes(range(256)) * 50)) == []


def test_every_variable_of_the_configuration_is_searched_for() -> None:
    for name, value in VARIABLES.items():
        assert PLANTED.found_in(value), name
        assert name in TEXT


def test_files_are_searched_whole_but_for_what_is_left_out(tmp_path: Path) -> None:
    for name in ("a/log", "b/db"):
        file = tmp_path / name
        file.parent.mkdir()
        file.write_bytes(b"\0\xff" * 9 + plant("box").encode() + b"\0")
    assert set(PLANTED.in_files(tmp_path)) == {"a/log", "b/db"}
    assert set(PLANTED.in_files(tmp_path, but=[tmp_path / "b"])) == {"a/log"}


def test_payloads_of_a_history_are_decoded() -> None:
    payload = {"metadata": {"encoding": "anNvbg=="}, "data": base64.b64encode(plant("box").encode()).decode()}
    assert PLANTED.found_in(b"".join(decoded({"input": {"payloads": [payload]}})))
