"""The settings of readers: what they say to a mistake, and that they reach a vendor's API over HTTP."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
import uvicorn

import wiring
from sandbox.app import create_app
from starter.settings import Settings, SettingsError, load_settings
from tests.kits.crm_reader import DEAL, deal
from tests.unit.starter.conftest import FreePort

EXAMPLES = Path(__file__).parents[3] / "examples"
URL = 'base_url = "https://example.my.salesforce.com"'
OAUTH = 'client_id = "tenure"\nclient_secret = { value = "sandbox" }\nrefresh_token = { value = "sandbox" }'


def settings_with(home: Path, reader: str, vendor: str = "salesforce", *, kind: str = "crm") -> Settings:
    file = home / "tenure.toml"
    mapping = f'mapping = "{EXAMPLES}/mappings/{vendor}.toml"' if kind == "crm" else ""
    webhook = '[webhooks.deals]\nconnection = "crm"\nsecrets = [{ value = "whsec_c2VjcmV0" }]'
    head = f'[connections.crm]\nkind = "{kind}"\n{mapping}\n[connections.crm.reader]\nadapter = "{vendor}"\n'
    file.write_text(f"{head}{reader}\n{webhook}\n", encoding="utf-8")
    return load_settings(file)


@pytest.mark.parametrize(
    ("reader", "complaint"),
    [
        ('token = { env = "T" }', "reader.base_url: it is needed"),
        (URL, "name either token, or client_id and client_secret"),
        (f'{URL}\nclient_id = "x"', "client_id and client_secret belong together"),
        (f'{URL}\ntoken = {{ env = "T" }}\n{OAUTH}', "name either token, or client_id"),
        (f'{URL}\ntoken = {{ env = "T" }}\nrefresh_token = {{ env = "R" }}', "need client_id and client_secret"),
        (f'{URL}\n{OAUTH}\napi_version = "65"', "reader.api_version"),
        (f'{URL}\n{OAUTH}\nclient_key = "x"', "reader.client_key: no such setting"),
        ('base_url = "example"\ntoken = { env = "T" }', "reader.base_url"),
    ],
)
def test_a_mistake_is_one_line(tmp_path: Path, reader: str, complaint: str) -> None:
    with pytest.raises(SettingsError) as raised:
        settings_with(tmp_path, reader)
    assert complaint in str(raised.value)
    assert "\n" not in str(raised.value)


def test_only_a_crm_has_a_reader(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="only a CRM has a reader"):
        settings_with(tmp_path, f"{URL}\n{OAUTH}", kind="erp")


@pytest.mark.parametrize(
    ("reader", "vendor", "complaint"),
    [
        (f'{URL}\ntoken = {{ env = "TENURE_SECRET_NONE" }}', "salesforce", "connections.crm.reader.token"),
        (f"{URL}\n{OAUTH}", "pipedrive", "'pipedrive' is not one of hubspot, salesforce"),
    ],
)
async def test_what_only_connecting_finds_out(tmp_path: Path, reader: str, vendor: str, complaint: str) -> None:
    settings = settings_with(tmp_path, reader, vendor)
    with pytest.raises(SettingsError, match=complaint):
        async with wiring.connect_readers(settings):
            pass


@pytest.fixture
async def box(free_port: FreePort) -> AsyncIterator[str]:
    """A sandbox on a port of its own."""
    port = free_port()
    app = create_app(":memory:")
    server = uvicorn.Server(uvicorn.Config(app, port=port, log_level="error"))
    serving = asyncio.create_task(server.serve())
    while not server.started:  # noqa: ASYNC110 - uvicorn has no event for it
        await asyncio.sleep(0.01)
    yield f"http://127.0.0.1:{port}"
    server.should_exit = True
    await serving


@pytest.mark.parametrize("vendor", ["salesforce", "hubspot"])
@pytest.mark.parametrize("access", [OAUTH, 'token = { value = "sandbox" }'])
async def test_the_source_of_a_connection_reads_from_its_reader(
    tmp_path: Path, box: str, vendor: str, access: str
) -> None:
    async with httpx.AsyncClient(base_url=box, headers={"authorization": "Bearer sandbox"}) as client:
        (await client.post("/crm/opportunities", json=deal())).raise_for_status()
    settings = settings_with(tmp_path, f'base_url = "{box}/{vendor}/"\n{access}', vendor)
    async with wiring.connect_readers(settings) as readers:
        assert readers["deals"] is readers["crm"]
        assert (await readers["deals"].read_deal(DEAL)).outcome == "won"


async def test_without_a_reader_deals_are_read_where_the_connection_points(settings: Settings) -> None:
    async with wiring.connect_readers(settings) as readers:
        assert set(readers) == {"crm"}
