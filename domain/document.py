"""The order document, a tree of plain JSON values, and the dotted paths by which people point into it."""

import copy
import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any, get_args

from pydantic import BaseModel

from domain.order import Order

Key = str | int

_PATH = re.compile(r"[A-Za-z_]\w*(\[\d+\])*(\.[A-Za-z_]\w*(\[\d+\])*)*")


def dotted(keys: Sequence[Key]) -> str:
    """("lines", 0, "quantity") as "lines[0].quantity"."""
    text = ""
    for key in keys:
        text += f"[{key}]" if isinstance(key, int) else f".{key}" if text else key
    return text


def keys_of(path: str) -> tuple[Key, ...]:
    """The keys of a dotted path. ValueError when it isn't one."""
    if not _PATH.fullmatch(path):
        raise ValueError(f"{path!r} is not a path: write it like ship_to.address.postal_code or lines[0].quantity")
    return tuple(int(part) if part.isdigit() else part for part in re.findall(r"\w+", path))


def apply_fixes(document: dict[str, Any], fixes: Mapping[str, Any], of: type[Order] = Order) -> dict[str, Any]:
    """A new document with each path set to its value, in the given order; the given document stays as it is.

    `of`: whose paths it may have, those of an order or of a deal that is not split yet. None removes what stands at a
    path. An index one past a list's end appends. ValueError for a path that is misspelt, that no order has, or that
    leads through a list or a value that isn't there.
    """
    fixed = copy.deepcopy(document)
    for path, value in fixes.items():
        keys = keys_of(path)
        if not _in_order(keys, of) and not _stands(fixed, keys):
            raise ValueError(f"{path}: an order has no such field")
        put_at(fixed, path, value)
    return fixed


def value_at(document: Any, path: str) -> Any:
    """What stands at a path, None where nothing does. ValueError when it isn't a path."""
    node = document
    for key in keys_of(path):
        if isinstance(node, list) and isinstance(key, int) and key < len(node):
            node = node[key]
        elif isinstance(node, dict):
            node = node.get(key)
        else:
            return None
    return node


def put_at(document: dict[str, Any], path: str, value: Any) -> None:
    """Set a path of any document to a value; None removes what stands there. ValueError when the path leads nowhere."""
    keys = keys_of(path)
    node: Any = document
    for position, (key, following) in enumerate(pairwise(keys)):
        at = dotted(keys[: position + 1])
        if isinstance(key, str) and isinstance(node, dict):
            if node.get(key) is None:
                node[key] = [] if isinstance(following, int) else {}
        else:
            _check_index(node, key, at)
            if key == len(node):
                node.append({})
        node = node[key]
        if not isinstance(node, list if isinstance(following, int) else dict):
            raise ValueError(f"{path}: {at} is {_kind(node)}")
    _put(node, keys[-1], value, path)


def _put(node: Any, key: Key, value: Any, path: str) -> None:
    if isinstance(key, int):
        _check_index(node, key, path)
        node[key : key + 1] = [] if value is None else [value]
    elif value is None:
        node.pop(key, None)
    else:
        node[key] = value


def _check_index(node: Any, key: Key, at: str) -> None:
    if not isinstance(node, list) or not isinstance(key, int):
        raise ValueError(f"{at}: the document has {_kind(node)} there")
    if key > len(node):
        raise ValueError(f"{at}: there are only {len(node)}")


def _kind(node: Any) -> str:
    return "a list" if isinstance(node, list) else "a group of fields" if isinstance(node, dict) else "a single value"


def _stands(document: Any, keys: tuple[Key, ...]) -> bool:
    node = document
    for key in keys:
        if isinstance(key, int):
            if not isinstance(node, list) or key >= len(node):
                return False
        elif not isinstance(node, dict) or key not in node:
            return False
        node = node[key]
    return True


def _in_order(keys: tuple[Key, ...], of: type[Order]) -> bool:
    """Whether an order can have this path. A billing rule has short forms: its inside is left to validation."""
    model: type[BaseModel] | None = of
    many = False
    for key in keys:
        if isinstance(key, int):
            if not many:
                return False
            many = False
            continue
        if many or model is None or key not in model.model_fields:
            return False
        if key == "billing_start":
            return True
        annotation = model.model_fields[key].annotation
        model = _model_in(annotation)
        many = key == "lines"
    return True


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((model for part in get_args(annotation) if (model := _model_in(part))), None)


def differences(before: dict[str, Any], after: dict[str, Any]) -> dict[str, Any]:
    """What `apply_fixes` has to set to turn one document into the other; None where a value is gone.

    Lines that became more, or fewer, are one difference: which of them is which is not said.
    """
    return {dotted(keys): value for keys, value in _differences(before, after, ())}


def _differences(before: Any, after: Any, keys: tuple[Key, ...]) -> Iterator[tuple[tuple[Key, ...], Any]]:
    if before == after:
        return
    if isinstance(before, dict) and isinstance(after, dict) and keys[-1:] != ("billing_start",):
        for key in [*before, *(key for key in after if key not in before)]:
            yield from _differences(before.get(key), after.get(key), (*keys, key))
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        for index, (old, new) in enumerate(zip(before, after, strict=True)):
            yield from _differences(old, new, (*keys, index))
    else:
        yield keys, after
