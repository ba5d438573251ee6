"""Mapping a CRM's record to an order document, and telling what kind of deal it is."""

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from domain.mapping import (
    DealKind,
    Mapping,
    UnusableRecord,
    canonical,
    classify,
    load_mapping,
    missing,
    summary,
)

SMALL = """
[intake]
deal_id = "Id"
version = ["Id", "Stamp"]
account = "AccountId"
name = "Name"
is_won = "Won"
is_lost = "Lost"
linked = ["Links", "Amends"]
quantities = "target"
rules = [{ kind = "ignored", when = "Type == 'Test'" }, { kind = "expansion", when = "Amends" }]

[order]
deal_id = "Id"
signed_on = { from = "Closed", type = "date", zone = "Zone" }
selling_entity = { from = "Entity", default = "ACME-DE" }
currency = { default = "EUR" }
"sold_to.address.country" = { from = "Country", values = { "Germany" = "DE" } }
"terms.notice_days" = { from = "Notice", type = "integer" }
"terms.auto_renew" = { from = "Auto", type = "boolean" }

[lines]
each = "Items.records"
fields = { id = "Id", quantity = { from = "Quantity", type = "number" } }
"""


@pytest.fixture(scope="module")
def small() -> Mapping:
    return load_mapping(SMALL)


@pytest.fixture(scope="module")
def salesforce() -> Mapping:
    return load_mapping((Path(__file__).parents[3] / "examples/mappings/salesforce.toml").read_text())


def hooli(examples: Path, **changes: Any) -> dict[str, Any]:
    record: dict[str, Any] = json.loads((examples / "payloads/salesforce_new_hooli.json").read_text())
    return {**record, **changes}


@pytest.mark.parametrize(
    ("record", "path", "value"),
    [
        ({}, "deal_id", "1"),
        ({"Id": 17}, "deal_id", "17"),
        ({}, "currency", "EUR"),
        ({}, "selling_entity", "ACME-DE"),
        ({"Entity": "ACME-US"}, "selling_entity", "ACME-US"),
        ({"Entity": ""}, "selling_entity", "ACME-DE"),
        ({"Closed": "2026-11-20"}, "signed_on", "2026-11-20"),
        ({"Closed": "2026-11-20T23:30:00Z"}, "signed_on", "2026-11-20"),
        ({"Closed": "2026-11-20T23:30:00Z", "Zone": "Europe/Paris"}, "signed_on", "2026-11-21"),
        ({"Closed": "2026-11-20T23:30:00.000+0000", "Zone": "Nowhere/Land"}, "signed_on", "2026-11-20"),
        ({"Closed": "soon"}, "signed_on", "soon"),
        ({"Country": "germany "}, "sold_to.address.country", "DE"),
        ({"Country": "Freedonia"}, "sold_to.address.country", "Freedonia"),
        ({"Notice": 30.0}, "terms.notice_days", 30),
        ({"Notice": "30"}, "terms.notice_days", 30),
        ({"Notice": "a month"}, "terms.notice_days", "a month"),
        ({"Auto": True}, "terms.auto_renew", True),
        ({"Auto": "false"}, "terms.auto_renew", False),
        ({"Auto": "perhaps"}, "terms.auto_renew", "perhaps"),
        ({"Items": {"records": [{"Id": "a", "Quantity": 50.0}]}}, "lines", [{"id": "a", "quantity": "50"}]),
        ({"Items": {"records": [{"Quantity": "2.50"}, {}]}}, "lines", [{"quantity": "2.5"}, {}]),
        ({"Items": {"records": [{"Quantity": 1000000}]}}, "lines", [{"quantity": "1000000"}]),
        ({"Items": None}, "lines", []),
    ],
)
def test_values_are_converted_or_passed_on_as_found(
    small: Mapping, record: dict[str, Any], path: str, value: object
) -> None:
    found: Any = canonical({"Id": "1", **record}, small)
    for key in path.split("."):
        found = found[key]
    assert found == value
    assert type(found) is type(value)


def test_what_the_record_lacks_is_absent(small: Mapping) -> None:
    assert canonical({"Id": "1", "Closed": None}, small) == {
        "deal_id": "1",
        "selling_entity": "ACME-DE",
        "currency": "EUR",
        "lines": [],
    }


@pytest.mark.parametrize(
    "record",
    [{}, {"Id": ""}, {"Id": {"a": 1}}, {"Id": "1", "Items": {"records": "none"}}, {"Id": "1", "Closed": [1]}],
)
def test_an_unusable_record_is_refused(small: Mapping, record: dict[str, Any]) -> None:
    with pytest.raises(UnusableRecord):
        canonical(record, small)


def test_a_payload_that_is_no_object_is_refused(small: Mapping) -> None:
    payload = json.loads("[1, 2]")
    with pytest.raises(UnusableRecord, match="not an object"):
        summary(payload, small)


@pytest.mark.parametrize(
    ("record", "kind", "outcome"),
    [
        ({"Won": True}, DealKind.NEW, "won"),
        ({"Won": True, "Amends": "006A"}, DealKind.EXPANSION, "won"),
        ({"Won": True, "Amends": "006A", "Type": "Test"}, DealKind.IGNORED, "won"),
        ({"Won": False}, DealKind.IGNORED, "open"),
        ({"Lost": True, "Amends": "006A"}, DealKind.IGNORED, "lost"),
    ],
)
def test_classification(small: Mapping, record: dict[str, Any], kind: DealKind, outcome: str) -> None:
    assert classify({"Id": "1", **record}, small) is kind
    assert summary({"Id": "1", **record}, small).outcome == outcome


def test_a_lost_deal_keeps_its_kind(small: Mapping) -> None:
    assert summary({"Id": "1", "Lost": True, "Amends": "006A"}, small).kind is DealKind.EXPANSION


def test_the_summary_of_a_deal(small: Mapping) -> None:
    record = {
        "Id": "1",
        "Stamp": "t1",
        "AccountId": "A",
        "Name": "N",
        "Links": ["006A", None, "006B"],
        "Amends": "006A",
    }
    deal = summary(record, small)
    assert (deal.deal_id, deal.version, deal.account, deal.name) == ("1", "1@t1", "A", "N")
    assert deal.linked == ("006A", "006B")
    assert deal.quantities == "target"


def test_a_query_answer_is_the_same_as_its_record(salesforce: Mapping, examples: Path) -> None:
    answer = {"totalSize": 1, "done": True, "records": [hooli(examples)]}
    assert canonical(answer, salesforce) == canonical(hooli(examples), salesforce)
    assert summary(answer, salesforce) == summary(hooli(examples), salesforce)


@pytest.mark.parametrize(
    ("changes", "kind", "linked"),
    [
        ({"Type": "One-off"}, DealKind.IGNORED, ()),
        ({"IsWon": False, "StageName": "Closed Lost"}, DealKind.IGNORED, ()),
        ({"SBQQ__Renewal__c": True, "SBQQ__RenewedContract__c": "800A"}, DealKind.RENEWAL, ("800A",)),
        ({"SBQQ__AmendedContract__c": "800A"}, DealKind.EXPANSION, ("800A",)),
        ({"Amends_Deal__c": "006A", "SBQQ__AmendedContract__c": "800A"}, DealKind.EXPANSION, ("006A", "800A")),
        ({"Renews_Deal__c": "006A"}, DealKind.RENEWAL, ("006A",)),
        ({"Tenure_External_Id__c": "renewal-opportunity:crm/006A/1:2"}, DealKind.RENEWAL, ()),
    ],
)
def test_salesforce_kinds(
    salesforce: Mapping, examples: Path, changes: dict[str, Any], kind: DealKind, linked: tuple[str, ...]
) -> None:
    record = hooli(examples, **changes)
    assert classify(record, salesforce) is kind
    assert summary(record, salesforce).linked == linked


def test_what_is_missing() -> None:
    assert missing({}) == (
        "deal_id",
        "signed_on",
        "selling_entity",
        "currency",
        "account.id",
        "sold_to.name",
        "sold_to.address.country",
        "lines",
    )
    gaps = missing({"ship_to": {"name": "x"}, "lines": [{"id": "1", "product": "P", "quantity": "0"}]})
    assert "ship_to.address.country" in gaps
    assert gaps[-1] == "lines[0].billing_start"
    assert "lines[0].quantity" not in gaps


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"Id"\nversion', '"Id ||"\nversion'),
        ("sold_to.address", "sold_two.address"),
        ("quantity = {", "amount = {"),
        ('kind = "ignored"', 'kind = "lost"'),
        ('{ default = "EUR" }', "{ }"),
        ('type = "integer"', 'type = "int"'),
        ("each =", "every ="),
    ],
)
def test_a_mistaken_mapping_is_refused(old: str, new: str) -> None:
    assert old in SMALL
    with pytest.raises(ValidationError):
        load_mapping(SMALL.replace(old, new, 1))
