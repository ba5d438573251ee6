"""Connections become adapters: what each vendor needs, and what a gap says in one line."""

from pathlib import Path

import pytest

import vendors
import wiring
from adapters.erp.sandbox import SandboxErp
from starter.settings import SettingsError, load_settings

OTHERS = "".join(f'[connections.{kind}]\nkind = "{kind}"\n' for kind in ("crm", "cs", "support", "usage"))


async def connect(tmp_path: Path, erp: str) -> wiring.Systems:
    file = tmp_path / "tenure.toml"
    file.write_text(f'{OTHERS}[connections.erp]\nkind = "erp"\n{erp}')
    async with wiring.connect_systems(load_settings(file)) as systems:
        return systems


async def test_a_connection_without_more_is_the_sandbox(tmp_path: Path) -> None:
    assert isinstance((await connect(tmp_path, ""))["erp"].port, SandboxErp)


@pytest.mark.parametrize(
    ("erp", "complaint"),
    [
        ('adapter = "sap"', "connections.erp.adapter: 'sap' is not one of sandbox, stripe, tryton"),
        ('base_url = "http://127.0.0.1:1"', "connections.erp.token: needed beside base_url"),
    ],
)
async def test_what_is_wrong_with_a_connection_is_one_line(tmp_path: Path, erp: str, complaint: str) -> None:
    with pytest.raises(SettingsError) as error:
        await connect(tmp_path, erp)
    assert str(error.value) == complaint


async def test_a_library_that_is_missing_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    absent = vendors._vendor("a_library_that_nobody_has", "Adapter", lambda adapter, opening: adapter())
    monkeypatch.setitem(vendors.ADAPTERS["erp"], "absent", absent)
    with pytest.raises(SettingsError, match="'absent' needs a_library_that_nobody_has, which is not installed"):
        await connect(tmp_path, 'adapter = "absent"')


def opening(tmp_path: Path, erp: str) -> vendors.Opening:
    file = tmp_path / "tenure.toml"
    file.write_text(f'[connections.erp]\nkind = "erp"\n{erp}')
    settings = load_settings(file)
    client = vendors.http_client(settings, "erp")
    return vendors.Opening("erp", settings.connections["erp"], client, settings)


def test_an_opening_gives_the_secrets_and_names_what_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TENURE_SECRET_ERP", "hunter2")
    tryton = opening(
        tmp_path,
        'adapter = "tryton"\nbase_url = "http://127.0.0.1:1"\ndatabase = "erp"\n'
        'password = { env = "TENURE_SECRET_ERP" }',
    )
    assert (tryton.text("database"), tryton.secret("password")) == ("erp", "hunter2")
    assert str(tryton.client.base_url) == "http://127.0.0.1:1/"
    assert "Authorization" not in tryton.client.headers
    with pytest.raises(SettingsError, match=r"connections\.erp\.user: needed by the adapter 'tryton'"):
        tryton.text("user")


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ('database = "erp"\nuser = "tenure"\n', r"connections\.erp\.base_url: needed by the adapter 'tryton'"),
        (
            'base_url = "http://127.0.0.1:1"\noptions = { renew_as_nw = "true" }\n',
            r"connections\.erp\.options\.renew_as_nw: no such option of Tryton",
        ),
    ],
)
def test_tryton_needs_an_address_and_knows_its_options(tmp_path: Path, text: str, complaint: str) -> None:
    with pytest.raises(SettingsError, match=complaint):
        vendors.open_adapter(opening(tmp_path, f'adapter = "tryton"\npassword = {{ value = "x" }}\n{text}'))


def test_a_query_is_text_or_a_file_beside_the_configuration(tmp_path: Path) -> None:
    (tmp_path / "usage.sql").write_text("select 1")
    assert opening(tmp_path, 'query = "select 2"').query() == "select 2"
    assert opening(tmp_path, 'query = "usage.sql"').query() == "select 1"
    with pytest.raises(SettingsError, match=r"connections\.erp\.query: can't read .*gone\.sql"):
        opening(tmp_path, 'query = "gone.sql"').query()


EVERY_VENDOR = """
[connections.crm]
kind = "crm"

[connections.tryton-us]
kind = "erp"
adapter = "tryton"
base_url = "http://127.0.0.1:1"
database = "us"
user = "tenure"
password = { value = "hunter2" }
options = { renew_as_new = "true" }

[connections.tryton-eu]
kind = "erp"
adapter = "tryton"
base_url = "http://127.0.0.1:2"
database = "eu"
user = "tenure"
password = { value = "hunter2" }

[connections.stripe]
kind = "erp"
adapter = "stripe"
token = { value = "sk_test_x" }

[connections.gainsight]
kind = "cs"

[connections.desk]
kind = "support"
adapter = "helpdesk"
base_url = "http://127.0.0.1:3"
token = { value = "t" }

[connections.warehouse]
kind = "usage"
adapter = "sql"
url = { value = "sqlite://" }
query = "select 1 as entitled, 1 as active, :account as account"

[[routes]]
kind = "erp"
connection = "stripe"
regions = ["CA"]

[[routes]]
kind = "erp"
connection = "tryton-us"
selling_entities = ["ACME-US"]

[[routes]]
kind = "erp"
connection = "tryton-eu"

[feeds.books]
connection = "tryton-eu"
adapter = "tryton"
"""


async def test_every_vendor_side_by_side(tmp_path: Path) -> None:
    file = tmp_path / "tenure.toml"
    file.write_text(EVERY_VENDOR)
    settings = load_settings(file)
    async with wiring.connect_systems(settings) as systems, wiring.connect_feeds(settings) as feeds:
        opened = {name: (system.kind, type(system.port).__name__) for name, system in systems.items()}
        assert [type(feed.port).__name__ for feed in feeds] == ["TrytonFeed"]
    assert opened == {
        "crm": ("crm", "SandboxCrm"),
        "tryton-us": ("erp", "TrytonErp"),
        "tryton-eu": ("erp", "TrytonErp"),
        "stripe": ("erp", "StripeBilling"),
        "gainsight": ("cs", "SandboxCs"),
        "desk": ("support", "HelpdeskSupport"),
        "warehouse": ("usage", "SqlUsage"),
    }
    assert {name for name, system in systems.items() if not system.scope} == {"crm"}
    assert {name for name, system in systems.items() if system.serves_kind} == {"crm", "gainsight", "desk", "warehouse"}


@pytest.mark.parametrize("option", ["yes", "True", ""])
def test_an_option_that_is_true_or_false_is_nothing_else(tmp_path: Path, option: str) -> None:
    tryton = opening(tmp_path, f'adapter = "tryton"\nbase_url = "http://x"\noptions = {{ renew_as_new = "{option}" }}')
    with pytest.raises(SettingsError, match=r'connections\.erp\.options\.renew_as_new: write "true" or "false"'):
        tryton.flag("renew_as_new")
