"""docs/terms.md against the models: no term without its meaning, no meaning without its term."""

import re
from pathlib import Path

import pytest
from pydantic import BaseModel

from domain.order import OrderedPurchaseOrder, OrderedTerms
from domain.terms import ContractTerms, LineTerms, PurchaseOrder

PAGE = (Path(__file__).parents[3] / "docs" / "terms.md").read_text()


def documented(heading: str) -> dict[str, list[str]]:
    """The cells of each row under a heading, by the term's name."""
    section = PAGE.split(f"## {heading}\n")[1].split("\n## ")[0]
    rows = re.findall(r"^\| `(\w+)` \|(.*)\|$", section, re.MULTILINE)
    return {name: [cell.strip() for cell in cells.split(" | ")] for name, cells in rows}


@pytest.mark.parametrize(
    ("heading", "model"),
    [
        ("Of the contract", ContractTerms),
        ("Of the contract", OrderedTerms),
        ("Of a line", LineTerms),
        ("The purchase order", PurchaseOrder),
        ("The purchase order", OrderedPurchaseOrder),
    ],
)
def test_every_term_has_its_meaning(heading: str, model: type[BaseModel]) -> None:
    told = documented(heading)
    assert set(told) == set(model.model_fields)
    assert all(cells[-1].endswith(".") for cells in told.values())


def test_the_defaults_on_the_page_are_the_models() -> None:
    for name, cells in documented("Of the contract").items():
        default = ContractTerms.model_fields[name].default
        written = "none" if default is None else str(default).lower() if isinstance(default, bool) else str(default)
        assert cells[0].strip("`") == written or cells[0].strip("`").lower() == written.lower(), name


def test_every_example_on_the_page_is_there() -> None:
    named = re.findall(r"\(\.\./(examples/\S+)\)", PAGE)
    assert len(named) == 5
    assert all((Path(__file__).parents[3] / path).exists() for path in named)
