"""The language in which a webhook source is declared in `tenure.toml`, and how a declaration lies over its preset."""

import re
import tomllib
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Annotated, Any, Literal, get_args

from pydantic import BeforeValidator, Field, model_validator

from domain.base import Frozen
from domain.events import CATALOG
from domain.expressions import Expression
from domain.fields import Fields

Preset = Literal["standard", "stripe", "hubspot", "zendesk"]
PLACEHOLDERS = ("body", "t", "id", "method", "uri")


class Stamp(Frozen):
    """When a message was signed: in a header of its own, or in a `part` of the signature header.

    `tolerance`: seconds that it may lie back, limits.tolerance_seconds when absent. `future`: seconds that it may lie
    ahead of our clock, as many as back when absent.
    """

    header: str | None = None
    part: str | None = None
    unit: Literal["s", "ms", "iso"] = "s"
    tolerance: int | None = Field(None, ge=1)
    future: int | None = Field(None, ge=0)

    @model_validator(mode="after")
    def _stands_somewhere(self) -> "Stamp":
        if (self.header is None) == (self.part is None):
            raise ValueError("name exactly one of header, part")
        return self


class Signature(Frozen):
    """How a message proves who sent it.

    `hmac`: the digest of what the template `signs` gives, of {body}, {t} (the stamp as sent), {id} (the header that
    `id` names), {method} and {uri}. `token`: no digest; the header holds the secret itself.

    `form` of the header: `plain` (the value after `prefix`), `pairs` (`t=…,v1=…`), `list` (`v1,… v1,…`); `part` is the
    name under which the digest stands. `key`: how a secret becomes the key, after `key_prefix` is taken off.
    `decodes`: characters that the sender signs as they are in {uri}, though the request has them percent-encoded.
    """

    kind: Literal["hmac", "token"] = "hmac"
    header: str = Field(min_length=1)
    form: Literal["plain", "pairs", "list"] = "plain"
    part: str | None = None
    prefix: str = ""
    separator: str | None = Field(None, min_length=1)
    algorithm: Literal["sha1", "sha256", "sha512"] = "sha256"
    encoding: Literal["hex", "base64"] = "hex"
    signs: str = "{body}"
    decodes: str = ""
    id: str | None = None
    stamp: Stamp | None = None
    key: Literal["text", "base64", "hex"] = "text"
    key_prefix: str = ""

    @model_validator(mode="after")
    def _coherent(self) -> "Signature":
        if (self.part is None) != (self.form == "plain"):
            raise ValueError("`part` belongs to the forms pairs and list, and they need it")
        named = self.placeholders()
        if unknown := named - set(PLACEHOLDERS):
            known = ", ".join(f"{{{name}}}" for name in PLACEHOLDERS)
            raise ValueError(f"signs: no such placeholder: {', '.join(sorted(unknown))}; known: {known}")
        if self.stamp and self.stamp.part and self.form != "pairs":
            raise ValueError("stamp.part: only a header of the form pairs has one")
        if self.kind == "token":
            return self
        if "body" not in named:
            raise ValueError("signs: without {body} anybody could change the body")
        if ("t" in named) != (self.stamp is not None):
            raise ValueError("signs: {t} and `stamp` belong together: a stamp that is not signed proves nothing")
        if "id" in named and self.id is None:
            raise ValueError("signs: {id} needs `id`, the name of its header")
        return self

    def pieces(self) -> tuple[str, ...]:
        """The template taken apart: text at even places, names of placeholders at odd ones."""
        return tuple(re.split(r"\{(\w+)\}", self.signs))

    def placeholders(self) -> set[str]:
        return set(self.pieces()[1::2])


def _one_or_more(value: Any) -> Any:
    return (value,) if isinstance(value, str) else value


class TypeRule(Frozen):
    """What types of the source's events are to us: one or several, exact or a glob such as `invoice.*`.

    The first rule that fits counts.
    One of: `becomes` (an event of ours, its `data` by field), `hint` (a thin event: the `record` that it names, a deal,
    is read back later; or a gap, in which the source says that it has lost events, and a query fills in), `ignore`.
    `when` has to hold on the event, too.
    """

    type: Annotated[tuple[str, ...], BeforeValidator(_one_or_more), Field(min_length=1)]
    when: Expression | None = None
    becomes: str | None = None
    data: Fields = {}
    hint: Literal["deal", "gap"] | None = None
    record: Expression | None = None
    ignore: bool = False

    @model_validator(mode="after")
    def _one_outcome(self) -> "TypeRule":
        if (self.becomes is not None) + (self.hint is not None) + self.ignore != 1:
            raise ValueError("name exactly one of becomes, hint, ignore = true")
        if (self.record is None) != (self.hint != "deal"):
            raise ValueError('`record` belongs to `hint = "deal"`, which needs one')
        if self.becomes is None:
            if self.data:
                raise ValueError("`data` belongs to `becomes`")
            return self
        contract = CATALOG.get(self.becomes)
        if contract is None or contract.contract_.outgoing:
            raise ValueError(f"becomes: {self.becomes!r} is no event that can be received")
        if unknown := set(self.data) - set(contract.model_fields):
            known = ", ".join(contract.model_fields)
            raise ValueError(f"data: {self.becomes} has no field {', '.join(sorted(unknown))}; it has {known}")
        return self


def _standard() -> Signature:
    return Signature.model_validate(preset("standard")["signature"])


class Declaration(Frozen):
    """A source of webhooks. Expressions are JMESPath, on one event unless said otherwise.

    `each` finds the array of events in a body that holds several, and `keep` (also on the body) an object whose keys
    each of them takes along. `dedupe`: what tells two events apart, the `id` when absent. `fields`: where fields of our
    events stand, for every rule of `types` whose event has such a field. `cloudevents`: the source speaks CloudEvents,
    and a type that no rule names is one of ours. `empty`: a body may be empty, and then says nothing. `url`: this
    source's address as the sender knows it, where that is signed and differs from what arrives here.
    """

    signature: Signature = Field(default_factory=_standard)
    url: str | None = None
    cloudevents: bool = False
    empty: bool = False
    each: Expression | None = None
    keep: Expression | None = None
    id: Expression = "id"
    type: Expression = "type"
    time: Expression | None = None
    subject: Expression | None = None
    dedupe: tuple[Expression, ...] = ()
    fields: Fields = {}
    types: tuple[TypeRule, ...] = ()

    @model_validator(mode="after")
    def _complete(self) -> "Declaration":
        if not self.cloudevents and not self.types:
            raise ValueError("types: say what at least one of its types is to us")
        if self.keep is not None and self.each is None:
            raise ValueError("`keep` belongs to `each`")
        known = {name for rule in self.types if rule.becomes for name in CATALOG[rule.becomes].model_fields}
        if stray := set(self.fields) - known:
            raise ValueError(f"fields: no event of `types` has {', '.join(sorted(stray))}")
        for number, rule in enumerate(self.types):
            if rule.becomes:
                needed = {name for name, field in CATALOG[rule.becomes].model_fields.items() if field.is_required()}
                if missing := needed - set(self.data_of(rule)):
                    where = f"types.{number}.data"
                    raise ValueError(f"{where}: {rule.becomes} needs {', '.join(sorted(missing))}")
        return self

    def data_of(self, rule: TypeRule) -> Fields:
        """The fields of the event that `rule` makes: its own, and those of all rules that the event has a place for."""
        if rule.becomes is None:
            return {}
        own = CATALOG[rule.becomes].model_fields
        return {name: field for name, field in self.fields.items() if name in own} | rule.data


def over_preset(values: Any) -> Any:
    """`values` laid over their preset: tables key by key, and their `types` before the preset's, so that they win.

    A source that names no preset and spells out its signature has none; without either it is `standard`.
    """
    if not isinstance(values, Mapping):
        return values
    name = values.get("preset", None if "signature" in values else "standard")
    if name not in get_args(Preset):
        return values
    return {"preset": name, **_merged(preset(name), values)}


@cache
def preset(name: str) -> Mapping[str, Any]:
    """A preset as it is written in its file."""
    return tomllib.loads(files("starter.sources").joinpath("presets", f"{name}.toml").read_text(encoding="utf-8"))


def _merged(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    merged = {**below, **above}
    for key in below.keys() & above.keys():
        if key == "types" and isinstance(above[key], list | tuple):
            merged[key] = [*above[key], *below[key]]
        elif isinstance(below[key], Mapping) and isinstance(above[key], Mapping):
            merged[key] = _merged(below[key], above[key])
    return merged
