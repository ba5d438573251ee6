"""The notifier: gives each channel its messages. Any number of processes may run one: a message is one's alone."""

import asyncio
from types import TracebackType
from typing import Self

import structlog

from domain.company import Company
from starter.logs import where
from starter.notifying.ways import Sent, Way, way_of
from starter.settings import Settings, SettingsError
from store.database import Database
from store.notices import Message, claim, is_due, settle

FIRST_WAIT, LONGEST_WAIT = 30.0, 3600.0

log = structlog.get_logger()


class Notifier:
    """Tells what is due, channel by channel; a channel that hangs holds up only itself."""

    def __init__(self, database: Database, settings: Settings, company: Company) -> None:
        """Raises SettingsError when a team is told by a channel that there is not, or a secret can't be read."""
        self._db = database
        named = {name: team.id for team in company.teams for name in team.tell}
        if missing := sorted(named.keys() - settings.channels.keys()):
            raise SettingsError(f"channels: there is no {missing[0]!r}, by which the team {named[missing[0]]} is told")
        self._digests = {name: channel.digest.total_seconds() for name, channel in settings.channels.items()}
        self._ways: dict[str, Way] = {
            name: way_of(settings, name, channel) for name, channel in settings.channels.items()
        }
        self._under_way: dict[str, asyncio.Task[int]] = {}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """What is on its way is waited for: broken off, nobody would know whether it arrived."""
        await asyncio.gather(*self._under_way.values(), return_exceptions=True)
        for way in self._ways.values():
            await way.close()

    async def look(self) -> int:
        """Begin what is due; returns how many messages went out since the last look."""
        done = [name for name, task in self._under_way.items() if task.done()]
        told = sum(self._under_way.pop(name).result() for name in done)
        for name, digest in self._digests.items():
            if name not in self._under_way:
                self._under_way[name] = asyncio.create_task(self.tell(name, digest))
        return told

    async def tell(self, name: str, digest: float) -> int:
        """Give one channel its next message; returns how many messages that were."""
        if not await self._db.read(lambda session: is_due(session, name, digest)):
            return 0
        message = await self._db.write(lambda session: claim(session, name, digest))
        if message is None:
            return 0
        sent = await self._send(message)
        wait = max(sent.retry_after, min(LONGEST_WAIT, FIRST_WAIT * 2.0 ** (message.attempts - 1)))
        await self._db.write(lambda session: settle(session, message, sent.outcome, sent.problem, wait))
        if sent.outcome != "sent":
            log.warning("people were not told", channel=name, why=sent.problem, outcome=sent.outcome)
        return 1

    async def _send(self, message: Message) -> Sent:
        try:
            return await self._ways[message.channel].send(message)
        except Exception as error:  # it may have been sent before that: nobody knows
            log.error("telling was broken off", channel=message.channel, where=where(error))
            return Sent("unknown", f"it was broken off ({type(error).__name__})")
