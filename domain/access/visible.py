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
    """An answer as its reader sees it, as plain JSON; which classes of sensitive data it really shows, and which it
    hides."""

    data: Any
    shown: frozenset[FieldClass]
    hidden: frozenset[FieldClass]


def visible(principal: Principal, model: BaseModel) -> dict[str, Any]:
    """The model as plain JSON; what the principal must not see is null and named in `masked` beside it."""
    data: dict[str, Any] = see(principal, model).data
    return data


def see(principal: Principal, answer: Any) -> Seen:
    """The same of a model, or of anything that JSON can hold with models in it; it also says what it shows: a read that
    shows something sensitive is audited before it is answered."""
    masking = _Masking(principal)
    data = masking.of(answer)
    return Seen(data, frozenset(masking.shown), frozenset(masking.hidden))


class _Masking:
    """One answer on its way to one reader."""

    def __init__(self, principal: Principal) -> None:
        self._sees = principal.sees
        self.shown: set[FieldClass] = set()
        self.hidden: set[FieldClass] = set()

    def of(self, value: Any) -> Any:
        if isinstance(value, BaseModel):
            return self._masked(value, value.model_dump(mode="json"))
        if isinstance(value, Mapping):
            return {str(name): self.of(inner) for name, inner in value.items()}
        if isinstance(value, list | tuple):
            return [self.of(inner) for inner in value]
        return to_jsonable_python(value)

    def _masked(self, value: Any, dumped: Any) -> Any:
        """`dumped`, the JSON of `value`, masked in place."""
        if isinstance(value, RootModel):
            return self._masked(value.root, dumped)
        if isinstance(value, BaseModel) and isinstance(dumped, dict):
            self._mask_fields(value, dumped)
        elif isinstance(value, Mapping) and isinstance(dumped, dict):
            for name, inner in zip(dumped, value.values(), strict=True):
                dumped[name] = self._masked(inner, dumped[name])
        elif isinstance(value, Sequence) and isinstance(dumped, list):
            for number, inner in enumerate(value):
                dumped[number] = self._masked(inner, dumped[number])
        return dumped

    def _mask_fields(self, model: BaseModel, dumped: dict[str, Any]) -> None:
        # what only a newer version of us knows has no class that we know: it is not shown
        for name in model.model_extra or ():
            dumped.pop(name, None)
        classes, masked = sensitive_fields(type(model)), []
        for name in dumped:
            kind, inner = classes.get(name), getattr(model, name)
            if kind is not None and kind not in self._sees:
                dumped[name] = None
                masked.append(name)
                self.hidden.add(kind)
                continue
            dumped[name] = self._masked(inner, dumped[name])
            if kind is not None and inner not in (None, "", (), [], {}):
                self.shown.add(kind)
        if masked:
            dumped["masked"] = sorted({*(dumped.get("masked") or ()), *masked})
