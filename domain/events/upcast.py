"""Old versions of events, read as the newest: what senders still send is up-cast on the way in.

When an event needs another shape: add the model as `.v<N+1>`, mark the old one `deprecated` and `replaced_by`, and give
the step between them here. The old contract stays in the catalog for as long as somebody sends it.
"""

from collections.abc import Callable
from typing import Any

from domain.events.base import NAME

Upcast = Callable[[dict[str, Any]], dict[str, Any]]
"""Makes data of the next version out of valid data of its own, which it leaves as it is."""

UPCASTS: dict[str, Upcast] = {}
"""By the name of the old type. Every contract is at its first version so far."""


def next_version(name: str) -> str:
    """The name of the version after this one: `tenure.invoice.overdue.v1` → `tenure.invoice.overdue.v2`."""
    found = NAME.fullmatch(name)
    if found is None:
        raise ValueError(f"{name!r} is not tenure.<entity>.<past-tense-verb>.v<N>")
    return f"tenure.{found['entity']}.{found['verb']}.v{int(found['version']) + 1}"
