"""What a mapping reads of a record: the fields that a CRM is asked for."""

from pathlib import Path

import pytest

from domain.expressions import paths_in
from domain.mapping import asked_for, load_mapping

EXAMPLES = Path(__file__).parents[3] / "examples"


@pytest.mark.parametrize(
    ("expression", "paths"),
    [
        ("Name", {"Name"}),
        ("Account.Name || Name", {"Account.Name", "Name"}),
        ("a.b.c", {"a.b.c"}),
        ("IsClosed && !IsWon", {"IsClosed", "IsWon"}),
        ("properties.x == 'true' && y != `1`", {"properties.x", "y"}),
        ("starts_with(Key__c || '', 'renewal:')", {"Key__c"}),
        ("associations.companies.results[0].id", {"associations.companies.results.id"}),
        ("lines[?price > `0`].{id: id, sku: p.sku}", {"lines.id", "lines.p.sku", "lines.price"}),
        ("parents[*].name | [0]", {"parents.name"}),
        ("'constant'", set()),
        ("@", set()),
    ],
)
def test_the_paths_of_an_expression(expression: str, paths: set[str]) -> None:
    assert paths_in(expression) == paths


def test_the_example_of_salesforce() -> None:
    asked = asked_for(load_mapping((EXAMPLES / "mappings/salesforce.toml").read_text()))
    assert {"Id", "SystemModstamp", "Account.ParentId", "Signed_On__c", "Time_Zone__c", "Type"} <= asked.deal
    assert {"Id", "ProductCode", "SBQQ__ChargeType__c"} <= asked.line
    assert "ProductCode" not in asked.deal


def test_the_example_of_hubspot() -> None:
    asked = asked_for(load_mapping((EXAMPLES / "mappings/hubspot.toml").read_text()))
    assert {"properties.closedate", "company.properties.vat_id", "properties.time_zone"} <= asked.deal
    assert {"properties.hs_sku", "properties.recurringbillingfrequency"} <= asked.line
