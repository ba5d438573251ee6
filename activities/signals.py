"""Activities that read support and usage, for the readiness view."""

from temporalio import activity

from activities.boundary import temporal_failures
from domain.ports import Adoption, Support, SupportCases, Usage
from domain.readings import Read


class SupportActivities:
    """Runs on the help desk's task queue."""

    def __init__(self, support: Support) -> None:
        self._support = support

    @activity.defn(name="support.read_cases")
    async def read_cases(self, request: Read) -> SupportCases:
        with temporal_failures():
            return await self._support.open_cases(request.subject)


class UsageActivities:
    """Runs on the usage source's task queue."""

    def __init__(self, usage: Usage) -> None:
        self._usage = usage

    @activity.defn(name="usage.read_adoption")
    async def read_adoption(self, request: Read) -> Adoption:
        with temporal_failures():
            return await self._usage.adoption(request.subject)
