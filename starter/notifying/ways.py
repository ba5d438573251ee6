"""The ways out: an incoming webhook, or an SMTP server. Each tells what became of a message, and raises nothing.

`failed` is said only where the message provably did not arrive; where nobody can know, it is `unknown`.
"""

import asyncio
import smtplib
import ssl
from collections.abc import Callable
from http import HTTPStatus
from typing import Any, NamedTuple, Protocol

import httpx

from starter.notifying import wording
from starter.notifying.channels import Channel, Mail
from starter.settings import Settings
from store.notices import Message, Outcome

WEBHOOK_TIMEOUT = 8.0  # shorter than what a process has from SIGTERM to SIGKILL
MAIL_TIMEOUT = 20.0  # mail servers look at a message before they take it


class Sent(NamedTuple):
    """`retry_after`: the seconds that the other side asks to be left alone."""

    outcome: Outcome
    problem: str = ""
    retry_after: float = 0.0


class Way(Protocol):
    async def send(self, message: Message) -> Sent: ...

    async def close(self) -> None: ...


class Webhook:
    """Slack's or Teams'. The address is a secret: it stands in no problem."""

    def __init__(self, url: str, form: Callable[[Message], dict[str, Any]]) -> None:
        self._url = url
        self._form = form
        self._client = httpx.AsyncClient(timeout=WEBHOOK_TIMEOUT, follow_redirects=False, trust_env=False)

    async def send(self, message: Message) -> Sent:
        try:
            response = await self._client.post(self._url, json=self._form(message))
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
            return Sent("failed", f"it can't be reached ({type(error).__name__})")
        except httpx.HTTPError as error:
            return Sent("unknown", f"it did not answer ({type(error).__name__})")
        if response.is_success:
            return Sent("sent")
        problem = f"it answered {response.status_code}"
        if response.status_code == HTTPStatus.TOO_MANY_REQUESTS:
            wait = response.headers.get("retry-after", "")
            return Sent("failed", problem, float(wait) if wait.isdecimal() else 0.0)
        return Sent("unknown" if response.is_server_error else "refused", problem)

    async def close(self) -> None:
        await self._client.aclose()


class Post:
    """E-mail. The library blocks, so it works in a thread of its own."""

    def __init__(self, mail: Mail, password: str | None, to: tuple[str, ...]) -> None:
        self._mail = mail
        self._password = password
        self._to = to

    async def send(self, message: Message) -> Sent:
        return await asyncio.to_thread(self._send, message)

    async def close(self) -> None:
        """Nothing is kept open."""

    def _send(self, message: Message) -> Sent:
        try:
            server = self._connect()
        except smtplib.SMTPAuthenticationError as error:
            return Sent("refused", f"the mail server answered {error.smtp_code} to user and password")
        except ssl.SSLCertVerificationError as error:
            return Sent("failed", f"the mail server's certificate does not hold: {error.verify_message}")
        except smtplib.SMTPNotSupportedError:
            return Sent("failed", "the mail server offers no STARTTLS, or no way to log in")
        except (OSError, smtplib.SMTPException) as error:
            return Sent("failed", f"the mail server can't be reached ({type(error).__name__})")
        try:
            server.send_message(wording.email(message, self._mail.sender, self._to))
        except smtplib.SMTPResponseException as error:
            return _judged(error.smtp_code)
        except smtplib.SMTPRecipientsRefused as error:
            return _judged(max(code for code, _ in error.recipients.values()))
        except (OSError, smtplib.SMTPException) as error:
            return Sent("unknown", f"the mail server broke off ({type(error).__name__})")
        finally:
            server.close()
        return Sent("sent")

    def _connect(self) -> smtplib.SMTP:
        mail, context = self._mail, ssl.create_default_context()
        if mail.tls == "tls":
            server: smtplib.SMTP = smtplib.SMTP_SSL(mail.host, mail.port, timeout=MAIL_TIMEOUT, context=context)
        else:
            server = smtplib.SMTP(mail.host, mail.port, timeout=MAIL_TIMEOUT)
        try:
            if mail.tls == "starttls":
                server.starttls(context=context)
            if mail.user is not None:
                server.login(mail.user, self._password or "")
        except BaseException:
            server.close()
            raise
        return server


def _judged(code: int) -> Sent:
    """The server has said what it does not take: 4xx is for now, 5xx for good."""
    return Sent("refused" if code >= 500 else "failed", f"the mail server answered {code}")


def way_of(settings: Settings, name: str, channel: Channel) -> Way:
    """Raises SettingsError when a secret can't be read."""
    if channel.url is None:
        password = settings.mail.password
        secret = settings.read_secret(password, "mail.password") if password else None
        return Post(settings.mail, secret, channel.to)
    url = settings.read_secret(channel.url, f"channels.{name}.url")
    return Webhook(url, wording.slack if channel.kind == "slack" else wording.teams)
