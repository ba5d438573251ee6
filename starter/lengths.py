"""How long what people write into a command may be: a lifecycle keeps it in its state for years."""

from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel

from starter.mistakes import Mistake

LONGEST = 2000


def check_lengths(command: BaseModel) -> None:
    """Raises Mistake for a text that is longer than anybody reads."""
    for name, text in _texts("", command.model_dump(mode="json")):
        if len(text) > LONGEST:
            raise Mistake(f"{name} has {len(text)} characters; at most {LONGEST} are kept")


def _texts(name: str, value: Any) -> Iterator[tuple[str, str]]:
    match value:
        case str():
            yield name, value
        case dict():
            for key, each in value.items():
                yield "a key", str(key)
                yield from _texts(str(key), each)
        case list():
            for each in value:
                yield from _texts(name, each)
