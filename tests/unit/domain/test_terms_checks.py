"""The contradictions in terms, ramps and purchase orders: each on its path, all at once, with what to change."""

from typing import Any

import pytest

from domain.company import Company
from domain.policies.validation import verdict
from tests.states import EVERGREEN
from tests.unit.domain.test_validation import spoil

TRIAL = {
    "terms.kind": "trial",
    "terms.trial_days": 30,
    "terms.initial_months": None,
    "terms.converts_to": {"months": 12},
}
ONE_OFF = {"terms.kind": "one_off", "terms.renewal_months": None}
COTERM = {"terms.coterm_with": "crm/006/1", "terms.coterm_ends": "2027-06-30"}
ON_DATE = {"terms.start": "on_date"}
SIGNATURE = {"terms.start": "on_signature"}
PREPAID = {"lines[1].charge": "prepaid", "lines[1].minimum": "MIN-500"}


def ramp(*steps: tuple[str | None, str | None]) -> dict[str, Any]:
    """The platform's line in steps, each from one day to another, beside the document's two other lines."""
    changes: dict[str, Any] = dict(SIGNATURE)
    places = [1, *range(3, 3 + len(steps) - 1)]
    for place, (starts, ends) in zip(places, steps, strict=True):
        changes |= {
            f"lines[{place}]": {
                "id": f"step-{place}",
                "product": "PLATFORM",
                "quantity": "50",
                "billing_start": "on_activation",
                **({"starts": starts} if starts else {}),
                **({"ends": ends} if ends else {}),
            }
        }
    return changes


# What contradicts itself, the path of the reason that follows, and words of its message.
CONTRADICTIONS: list[tuple[dict[str, Any], str, str]] = [
    ({"terms.evergreen": True, "terms.renewal_months": None}, "terms.initial_months", "leave initial_months out"),
    ({"terms.evergreen": True, "terms.initial_months": None}, "terms.renewal_months", "leave renewal_months out"),
    ({**EVERGREEN, "terms.renew_to_evergreen": True}, "terms.renew_to_evergreen", "choose one"),
    ({"terms.renew_to_evergreen": True}, "terms.renewal_months", "leave renewal_months or renew_to_evergreen out"),
    ({"terms.minimum_months": 13}, "terms.minimum_months", "write auto_renew"),
    ({**EVERGREEN, "terms.minimum_months": 500}, "terms.minimum_months", "0 to 120"),
    ({**TRIAL, "terms.converts_to": None}, "terms.converts_to", "write converts_to with months and auto"),
    ({**TRIAL, "terms.converts_to": {"months": 0}}, "terms.converts_to.months", "1 to 120"),
    ({**TRIAL, "terms.converts_to": {"monthly": 1}}, "terms.converts_to.monthly", "no field"),
    ({**TRIAL, "terms.trial_days": 0}, "terms.trial_days", "1 to 732"),
    ({**TRIAL, "terms.trial_days": None}, "terms.trial_days", "write trial_days or initial_months"),
    ({**TRIAL, "terms.trial_days": 14, "terms.initial_months": 1}, "terms.trial_days", "in days and in months"),
    ({**TRIAL, "terms.evergreen": True, "terms.renewal_months": None}, "terms.evergreen", "renew_to_evergreen"),
    (
        {**TRIAL, "terms.renew_to_evergreen": True, "terms.renewal_months": None},
        "terms.converts_to.months",
        "leave months out",
    ),
    ({**TRIAL, "terms.minimum_months": 6}, "terms.minimum_months", "no minimum"),
    ({**TRIAL, "terms.free_months": 1}, "terms.free_months", "not billed before it is converted"),
    ({**TRIAL, "terms.notice_days": 400}, "terms.notice_days", "longer than the renewal term of 365 days"),
    ({"terms.trial_days": 14}, "terms.trial_days", "write kind = trial"),
    ({"terms.converts_to": {"months": 12}}, "terms.converts_to", "write kind = trial"),
    ({**ONE_OFF, "terms.auto_renew": True}, "terms.auto_renew", "leave auto_renew out"),
    ({"terms.kind": "one_off"}, "terms.renewal_months", "leave renewal_months out"),
    ({**ONE_OFF, "terms.price_notice_days": 60}, "terms.price_notice_days", "choose another kind"),
    ({"terms.kind": "reseller"}, "terms.billed_by", "write the reseller or marketplace"),
    ({"terms.billed_by": "a marketplace"}, "terms.billed_by", "write kind = reseller"),
    ({"terms.kind": "barter"}, "terms.kind", "'barter' can't be read"),
    ({**COTERM, "terms.coterm_ends": None}, "terms.coterm_ends", "write coterm_ends"),
    ({**COTERM, "terms.coterm_with": None}, "terms.coterm_with", "write coterm_with"),
    ({**COTERM, "terms.coterm_with": "crm/EX-ANNUAL-1/1"}, "terms.coterm_with", "together with itself"),
    ({**COTERM, "terms.coterm_ends": "2026-11-20"}, "terms.coterm_ends", "begins on 2026-11-20 at the earliest"),
    ({**COTERM, **EVERGREEN}, "terms.coterm_ends", "has no co-term"),
    ({"terms.price_notice_days": -1}, "terms.price_notice_days", "negative"),
    ({"terms.price_notice_days": 366}, "terms.price_notice_days", "longer than the initial term"),
    ({"terms.auto_renew": True, "terms.price_notice_days": 20}, "terms.price_notice_days", "as long as notice_days"),
    ({"terms.free_months": -1}, "terms.free_months", "negative"),
    ({"terms.free_months": 12}, "terms.free_months", "All of the first term's 12 months"),
    ({**EVERGREEN, "terms.free_months": 121}, "terms.free_months", "0 to 120"),
    ({"terms.billing_timing": "never"}, "terms.billing_timing", "can't be read"),
    (
        {"purchase_order": {"limit": 500}, "terms.purchase_order_required": False},
        "purchase_order.number",
        "write its number",
    ),
    ({"purchase_order": {"number": "PO-1", "limit": 0}}, "purchase_order.limit", "more than zero"),
    (
        {"purchase_order": {"number": "PO-1", "expires_on": "2026-11-19"}},
        "purchase_order.expires_on",
        "ask for a new one",
    ),
    ({"purchase_order": 4711}, "purchase_order", "text is needed"),
    ({**PREPAID, "lines[1].minimum": None}, "lines[1].minimum", "write the reference"),
    ({"lines[1].rate_card": "RC-1"}, "lines[1].rate_card", "Only usage and prepaid lines have a rate card"),
    ({"lines[1].minimum": "MIN-1"}, "lines[1].minimum", "leave it out, or change the charge"),
    ({"lines[0].ends": "2027-01-01"}, "lines[0].ends", "has no end"),
    ({"lines[1].starts": "2027-02-01", "lines[1].ends": "2027-01-01"}, "lines[1].ends", "starts on 2027-02-01"),
    ({"lines[1].starts": "2026-11-01"}, "lines[1].starts", "before the contract begins (2026-11-20"),
    ({**SIGNATURE, "lines[1].starts": "2027-11-20"}, "lines[1].starts", "add it with the renewal"),
    ({**SIGNATURE, "lines[1].ends": "2027-11-21"}, "lines[1].ends", "as long as the contract"),
    (
        {"lines[1].ends": "2027-01-01", "lines[1].billing_start": "on_date:2027-01-01"},
        "lines[1].billing_start",
        "let it start before",
    ),
    (ramp((None, "2027-02-01"), ("2027-03-01", None)), "lines[3].starts", "has a gap"),
    ({**ON_DATE, "terms.starts_on": "2040-06-01"}, "terms.starts_on", "years away from its signature"),
    ({**ON_DATE, "terms.starts_on": "9999-06-01"}, "terms.starts_on", "between 1970-01-01 and 2200-01-01"),
    ({"signed_on": "9999-06-01"}, "signed_on", "correct the day"),
    ({"signed_on": "0001-01-01"}, "signed_on", "correct the day"),
    ({**COTERM, "terms.coterm_ends": "9999-12-31"}, "terms.coterm_ends", "correct the day"),
    ({"lines[1].starts": "9999-12-31"}, "lines[1].starts", "correct the day"),
    ({"lines[1].ends": "9999-12-31"}, "lines[1].ends", "leave it out where there is none"),
    ({"lines[1].billing_start": "on_date:9999-12-31"}, "lines[1].billing_start", "correct the day"),
    ({"purchase_order": {"number": "PO-1", "expires_on": "9999-12-31"}}, "purchase_order.expires_on", "leave it out"),
    (ramp((None, "2027-03-01"), ("2027-02-01", None)), "lines[3].starts", "has an overlap"),
]

# What is unusual, and right.
RIGHT: list[dict[str, Any]] = [
    EVERGREEN,
    {**EVERGREEN, "terms.minimum_months": 24, "terms.notice_days": 400},
    {"terms.renew_to_evergreen": True, "terms.renewal_months": None, "terms.minimum_months": 18},
    {"terms.auto_renew": True, "terms.minimum_months": 24},
    {"terms.initial_months": 36, "terms.minimum_months": 12},
    {"terms.notice_days": 60, "terms.price_notice_days": 30},
    TRIAL,
    {**TRIAL, "terms.trial_days": 14, "terms.auto_renew": True},
    {**TRIAL, "terms.converts_to": None, "terms.renew_to_evergreen": True, "terms.renewal_months": None},
    ONE_OFF,
    {"terms.kind": "reseller", "terms.billed_by": "a marketplace"},
    COTERM,
    {"terms.free_months": 11, "terms.billing_timing": "arrears"},
    {"purchase_order": {"number": "PO-1", "limit": "60000.00", "expires_on": "2026-11-20"}},
    {**PREPAID, "lines[1].rate_card": "RC-1"},
    ramp((None, "2027-02-01"), ("2027-02-01", "2027-05-01"), ("2027-05-01", None)),
    ramp((None, None), ("2027-05-01", None)),
]


@pytest.mark.parametrize(("changes", "path", "words"), CONTRADICTIONS, ids=lambda value: str(value)[:60])
def test_each_contradiction_has_one_reason_that_says_what_to_change(
    document: dict[str, Any], company: Company, changes: dict[str, Any], path: str, words: str
) -> None:
    judged = verdict(spoil(document, changes), company, 1, parent_known=None)
    assert [reason.path for reason in judged.reasons] == [path]
    assert words in judged.reasons[0].message
    assert judged.reasons[0].message.endswith(".")


@pytest.mark.parametrize("changes", RIGHT, ids=lambda value: str(value)[:60])
def test_what_is_unusual_is_not_wrong(document: dict[str, Any], company: Company, changes: dict[str, Any]) -> None:
    judged = verdict(spoil(document, changes), company, 1, parent_known=None)
    assert judged.reasons == ()
    assert judged.sheet is not None


def test_every_contradiction_is_said_at_once(document: dict[str, Any], company: Company) -> None:
    changes = {
        "terms.zone": "Europe/Bielefeld",
        "terms.evergreen": True,
        "terms.auto_renew": True,
        "terms.converts_to": {"auto": True},
        "terms.billed_by": "a marketplace",
        "terms.coterm_with": "EX-ANNUAL-1",
        "terms.price_notice_days": -3,
        "purchase_order": {"number": "PO-1", "expires_on": "2020-01-01"},
        "lines[1].starts": "2020-01-01",
        "lines[2].rate_card": "RC-1",
    }
    judged = verdict(spoil(document, changes), company, 1, parent_known=None)
    found = {reason.path for reason in judged.reasons}
    assert found == {
        "terms.zone", "terms.initial_months", "terms.renewal_months", "terms.auto_renew", "terms.converts_to",
        "terms.billed_by", "terms.coterm_with", "terms.coterm_ends", "terms.price_notice_days",
        "purchase_order.expires_on", "lines[1].starts", "lines[2].rate_card",
    }  # fmt: skip


def test_a_purchase_order_is_kept_with_the_contract(document: dict[str, Any], company: Company) -> None:
    table = {"purchase_order": {"number": "PO-1", "limit": "500", "expires_on": "2027-11-20"}}
    sheet = verdict(spoil(document, table), company, 1, parent_known=None).sheet
    assert sheet is not None
    assert sheet.purchase_order is not None
    assert sheet.purchase_order.model_dump(mode="json") == table["purchase_order"]
    plain = verdict(document, company, 1, parent_known=None).sheet
    assert plain is not None
    assert plain.purchase_order is not None
    assert (plain.purchase_order.number, plain.purchase_order.limit) == ("PO-4711", None)
