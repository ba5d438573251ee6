"""Connections and routes in tenure.toml: several of a kind, which is the home, and what a mistake says."""

from pathlib import Path

import pytest

import wiring
from domain.company import load_company
from starter.settings import SettingsError, load_settings

ROOT = Path(__file__).resolve().parents[3]

TWO = """
[connections.tryton-us]
kind = "erp"
adapter = "tryton"
base_url = "https://us.erp.example"
database = "erp"
user = "tenure"
password = { env = "TENURE_SECRET_US" }
limits = { per_second = 5, burst = 5, concurrent = 4 }

[connections.tryton-eu]
kind = "erp"
adapter = "tryton"
base_url = "https://eu.erp.example"
database = "erp"
user = "tenure"
password = { env = "TENURE_SECRET_EU" }

[connections.stripe]
kind = "erp"
adapter = "stripe"
token = { env = "TENURE_SECRET_STRIPE" }

[[routes]]
kind = "erp"
connection = "stripe"
product_lines = ["self-service"]

[[routes]]
kind = "erp"
connection = "tryton-us"
selling_entities = ["ACME-US"]
regions = ["US", "CA"]

[[routes]]
kind = "erp"
connection = "tryton-eu"
selling_entities = ["ACME-DE"]
"""


def write(directory: Path, text: str) -> Path:
    file = directory / "tenure.toml"
    file.write_text(text, encoding="utf-8")
    return file


def test_two_trytons_and_a_stripe_side_by_side(tmp_path: Path) -> None:
    settings = load_settings(write(tmp_path, TWO))
    landscape = settings.landscape
    assert landscape.of_kind("erp") == ("tryton-us", "tryton-eu", "stripe")
    assert landscape.homes == {}
    assert [route.connection for route in landscape.routes] == ["stripe", "tryton-us", "tryton-eu"]
    limits = settings.connections["tryton-us"].limits
    assert (limits.per_second, limits.burst, limits.concurrent) == (5, 5, 4)
    assert settings.base_url("stripe") == "", "its adapter knows where Stripe is"
    company = load_company((ROOT / "examples/company.toml").read_text())
    with pytest.raises(
        SettingsError, match=r"routes\[0\]\.product_lines: the company has no 'self-service', nor any other"
    ):
        wiring.read_landscape(settings, company)


def test_a_home_is_what_is_marked_or_named_as_its_kind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    settings = load_settings()
    assert settings.landscape.homes == {kind: kind for kind in ("crm", "erp", "cs", "support", "usage")}
    renamed = load_settings(connections={"netsuite": {"kind": "erp", "default": True}})
    assert renamed.landscape.homes == {"erp": "netsuite"}
    fresh = load_settings(connections={"netsuite": {"kind": "erp"}})
    assert (fresh.landscape.homes, fresh.default_of("erp")) == ({}, "netsuite")


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ('[connections.eu]\nkind = "erp"\n', "erp, eu are all of kind erp: say in [[routes]] which orders go where"),
        ('[connections.hubspot]\nkind = "crm"\n', "exactly one of kind 'crm' is needed, found: crm, hubspot"),
        (
            '[connections.eu]\nkind = "erp"\ndefault = true\n[[routes]]\nkind = "erp"\nconnection = "eu"\n',
            "only one of kind erp can be the default, and erp and eu are",
        ),
        ('[connections.usage]\nkind = "erp"\n', "connections.usage: the name is taken; give it another"),
        ('[connections.feeds]\nkind = "erp"\n', "connections.feeds: the name is taken; give it another"),
        ('[connections.all]\nkind = "erp"\n', "connections.all: the name is taken; give it another"),
        ('[connections."a:b"]\nkind = "erp"\n', "connections.a:b"),
        (
            '[[routes]]\nkind = "erp"\nconnection = "sap"\n',
            "routes[0]: unknown connection 'sap'; known: crm, cs, erp, support",
        ),
        (
            '[[routes]]\nkind = "cs"\nconnection = "erp"\n',
            "routes[0]: erp is of kind erp, and the route is for kind cs",
        ),
        ('[[routes]]\nkind = "crm"\nconnection = "crm"\n', "routes[0].kind: Input should be 'erp', 'cs', 'support' or"),
        ('[[routes]]\nkind = "erp"\nconnection = "erp"\nregion = ["US"]\n', "routes[0].region: no such setting"),
        ('[[routes]]\nkind = "erp"\nconnection = "erp"\nregions = ["USA"]\n', "routes[0].regions: 'USA' is not an ISO"),
        (
            '[[routes]]\nkind = "erp"\nconnection = "erp"\n'
            '[[routes]]\nkind = "erp"\nconnection = "erp"\nregions = ["US"]\n',
            "routes[1]: no order can reach it, since the routes before it take all that would fit",
        ),
        (
            '[webhooks.erp]\nconnection = "erp"\nsecrets = [{ env = "X" }]\n'
            '[feeds.x]\nconnection = "cs"\nsource = "erp"\n',
            "feeds.x.source: webhooks.erp tells of another connection",
        ),
        ('[connections.eu]\nkind = "erp"\nlimits = { per_second = 0 }\n', "connections.eu.limits.per_second"),
        ('[connections.eu]\nkind = "erp"\nbase_url = "ftp://x"\n', "connections.eu.base_url"),
        (
            '[connections.eu]\nkind = "erp"\nbase_url = "https://u:p@x"\n',
            "connections.eu.base_url: write it as https://",
        ),
        (
            '[connections.eu]\nkind = "erp"\nbase_url = "http://x:99999"\n',
            "connections.eu.base_url: write it as https://",
        ),
        ('[connections.eu]\nkind = "erp"\ntoken = "u:p"\n', "connections.eu.token: say where the secret is: { env ="),
        ('[[routes]]\nkind = "erp"\nconnection = "erp"\nregions = "US"\n', "routes[0].regions: write a list, such as"),
        ('[[routes]]\nkind = "erp"\n', "routes[0].connection: it is needed"),
    ],
)
def test_a_mistake_is_one_line(tmp_path: Path, text: str, complaint: str) -> None:
    usual = "".join(f'[connections.{kind}]\nkind = "{kind}"\n' for kind in ("crm", "erp", "cs", "support"))
    file = write(tmp_path, usual + text)
    with pytest.raises(SettingsError) as error:
        load_settings(file)
    assert complaint in str(error.value)
    assert "\n" not in str(error.value)
    assert "u:p" not in str(error.value)
