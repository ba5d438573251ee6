"""A desk at which hints come in, and are read back from a CRM."""

from collections import Counter
from functools import partial
from typing import Any

from sqlmodel import col, select, update

from adapters.crm.sandbox import SandboxCrm
from domain.ports import CrmReader
from starter.hints import Hints
from store.cases import Cases
from store.database import change, insert_once, now
from store.tables import InboxRow
from tests.intake import DEAL, Desk, payload
from tests.kits.sandbox import SandboxWorld


class Bell:
    """Hints that come in, and what became of them."""

    def __init__(self, desk: Desk, world: SandboxWorld[SandboxCrm]) -> None:
        self.desk, self.world = desk, world
        self.cases = Cases(desk.database)
        self.hints = self.reading(world.port)
        self._rung = 0

    def reading(self, reader: CrmReader) -> Hints:
        return Hints(self.desk.database, {"crm": reader})

    async def put_deal(self, deal: str = DEAL, **changes: Any) -> None:
        await self.world.put_deal({**payload("salesforce_new_hooli"), "Id": deal, **changes})

    async def ring(self, *deals: str, source: str = "crm") -> None:
        for deal in deals or (DEAL,):
            self._rung += 1
            event_id = f"hint {self._rung}"
            row = InboxRow(source=source, event_id=event_id, type="hint.deal", subject=deal, payload="{}", state="hint")
            await self.desk.database.write(partial(insert_once, row=row, keys=("source", "event_id")))

    async def rows(self, type: str) -> list[InboxRow]:
        query = select(InboxRow).where(InboxRow.type == type).order_by(col(InboxRow.id))
        return list(await self.desk.database.read(lambda session: session.exec(query).all()))

    async def facts(self) -> list[str]:
        query = select(InboxRow.type).where(col(InboxRow.event_id).startswith("deal:")).order_by(InboxRow.type)
        return list(await self.desk.database.read(lambda session: session.exec(query).all()))

    async def states(self) -> Counter[str]:
        return Counter(row.state for row in await self.rows("hint.deal"))

    async def pause(self) -> float:
        """How long the first hint still waits."""
        [row, *_] = await self.rows("hint.deal")
        return row.next_try_at - await self.desk.database.read(now)

    async def time_passes(self) -> None:
        """Whatever waits, or is held by somebody, is due."""
        statement = update(InboxRow).where(col(InboxRow.state) == "hint").values(next_try_at=0.0)
        await self.desk.database.write(lambda session: change(session, statement))

    async def read_until_quiet(self, hints: Hints | None = None) -> int:
        settled = 0
        while now_settled := await (hints or self.hints).read_back():
            settled += now_settled
        return settled
