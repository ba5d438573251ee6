"""JMESPath expressions over a CRM's record, checked when they are read."""

from collections.abc import Mapping
from functools import reduce
from typing import Annotated, Any

import jmespath
from jmespath.exceptions import JMESPathError
from jmespath.functions import Functions
from pydantic import AfterValidator


class UnusableRecord(ValueError):
    """The CRM's record has not the shape that its mapping expects: it is kept as a dead letter, and can be replayed."""


def _compiles(expression: str) -> str:
    try:
        parsed = jmespath.compile(expression).parsed
    except JMESPathError as error:
        why = str(error).splitlines()[0].removesuffix(":")  # the rest draws an arrow below the place
        raise ValueError(f"{expression!r} is not a JMESPath expression: {why}") from error
    if unknown := sorted(_functions(parsed) - set(Functions.FUNCTION_TABLE)):
        raise ValueError(f"{expression!r} is not a JMESPath expression: there is no function {', '.join(unknown)}")
    return expression


def _functions(node: Mapping[str, Any]) -> set[str]:
    """The functions that an expression calls: JMESPath itself looks for them only when a record is there."""
    called = {str(node["value"])} if node["type"] == "function_expression" else set()
    return called.union(*(_functions(child) for child in node["children"]))


Expression = Annotated[str, AfterValidator(_compiles)]


def evaluate(expression: str, record: Any) -> Any:
    """What an expression finds in a record, None where there is nothing. UnusableRecord when it can't be evaluated."""
    try:
        return jmespath.search(expression, record)
    except JMESPathError as error:
        raise UnusableRecord(f"{expression} can't be evaluated on this record: {error}") from error


def holds(predicate: str, record: Any) -> bool:
    """JMESPath's truth, which is not Python's: null, false, "", [] and {} are false, every number is true."""
    found = evaluate(predicate, record)
    return found is not None and found is not False and found not in ("", [], {})


def paths_in(expression: str) -> frozenset[str]:
    """The dotted paths of fields that an expression reads: `Account.Name` in `Account.Name || Name`, and `Name`."""
    return frozenset(_paths(jmespath.compile(expression).parsed))


def _paths(node: Any) -> set[str]:
    if node["type"] == "field":
        return {node["value"]}
    inner = [_paths(child) for child in node["children"]]
    match node["type"]:
        case "subexpression" | "pipe" | "projection" | "value_projection":
            return reduce(_under, inner)
        case "filter_projection":
            return _under(inner[0], set().union(*inner[1:]))
        case _:
            return set().union(*inner)


def _under(base: set[str], within: set[str]) -> set[str]:
    return {f"{path}.{field}" for path in base for field in within} or base or within
