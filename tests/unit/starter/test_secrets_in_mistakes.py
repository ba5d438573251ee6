"""A configuration with a mistake in it is told in one line, and without its secrets."""

from pathlib import Path

import pytest

import wiring
from starter.mistakes import Mistake
from starter.settings import load_settings

SECRET = "PLANTED5c1b"


@pytest.mark.parametrize(
    "text",
    [
        f'[connections.crm]\nkind = "crm"\ntoken = "{SECRET}"',
        f'[connections.crm]\nkind = "crm"\ntoken = {{ value = "{SECRET}", env = "X" }}',
        f'[connections.crm]\nkind = "crm"\ntoken = {{ values = "{SECRET}" }}',
        f'[connections.crm]\nkind = "crm"\nbase_url = "http://me:{SECRET}@host"',
        f'[sandbox]\ntoken = ["{SECRET}"]',
        f'[subscribers.a]\nurl = "https://me:{SECRET}@host/x"\nsecrets = [{{ value = "x" }}]',
        f'[subscribers.a]\nurl = "https://host/x"\nsecrets = ["{SECRET}"]',
        f'[webhooks.crm]\nconnection = "crm"\nsecrets = "{SECRET}"',
        f'store_url = "mysql://me:{SECRET}@host/db"',
        f'store_url = "postgresql://me:{SECRET}@host:port/db"',
        f'store_url = "postgresql://me:{SECRET}@127.0.0.1:9/db?connect_timeout=1"',
        f'store_url = ["{SECRET}"]',
        f'store_url = "{SECRET}',
    ],
)
def test_a_mistake_names_its_place_and_no_secret(tmp_path: Path, text: str) -> None:
    file = tmp_path / "tenure.toml"
    file.write_text(text)
    with pytest.raises((Mistake, Exception)) as raised:
        wiring.open_store(load_settings(file)).close()
    said = str(raised.value)
    assert said
    assert SECRET not in said
    assert len(said.splitlines()) == 1
