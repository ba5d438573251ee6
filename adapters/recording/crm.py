"""The recording CRM: deals, what they show of their contracts, renewal opportunities."""

from collections.abc import Mapping

from adapters.recording.journal import Journal
from adapters.recording.system import KEY, LEVEL, Line, RecordingSystem, record_id, there
from domain.effects import EffectClass
from domain.ports import DealStatus, NewRenewalOpportunity, OpportunityRef


class RecordingCrm(RecordingSystem):
    effects: Mapping[str, EffectClass] = {"write_status": LEVEL, "create_renewal_opportunity": KEY}

    def __init__(self, name: str, journal: Journal, line: Line) -> None:
        super().__init__(name, journal, line)
        self.accounts: set[str] = set()
        self.stages: dict[str, str] = {}
        self.statuses: dict[str, DealStatus] = {}
        self.renewals: dict[str, OpportunityRef] = {}

    def has(self, account: str, deal: str, stage: str = "Closed Won") -> None:
        """The account and its deal are there."""
        self.accounts.add(account)
        self.stages[deal] = stage

    async def account_exists(self, account: str) -> bool:
        return await self._read("account_exists", lambda: account in self.accounts)

    async def read_opportunity(self, opportunity: str) -> OpportunityRef:
        return await self._read(
            "read_opportunity",
            lambda: OpportunityRef(id=opportunity, stage=there(self.stages, opportunity, "opportunity")),
        )

    async def write_status(self, status: DealStatus) -> None:
        def write() -> None:
            there(self.stages, status.deal_id, "opportunity")
            self.statuses[status.deal_id] = status

        await self._level("write_status", status, write)

    async def create_renewal_opportunity(self, new: NewRenewalOpportunity, *, key: str) -> OpportunityRef:
        def create() -> OpportunityRef:
            made = OpportunityRef(id=record_id("opportunity", key), stage="Prospecting")
            self.stages[made.id] = made.stage
            self.renewals[key] = made
            return made

        return await self._once("create_renewal_opportunity", key, new, create)

    async def find_renewal_opportunity(self, key: str) -> OpportunityRef | None:
        return await self._read("find_renewal_opportunity", lambda: self.renewals.get(key))
