"""Tax ids and US addresses: what makes the ship-to's tax region plausible. Messages never repeat the id itself."""

import re
from collections.abc import Callable

from stdnum import get_cc_module
from stdnum.exceptions import InvalidChecksum, InvalidFormat, InvalidLength, ValidationError

from domain.iso import COUNTRIES, US_STATES
from domain.order import Order, Party, Reason

# Countries whose VAT number is often written without its suffix, as the plain company number.
_ALSO = {"CH": "uid", "NO": "orgnr"}
_ZIP = re.compile(r"\d{5}(-\d{4})?")


def tax_reasons(order: Order) -> list[Reason]:
    """Why the tax region can't be told: unknown country, missing or implausible tax id, incomplete US address."""
    path = "ship_to" if order.ship_to else "sold_to"
    country = order.shipped.address.country
    if not country:
        return [Reason(path=f"{path}.address.country", message="The ship-to country is missing.")]
    if country not in COUNTRIES:
        message = f"The ship-to country {country!r} is not an ISO 3166 code of two letters, such as DE or US."
        return [Reason(path=f"{path}.address.country", message=message)]
    if country == "US":
        return _us_reasons(order.shipped, path)
    path, party = _taxed(order, path)
    return _tax_id_reasons(party.tax_id, country, f"{path}.tax_id")


def _taxed(order: Order, path: str) -> tuple[str, Party]:
    """The party whose tax id counts: the ship-to, or the sold-to where only that one has an id, of the same country."""
    shipped, sold = order.shipped, order.sold_to
    if not shipped.tax_id and sold.tax_id and sold.address.country == shipped.address.country:
        return "sold_to", sold
    return path, shipped


def _us_reasons(party: Party, path: str) -> list[Reason]:
    reasons = []
    state, postal_code = party.address.state, party.address.postal_code
    if not state:
        reasons.append(Reason(path=f"{path}.address.state", message="A US ship-to needs its state, such as CA."))
    elif state not in US_STATES:
        message = f"{state!r} is not a US state: two letters such as CA are needed."
        reasons.append(Reason(path=f"{path}.address.state", message=message))
    if not postal_code:
        message = "A US ship-to needs its ZIP code, such as 94105."
        reasons.append(Reason(path=f"{path}.address.postal_code", message=message))
    elif not _ZIP.fullmatch(postal_code):
        message = "The ZIP code is not a US one: five digits, or five and four such as 94105-1234, are needed."
        reasons.append(Reason(path=f"{path}.address.postal_code", message=message))
    return reasons


def _tax_id_reasons(tax_id: str | None, country: str, path: str) -> list[Reason]:
    formats = _formats(country)
    if not formats:
        # No known format: any id, or none, is as good as another.
        return []
    if not tax_id:
        return [Reason(path=path, message=f"The tax id is missing: a ship-to in {country} needs one.")]
    problems = [_problem(validate, tax_id) for validate in formats]
    if None in problems:
        return []
    return [Reason(path=path, message=f"The tax id is not a valid one of {country}: {problems[0]}.")]


def _formats(country: str) -> list[Callable[[str], object]]:
    names = ["vat"] + ([_ALSO[country]] if country in _ALSO else [])
    return [module.validate for name in names if (module := get_cc_module(country.lower(), name))]


def _problem(validate: Callable[[str], object], tax_id: str) -> str | None:
    try:
        validate(tax_id)
    except InvalidChecksum:
        return "its check digits do not match"
    except InvalidLength:
        return "it is too long or too short"
    except InvalidFormat:
        return "it contains characters that such an id does not have"
    except ValidationError:
        return "one of its parts is not allowed"
    return None
