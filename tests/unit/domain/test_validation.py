"""Order validation: each reason on its path, all of them at once, and the sheet of a valid order."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.company import Company
from domain.document import apply_fixes
from domain.policies.validation import parse_order, sheet, validate_order, verdict
from tests.states import EVERGREEN

UK = {"sold_to.address.country": "GB", "sold_to.address.state": None}

# What is spoilt in a valid order, the path of the reason that follows, and words of its message.
SPOILT: list[tuple[dict[str, Any], str, str]] = [
    ({"deal_id": None}, "deal_id", "missing"),
    ({"account.id": None}, "account.id", "missing"),
    ({"account.parent_id": "ACC-HOOLI"}, "account.parent_id", "own parent"),
    ({"signed_on": None}, "signed_on", "missing"),
    ({"signed_on": "soon"}, "signed_on", "'soon' can't be read"),
    ({"sold_to.name": None}, "sold_to.name", "missing"),
    ({"bill_to.email": "ap@hooli.example"}, "bill_to.name", "missing"),
    ({"selling_entity": None}, "selling_entity", "ACME-DE, ACME-US"),
    ({"selling_entity": "ACME-FR"}, "selling_entity", "'ACME-FR' is not known"),
    ({"selling_entity": "ACME-US", "currency": "USD"}, "selling_entity", "does not sell to DE; it sells to US, CA"),
    ({"currency": None}, "currency", "missing; ACME-DE sells in EUR, CHF"),
    ({"currency": "EURO"}, "currency", "not an ISO 4217 code"),
    ({"currency": "USD"}, "currency", "in USD; ACME-DE sells in EUR, CHF"),
    ({"sold_to.address.country": None}, "sold_to.address.country", "missing"),
    ({"sold_to.address.country": "Germany"}, "sold_to.address.country", "ISO 3166"),
    ({"sold_to.tax_id": None}, "sold_to.tax_id", "a ship-to in DE needs one"),
    ({"sold_to.tax_id": "DE123456789"}, "sold_to.tax_id", "check digits"),
    ({"sold_to.tax_id": "DE12345678"}, "sold_to.tax_id", "too long or too short"),
    ({"sold_to.tax_id": "DEABCDEFGHI"}, "sold_to.tax_id", "characters"),
    ({"ship_to.address.country": "FR"}, "ship_to.tax_id", "a ship-to in FR needs one"),
    ({**UK, "sold_to.tax_id": "GB123"}, "sold_to.tax_id", "not a valid one of GB"),
    ({"lines": []}, "lines", "at least one"),
    ({"lines[1].id": "1"}, "lines[1].id", "more than once"),
    ({"lines[1].id": None}, "lines[1].id", "no id"),
    ({"lines[0].product": None}, "lines[0].product", "no product"),
    ({"lines[0].product": "ONBORDING"}, "lines[0].product", "'ONBORDING' is not known; known are ANALYTICS"),
    ({"lines[1].product": "ONBOARDING", "lines[1].quantity": 1}, "lines[2].product", "beside a base plan (PLATFORM)"),
    ({"lines[1].quantity": None}, "lines[1].quantity", "missing"),
    ({"lines[1].quantity": "0"}, "lines[1].quantity", "more than zero"),
    ({"lines[1].quantity": "-5"}, "lines[1].quantity", "more than zero"),
    ({"lines[1].quantity": "2.5"}, "lines[1].quantity", "whole numbers"),
    ({"lines[1].quantity": "5001"}, "lines[1].quantity", "at most 5000"),
    ({"lines[1].quantity": "fifty"}, "lines[1].quantity", "'fifty' can't be read: a number is needed"),
    ({"lines[0].frequency": "monthly"}, "lines[0].frequency", "billed once"),
    ({"lines[1].frequency": "once"}, "lines[1].frequency", "monthly, quarterly or annual"),
    ({"lines[1].billing_start": None}, "lines[1].billing_start", "when its billing starts"),
    ({"lines[1].billing_start": "at go-live"}, "lines[1].billing_start", "not a billing start"),
    ({"lines[1].billing_start": {"earliest_of": ["x"]}}, "lines[1].billing_start", "not a billing start"),
    ({"lines[1].billing_start": "on_milestone:launch"}, "lines[1].billing_start", "it has go-live, kick-off, trained"),
    ({"lines[1].billing_start": "on_date:2062-01-01"}, "lines[1].billing_start", "would start on 2062-01-01"),
    ({"lines[1].billing_start": "on_date:2016-01-01"}, "lines[1].billing_start", "would start on 2016-01-01"),
    ({"terms.zone": "Europe/Bielefeld"}, "terms.zone", "not known"),
    ({"terms.zone": "../etc/passwd"}, "terms.zone", "not known"),
    ({"terms.start": "on_date"}, "terms.starts_on", "the date is missing"),
    ({"terms.starts_on": "2026-12-01"}, "terms.starts_on", "starts on_activation"),
    ({"terms.start": "on_date", "terms.starts_on": "2062-01-01"}, "terms.starts_on", "years away"),
    ({"terms.start": "whenever"}, "terms.start", "'whenever' can't be read"),
    ({"terms.initial_months": 0}, "terms.initial_months", "0 months; allowed are 1 to 120"),
    ({"terms.renewal_months": 1200}, "terms.renewal_months", "1200 months"),
    ({"terms.minimum_months": 24}, "terms.minimum_months", "longer than the initial term of 12"),
    ({"terms.minimum_months": -1}, "terms.minimum_months", "negative"),
    ({"terms.payment_terms_days": 4000}, "terms.payment_terms_days", "0 to 365"),
    ({"terms.notice_days": -1}, "terms.notice_days", "negative"),
    ({"terms.notice_days": 366}, "terms.notice_days", "longer than the initial term of 365 days"),
    ({"terms.renewal_months": 1, "terms.notice_days": 90}, "terms.notice_days", "renewal term of 30 days"),
    ({"terms.renewal_window_days": -1}, "terms.renewal_window_days", "-1 days"),
    ({"terms.renewal_lead_days": 9999}, "terms.renewal_lead_days", "9999 days"),
    ({**EVERGREEN, "terms.auto_renew": True}, "terms.auto_renew", "choose one"),
]


def spoil(document: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    return apply_fixes(document, changes)


@pytest.mark.parametrize(("changes", "path", "words"), SPOILT, ids=lambda value: str(value)[:50])
def test_each_mistake_has_one_reason_on_its_path(
    document: dict[str, Any], company: Company, changes: dict[str, Any], path: str, words: str
) -> None:
    judged = verdict(spoil(document, changes), company, 3, parent_known=None)
    assert judged.sheet is None
    assert judged.revision == 3
    assert [reason.path for reason in judged.reasons] == [path]
    assert words in judged.reasons[0].message
    assert judged.reasons[0].message.endswith(".")


def test_all_reasons_come_at_once(document: dict[str, Any], company: Company) -> None:
    changes = {
        "lines[0].product": "ONBORDING",
        "lines[1].quantity": "fifty",
        "lines[1].billing_start": "on_milestone:launch",
        "lines[2].id": None,
        "sold_to.tax_id": "DE123456789",
        "currency": "USD",
        "terms.notice_days": -1,
        "terms.initial_months": "twelve",
        "account.parent_id": "ACC-NOBODY",
    }
    judged = verdict(spoil(document, changes), company, 1, parent_known=False)
    assert sorted(reason.path for reason in judged.reasons) == sorted(changes)


def test_a_parent_must_be_known(document: dict[str, Any], company: Company) -> None:
    document["account"]["parent_id"] = "ACC-PARENT"
    order, _ = parse_order(document)
    assert validate_order(order, company, parent_known=True) == ()
    assert [reason.path for reason in validate_order(order, company, parent_known=False)] == ["account.parent_id"]


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"ship_to.address.state": None}, "ship_to.address.state"),
        ({"ship_to.address.state": "XX"}, "ship_to.address.state"),
        ({"ship_to.address.postal_code": None}, "ship_to.address.postal_code"),
        ({"ship_to.address.postal_code": "9410"}, "ship_to.address.postal_code"),
    ],
)
def test_a_us_order_needs_state_and_zip_instead_of_a_tax_id(
    us_document: dict[str, Any], company: Company, changes: dict[str, Any], path: str
) -> None:
    assert verdict(us_document, company, 1, parent_known=None).reasons == ()
    judged = verdict(spoil(us_document, changes), company, 1, parent_known=None)
    assert [reason.path for reason in judged.reasons] == [path]


@pytest.mark.parametrize(
    ("country", "tax_id"),
    [
        ("AT", "ATU13585627"),
        ("FR", "FR05100055433"),
        ("GR", "EL094259216"),
        ("GB", "GB980780684"),
        ("CH", "CHE-123.456.788"),
        ("CH", "CHE-123.456.788 MWST"),
    ],
)
def test_plausible_tax_ids(document: dict[str, Any], company: Company, country: str, tax_id: str) -> None:
    abroad = spoil(document, {"sold_to.address.country": country, "sold_to.tax_id": tax_id})
    assert verdict(abroad, company, 1, parent_known=None).reasons == ()


def test_the_sold_tos_tax_id_counts_for_a_ship_to_in_the_same_country(
    document: dict[str, Any], company: Company
) -> None:
    same = spoil(document, {"ship_to.name": "Hooli Lager", "ship_to.address.country": "DE"})
    assert verdict(same, company, 1, parent_known=None).reasons == ()
    wrong = spoil(same, {"sold_to.tax_id": "DE1"})
    assert [reason.path for reason in verdict(wrong, company, 1, parent_known=None).reasons] == ["sold_to.tax_id"]


def test_messages_repeat_no_personal_data(document: dict[str, Any], company: Company) -> None:
    spoilt = spoil(document, {"sold_to.tax_id": "DE987654321", "sold_to.name": 4711, "sold_to.address.city": 4712})
    messages = " ".join(reason.message for reason in verdict(spoilt, company, 1, parent_known=None).reasons)
    assert not any(secret in messages for secret in ("987654321", "4711", "4712"))


def test_services_and_usage_come_in_fractions(document: dict[str, Any], company: Company) -> None:
    assert verdict(spoil(document, {"lines[0].quantity": "0.5"}), company, 1, parent_known=None).reasons == ()
    usage = {"lines[2].product": "API-CALLS", "lines[2].charge": "usage", "lines[2].quantity": "0.25"}
    assert verdict(spoil(document, usage), company, 1, parent_known=None).reasons == ()


def test_an_evergreen_contract_may_have_a_long_notice(document: dict[str, Any], company: Company) -> None:
    evergreen = spoil(document, {**EVERGREEN, "terms.notice_days": 400, "terms.minimum_months": 24})
    assert verdict(evergreen, company, 1, parent_known=None).reasons == ()


def test_the_sheet_keeps_terms_and_references_only(document: dict[str, Any], company: Company) -> None:
    kept = verdict(document, company, 1, parent_known=None).sheet
    assert kept is not None
    assert (kept.deal_id, kept.account, kept.selling_entity) == ("EX-ANNUAL-1", "ACC-HOOLI", "ACME-DE")
    assert [(line.id, line.product, line.quantity) for line in kept.lines] == [
        ("1", "ONBOARDING", Decimal(1)),
        ("2", "PLATFORM", Decimal(50)),
        ("3", "SUPPORT-PREMIUM", Decimal(1)),
    ]
    assert not any(personal in kept.model_dump_json() for personal in ("Hooli GmbH", "ap@", "Beispiel", "DE123"))


def test_no_sheet_of_an_incomplete_order(document: dict[str, Any], company: Company) -> None:
    for gap in ("currency", "lines[1].quantity"):
        order, _ = parse_order(spoil(document, {gap: None}))
        with pytest.raises(ValueError, match="validate it first"):
            sheet(order, company)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.dates().map(str),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
PATHS = ["lines", "lines[0]", "lines[1].billing_start", "lines[2].id", "terms", "terms.zone", "sold_to", "deal_id"]


@given(path=st.sampled_from(PATHS), value=JSON)
def test_any_rubbish_in_a_document_is_answered(path: str, value: Any) -> None:
    lines = [{"id": "1"}, {"id": "2"}, {"id": "3"}]
    rubbish = apply_fixes({"deal_id": "D", "lines": lines}, {path: value})
    order, reasons = parse_order(rubbish)
    assert all(reason.path and reason.message for reason in reasons)
    assert len(order.lines) == (len(rubbish["lines"]) if isinstance(rubbish.get("lines"), list) else 0)
