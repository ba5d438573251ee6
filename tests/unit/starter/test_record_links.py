"""Where a record is shown: by the connection's own words, by a known web client, or nowhere."""

from typing import Any

import pytest

from starter.record_links import record_link, run_link
from starter.settings import Settings, load_settings


def settings(**connections: dict[str, Any]) -> Settings:
    others = {kind: {"kind": kind} for kind in ("crm", "cs", "support", "usage")}
    return Settings(connections={"erp": {"kind": "erp"}, **others, **connections})


LOGIN = {"user": "tenure", "password": {"value": "x"}}
TRYTON = {"kind": "erp", "adapter": "tryton", "base_url": "https://erp.example", "database": "main", **LOGIN}


@pytest.mark.parametrize(
    ("erp", "operation", "record", "link"),
    [
        ({"kind": "erp"}, "erp.create_customer", "cus_1", "http://127.0.0.1:8701/admin/records/erp/customers/cus_1"),
        (TRYTON, "erp.create_customer", "12-3", "https://erp.example/#main/model/party.party/12"),
        (TRYTON, "erp.create_subscription", "7", "https://erp.example/#main/model/sale.subscription/7"),
        ({**TRYTON, "links": {"customer": "https://x.example/c/{id}?a=1"}}, "erp.create_customer", "1/2", "https://x.example/c/1%2F2?a=1"),
        (TRYTON, "erp.activate_order", "7", ""),
        (TRYTON, "gone.create_customer", "7", ""),
        (TRYTON, "erp.create_customer", "", ""),
    ],
)  # fmt: skip
def test_a_record_has_the_address_of_its_system(erp: dict[str, Any], operation: str, record: str, link: str) -> None:
    assert record_link(settings(erp=erp), operation, record) == link


def test_a_link_names_a_record_that_there_is_and_its_id() -> None:
    for links in ({"customer": "https://x.example/"}, {"customer": "javascript:{id}"}, {"invoice": "https://x/{id}"}):
        with pytest.raises(ValueError, match="links"):
            settings(erp={"kind": "erp", "links": links})


def test_a_run_is_shown_by_the_local_server_or_by_the_one_that_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    local = load_settings()
    assert run_link(local, "acme/crm/D-1/1").endswith("/namespaces/default/workflows/acme%2Fcrm%2FD-1%2F1")
    monkeypatch.setenv("TEMPORAL_ADDRESS", "temporal.example:7233")
    assert run_link(local, "w") == ""
    elsewhere = Settings(temporal={"ui_url": "https://temporal.example/"})
    assert run_link(elsewhere, "w") == "https://temporal.example/namespaces/default/workflows/w"
