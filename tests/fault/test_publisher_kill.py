"""Publishers that are killed with SIGKILL while they send: every event arrives, in order per contract."""

import asyncio
import os
import random
import signal
import sys
from pathlib import Path

from sqlmodel import Session, col, select

from store.database import Database
from store.tables import OutgoingRow, StreamRow
from tests.subscriber import SECRET, Got, Subscriber, open_subscriber

ROOT = Path(__file__).parents[2]
CONTRACTS = [f"crm/d{n}/1" for n in range(6)]
EACH = 25


def fill(session: Session) -> None:
    for n in range(EACH):
        for contract in CONTRACTS:
            body = {"id": f"{contract}:{n}", "subject": contract, "type": "tenure.lifecycle.case_resolved.v1"}
            session.add(
                OutgoingRow(event_id=body["id"], contract=contract, type=body["type"], body=body, created_at=1.0)
            )


async def start(url: str, config: Path) -> asyncio.subprocess.Process:
    child = await asyncio.create_subprocess_exec(
        sys.executable,
        str(Path(__file__).with_name("publisher_child.py")),
        url,
        str(config),
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=asyncio.subprocess.PIPE,
    )
    assert child.stdout is not None
    await child.stdout.readline()
    return child


async def test_whoever_sends_is_killed_and_the_next_one_goes_on(url: str, database: Database, tmp_path: Path) -> None:
    chance = random.Random(11)
    await database.write(fill)
    # read now: what was delivered and is as old as this is cleaned up
    said = await database.read(lambda session: session.exec(select(OutgoingRow).order_by(col(OutgoingRow.id))).all())
    async with open_subscriber() as subscriber:

        async def answer(_: Got) -> int:
            await asyncio.sleep(0.02)
            return chance.choice([200, 200, 200, 503])

        subscriber.answer = answer
        config = tmp_path / "tenure.toml"
        config.write_text(f'[subscribers.it]\nurl = "{subscriber.url}"\nsecrets = [{{ value = "{SECRET}" }}]\n')
        children = {child.pid: child for child in await asyncio.gather(*(start(url, config) for _ in range(3)))}
        for _ in range(2):
            await until_more(subscriber, 40)
            assert not complete(subscriber)
            sender = children.pop(int(await database.read(owner)))
            sender.send_signal(signal.SIGKILL)
            await sender.wait()
        await subscriber.until(lambda: complete(subscriber), seconds=60)
        for child in children.values():
            child.kill()
            await child.wait()
    for contract in CONTRACTS:
        assert subscriber.order(contract) == [row.event_id for row in said if row.contract == contract]


def owner(session: Session) -> str:
    return session.get_one(StreamRow, "subscriber/it").owner


def complete(subscriber: Subscriber) -> bool:
    return len({got.event["id"] for got in subscriber.taken}) == EACH * len(CONTRACTS)


async def until_more(subscriber: Subscriber, count: int) -> None:
    wanted = len(subscriber.taken) + count
    await subscriber.until(lambda: len(subscriber.taken) >= wanted or complete(subscriber), seconds=30)
