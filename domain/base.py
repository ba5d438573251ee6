"""Base classes of our models, and the civil-date types that every file shares."""

from pydantic import BaseModel, ConfigDict


class Frozen(BaseModel):
    """An immutable value. Unknown fields are refused: a misspelt field is a mistake, not an extension."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Tolerant(BaseModel):
    """A value that crosses versions of our code: unknown fields are kept, so that a roll-back loses nothing."""

    model_config = ConfigDict(extra="allow")
