"""Old versions of events, read as the newest: what senders still send is up-cast on the way in.

When an event needs another shape: add the model as `.v<N+1>`, mark the old one `deprecated` and `replaced_by`, and give
the step between them here. The old contract stays in the catalog for as long as somebody sends it.
"""

from collections.abc import Callable, Mapping
from typing import Any

from domain.events.base import NAME, EventData

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


def gaps(catalog: Mapping[str, type[EventData]], upcasts: Mapping[str, Upcast] = UPCASTS) -> list[str]:
    """What keeps old versions from being read as the newest, or senders from knowing what to send: one line each."""
    found = [f"{name}: it is up-cast, but is not in the catalog" for name in upcasts if name not in catalog]
    for name, data in catalog.items():
        contract, newer = data.contract_, next_version(name)
        if newer in catalog and not contract.outgoing and name not in upcasts:
            found.append(f"{name}: {newer} is there, and no up-cast to it")
        if newer in catalog and contract.deprecated is None:
            found.append(f"{name}: {newer} is there, and {name} is not marked as deprecated")
        if newer not in catalog and name in upcasts:
            found.append(f"{name}: it is up-cast to {newer}, which is not in the catalog")
        if contract.replaced_by is not None and contract.replaced_by not in catalog:
            found.append(f"{name}: it is replaced by {contract.replaced_by}, which is not in the catalog")
    return found
