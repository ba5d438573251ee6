"""Every example loads, and says what its comment says."""

import json
import tomllib
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from domain.calendar import checkpoints, term, window_opens
from domain.company import Company, load_company
from domain.mapping import DealKind, Mapping, canonical, classify, load_mapping, missing, summary
from domain.order import ContractSheet
from domain.policies.validation import apply_fixes, verdict

HOOLI = "006Dn000009XyZAIA0"


@pytest.fixture
def mappings(examples: Path) -> dict[str, Mapping]:
    return {path.stem: load_mapping(path.read_text()) for path in (examples / "mappings").glob("*.toml")}


def payload(examples: Path, name: str) -> dict[str, Any]:
    record: dict[str, Any] = json.loads((examples / "payloads" / f"{name}.json").read_text())
    return record


def contract(examples: Path, name: str, company: Company) -> ContractSheet:
    document = tomllib.loads((examples / "contracts" / f"{name}.toml").read_text())
    judged = verdict(document, company, 1, parent_known=None)
    assert judged.reasons == ()
    assert judged.sheet is not None
    return judged.sheet


@pytest.mark.parametrize(
    ("name", "kind", "reasons"),
    [
        ("salesforce_new_hooli", DealKind.NEW, set()),
        ("salesforce_new_broken", DealKind.NEW, {"sold_to.tax_id", "lines[0].product"}),
        ("salesforce_new_us", DealKind.NEW, set()),
        ("salesforce_upsell", DealKind.EXPANSION, set()),
        ("salesforce_renewal", DealKind.RENEWAL, set()),
        ("hubspot_new", DealKind.NEW, set()),
    ],
)
def test_payloads(
    examples: Path, mappings: dict[str, Mapping], company: Company, name: str, kind: DealKind, reasons: set[str]
) -> None:
    mapping, record = mappings[name.split("_")[0]], payload(examples, name)
    document = canonical(record, mapping)
    assert classify(record, mapping) is kind
    assert missing(document) == ()
    assert {reason.path for reason in verdict(document, company, 1, parent_known=True).reasons} == reasons
    assert summary(record, mapping).linked == ((HOOLI,) if kind in (DealKind.EXPANSION, DealKind.RENEWAL) else ())


def test_every_payload_is_tested_above(examples: Path) -> None:
    names = {path.stem for path in (examples / "payloads").iterdir()}
    assert names == {"hubspot_new"} | {
        f"salesforce_{name}" for name in ("new_hooli", "new_broken", "new_us", "upsell", "renewal")
    }


def test_the_broken_order_is_mended_by_two_fixes(
    examples: Path, mappings: dict[str, Mapping], company: Company
) -> None:
    mapping = mappings["salesforce"]
    fixes = {"sold_to.tax_id": "DE123456788", "lines[0].product": "ONBOARDING"}
    mended = apply_fixes(canonical(payload(examples, "salesforce_new_broken"), mapping), fixes)
    assert mended == canonical(payload(examples, "salesforce_new_hooli"), mapping)


def test_the_hooli_order(examples: Path, mappings: dict[str, Mapping], company: Company) -> None:
    document = canonical(payload(examples, "salesforce_new_hooli"), mappings["salesforce"])
    sheet = verdict(document, company, 1, parent_known=True).sheet
    assert sheet is not None
    assert (sheet.deal_id, sheet.parent_account) == (HOOLI, "001Dn00000PaReNtAA0")
    assert (sheet.selling_entity, sheet.currency, sheet.terms.zone) == ("ACME-DE", "EUR", "Europe/Berlin")
    assert sheet.go_live == company.go_live_milestone
    assert [(line.product, str(line.quantity), line.billing_start.rule) for line in sheet.lines] == [
        ("ONBOARDING", "1", "on_signature"),
        ("PLATFORM", "50", "on_milestone"),
        ("SUPPORT-PREMIUM", "1", "on_activation"),
    ]


def test_hubspots_close_date_is_read_in_the_contracts_zone(examples: Path, mappings: dict[str, Mapping]) -> None:
    record = payload(examples, "hubspot_new")
    assert record["properties"]["closedate"] == "2026-11-20T23:30:03Z"
    assert canonical(record, mappings["hubspot"])["signed_on"] == "2026-11-21"


def test_every_contract_is_valid(examples: Path, company: Company) -> None:
    for path in (examples / "contracts").glob("*.toml"):
        assert path.read_text().startswith("# ")
        contract(examples, path.stem, company)


def test_the_leap_day_contract(examples: Path, company: Company) -> None:
    sheet = contract(examples, "leap_day", company)
    assert sheet.terms.starts_on == date(2028, 2, 29)
    starts = [term(sheet.terms, date(2028, 2, 29), number).starts for number in (2, 5)]
    assert starts == [date(2029, 2, 28), date(2032, 2, 29)]


def test_the_short_contracts_window_is_open_from_the_start(examples: Path, company: Company) -> None:
    sheet = contract(examples, "short_term", company)
    first = term(sheet.terms, sheet.signed_on, 1)
    opens = window_opens(sheet.terms, first)
    assert opens is not None
    assert opens < first.starts
    assert [point.days_before for point in checkpoints(sheet.terms, first)] == [60, 30, 7]


def test_the_us_contracts_window(examples: Path, company: Company) -> None:
    sheet = contract(examples, "us_quarterly", company)
    assert window_opens(sheet.terms, term(sheet.terms, sheet.signed_on, 1)) == date(2027, 8, 20)


def test_the_company_reaches_its_go_live(company: Company) -> None:
    assert company.milestones == {"kick-off", "trained", "go-live"}
    assert {entity.country for entity in company.entities} == {"US", "DE"}
    assert company.go_live_milestone in {task.milestone for task in company.onboarding.tasks}


def test_a_misspelt_company_is_refused(examples: Path) -> None:
    with pytest.raises(ValidationError, match="grace_daze"):
        load_company((examples / "company.toml").read_text().replace("grace_days", "grace_daze"))
