"""The company's reporting currency, and the table of rates that it has configured for it."""

from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from domain.company import Company
from domain.measures.money import NoRates, Rates, read_rates
from starter.settings import Settings, SettingsError


class Reporting(NamedTuple):
    """`currency` None: amounts of several currencies are not added up."""

    currency: str | None
    rates: Rates


def read_reporting(settings: Settings, company: Company) -> Reporting:
    """The rates as their file says now: whoever publishes them replaces it. Raises SettingsError with the file and what
    is wrong in it."""
    policy = company.reporting
    if policy.rates is None:
        return Reporting(policy.currency, NoRates())
    path = settings.company_path.parent / policy.rates
    try:
        return Reporting(policy.currency, _table(path, path.stat().st_mtime_ns, policy.source))
    except OSError as error:
        raise SettingsError(f"reporting.rates: {path} can't be read ({error.strerror})") from None
    except ValueError as error:
        raise SettingsError(f"reporting.rates: {path}: {error}") from None


@lru_cache(maxsize=4)
def _table(path: Path, _written_at: int, source: str) -> Rates:
    """A table of many years is read once, and again when it was replaced."""
    return read_rates(path.read_text(encoding="utf-8"), source)
