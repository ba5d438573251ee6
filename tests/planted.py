"""Secrets that can be recognised wherever they turn up, a configuration full of them, and the search for them."""

import base64
import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

MARK = "PLANTED"


def plant(name: str) -> str:
    """A value of letters and digits alone: it looks the same in JSON and in a URL."""
    return f"{MARK}{name.title().replace('-', '')}{hash_of(name)}"


def hash_of(name: str) -> str:
    return base64.b32encode(name.encode()).decode().strip("=")[:12].lower()


def whsec(name: str) -> str:
    """A signing secret; what is planted is what it encodes, and its own text."""
    return "whsec_" + base64.b64encode(plant(name).encode().ljust(48, b"x")).decode()


class Planted:
    """What is searched for: each value as it is, in base64 however it lies, and in hexadecimal."""

    def __init__(self, values: Iterable[str]) -> None:
        self.values = tuple(values)
        forms = {form for value in self.values for form in _forms(value.encode())}
        self._pattern = re.compile(b"|".join(re.escape(form) for form in sorted(forms, key=len, reverse=True)))

    def found_in(self, text: str | bytes) -> list[str]:
        """What stands before and after each of them."""
        raw = text.encode() if isinstance(text, str) else text
        return [
            raw[max(0, hit.start() - 80) : hit.end() + 20].decode(errors="replace")
            for hit in self._pattern.finditer(raw)
        ]

    def in_files(self, directory: Path, *, but: Iterable[Path] = ()) -> dict[str, list[str]]:
        """By file, of a directory and all below it."""
        skipped = set(but)
        files = [path for path in directory.rglob("*") if path.is_file() and not skipped & {path, *path.parents}]
        found = {str(path.relative_to(directory)): self.found_in(path.read_bytes()) for path in files}
        return {name: hits for name, hits in found.items() if hits}


def decoded(event: Any) -> Iterator[bytes]:
    """Every text of a history event's JSON, with the payloads as they were before they were encoded."""
    if isinstance(event, dict):
        for key, value in event.items():
            yield key.encode()
            yield from decoded(value)
            if key == "data" and isinstance(value, str):
                yield base64.b64decode(value)
    elif isinstance(event, list):
        for value in event:
            yield from decoded(value)
    else:
        yield json.dumps(event).encode()


def _forms(raw: bytes) -> Iterator[bytes]:
    yield raw
    yield raw.hex().encode()
    yield quote(raw).encode()
    for shift in range(3):
        # the letters at both ends depend on what stands beside it
        text = base64.b64encode(b"\0" * shift + raw)
        yield text[4 if shift else 0 : len(text) // 4 * 4 - 4]


CONFIG = """
tenant = "acme"
state_dir = "state"
company = "{root}/examples/company.toml"
store_url = {{ env = "TENURE_SECRET_STORE" }}
log_level = "DEBUG"
[temporal]
port = {temporal}
ui_port = {ui}
[gateway]
port = {gateway}
[experience]
port = {experience}
[sandbox]
port = {box}
token = {{ env = "TENURE_SECRET_BOX" }}

[connections.crm]
kind = "crm"
mapping = "{root}/examples/mappings/salesforce.toml"
[connections.crm.reader]
adapter = "salesforce"
base_url = "http://127.0.0.1:{box}/salesforce"
client_id = "an-app"
client_secret = {{ env = "TENURE_SECRET_READER" }}
refresh_token = {{ env = "TENURE_SECRET_REFRESH" }}
[connections.books]
kind = "erp"
default = true
limits = {{ per_second = 50, burst = 10 }}
[connections.locked-books]
kind = "erp"
base_url = "http://127.0.0.1:{box}/erp"
token = {{ env = "TENURE_SECRET_LOCKED" }}
[connections.bills]
kind = "erp"
adapter = "stripe"
base_url = "http://127.0.0.1:{box}/erp"
token = {{ env = "TENURE_SECRET_BILLS" }}
[connections.old-books]
kind = "erp"
adapter = "tryton"
base_url = "http://127.0.0.1:{box}/erp"
database = "books"
user = "tenure"
password = {{ env = "TENURE_SECRET_TRYTON" }}
[connections.cs]
kind = "cs"
[connections.support]
kind = "support"
adapter = "helpdesk"
base_url = "http://127.0.0.1:{box}/support"
token = {{ env = "TENURE_SECRET_DESK" }}
fields = {{ account = "account" }}
[connections.usage]
kind = "usage"
adapter = "sql"
url = {{ env = "TENURE_SECRET_USAGE" }}
query = "SELECT 1 AS active, 2 AS entitled WHERE :account <> ''"
[[routes]]
kind = "erp"
connection = "locked-books"
selling_entities = ["ACME-US"]
[[routes]]
kind = "erp"
connection = "books"

[feeds.ledger]
connection = "books"
adapter = "postgres_outbox"
database = {{ env = "TENURE_SECRET_OUTBOX" }}
every = 1
[feeds.locked]
connection = "locked-books"
every = 1
[subscribers.warehouse]
url = "{subscriber}"
secrets = [{{ env = "TENURE_SECRET_WAREHOUSE" }}]
"""
WEBHOOK = """
[webhooks.{source}]
connection = "{connection}"
secrets = [{{ env = "TENURE_SECRET_WEBHOOK" }}, {{ env = "TENURE_SECRET_WEBHOOK_OLD" }}]
"""
SENDERS = {"crm": "crm", "erp": "books", "cs": "cs", "support": "support", "usage": "usage"}


def environment(store_url: str) -> dict[str, str]:
    """The variables that the configuration names. `store_url` has its password already."""
    nobody = "postgresql://tenure:{}@127.0.0.1:9/nobody"
    names = ("box", "locked", "bills", "tryton", "desk", "reader", "refresh")
    return {
        **{f"TENURE_SECRET_{name.upper()}": plant(name) for name in names},
        "TENURE_SECRET_STORE": store_url,
        "TENURE_SECRET_USAGE": nobody.format(plant("usage")),
        "TENURE_SECRET_OUTBOX": nobody.format(plant("outbox")),
        "TENURE_SECRET_WAREHOUSE": whsec("warehouse"),
        "TENURE_SECRET_WEBHOOK": whsec("webhook"),
        "TENURE_SECRET_WEBHOOK_OLD": whsec("webhook-old"),
    }


def everything(variables: dict[str, str], store_password: str) -> Planted:
    """All that was planted: passwords alone, as they stand within URLs, and signing secrets in both of their forms."""
    plain = [value for value in variables.values() if value.startswith(MARK)]
    signing = [value.removeprefix("whsec_") for value in variables.values() if value.startswith("whsec_")]
    encoded = [plant(name) for name in ("warehouse", "webhook", "webhook-old")]
    return Planted([*plain, *signing, *encoded, plant("usage"), plant("outbox"), store_password])


def configuration(root: Path, **numbers: Any) -> str:
    webhooks = (WEBHOOK.format(source=source, connection=connection) for source, connection in SENDERS.items())
    return CONFIG.format(root=root, **numbers) + "".join(webhooks)
