"""The example company, and a valid order document to spoil."""

import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from domain.company import Company, load_company

# No deadline: the machines that run this are shared. No database: a failure is reproduced from what it prints.
settings.register_profile("tenure", deadline=None, database=None, print_blob=True)
settings.load_profile("tenure")

EXAMPLES = Path(__file__).parents[3] / "examples"


@pytest.fixture
def examples() -> Path:
    return EXAMPLES


@pytest.fixture(scope="session")
def company() -> Company:
    return load_company((EXAMPLES / "company.toml").read_text())


@pytest.fixture
def document() -> dict[str, Any]:
    """A fresh copy of a valid order: Hooli in Germany, three lines."""
    return tomllib.loads((EXAMPLES / "contracts" / "annual_saas.toml").read_text())


@pytest.fixture
def us_document() -> dict[str, Any]:
    return tomllib.loads((EXAMPLES / "contracts" / "us_quarterly.toml").read_text())
