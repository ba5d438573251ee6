"""The one place where sensitive fields are masked: for the API, the console, the CLI and exports alike."""

from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass, replace
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Generic, TypeVar

from pydantic import BaseModel
from pydantic_core import to_jsonable_python

from domain.access.classes import FieldClass, sensitive_fields
from domain.access.policy import Principal
from domain.access.within import holds, said, unmarked

T = TypeVar("T")

PLAIN = frozenset((int, float, bool, type(None), Decimal, date, datetime))
"""What holds nothing else: most of an answer is of these, and is passed by at once."""


@dataclass(frozen=True)
class Veiled(Generic[T]):
    """An answer as its reader sees it: what must not be seen is None, and named in `masked` beside it. `shown`: the
    classes of sensitive data that it really shows; `hidden`: those that it would."""

    answer: T
    shown: frozenset[FieldClass]
    hidden: frozenset[FieldClass]


def veiled(principal: Principal, answer: T) -> Veiled[T]:
    """The answer, with its models as models: for a page. A read that shows something sensitive is audited before it is
    answered."""
    veil = _Veil(principal)
    return Veiled(veil.over(answer), frozenset(veil.shown), frozenset(veil.hidden))


def see(principal: Principal, answer: Any) -> Veiled[Any]:
    """The same as plain JSON: of a model, or of anything that JSON can hold with models in it."""
    found = veiled(principal, answer)
    return Veiled(_plain(found.answer), found.shown, found.hidden)


def visible(principal: Principal, model: BaseModel) -> dict[str, Any]:
    """One model as plain JSON, as the principal sees it."""
    data: dict[str, Any] = see(principal, model).answer
    return data


class _Veil:
    """What is laid over one answer for one reader."""

    def __init__(self, principal: Principal) -> None:
        self._sees = principal.sees
        self._within = 0
        self.shown: set[FieldClass] = set()
        self.hidden: set[FieldClass] = set()

    def over(self, value: Any) -> Any:
        """The value itself where nothing of it is hidden."""
        if type(value) in PLAIN:
            return value
        if isinstance(value, str):
            return self._over_text(value)
        if isinstance(value, BaseModel):
            return self._over_model(value)
        if isinstance(value, Mapping):
            inside = {name: self.over(inner) for name, inner in value.items()}
            return inside if any(inside[name] is not value[name] for name in inside) else value
        if isinstance(value, list | tuple):
            items = [self.over(inner) for inner in value]
            if all(new is old for new, old in zip(items, value, strict=True)):
                return value
            return type(value)(*items) if hasattr(value, "_fields") else type(value)(items)
        if is_dataclass(value) and not isinstance(value, type):
            parts = {each.name: getattr(value, each.name) for each in fields(value)}
            over = {name: new for name, part in parts.items() if (new := self.over(part)) is not part}
            return replace(value, **over) if over else value
        return value

    def _over_text(self, text: str) -> str:
        if not (found := holds(text)):
            return text
        if self._within:
            return unmarked(text)
        self.shown |= found & self._sees
        self.hidden |= found - self._sees
        return said(text, self._sees)

    def _over_model(self, model: BaseModel) -> BaseModel:
        classes, masked = sensitive_fields(type(model)), list[str]()
        changes: dict[str, Any] = {}
        for name in type(model).model_fields:
            kind, inner = classes.get(name), getattr(model, name)
            if kind is not None and kind not in self._sees:
                changes[name] = None
                masked.append(name)
                if inner is not None:
                    self.hidden.add(kind)
                continue
            if kind is not None and inner not in (None, "", (), [], {}):
                self.shown.add(kind)
            self._within += kind is not None  # what has a class as a whole is shown as a whole
            if (over := self.over(inner)) is not inner:
                changes[name] = over
            self._within -= kind is not None
        if masked:
            changes["masked"] = tuple(masked)
        if model.model_extra:  # what only a newer version of us knows has no class that we know
            model = model.model_copy()
            (model.model_extra or {}).clear()
        return model.model_copy(update=changes) if changes else model


def _plain(value: Any) -> Any:
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json", warnings=False)  # a hidden field is None, whatever its type
    if isinstance(value, Mapping):
        return {str(name): _plain(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    return to_jsonable_python(value)
