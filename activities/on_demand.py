"""The activities of the connected systems, performed where a person repairs something: same code, same ledger."""

import inspect
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from domain.errors import Internal
from domain.steps import Perform, Performed

DEFINITION = "__temporal_activity_definition"


class OnDemand:
    """`owners`: the activities of each connection, by its name."""

    def __init__(self, owners: Mapping[str, object]) -> None:
        self._owners = owners

    async def perform(self, connection: str, request: Perform) -> Performed:
        """Raises ApplicationError, as the activity does."""
        return await self._activity(connection, request.step.do)(request)

    def _activity(self, connection: str, name: str) -> Callable[[Perform], Awaitable[Performed]]:
        found: Any
        for _, found in inspect.getmembers(self._owners.get(connection), inspect.ismethod):
            if getattr(getattr(found, DEFINITION, None), "name", None) == name:
                activity: Callable[[Perform], Awaitable[Performed]] = found
                return activity
        raise Internal(f"{connection} performs no {name}")
