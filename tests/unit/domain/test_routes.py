"""Which connections an order goes to: every combination, against a reading of the rules that is written another way."""

import tomllib
from decimal import Decimal
from itertools import combinations, product
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from domain.company import Company, Product, load_company
from domain.document import apply_fixes
from domain.order import Account, Address, Order, OrderLine, Party
from domain.policies.validation import verdict
from domain.routes import Landscape, Route, any_of, foreign_words, route_mistakes

EXAMPLES = Path(__file__).parents[3] / "examples"
COMPANY = load_company((EXAMPLES / "company.toml").read_text())

ENTITIES, REGIONS, LINES = ("A", "B", "C"), ("US", "DE", "FR"), ("x", "y", "z")  # no route names the last of each
SOLD = [set(lines) for size in (1, 2, 3) for lines in combinations(LINES, size)]
ERPS = {"one": "erp", "two": "erp", "three": "erp", "cs": "cs"}


def selling(*lines: str) -> Company:
    return COMPANY.model_copy(update={"products": tuple(Product(sku=each, name=each, line=each) for each in lines)})


def order(entity: str, region: str, lines: set[str]) -> Order:
    sold = tuple(OrderLine(id=each, product=each, quantity=Decimal(1)) for each in sorted(lines))
    ship_to = Party(address=Address(country=region))
    return Order(deal_id="d", account=Account(id="a"), selling_entity=entity, ship_to=ship_to, lines=sold)


def some(values: tuple[str, ...]) -> Any:
    return st.lists(st.sampled_from(values[:-1]), unique=True).map(tuple)


ROUTES = st.lists(
    st.builds(
        Route,
        kind=st.just("erp"),
        connection=st.sampled_from(["one", "two", "three"]),
        selling_entities=some(ENTITIES),
        regions=some(REGIONS),
        product_lines=some(LINES),
    ),
    max_size=5,
)


def fits(route: Route, entity: str, region: str, lines: set[str]) -> bool:
    named = (route.selling_entities, {entity}), (route.regions, {region}), (route.product_lines, lines)
    return all(not allowed or asked.issubset(allowed) for allowed, asked in named)


@given(ROUTES)
def test_the_first_route_that_fits_counts_for_every_order(routes: list[Route]) -> None:
    landscape = Landscape(connections=ERPS, homes={"erp": "one", "cs": "cs"}, routes=tuple(routes))
    for entity, region, lines in product(ENTITIES, REGIONS, SOLD):
        expected = next((route.connection for route in routes if fits(route, entity, region, lines)), None)
        routed = landscape.route(order(entity, region, lines), selling(*LINES))
        assert routed.connections.get("erp") == expected
        assert routed.connections["cs"] == "cs", "a kind with one connection needs no route"
        assert routed.scopes == ({"erp": expected} if expected in ("two", "three") else {})
        assert len(routed.reasons) == (expected is None)


@given(ROUTES)
def test_a_route_is_a_mistake_exactly_when_no_order_can_reach_it(routes: list[Route]) -> None:
    orders = list(product(ENTITIES, REGIONS, SOLD))
    dead = [
        number
        for number, route in enumerate(routes)
        if not any(fits(route, *each) and not any(fits(other, *each) for other in routes[:number]) for each in orders)
    ]
    found = list(route_mistakes(routes, ERPS))
    assert [line.partition(":")[0] for line in found] == [f"routes[{number}]" for number in dead]
    assert all("no order can reach it" in line for line in found)


def test_kinds_are_routed_each_by_its_own_routes() -> None:
    routes = (
        Route(kind="cs", connection="gainsight", regions=("US",)),
        Route(kind="erp", connection="two"),
        Route(kind="cs", connection="vitally"),
    )
    connections = {"one": "erp", "two": "erp", "gainsight": "cs", "vitally": "cs", "help": "support"}
    assert list(route_mistakes(routes, connections)) == []
    landscape = Landscape(connections=connections, homes={"erp": "one"}, routes=routes)
    routed = landscape.route(order("A", "DE", {"x"}), selling(*LINES))
    assert routed.connections == {"erp": "two", "cs": "vitally", "support": "help"}
    assert routed.scopes == routed.connections, "only a home's records go without its name"


@pytest.mark.parametrize(
    ("route", "path", "why"),
    [
        ({"selling_entities": ("ACME-US",)}, "selling_entity", "ACME-DE"),
        ({"regions": ("US", "FR")}, "ship_to.address.country", "ACME-DE to DE"),
        ({"product_lines": ("data",)}, "lines", "(none, suite)"),
    ],
)
def test_an_order_that_no_route_fits_says_which_of_its_fields_is_in_the_way(
    route: dict[str, Any], path: str, why: str
) -> None:
    document = tomllib.loads((EXAMPLES / "contracts" / "annual_saas.toml").read_text())
    document = apply_fixes(document, {"ship_to": document["sold_to"]})
    lines = {line["product"] for line in document["lines"]}
    first = sorted(lines)[0]
    products = tuple(
        each.model_copy(update={"line": "suite" if each.sku == first else None}) for each in COMPANY.products
    )
    company = COMPANY.model_copy(update={"products": products})
    landscape = Landscape(
        connections={"one": "erp", "two": "erp"}, routes=(Route(kind="erp", connection="one", **route),)
    )
    judged = verdict(document, company, 1, parent_known=None, landscape=landscape)
    assert (judged.sheet, judged.connections) == (None, {})
    [reason] = judged.reasons
    assert reason.path == path
    assert why in reason.message


def test_what_is_wrong_with_a_field_is_said_once_and_not_again_as_a_missing_route() -> None:
    document = tomllib.loads((EXAMPLES / "contracts" / "annual_saas.toml").read_text())
    landscape = Landscape(
        connections={"one": "erp", "two": "erp"},
        routes=(Route(kind="erp", connection="one", selling_entities=("ACME-US",)),),
    )
    nobody = apply_fixes(document, {"selling_entity": "ACME-FR"})
    judged = verdict(nobody, COMPANY, 1, parent_known=None, landscape=landscape)
    assert [reason.path for reason in judged.reasons] == ["selling_entity"]
    assert "is not known" in judged.reasons[0].message
    unsigned = apply_fixes(document, {"signed_on": None})
    judged = verdict(unsigned, COMPANY, 1, parent_known=None, landscape=landscape)
    assert {reason.path for reason in judged.reasons} == {"signed_on", "selling_entity"}, "every reason at once"


def test_without_a_landscape_an_order_goes_where_it_always_went() -> None:
    document = tomllib.loads((EXAMPLES / "contracts" / "annual_saas.toml").read_text())
    judged = verdict(document, COMPANY, 1, parent_known=None)
    assert (judged.connections, judged.scopes) == ({}, {})
    assert judged.sheet is not None


@pytest.mark.parametrize(
    ("route", "complaint"),
    [
        (Route(kind="erp", connection="sap"), "routes[0]: unknown connection 'sap'; known: cs, one, three, two"),
        (Route(kind="erp", connection="cs"), "routes[0]: cs is of kind cs, and the route is for kind erp"),
    ],
)
def test_a_route_to_nowhere_is_named(route: Route, complaint: str) -> None:
    assert list(route_mistakes([route], ERPS)) == [complaint]


def test_what_the_company_has_not_is_named() -> None:
    routes = [
        Route(kind="erp", connection="one", selling_entities=("ACME-US", "ACME-FR")),
        Route(kind="erp", connection="one", product_lines=("x", "y")),
    ]
    assert list(foreign_words(routes, selling("x"))) == [
        "routes[0].selling_entities: the company has no 'ACME-FR', only ACME-DE, ACME-US",
        "routes[1].product_lines: the company has no 'y', only x",
    ]
    with pytest.raises(ValidationError, match="'USA' is not an ISO 3166 code"):
        Route(kind="erp", connection="one", regions=("USA",))


def test_records_are_known_by_their_system_and_those_of_old_by_the_kind() -> None:
    two = Landscape(connections={"us": "erp", "eu": "erp", "help": "support"}, homes={"erp": "us"})
    assert [two.meant_by("erp", source) for source in ("us", "eu", "help", None)] == ["us", "eu", "erp*", "erp*"]
    assert two.known_as("erp", "us") == two.known_as("erp", "erp") == ("us", "erp")
    assert two.known_as("erp", "eu") == ("eu",)
    assert two.known_as("erp", any_of("erp")) == ("us", "eu", "erp")
    assert [two.served_by("erp", recorded) for recorded in ("eu", "erp", None)] == ["eu", "us", "us"]
    nobody, one = Landscape(), Landscape(connections={"tryton": "erp"})
    assert nobody.known_as("erp", nobody.meant_by("erp", "erp")) == ("erp",)
    assert one.known_as("erp", one.meant_by("erp", None)) == ("tryton",)
