"""Our words as Stripe's, and back: amounts, days, intervals, customers, tax ids, invoices."""

import re
from collections.abc import Iterable, Mapping
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any, Literal
from zoneinfo import ZoneInfo

from adapters.http import Json
from domain.errors import InvalidInput
from domain.likeness import LEGAL_FORMS
from domain.order import Address
from domain.ports import Invoice, NewCustomer
from domain.terms import Frequency

KEY, ACCOUNT, ENTITY, CURRENCY, PARENT, HELD, HOLD_REASON = (
    "tenure_key", "tenure_account", "tenure_selling_entity", "tenure_currency", "tenure_parent_account",
    "tenure_credit_hold", "tenure_credit_hold_reason",
)  # fmt: skip
CONTRACT, LINE, SUBSCRIPTION, CUSTOMER = "tenure_contract", "tenure_line", "erp_subscription", "erp_customer"
LONGEST_VALUE = 500

INTERVALS: Mapping[Frequency, tuple[Literal["month", "year"], int]] = {
    Frequency.MONTHLY: ("month", 1),
    Frequency.QUARTERLY: ("month", 3),
    Frequency.ANNUAL: ("year", 1),
}

# Stripe's list of currencies without, and with three, digits after the point.
_ZERO_DIGITS = frozenset({
    "BIF", "CLP", "DJF", "GNF", "JPY", "KMF", "KRW", "MGA", "PYG", "RWF", "VND", "VUV", "XAF", "XOF", "XPF",
})  # fmt: skip
_THREE_DIGITS = frozenset({"BHD", "JOD", "KWD", "OMR", "TND"})

_EU_VAT = frozenset({
    "AT", "BE", "BG", "CY", "CZ", "DE", "DK", "EE", "ES", "FI", "FR", "GR", "HR", "HU", "IE", "IT", "LT", "LU", "LV",
    "MT", "NL", "PL", "PT", "RO", "SE", "SI", "SK",
})  # fmt: skip
_TAX_IDS = {
    "AU": "au_abn", "BR": "br_cnpj", "CA": "ca_bn", "CH": "ch_vat", "CL": "cl_tin", "GB": "gb_vat", "HK": "hk_br",
    "IL": "il_vat", "IN": "in_gst", "IS": "is_vat", "JP": "jp_trn", "KR": "kr_brn", "LI": "li_vat", "MX": "mx_rfc",
    "MY": "my_sst", "NO": "no_vat", "NZ": "nz_gst", "SA": "sa_vat", "SG": "sg_gst", "TH": "th_vat", "TR": "tr_tin",
    "TW": "tw_vat", "US": "us_ein", "ZA": "za_vat",
}  # fmt: skip
_STATUS: Mapping[str, Literal["draft", "posted", "paid", "cancelled"]] = {
    "draft": "draft",
    "open": "posted",
    "paid": "paid",
    "void": "cancelled",
    "uncollectible": "cancelled",  # given up: nobody collects it any more
}


def digits(currency: str) -> int:
    code = currency.upper()
    return 0 if code in _ZERO_DIGITS else 3 if code in _THREE_DIGITS else 2


def minor(amount: Decimal, currency: str) -> Decimal:
    """In Stripe's smallest unit; a unit price may have up to twelve more digits."""
    return (amount.scaleb(digits(currency))).normalize() + 0


def major(amount: int, currency: str) -> Decimal:
    return Decimal(amount).scaleb(-digits(currency))


def whole(quantity: Decimal, line: str) -> int:
    """Raises InvalidInput: a subscription at Stripe has whole quantities only."""
    if quantity != quantity.to_integral_value() or quantity < 0:
        raise InvalidInput(f"line {line}: Stripe bills whole quantities, not {quantity}")
    return int(quantity)


class Days:
    """Civil days in a zone, and the instants in seconds by which Stripe counts them."""

    def __init__(self, zone: str) -> None:
        self._zone = ZoneInfo(zone)

    def start(self, day: date) -> int:
        return int(datetime.combine(day, time(), self._zone).timestamp())

    def of(self, seconds: int) -> date:
        return datetime.fromtimestamp(seconds, self._zone).date()

    def today(self, at: datetime) -> date:
        return at.astimezone(self._zone).date()


def address(given: Address) -> Json:
    fields = {
        "line1": given.street,
        "city": given.city,
        "postal_code": given.postal_code,
        "state": given.state,
        "country": given.country,
    }
    return {name: value for name, value in fields.items() if value}


def customer(new: NewCustomer, key: str) -> Json:
    """The parameters that make a customer."""
    made: Json = {"name": new.name, "metadata": claim(new, key)}
    if billing := address(new.billing_address):
        made["address"] = billing
    if shipping := address(new.shipping_address):
        made["shipping"] = {"name": new.name, "address": shipping}
    if new.email:
        made["email"] = new.email
    if tax_id := tax_id_of(new):
        made["tax_id_data"] = [tax_id]
    return made


def claim(new: NewCustomer, key: str) -> dict[str, str]:
    """The metadata by which a customer stands for an account with a selling entity."""
    said = {KEY: key, ACCOUNT: new.account, ENTITY: new.selling_entity, CURRENCY: new.currency}
    if new.parent_account:
        said[PARENT] = new.parent_account
    return {name: fits(value, name) for name, value in said.items()}


def metadata_of(record: Json) -> dict[str, str]:
    """Null as well where there are none."""
    return dict(record["metadata"] or {})


def fits(value: str, name: str) -> str:
    if len(value) > LONGEST_VALUE:
        raise InvalidInput(f"{name}: Stripe keeps at most {LONGEST_VALUE} characters in a metadata value")
    return value


def tax_id_of(new: NewCustomer) -> Json | None:
    """Stripe's kind of tax id goes by the country; None where it has none that a country's companies all use."""
    value, country = bare(new.tax_id), new.billing_address.country or new.shipping_address.country or ""
    if not value:
        return None
    if country in _EU_VAT:
        prefix = "EL" if country == "GR" else country
        return {"type": "eu_vat", "value": value if value[:2].isalpha() else prefix + value}
    kind = _TAX_IDS.get(country)
    return {"type": kind, "value": value} if kind else None


def bare(tax_id: str | None) -> str:
    return re.sub(r"[\W_]", "", tax_id or "").upper()


def plain(name: str) -> str:
    """A company's name without case, punctuation and legal form."""
    words = re.sub(r"[^\w\s]", " ", name.casefold()).split()
    return " ".join(word for word in words if word not in LEGAL_FORMS)


def quoted(text: str) -> str:
    """A string of Stripe's search language."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def invoice(record: Json, days: Days) -> Invoice:
    currency = record["currency"].upper()
    moments, status = record["status_transitions"], _STATUS[record["status"]]
    open_amount = major(record["amount_remaining"], currency) if status in ("draft", "posted") else Decimal(0)
    return Invoice(
        id=record["id"],
        number=record["number"],
        status=status,
        currency=currency,
        total=major(record["total"], currency),
        open_amount=open_amount,
        issued_on=_day(moments["finalized_at"], days),
        due_on=due_on(record, days),
        contract=_of_contract(record),
    )


def due_on(record: Json, days: Days) -> date | None:
    """Charged automatically, an invoice has no due date: it is due when it is final."""
    return _day(record["due_date"] or record["status_transitions"]["finalized_at"], days)


def paid_on(record: Json, days: Days) -> date | None:
    return _day(record["status_transitions"]["paid_at"], days)


def _day(seconds: int | None, days: Days) -> date | None:
    return None if seconds is None else days.of(seconds)


def _of_contract(record: Json) -> str | None:
    details: Any = (record["parent"] or {}).get("subscription_details") or {}
    for metadata in (record["metadata"], details.get("metadata")):
        if metadata and metadata.get(CONTRACT):
            return str(metadata[CONTRACT])
    return None


def overdue(records: Iterable[Json], today: date, days: Days) -> list[Json]:
    """The open ones whose last day to pay is over."""
    return [each for each in records if each["status"] == "open" and (due_on(each, days) or today) < today]
