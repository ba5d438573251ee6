"""No recorded history holds what is not for everybody: people, bank data, keys, or the machine it was recorded on."""

import base64
import gzip
import json
import re
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from stdnum import iban, luhn

from domain.showing import packed, unpacked
from domain.state import LifecycleState
from starter.replaying.corpus import EXPECTED, HISTORIES, HISTORY

ROOT = Path(__file__).resolve().parents[2]
NAMES = ("Beispielstrasse", "Hooli", "Gavin", "Belson", "Musterfrau", "Mustermann")
KEYS = re.compile(
    r"-----BEGIN|\bsk_(live|test)_|\bwhsec_|\bxox[abp]-|\bAKIA[0-9A-Z]{12}|\beyJ[\w-]{10,}\.eyJ|Bearer |password|secret"
)
EMAIL = re.compile(r"[\w.+-]+@[\w-]+\.[A-Za-z]{2,}")
IBAN = re.compile(r"\b[A-Z]{2}\d{2}[A-Z0-9]{11,30}\b")
CARD = re.compile(r"\b\d(?:[ -]?\d){12,18}\b")
PHONE = re.compile(r"\+\d{2,3}[ \d/()-]{7,}")
INSTANT = re.compile(r"\d{4}-\d\d-\d\dT[\d:.]+(Z|[+-]\d\d:\d\d)")


def told(file: Path) -> str:
    """All that a file of the corpus says, its payloads decoded."""
    text = gzip.decompress(file.read_bytes()).decode() if file.name.endswith(HISTORY) else file.read_text()
    return "\n".join(words(json.loads(text)))


def words(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        for name, value in node.items():
            yield name
            if name == "data" and isinstance(value, str):
                yield from decoded(value)
            elif name == "shows" and isinstance(value, dict):
                yield from words(json.loads(unpacked(value["state"])))
            else:
                yield from words(value)
    elif isinstance(node, list):
        for value in node:
            yield from words(value)
    elif isinstance(node, str):
        yield node


def decoded(data: str) -> Iterator[str]:
    """A payload's words."""
    yield from words(json.loads(base64.b64decode(data)))


def private(text: str) -> list[str]:
    """What in a text is not for everybody."""
    bare = INSTANT.sub("", text)
    found = [word for word in (*NAMES, str(ROOT), socket.gethostname()) if word in bare]
    found += [match[0] for match in KEYS.finditer(bare)]
    found += [match[0] for match in EMAIL.finditer(bare)]
    found += [match[0] for match in PHONE.finditer(bare)]
    found += [match[0] for match in IBAN.finditer(bare) if iban.is_valid(match[0])]
    return found + [match[0] for match in CARD.finditer(bare) if luhn.is_valid(re.sub(r"\D", "", match[0]))]


@pytest.mark.parametrize("file", sorted(HISTORIES.glob("*/*")), ids=lambda file: f"{file.parent.name}/{file.name}")
def test_a_recorded_life_tells_nothing_that_is_not_for_everybody(file: Path) -> None:
    assert file.name.endswith((HISTORY, EXPECTED))
    assert sorted(set(private(told(file)))) == []


@pytest.mark.parametrize(
    "secret",
    [
        "jane.doe@example.com",
        "DE89 3704 0044 0532 0130 00".replace(" ", ""),
        "4111 1111 1111 1111",
        "+49 30 1234567",
        "Bearer abc",
        "-----BEGIN PRIVATE KEY-----",
        str(ROOT),
    ],
)
def test_the_scan_finds_what_is_not_for_everybody(secret: str, tmp_path: Path) -> None:
    payload = base64.b64encode(json.dumps({"note": f"call {secret}"}).encode()).decode()
    file = tmp_path / f"told{HISTORY}"
    file.write_bytes(gzip.compress(json.dumps({"events": [{"payloads": [{"data": payload}]}]}).encode()))
    assert private(told(file))


def test_the_scan_sees_into_a_packed_state() -> None:
    hidden = packed(LifecycleState(tenant="", contract="", paused="call jane.doe@example.com"))
    assert private("\n".join(words({"shows": {"state": hidden}}))) == ["jane.doe@example.com"]
