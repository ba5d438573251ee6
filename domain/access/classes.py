"""What kind of sensitive a field is. A model says it beside the field: `Annotated[Decimal, Sensitive("amount")]`."""

from enum import StrEnum
from functools import cache
from typing import Any

from pydantic import BaseModel, GetJsonSchemaHandler
from pydantic_core import CoreSchema


class FieldClass(StrEnum):
    """A closed list. Who sees which is the policy's, by role."""

    AMOUNT = "amount"  # what was invoiced, is owed, is leaking: money as the ERP knows it
    VALUE = "value"  # what a contract or its renewal is worth
    BANK = "bank"  # accounts, cards, mandates
    TAX = "tax"  # tax ids
    PERSONAL = "personal"  # names, addresses and numbers of people
    SUPPORT_TEXT = "support_text"  # what customers wrote to support
    PAYLOAD = "payload"  # an event or a document as another system sent it
    AUDIT = "audit"  # who looked at what, and why


class Sensitive:
    """Marks a field with its class. Who doesn't see the class reads null there (domain/access/visible.py), so the JSON
    schema of answers lets the field be null."""

    def __init__(self, kind: str) -> None:
        """ValueError for a class that there is not."""
        self.kind = FieldClass(kind)

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        found = handler(schema)
        marked = {"x-sensitive": str(self.kind)}
        return {**found, **marked} if handler.mode == "validation" else {"anyOf": [found, {"type": "null"}], **marked}

    def __repr__(self) -> str:
        return f"Sensitive({str(self.kind)!r})"


class Guarded(BaseModel):
    """Base of an answer with sensitive fields: `masked` names those that its reader does not see."""

    masked: tuple[str, ...] = ()


@cache
def sensitive_fields(model: type[BaseModel]) -> dict[str, FieldClass]:
    """The classes of a model's own fields, by name; a field without one is open to whoever may read the model.
    TypeError for a model that can't say what of it is hidden."""
    found = {
        name: mark.kind
        for name, field in model.model_fields.items()
        for mark in field.metadata
        if isinstance(mark, Sensitive)
    }
    if found and not issubclass(model, Guarded):
        raise TypeError(f"{model.__name__} has sensitive fields ({', '.join(found)}): let it be Guarded")
    return found
