"""Stripe's contract as the official library states it: its classes are generated from Stripe's OpenAPI, parameters as
TypedDicts and resources as annotated classes. What Python itself ignores in them is held to here."""

import re
import sys
import typing
from collections.abc import Iterator, Mapping
from decimal import Decimal
from functools import cache
from types import SimpleNamespace
from typing import Any, ForwardRef, Literal, NotRequired, Union, get_args, get_origin
from urllib.parse import parse_qsl

import stripe
import typing_extensions
from stripe import ListObject, RequestOptions, SearchResultObject, StripeObject

Problems = Iterator[tuple[str, str, str]]
"""The parameter, Stripe's code of what is wrong with it, and what that is."""
_UNIONS = (Union, type(int | str))
_NOT_REQUIRED = (NotRequired, typing_extensions.NotRequired)


def nested(encoded: str) -> Any:
    """Form parameters (`a[b][0][c]=v`) as the tree that they stand for."""
    tree: dict[str, Any] = {}
    for name, value in parse_qsl(encoded, keep_blank_values=True, strict_parsing=bool(encoded)):
        keys = [part.strip("[]") for part in re.findall(r"^[^\[]+|\[[^\]]*\]", name)]
        branch = tree
        for key in keys[:-1]:
            branch = branch.setdefault(key, {})
        branch[keys[-1]] = value
    return _with_lists(tree)


def _with_lists(tree: Any) -> Any:
    if not isinstance(tree, dict):
        return tree
    if tree and all(key.isdigit() for key in tree):
        return [_with_lists(tree[key]) for key in sorted(tree, key=int)]
    return {key: _with_lists(value) for key, value in tree.items()}


def wrong_parameters(given: Any, params: type) -> Problems:
    """What Stripe would refuse in a request whose parameters are of a TypedDict of the library's."""
    yield from _of_dict(given, params, "")


@cache
def fields(params: type) -> Mapping[str, Any]:
    own = {name: hint for name, hint in params.__annotations__.items() if name not in RequestOptions.__annotations__}
    holder = SimpleNamespace(__annotations__=own)
    return typing.get_type_hints(holder, vars(sys.modules[params.__module__]), include_extras=True)


def _of_dict(given: Any, params: type, path: str) -> Problems:
    if not isinstance(given, dict):
        yield path, "parameter_invalid_hash", "is no hash"
        return
    known = fields(params)
    for name in given.keys() - known.keys():
        yield _at(path, name), "parameter_unknown", "unknown"
    for name, hint in known.items():
        optional = get_origin(hint) in _NOT_REQUIRED
        if name in given:
            yield from _of_type(given[name], get_args(hint)[0] if optional else hint, _at(path, name))
        elif not optional:
            yield _at(path, name), "parameter_missing", "missing"


def _of_type(given: Any, hint: Any, path: str) -> Problems:
    origin, args = get_origin(hint), get_args(hint)
    if origin in _UNIONS:
        options = _closed(args)
        found = [list(_of_type(given, option, path)) for option in options]
        if all(found):  # the option that went deepest is the one that was meant
            yield from max(found, key=lambda problems: len(problems[0][0]))
    elif origin is Literal:
        if given not in args:
            yield path, "parameter_invalid", f"must be one of {', '.join(map(repr, args))}"
    elif origin is list:
        if not isinstance(given, list):
            yield path, "parameter_invalid_array", "is no array"
            return
        for n, each in enumerate(given):
            yield from _of_type(each, args[0], f"{path}[{n}]")
    elif origin is dict or (isinstance(origin, type) and issubclass(origin, StripeObject)):
        if not isinstance(given, dict) or not all(isinstance(each, str) for each in given.values()):
            yield path, "parameter_invalid_hash", "is no hash of strings"
    elif typing_extensions.is_typeddict(hint):
        yield from _of_dict(given, hint, path)
    elif not isinstance(given, str) or not re.fullmatch(_TEXTS[hint], given, re.DOTALL):
        yield path, f"parameter_invalid_{_NAMES[hint]}", f"is no {_NAMES[hint]}"


_TEXTS = {
    str: ".*",
    int: r"-?\d+",
    bool: "true|false",
    float: r"-?\d+(\.\d+)?",
    Decimal: r"-?\d+(\.\d{1,12})?",
}
_NAMES = {str: "string", int: "integer", bool: "boolean", float: "number", Decimal: "decimal"}


def _closed(options: tuple[Any, ...]) -> list[Any]:
    """Stripe's enumerations are open for the type checker only: `Literal['a', 'b'] | str`."""
    values = [each for option in options if get_origin(option) is Literal for each in get_args(option)]
    closed = any(value != "" for value in values) and str in options
    return [option for option in options if not (closed and option is str)]


def _at(path: str, name: str) -> str:
    return f"{path}[{name}]" if path else name


def wrong_fields(value: Any, resource: type[StripeObject], path: str = "") -> Iterator[str]:
    """Where an answer is not what the library's class of a resource says: unknown, missing or of another type."""
    if not isinstance(value, dict):
        yield f"{path or resource.__name__} is no object"
        return
    known = _annotations(resource)
    for name in value.keys() - known.keys():
        yield f"{_at(path, name)} is unknown"
    for name, hint in known.items():
        if name in value:
            yield from _wrong(value[name], hint, _at(path, name), resource)
        elif type(None) not in get_args(hint):
            yield f"{_at(path, name)} is missing"


def _annotations(resource: type) -> Mapping[str, Any]:
    """A field's name is in small letters; the classes' own constants are not."""
    return {name: hint for name, hint in resource.__annotations__.items() if name.islower() and name[0] != "_"}


def _wrong(value: Any, hint: Any, path: str, owner: type) -> Iterator[str]:
    hint = _resolved(hint, owner)
    if hint is Any:
        return
    origin, args = get_origin(hint), get_args(hint)
    if origin in _UNIONS:
        found = [list(_wrong(value, option, path, owner)) for option in _closed(args)]
        if all(found):
            yield from max(found, key=lambda problems: len(problems[0]))
    elif origin is Literal:
        if value not in args:
            yield f"{path} is {value!r}, none of {args}"
    elif origin in (list, ListObject, SearchResultObject):
        each = value.get("data") if origin is not list and isinstance(value, dict) else value
        if not isinstance(each, list):
            yield f"{path} is no list"
            return
        for n, one in enumerate(each):
            yield from _wrong(one, args[0], f"{path}[{n}]", owner)
    elif isinstance(origin, type) and issubclass(origin, dict | StripeObject):
        if not isinstance(value, dict):
            yield f"{path} is no hash"
    elif isinstance(hint, type) and issubclass(hint, StripeObject):
        yield from wrong_fields(value, hint, path)
    elif hint is Decimal:
        if not isinstance(value, str) or not re.fullmatch(_TEXTS[Decimal], value):
            yield f"{path} is no decimal"
    elif hint is float and isinstance(value, int | float):
        return
    elif not isinstance(value, hint) or (isinstance(value, bool) and hint is not bool):
        yield f"{path} is no {hint.__name__}"


def _resolved(hint: Any, owner: type) -> Any:
    if isinstance(hint, str | ForwardRef):
        name = hint if isinstance(hint, str) else hint.__forward_arg__
        return getattr(owner, name, getattr(stripe, name, Any))
    return hint


def blank(resource: type[StripeObject]) -> dict[str, Any]:
    """The least answer of a resource's class: null where it may be, else empty."""
    return {name: _blank(hint, resource) for name, hint in _annotations(resource).items()}


def _blank(hint: Any, owner: type) -> Any:
    hint = _resolved(hint, owner)
    origin, args = get_origin(hint), get_args(hint)
    if origin in _UNIONS:
        return None if type(None) in args else _blank(args[0], owner)
    if origin is Literal:
        return args[0]
    if origin is list:
        return []
    if origin in (ListObject, SearchResultObject):
        return {"object": "list", "data": [], "has_more": False, "url": "/v1"}
    if isinstance(hint, type) and issubclass(hint, StripeObject):
        return blank(hint)
    return {str: "", int: 0, bool: False, float: 0.0, Decimal: "0"}.get(hint, {})
