"""A mail server that keeps what it is given, and a door for webhooks: both answer as they are told to."""

import asyncio
import base64
import contextlib
import email
import email.policy
import json
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from email.message import EmailMessage
from typing import Any


class Mailbox:
    """SMTP as far as a client of ours speaks it. `answer`: what DATA is answered; None hangs up instead. `tls`: with
    which it speaks from the start, or after STARTTLS where that is `offered`."""

    def __init__(self, tls: ssl.SSLContext | None = None, *, offered: bool = False) -> None:
        self.tls, self.offered = tls, offered
        self.users: list[str] = []
        self.secured = False
        self.mails: list[EmailMessage] = []
        self.answer: str | None = "250 kept"
        self.port = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async def say(line: str) -> None:
            writer.write(f"{line}\r\n".encode())
            await writer.drain()

        with contextlib.suppress(ConnectionError, ssl.SSLError):
            await say("220 mailbox")
            while line := (await reader.readline()).decode().strip():
                command = line.split(" ")[0].upper()
                if command == "DATA":
                    await say("354 go on")
                    body = await reader.readuntil(b"\r\n.\r\n")
                    if self.answer is None:
                        break
                    if self.answer.startswith("2"):
                        self.mails.append(email.message_from_bytes(body[:-5], policy=email.policy.default))
                    await say(self.answer)
                elif command == "EHLO" and self.offered and not self.secured:
                    await say("250-mailbox")
                    await say("250 STARTTLS")
                elif command == "EHLO" and self.tls:
                    await say("250-mailbox")
                    await say("250 AUTH PLAIN")
                elif command == "STARTTLS" and self.tls:
                    await say("220 go on")
                    await writer.start_tls(self.tls)
                    self.secured = True
                elif command == "AUTH":
                    self.users.append(base64.b64decode(line.split(" ")[2]).decode())
                    await say("235 known")
                elif command == "QUIT":
                    await say("221 bye")
                    break
                else:
                    await say("250 ok")
        writer.close()


class Door:
    """An incoming webhook of Slack or Teams. `answer`: its status and headers; None hangs up in place of an answer."""

    def __init__(self) -> None:
        self.posts: list[dict[str, Any]] = []
        self.answer: tuple[int, str] | None = (200, "")
        self.port = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        size = next(int(line.split(":")[1]) for line in head.splitlines() if line.startswith("content-length"))
        body = json.loads(await reader.readexactly(size))
        if self.answer is not None:
            status, headers = self.answer
            if status < 300:
                self.posts.append(body)
            writer.write(f"HTTP/1.1 {status} X\r\n{headers}content-length: 0\r\nconnection: close\r\n\r\n".encode())
            await writer.drain()
        writer.close()


@asynccontextmanager
async def at_a_port(place: Mailbox | Door) -> AsyncIterator[None]:
    tls = place.tls if isinstance(place, Mailbox) and not place.offered else None
    server = await asyncio.start_server(place.serve, "127.0.0.1", 0, ssl=tls)
    place.port = server.sockets[0].getsockname()[1]
    async with server:
        yield
