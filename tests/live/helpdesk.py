"""A served django-helpdesk for tests: its own SQLite file and port, gone when the test run is over."""

import os
import secrets
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

PROJECT = Path(__file__).parents[2] / "integrations" / "helpdesk"
STARTS_WITHIN = 60.0  # seconds

QUEUES = {"support": 1, "hooli": 2, "internal": 3}  # as desk/seed.py makes them; `tenure` sees the first two
PRIORITY = {1: 1, 2: 2, 3: 3, 4: 4}  # of a severity

# Ends the server when the run is gone, however it ended.
GUARD = 'read -r _; kill -TERM "$1" 2>/dev/null'


@dataclass
class Helpdesk:
    """`token` and `password` are of the user `tenure`, who may read; `agent` works there; `visitor` is no staff."""

    url: str
    token: str = field(repr=False)
    agent_token: str = field(repr=False)
    visitor_token: str = field(repr=False)
    process: subprocess.Popen[bytes]
    user: str = "tenure"

    @property
    def password(self) -> str:
        return self.token

    async def open_ticket(
        self, account: str, severity: int = 3, *, queue: str = "support", priority: int | None = None
    ) -> str:
        """Without an account the custom field stays empty."""
        ticket = {
            "queue": QUEUES[queue],
            "title": "It does not load",
            "description": "It does not load.",
            "priority": priority or PRIORITY[severity],
            **({"custom_account": account} if account else {}),
        }
        return str((await self.agent("POST", "tickets/", ticket))["id"])

    async def close_ticket(self, ticket: str) -> None:
        await self.change_ticket(ticket, status=4)

    async def change_ticket(self, ticket: str, **fields: Any) -> None:
        await self.agent("PATCH", f"tickets/{ticket}/", fields)

    async def follow_up(self, ticket: str, comment: str, new_status: int | None = None) -> str:
        """As an agent who answers in the ticket: the way in which its webhooks are sent."""
        answer = {"ticket": ticket, "title": "", "comment": comment} | (
            {} if new_status is None else {"new_status": new_status}
        )
        return str((await self.agent("POST", "followups/", answer))["id"])

    async def clear(self) -> None:
        """No ticket is left."""
        while tickets := (await self.agent("GET", "tickets/?page_size=500"))["results"]:
            for ticket in tickets:
                await self.agent("DELETE", f"tickets/{ticket['id']}/")

    async def agent(self, method: str, path: str, body: Any = None) -> Any:
        """What the agent does over the API."""
        headers = {"Authorization": f"Token {self.agent_token}"}
        async with httpx.AsyncClient(base_url=f"{self.url}/api/", headers=headers, timeout=30, trust_env=False) as http:
            answer = (await http.request(method, path, json=body)).raise_for_status()
            return answer.json() if answer.content else None

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(timeout=20)


def make_environment() -> Path:
    """The help desk's virtual environment; made where it isn't there yet, which takes half a minute."""
    script = str(PROJECT / "make.sh")
    return Path(subprocess.run(["bash", script], check=True, stdout=subprocess.PIPE, text=True).stdout.strip())


@contextmanager
def served_helpdesk(directory: Path, webhooks: str | None = None) -> Iterator[Helpdesk]:
    """A fresh help desk in `directory`, which sends its webhooks to the address `webhooks`."""
    python = str(make_environment() / "bin" / "python")
    users = {name: secrets.token_hex(20) for name in ("agent", "tenure", "visitor")}
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(PROJECT),
        "PYTHONDONTWRITEBYTECODE": "1",
        "DJANGO_SETTINGS_MODULE": "desk.settings",
        "DESK_DATABASE": str(directory / "desk.db"),
        "DESK_SECRET_KEY": secrets.token_hex(20),
        **{f"DESK_{name.upper()}_TOKEN": token for name, token in users.items()},
    }
    if webhooks is not None:
        environment |= {"HELPDESK_NEW_TICKET_WEBHOOK_URLS": webhooks, "HELPDESK_FOLLOWUP_WEBHOOK_URLS": webhooks}
    _run([python, "-m", "desk.seed"], environment, directory)
    with socket.create_server(("127.0.0.1", 0)) as listening, (directory / "desk.log").open("wb") as log:
        bind = f"fd://{listening.fileno()}"
        process = subprocess.Popen(
            [python, "-m", "gunicorn", "--no-control-socket", "--threads", "4", "--bind", bind, "desk.wsgi"],
            pass_fds=[listening.fileno()],
            env=environment,
            cwd=directory,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
    guard = subprocess.Popen(["sh", "-c", GUARD, "guard", str(process.pid)], stdin=subprocess.PIPE)
    desk = Helpdesk(url, users["tenure"], users["agent"], users["visitor"], process)
    try:
        _wait_for(desk, directory / "desk.log")
        yield desk
    finally:
        desk.stop()
        guard.communicate()


def _run(command: Sequence[str], environment: dict[str, str], directory: Path) -> None:
    ended = subprocess.run(command, env=environment, cwd=directory, check=False, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr[-2000:]


def _wait_for(desk: Helpdesk, log: Path) -> None:
    until = time.monotonic() + STARTS_WITHIN
    while time.monotonic() < until and desk.process.poll() is None:
        try:
            if httpx.get(f"{desk.url}/api/tickets/", timeout=10, trust_env=False).status_code == 401:
                return
        except httpx.TransportError:
            time.sleep(0.1)
    raise AssertionError(f"the help desk does not answer: {log.read_text(errors='replace')[-2000:]}")
