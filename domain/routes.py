"""Which connections an order goes to: by its selling entity, where it is shipped, and what is sold."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Literal

from pydantic import field_validator

from domain.base import Frozen
from domain.company import Company
from domain.iso import COUNTRIES
from domain.order import Order, Reason

RoutedKind = Literal["erp", "cs", "support", "usage"]
ROUTED: tuple[RoutedKind, ...] = ("erp", "cs", "support", "usage")
"""Kinds of systems of which a company may have several. An order stays with the CRM that it was won in."""


class Route(Frozen):
    """An order goes to `connection` when all that is named here fits; what is not named fits any order.

    `selling_entities`: its selling entity is one of them. `regions`: it is shipped to one of these countries, by ISO
    3166 code. `product_lines`: everything that it sells belongs to these lines.
    """

    kind: RoutedKind
    connection: str
    selling_entities: tuple[str, ...] = ()
    regions: tuple[str, ...] = ()
    product_lines: tuple[str, ...] = ()

    @field_validator("regions")
    @classmethod
    def _countries(cls, regions: tuple[str, ...]) -> tuple[str, ...]:
        for region in regions:
            if region not in COUNTRIES:
                raise ValueError(f"{region!r} is not an ISO 3166 code of two letters, such as DE or US")
        return regions


def any_of(kind: str) -> str:
    """The name under which an event waits for a record of any system of a kind, since its source does not say which."""
    return f"{kind}*"


class Routed(Frozen):
    """`connections`: kind → connection. `scopes`: the same without those that are their kind's home: what several
    contracts share, such as the ERP's customer, has the scope in its key, so that two systems never share one.

    `reasons`: why an order can go nowhere; then no kind of those is in `connections`.
    """

    connections: dict[str, str] = {}
    scopes: dict[str, str] = {}
    reasons: tuple[Reason, ...] = ()


class Landscape(Frozen):
    """The systems that there are, and which orders go where.

    `connections`: name → kind. `homes`: kind → the connection in which everything lives that was begun before the
    connections of a contract were recorded. Without connections each kind has one system, named as the kind.
    """

    connections: dict[str, str] = {}
    homes: dict[str, str] = {}
    routes: tuple[Route, ...] = ()

    def of_kind(self, kind: str) -> tuple[str, ...]:
        """The names of a kind's connections."""
        return tuple(name for name, of in self.connections.items() if of == kind)

    def meant_by(self, kind: str, source: str | None) -> str:
        """The system whose record the events of `source` (a connection, or None) mean where they name one of a kind:
        its own; else the only one that there is; else any of them.
        """
        if source is not None and self.connections.get(source) == kind:
            return source
        names = self.of_kind(kind) or (kind,)
        return names[0] if len(names) == 1 else any_of(kind)

    def known_as(self, kind: str, system: str) -> tuple[str, ...]:
        """The names under which records of a system are known: its own, and of the home the kind's, for old ones.

        `system` may be the kind itself, which is its home, or `any_of` it.
        """
        if system == any_of(kind):
            return tuple(dict.fromkeys((*self.of_kind(kind), kind)))
        home = self.homes.get(kind, kind)
        return tuple(dict.fromkeys((home, kind))) if system in (home, kind) else (system,)

    def served_by(self, kind: str, recorded: str | None) -> str:
        """The connection of a contract, as it is recorded with it: by name, or not at all, or by the kind's name."""
        return self.homes.get(kind, kind) if recorded in (None, kind) else str(recorded)

    def route(self, order: Order, company: Company) -> Routed:
        """Where a checked order goes; the first route that fits counts, and a kind with one connection needs none."""
        connections, reasons = {}, []
        facts = _Facts(order, company)
        for kind in ROUTED:
            names = self.of_kind(kind)
            routes = [route for route in self.routes if route.kind == kind]
            if len(names) == 1:
                connections[kind] = names[0]
            elif fitting := next((route for route in routes if facts.fit(route)), None):
                connections[kind] = fitting.connection
            elif names:
                reasons.append(facts.why_nowhere(kind, routes))
        scopes = {kind: name for kind, name in connections.items() if self.homes.get(kind) != name}
        return Routed(connections=connections, scopes=scopes, reasons=tuple(reasons))


class _Facts:
    """What routes are chosen by, of one order."""

    def __init__(self, order: Order, company: Company) -> None:
        lines = {product.sku: product.line for product in company.products}
        self._entity = order.selling_entity
        self._region = order.shipped.address.country
        self._lines = {lines.get(line.product or "") for line in order.lines}
        self._ship_to = "ship_to" if order.ship_to else "sold_to"

    def fit(self, route: Route) -> bool:
        return self._fits_entity(route) and self._fits_region(route) and self._fits_lines(route)

    def why_nowhere(self, kind: str, routes: Sequence[Route]) -> Reason:
        """The first of the three for which there is no route, at what a person would correct."""
        by_entity = [route for route in routes if self._fits_entity(route)]
        if not by_entity:
            message = f"No route leads orders of {self._entity} to a connection of kind {kind}."
            return Reason(path="selling_entity", message=message)
        if not any(self._fits_region(route) for route in by_entity):
            message = f"No route leads orders of {self._entity} to {self._region} to a connection of kind {kind}."
            return Reason(path=f"{self._ship_to}.address.country", message=message)
        sold = ", ".join(sorted(line or "none" for line in self._lines))
        message = f"No route leads the product lines of this order ({sold}) to one connection of kind {kind}."
        return Reason(path="lines", message=message)

    def _fits_entity(self, route: Route) -> bool:
        return not route.selling_entities or self._entity in route.selling_entities

    def _fits_region(self, route: Route) -> bool:
        return not route.regions or self._region in route.regions

    def _fits_lines(self, route: Route) -> bool:
        return not route.product_lines or self._lines <= set(route.product_lines)


def route_mistakes(routes: Sequence[Route], connections: Mapping[str, str]) -> Iterator[str]:
    """What is wrong with routes, one line each: an unknown connection, one of another kind, a route that no order can
    reach since those before it take them all.
    """
    for number, route in enumerate(routes):
        where = f"routes[{number}]"
        kind = connections.get(route.connection)
        if kind is None:
            yield f"{where}: unknown connection {route.connection!r}; known: {', '.join(sorted(connections))}"
        elif kind != route.kind:
            yield f"{where}: {route.connection} is of kind {kind}, and the route is for kind {route.kind}"
        elif not _reachable(route, [each for each in routes[:number] if each.kind == route.kind]):
            yield f"{where}: no order can reach it, since the routes before it take all that would fit"


def foreign_words(routes: Sequence[Route], company: Company) -> Iterator[str]:
    """What routes name and the company has not, one line each."""
    entities = {entity.id for entity in company.entities}
    lines = {product.line for product in company.products if product.line}
    for number, route in enumerate(routes):
        for named, known, what in (
            (route.selling_entities, entities, "selling_entities"),
            (route.product_lines, lines, "product_lines"),
        ):
            if unknown := sorted(set(named) - known):
                has = f"only {', '.join(sorted(known))}" if known else "nor any other"
                yield f"routes[{number}].{what}: the company has no {unknown[0]!r}, {has}"


def _reachable(route: Route, earlier: Sequence[Route]) -> bool:
    """Whether some order fits this route and none before it.

    `None` stands for what no route names. Of product lines the largest mixture counts: who takes that, takes its parts.
    """
    for entity in route.selling_entities or (None,):
        for region in route.regions or (None,):
            if not any(_takes(each, entity, region, route.product_lines) for each in earlier):
                return True
    return False


def _takes(route: Route, entity: str | None, region: str | None, lines: Sequence[str]) -> bool:
    by_lines = not route.product_lines or (bool(lines) and set(lines) <= set(route.product_lines))
    by_entity = not route.selling_entities or entity in route.selling_entities
    return by_entity and by_lines and (not route.regions or region in route.regions)
