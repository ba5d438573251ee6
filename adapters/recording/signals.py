"""The recording help desk and usage meter: they say what they were told to say."""

from decimal import Decimal

from adapters.recording.journal import Journal
from adapters.recording.system import Line, RecordingSystem, there
from domain.ports import Adoption, SupportCases


class RecordingSupport(RecordingSystem):
    """An account that was never heard of has no cases."""

    def __init__(self, name: str, journal: Journal, line: Line) -> None:
        super().__init__(name, journal, line)
        self.open: dict[str, dict[int, int]] = {}

    async def open_cases(self, account: str) -> SupportCases:
        return await self._read("open_cases", lambda: SupportCases(by_severity=dict(self.open.get(account, {}))))


class RecordingUsage(RecordingSystem):
    """An account of which no usage was ever reported is not found."""

    def __init__(self, name: str, journal: Journal, line: Line) -> None:
        super().__init__(name, journal, line)
        self.reported: dict[str, Adoption] = {}

    def report(self, account: str, active: Decimal, entitled: Decimal) -> None:
        self.reported[account] = Adoption(active=active, entitled=entitled)

    async def adoption(self, account: str) -> Adoption:
        return await self._read("adoption", lambda: there(self.reported, account, "account"))
