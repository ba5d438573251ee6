"""A sender of webhooks that costs little: plain HTTP/1.1 over connections that stay open, signed ahead of time."""

import asyncio
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from urllib.parse import urlsplit

from standardwebhooks import Webhook

PATIENCE = 60.0  # seconds that a sender goes on with a webhook that nobody takes
PAUSE = 0.2


@dataclass
class Measured:
    """`seconds` from the first request to the last answer; `latencies` in seconds, one per answer."""

    seconds: float = 0.0
    statuses: Counter[int] = field(default_factory=Counter)
    latencies: list[float] = field(default_factory=list)

    @property
    def per_second(self) -> float:
        return sum(self.statuses.values()) / self.seconds

    def percentile(self, share: float) -> float:
        ordered = sorted(self.latencies)
        return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def signed(secret: str, path: str, event_id: str, body: str) -> bytes:
    """A whole request, signed by Standard Webhooks as of now."""
    now = datetime.now(UTC)
    data = body.encode()
    head = (
        f"POST {path} HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/cloudevents+json\r\n"
        f"content-length: {len(data)}\r\nwebhook-id: {event_id}\r\nwebhook-timestamp: {int(now.timestamp())}\r\n"
        f"webhook-signature: {Webhook(secret).sign(event_id, now, body)}\r\n\r\n"
    )
    return head.encode() + data


class Line:
    """One connection, opened when it is needed. One request at a time."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._host, self._port = parts.hostname or "", parts.port or 80
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def send(self, request: bytes) -> int:
        """The answer's status. OSError or EOFError when there is none; the next request opens anew."""
        try:
            if self._streams is None:
                self._streams = await asyncio.open_connection(self._host, self._port)
            reader, writer = self._streams
            writer.write(request)
            head = await reader.readuntil(b"\r\n\r\n")
            lines = head.lower().split(b"\r\n")
            length = next((int(line[15:]) for line in lines if line.startswith(b"content-length:")), 0)
            await reader.readexactly(length)
            return int(head[9:12])
        except (OSError, EOFError):
            self.close()
            raise

    async def deliver(self, request: bytes) -> None:
        """As a real sender does: again and again, until somebody says 202. TimeoutError when nobody does."""
        give_up = time.monotonic() + PATIENCE
        status = 0
        while time.monotonic() < give_up:
            try:
                status = await self.send(request)
            except (OSError, EOFError):
                status = 0
            if status == 202:
                return
            await asyncio.sleep(PAUSE)
        raise TimeoutError(f"a webhook was not accepted within {PATIENCE:.0f} s; the last answer was {status}")

    def close(self) -> None:
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None


async def as_fast_as_taken(url: str, requests: Sequence[bytes], connections: int) -> Measured:
    """Closed loop: each connection sends its next request when the one before it was answered."""
    measured, waiting = Measured(), iter(requests)

    async def work() -> None:
        line = Line(url)
        for request in waiting:
            sent = time.perf_counter()
            measured.statuses[await line.send(request)] += 1
            measured.latencies.append(time.perf_counter() - sent)
        line.close()

    began = time.perf_counter()
    await asyncio.gather(*(work() for _ in range(connections)))
    measured.seconds = time.perf_counter() - began
    return measured


async def at_a_rate(url: str, requests: Sequence[bytes], per_second: float, connections: int) -> Measured:
    """Open loop: a request goes when its time comes, answered or not; latency counts from that time on."""
    measured, due = Measured(), asyncio.Queue[tuple[float, bytes] | None]()

    async def work() -> None:
        line = Line(url)
        while (item := await due.get()) is not None:
            at, request = item
            measured.statuses[await line.send(request)] += 1
            measured.latencies.append(time.perf_counter() - at)
        line.close()

    workers = [asyncio.create_task(work()) for _ in range(connections)]
    began = time.perf_counter()
    for number, request in enumerate(requests):
        at = began + number / per_second
        await asyncio.sleep(max(0.0, at - time.perf_counter()))
        due.put_nowait((at, request))
    for _ in workers:
        due.put_nowait(None)
    await asyncio.gather(*workers)
    measured.seconds = time.perf_counter() - began
    return measured
