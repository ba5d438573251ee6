"""The one place where sensitive fields are masked: for the API, the console, the CLI and exports alike."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, RootModel
from pydantic_core import to_jsonable_python

from domain.access.classes import FieldClass, sensitive_fields
from domain.access.policy import Principal


@dataclass(frozen=True)
class Seen:
    """An answer as its reader sees it, as plain JSON, and which classes of sensitive data it really shows."""

    data: Any
    shown: frozenset[FieldClass]


def visible(principal: Principal, model: BaseModel) -> dict[str, Any]:
    """The model as plain JSON; what the principal must not see is null and named in `masked` beside it."""
    data: dict[str, Any] = see(principal, model).data
    return data


def see(principal: Principal, answer: Any) -> Seen:
    """The same of a model, or of anything that JSON can hold with models in it; it also says what it shows: a read that
    shows something sensitive is audited before it is answered."""
    shown: set[FieldClass] = set()
    return Seen(_seen(principal, answer, shown), frozenset(shown))


def _seen(principal: Principal, value: Any, shown: set[FieldClass]) -> Any:
    if isinstance(value, BaseModel):
        return _masked(principal, value, value.model_dump(mode="json"), shown)
    if isinstance(value, Mapping):
        return {str(name): _seen(principal, inner, shown) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_seen(principal, inner, shown) for inner in value]
    return to_jsonable_python(value)


def _masked(principal: Principal, value: Any, dumped: Any, shown: set[FieldClass]) -> Any:
    """`dumped`, the JSON of `value`, masked in place."""
    if isinstance(value, RootModel):
        return _masked(principal, value.root, dumped, shown)
    if isinstance(value, BaseModel) and isinstance(dumped, dict):
        _mask_fields(principal, value, dumped, shown)
    elif isinstance(value, Mapping) and isinstance(dumped, dict):
        for name, inner in zip(dumped, value.values(), strict=True):
            dumped[name] = _masked(principal, inner, dumped[name], shown)
    elif isinstance(value, Sequence) and isinstance(dumped, list):
        for number, inner in enumerate(value):
            dumped[number] = _masked(principal, inner, dumped[number], shown)
    return dumped


def _mask_fields(principal: Principal, model: BaseModel, dumped: dict[str, Any], shown: set[FieldClass]) -> None:
    # what only a newer version of us knows has no class that we know: it is not shown
    for name in model.model_extra or ():
        dumped.pop(name, None)
    classes, hidden = sensitive_fields(type(model)), []
    for name in dumped:
        kind, inner = classes.get(name), getattr(model, name)
        if kind is not None and kind not in principal.sees:
            dumped[name] = None
            hidden.append(name)
            continue
        dumped[name] = _masked(principal, inner, dumped[name], shown)
        if kind is not None and inner not in (None, "", (), [], {}):
            shown.add(kind)
    if hidden:
        dumped["masked"] = sorted({*(dumped.get("masked") or ()), *hidden})
